//! The sessions there are: on record here, or found in the engine by their labels.

use super::{
    SessionId, Sessions,
    blocking::blocking,
    configuration::{LABEL_CLAUDE, LABEL_HOME, LABEL_IMAGE, LABEL_PROJECT, LABEL_SESSION, LABEL_VIEW},
    finish::Exit,
    project::Project,
    record::{Ownership, Record, RecordedLogin},
};
use crate::{
    container::{engine_error, is_not_found},
    error_handling::{Code, Error, IoContext, Result},
    image::SessionUser,
    sync::{BASE_FILE, PathMap},
};
use bollard::{
    models::{ContainerState, ContainerStateStatusEnum},
    query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder, ListVolumesOptionsBuilder},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::Write,
    path::PathBuf,
};

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// A living process is preparing it.
    Preparing,
    /// Claude Code runs.
    Running,
    /// It ended; its data is still inside.
    Finished,
    /// It was killed from outside; its data is on the host, and it can be gone on with.
    Interrupted,
    /// It never started, and whoever prepared it is gone.
    Abandoned,
}

/// How far the end of a session has come.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    /// The data of an interrupted session is out. It counts until the session runs again.
    Out,
    /// The data is out, and the session is being removed.
    Done,
}

impl Mark {
    fn file(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Done => "done",
        }
    }
}

/// A session as a person wants to see it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ListedSession {
    /// Its name.
    pub id: SessionId,
    /// The project's folder.
    pub project: PathBuf,
    /// Where it stands.
    pub state: SessionState,
    /// Whether a terminal or another process is at it.
    pub attached: bool,
    /// When it was launched.
    pub created: DateTime<Utc>,
    /// The image it runs on.
    pub image: String,
    /// Claude Code's version in it.
    pub claude_version: String,
}

/// The sessions that a process of this computer is at. No engine is asked.
pub(crate) fn attached_sessions(locations: &crate::paths::Locations) -> Vec<String> {
    let records = Record::all(locations).into_iter();
    let attached = records.filter(|record| Ownership::is_taken(locations, &record.id));
    attached.map(|record| record.id.as_str().to_owned()).collect()
}

/// Whether any session of a home is on record. No engine is asked.
pub(crate) fn has_records(locations: &crate::paths::Locations) -> bool {
    !Record::all(locations).is_empty()
}

