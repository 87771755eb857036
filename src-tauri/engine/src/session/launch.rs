//! From a click to a running Claude Code.

use super::{
    Attached, Project, SessionId, Sessions, TerminalSize,
    blocking::blocking,
    configuration::{SSH_AGENT_SOCKET, Wishes},
    environment,
    observed::observe_launch,
    record::{Ownership, Record},
};
use crate::{
    container::{carried_out, engine_error, nothing_on_its_way},
    deployment::{Asked, Chosen, Deployments, GoesOn, Outcome, Wish},
    error_handling::{Code, Error, HalfMade, Result},
    image::{self, LayerCache, SessionUser, StoredImage},
    keychain::{SecretVariables, Sensitive},
    observability::{Operation, traced},
    progress::ProgressSink,
    settings::PathMode,
    sync::{Base, PathMap, acquire_sync_lock},
    validation::{note_first_use, refuse_damaged_config},
};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use chrono::Utc;
use futures_util::StreamExt;
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The project's folder.
    pub project: PathBuf,
    /// Arguments for Claude Code.
    pub arguments: Vec<String>,
    /// The terminal's size, or `None` for plain pipes.
    pub terminal: Option<TerminalSize>,
    /// What the terminal says of itself: see [`super::TERMINAL_VARIABLES`].
    pub terminal_variables: Vec<(String, String)>,
    /// Variables for Claude Code. They reach its environment and no configuration.
    pub variables: Vec<(String, Sensitive<String>)>,
    /// Keys and tokens found in the user's environment, for the login mode that uses them.
    pub keys: Vec<(String, Sensitive<String>)>,
    /// Whether the session may use the user's SSH agent.
    pub ssh_agent: Option<PathBuf>,
    /// What to do when there is no session image.
    pub missing_image: MissingImage,
    /// Whether the user says which version of the image it is to be.
    pub version: Wish,
}

/// How a session is joined again.
#[derive(Debug)]
pub struct Joining {
    /// The terminal's size.
    pub size: TerminalSize,
    /// Variables for Claude Code, for a session that has to be started again.
    pub variables: Vec<(String, Sensitive<String>)>,
    /// Keys and tokens found in the user's environment.
    pub keys: Vec<(String, Sensitive<String>)>,
}

/// What a launch does without a session image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingImage {
    /// Build it first.
    Build,
    /// Refuse.
    Refuse,
}

/// A launch, on whichever image.
#[derive(Clone, Copy)]
pub(super) struct On<'a> {
    pub(super) launch: &'a Launch,
    pub(super) project: &'a Project,
    pub(super) keys: &'a SecretVariables,
    pub(super) began: Instant,
}

impl Sessions {
    /// Launches a session and joins it. When this fails, nothing of the session is left.
    ///
    /// # Errors
    /// Anything that keeps the session from starting, with its remedy.
    pub async fn launch(&self, launch: Launch, progress: &ProgressSink) -> Result<Attached> {
        let began = Instant::now();
        traced(Operation::Launch, None, async {
            let launched = Box::pin(self.launch_now(launch, progress)).await;
            observe_launch(&launched, began.elapsed());
            launched
        })
        .await
    }

    async fn launch_now(&self, launch: Launch, progress: &ProgressSink) -> Result<Attached> {
        let began = Instant::now();
        check_variables(&launch.variables)?;
        let (locations, folder) = (self.locations.clone(), launch.project.clone());
        let project = blocking(move || {
            let project = Project::find(&folder, &locations)?;
            refuse_damaged_config(&locations)?;
            note_first_use(&locations)?;
            Ok(project)
        })
        .await?;
        let keys = self.keys_given(&launch.variables, launch.keys.clone()).await?;
        let new_id = || SessionId::new(&project.root, uuid::Uuid::new_v4().as_u128());
        let asked = Asked { wish: launch.version, goes_on: GoesOn::of(&launch.arguments, &project.root) };
        let (id, deployments) = (new_id(), self.deployments());
        let chosen = deployments.choose(&self.engine, id.as_str(), &asked).await?;
        let tried = chosen.decision.clone();
        let on = On { launch: &launch, project: &project, keys: &keys, began };
        match (Box::pin(self.launch_on(&on, id, chosen, progress)).await, tried) {
            // Nobody waits for a candidate that does not start.
            (Err(failed), Some(tried)) if Deployments::falls_back(&tried, failed.code()) => {
                let on = On { began: Instant::now(), ..on };
                let chosen = deployments.fall_back(&self.engine, &tried).await?;
                let mut attached = Box::pin(self.launch_on(&on, new_id(), chosen, progress)).await?;
                attached.fell_back = Some(failed);
                Ok(attached)
            }
            (launched, _) => launched,
        }
    }