impl Sessions {
    /// All sessions of this home, oldest first. Changes nothing.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn list(&self) -> Result<Vec<ListedSession>> {
        let locations = self.locations.clone();
        let recorded = blocking(move || Ok(Record::all(&locations))).await?;
        let mut records: BTreeMap<_, _> =
            recorded.into_iter().map(|record| (record.id.clone(), record)).collect();
        for record in self.found_in_engine().await? {
            records.entry(record.id.clone()).or_insert(record);
        }
        let mut listed = Vec::new();
        for record in records.into_values() {
            let attached = Ownership::is_taken(&self.locations, &record.id);
            let state = self.state_of(&record, attached).await?;
            listed.push(ListedSession {
                id: record.id,
                project: record.project.workdir,
                state,
                attached,
                created: record.created,
                image: record.image,
                claude_version: record.claude_version,
            });
        }
        listed.sort_by(|a, b| a.created.cmp(&b.created).then_with(|| a.id.cmp(&b.id)));
        Ok(listed)
    }

    /// Finds the session that `text` names; without it, the only one there is, or the only one of
    /// the project that the current folder is in.
    ///
    /// # Errors
    /// [`Code::SessionUnknown`] or [`Code::SessionAmbiguous`].
    pub async fn resolve(&self, text: Option<&str>, here: Option<&std::path::Path>) -> Result<SessionId> {
        let listed = self.list().await?;
        let Some(text) = text else {
            let here = here.and_then(|dir| fs::canonicalize(dir).ok());
            let near: Vec<_> = listed
                .iter()
                .filter(|one| here.as_ref().is_some_and(|dir| dir.starts_with(&one.project)))
                .collect();
            return match (listed.as_slice(), near.as_slice()) {
                (_, [only]) => Ok(only.id.clone()),
                ([only], _) => Ok(only.id.clone()),
                ([], _) => {
                    Err(Error::new(Code::SessionUnknown, "there is no session")
                        .remedy("start one: drydock run"))
                }
                _ => Err(Error::new(Code::SessionAmbiguous, "there are several sessions: name one")
                    .why(listed.iter().map(|one| one.id.as_str()).collect::<Vec<_>>().join(", "))
                    .remedy("drydock list")),
            };
        };
        SessionId::resolve(text, listed.iter().map(|one| &one.id))
    }

    async fn state_of(&self, record: &Record, attached: bool) -> Result<SessionState> {
        let Some(state) = self.inspect(&record.id).await? else {
            // No container: a session whose base was written had started or was about to.
            let prepared = self.locations.session_dir(record.id.as_str()).join(BASE_FILE).exists();
            return Ok(match (attached, prepared || !self.is_on_record(&record.id)) {
                (true, _) => SessionState::Preparing,
                (false, true) => SessionState::Finished,
                (false, false) => SessionState::Abandoned,
            });
        };
        Ok(match state.status {
            Some(ContainerStateStatusEnum::CREATED) if attached => SessionState::Preparing,
            Some(ContainerStateStatusEnum::CREATED) => SessionState::Abandoned,
            _ if state.running == Some(true) => SessionState::Running,
            _ if self.is_marked_done(&record.id) => SessionState::Finished,
            _ if self.is_marked_out(record, &state) => SessionState::Interrupted,
            _ => SessionState::Finished,
        })
    }

    fn is_on_record(&self, id: &SessionId) -> bool {
        self.locations.session_dir(id.as_str()).join("record.json").exists()
    }

    /// Notes how far the end of a session has come.
    pub(super) async fn mark(&self, id: &SessionId, mark: Mark) -> Result<()> {
        let file = self.locations.session_dir(id.as_str()).join(mark.file());
        blocking(move || {
            let mut made = fs::File::create(&file).context("write", &file)?;
            made.write_all(Utc::now().to_rfc3339().as_bytes())
                .and_then(|()| made.sync_all())
                .context("write", &file)
        })
        .await
    }

    pub(super) fn is_marked_done(&self, id: &SessionId) -> bool {
        self.locations.session_dir(id.as_str()).join(Mark::Done.file()).exists()
    }

    fn is_marked_out(&self, record: &Record, state: &ContainerState) -> bool {
        let file = self.locations.session_dir(record.id.as_str()).join(Mark::Out.file());
        let marked =
            fs::read_to_string(file).ok().and_then(|text| DateTime::parse_from_rfc3339(text.trim()).ok());
        let started = state.started_at.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        match (marked, started) {
            (Some(marked), Some(started)) => marked > started,
            _ => false,
        }
    }

    pub(super) async fn has_volume(&self, id: &SessionId) -> Result<bool> {
        match self.engine.api().inspect_volume(&id.volume()).await {
            Ok(_) => Ok(true),
            Err(cause) if is_not_found(&cause) => Ok(false),
            Err(cause) => Err(engine_error("look for the session's home", cause)),
        }
    }

    pub(super) async fn is_running(&self, id: &SessionId) -> Result<bool> {
        Ok(self.inspect(id).await?.is_some_and(|state| state.running == Some(true)))
    }

    pub(super) async fn exit_of(&self, id: &SessionId) -> Result<Option<Exit>> {
        Ok(self.inspect(id).await?.and_then(|state| {
            let instant = |text: &str| DateTime::parse_from_rfc3339(text).ok();
            let began = state.started_at.as_deref().and_then(instant);
            let over = state.finished_at.as_deref().and_then(instant);
            Some(Exit {
                code: state.exit_code?,
                out_of_memory: state.oom_killed == Some(true),
                lasted: began.zip(over).and_then(|(began, over)| (over - began).to_std().ok()),
            })
        }))
    }

    async fn inspect(&self, id: &SessionId) -> Result<Option<ContainerState>> {
        match self.engine.api().inspect_container(&id.container(), None::<InspectContainerOptions>).await {
            Ok(found) => Ok(Some(found.state.unwrap_or_default())),
            Err(cause) if is_not_found(&cause) => Ok(None),
            Err(cause) => Err(engine_error("look at the session", cause)),
        }
    }

    /// The record, or what the engine's labels tell when it was lost.
    pub(super) async fn record_of(&self, id: &SessionId) -> Result<Record> {
        if let Some(record) = Record::load(&self.locations, id)? {
            return Ok(record);
        }
        self.found_in_engine().await?.into_iter().find(|record| record.id == *id).ok_or_else(|| {
            Error::new(Code::SessionUnknown, format!("there is no session \"{id}\"")).remedy("drydock list")
        })
    }

    /// Sessions of this home by the labels on their volumes, for when Drydock's own records are gone.
    async fn found_in_engine(&self) -> Result<Vec<Record>> {
        let home = self.locations.home.display().to_string();
        let filters = HashMap::from([("label", vec![format!("{LABEL_HOME}={home}")])]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let volumes = self
            .engine
            .api()
            .list_volumes(Some(options))
            .await
            .map_err(|cause| engine_error("list its volumes", cause))?;
        let found = volumes.volumes.unwrap_or_default().into_iter().filter_map(|volume| {
            let label = |name: &str| volume.labels.get(name).cloned();
            let root = PathBuf::from(label(LABEL_PROJECT)?);
            Some(Record {
                id: SessionId::known(&label(LABEL_SESSION)?)?,
                project: Project {
                    workdir: root.clone(),
                    root,
                    also: Vec::new(),
                    read_only: Vec::new(),
                    pinned: Vec::new(),
                },
                image: label(LABEL_IMAGE).unwrap_or_default(),
                claude_version: label(LABEL_CLAUDE).unwrap_or_default(),
                user: SessionUser::current().into(),
                created: volume.created_at.unwrap_or_default(),
                terminal: false,
                map: PathMap::default(),
                login: RecordedLogin::Given,
                variables: Vec::new(),
                stop_asked: false,
                chosen: None,
            })
        });
        Ok(found.collect())
    }

    /// Containers that were left from reading a session's home.
    pub(super) async fn views_of(&self, id: &SessionId) -> Result<Vec<String>> {
        let filters = HashMap::from([("label", vec![format!("{LABEL_VIEW}={id}")])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self
            .engine
            .api()
            .list_containers(Some(options))
            .await
            .map_err(|cause| engine_error("list its containers", cause))?;
        Ok(found.into_iter().filter_map(|one| one.id).collect())
    }
}