    /// The deployments of this home.
    pub(super) fn deployments(&self) -> Deployments {
        Deployments::of(&self.locations, &self.settings)
    }

    pub(super) async fn launch_on(
        &self,
        on: &On<'_>,
        id: SessionId,
        chosen: Chosen,
        progress: &ProgressSink,
    ) -> Result<Attached> {
        let On { launch, project, keys, began } = *on;
        let is_canary = chosen.is_canary();
        let decision = chosen.decision.clone();
        let image = self.image(chosen, launch.missing_image, progress).await?;
        let deployments = self.deployments();
        if let Some(decision) = &decision {
            deployments.begun(id.as_str(), &image, decision).await;
        }
        let record = Record {
            id,
            image: image.tag.clone(),
            claude_version: image.version.claude_version.clone(),
            user: SessionUser::current().into(),
            created: Utc::now(),
            terminal: launch.terminal.is_some(),
            map: self.path_map(&project.root),
            login: self.settings.login_mode().into(),
            variables: launch.variables.iter().map(|(name, _)| name.clone()).collect(),
            stop_asked: false,
            chosen: decision,
            project: project.clone(),
        };
        let ownership = Ownership::take(&self.locations, &record.id)?
            .ok_or_else(|| Error::new(Code::Internal, "a new session's name is taken"))?;
        let (sessions, id) = (self.clone(), record.id.clone());
        let _half_made = HalfMade::cleared_by(move || async move {
            sessions.deployments().ended(id.as_str(), Outcome::UserCancel).await;
            let _nothing = nothing_on_its_way().await;
            if let Err(left) = sessions.take_back(&id).await {
                tracing::warn!(session = %id, error = %left, "the record of a launch is left");
            }
        });
        match self.start(&record, launch, keys.clone(), ownership).await {
            Ok(mut attached) => {
                attached.canary = is_canary.then(|| record.claude_version.clone());
                self.tell_when_ready(&mut attached, &record, began).await;
                Ok(attached)
            }
            Err(error) => {
                deployments.ended(record.id.as_str(), Outcome::of_failed_launch(error.code())).await;
                self.take_back(&record.id).await?;
                Err(error)
            }
        }
    }

    /// A terminal is ready when Claude Code shows something; a pipe, when the container runs: what comes out of it
    /// then may be an answer that took its time.
    async fn tell_when_ready(&self, attached: &mut Attached, record: &Record, began: Instant) {
        if record.chosen.is_none() {
            return;
        }
        let (deployments, id) = (self.deployments(), record.id.clone());
        if !record.terminal {
            return deployments.ready(id.as_str(), began.elapsed()).await;
        }
        let mut first = Some((deployments, id));
        let output = std::mem::replace(&mut attached.output, Box::pin(futures_util::stream::empty()));
        attached.output = Box::pin(output.inspect(move |_| {
            if let Some((deployments, id)) = first.take() {
                let after = began.elapsed();
                tokio::spawn(async move { deployments.ready(id.as_str(), after).await });
            }
        }));
    }

    /// Removes what there is of a session that never started: only copies of the host's data are inside.
    async fn take_back(&self, id: &SessionId) -> Result<()> {
        if let Err(left) = self.remove_parts(id).await {
            tracing::warn!(session = %id, error = %left, "parts of a failed launch are left");
        }
        Record::forget(&self.locations, id)
    }

    /// Where a session of this project has the host's folders.
    fn path_map(&self, project: &Path) -> PathMap {
        const PROJECT: &str = "/workspace";
        const HOME: &str = "/home/claude";
        match self.settings.path_mode() {
            PathMode::Same => PathMap::default(),
            PathMode::Mapped => PathMap::new([
                (project.to_path_buf(), PathBuf::from(PROJECT)),
                (self.locations.home.clone(), PathBuf::from(HOME)),
            ]),
        }
    }

    /// Writes a record down.
    pub(super) async fn write_down(&self, record: &Record) -> Result<()> {
        let (locations, record) = (self.locations.clone(), record.clone());
        blocking(move || record.save(&locations)).await
    }

    async fn image(
        &self,
        chosen: Chosen,
        missing: MissingImage,
        progress: &ProgressSink,
    ) -> Result<StoredImage> {
        if let Some(image) = chosen.image {
            return Ok(image);
        }
        match missing {
            MissingImage::Build => {
                let (engine, settings) = (&self.engine, &chosen.settings);
                image::build_image(engine, &self.locations, settings, LayerCache::Use, progress).await
            }
            MissingImage::Refuse => {
                Err(Error::new(Code::ImageMissing, "no session image is built").remedy("drydock image build"))
            }
        }
    }

    async fn start(
        &self,
        record: &Record,
        launch: &Launch,
        keys: SecretVariables,
        ownership: Ownership,
    ) -> Result<Attached> {
        let lock =
            acquire_sync_lock(&self.locations.sync_lock, "sync in", self.settings.lock_timeout()).await?;
        self.ensure_network().await?;
        self.make_volume(record).await?;
        // On record before anything is inside: whoever finds the volume can tell what it is.
        self.write_down(record).await?;
        let login = self.give(record, keys).await?;
        let plan = self.plan_in(record, &launch.variables, login).await?;
        let notes = plan.notes.clone();
        let news = self.bring_in(record, plan).await?;
        let dir = self.locations.session_dir(record.id.as_str());
        blocking(move || Base::open(&dir)?.record(&news)).await?;
        drop(lock);
        let staging = self.stage(record).await?;
        let mut variables = environment::variables(
            &self.locations,
            &record.map,
            &(&record.user).into(),
            &launch.terminal_variables,
        );
        if launch.ssh_agent.is_some() {
            variables.push(format!("SSH_AUTH_SOCK={SSH_AGENT_SOCKET}"));
        }
        let wishes = Wishes { arguments: &launch.arguments, variables, ssh_agent: launch.ssh_agent.clone() };
        let body = self.container_body(record, &staging, wishes);
        let options = CreateContainerOptionsBuilder::new().name(&record.id.container()).build();
        let api = self.engine.api().clone();
        carried_out(async move { api.create_container(Some(options), body).await }).await.map_err(
            |cause| self.explain_refusal(record, engine_error("make the session's container", cause)),
        )?;
        let mut attached = self.join(&record.id, ownership).await?;
        self.start_container(record).await?;
        drop(staging);
        if let Some(size) = launch.terminal {
            self.resize(&record.id, size).await?;
        }
        attached.bringing_out = Some(self.keep_bringing_out(record));
        attached.notes = notes;
        Ok(attached)
    }
}

pub(super) fn check_variables(variables: &[(String, Sensitive<String>)]) -> Result<()> {
    for (name, value) in variables {
        if !environment::is_variable_name(name) {
            return Err(Error::new(Code::Usage, format!("`{name}` is not the name of a variable"))
                .remedy("--env NAME=VALUE, or --env NAME to pass your own"));
        }
        if value.reveal().contains('\0') {
            return Err(Error::new(Code::Usage, format!("the value of {name} holds a zero byte")));
        }
    }
    Ok(())
}
