//! A launch of a candidate that Drydock makes itself: as whole as a user's, but in a home of its own, without login and
//! without a word to Anthropic. Claude Code only tells its version.

use super::{
    Ended, Launch, MissingImage, Output, Project, SessionId, Sessions, blocking::blocking, launch::On,
};
use crate::{
    deployment::{Chosen, Deployment, Outcome, Wish},
    error_handling::{Code, Error, IoContext, Result},
    keychain::Sensitive,
    paths::{Locations, create_private_dir},
    progress::ProgressSink,
};
use futures_util::StreamExt;
use std::{
    fs,
    time::{Duration, Instant},
};

/// Longer than any launch that is worth the name.
const LIMIT: Duration = Duration::from_secs(180);

impl Sessions {
    /// Launches the candidate of a deployment once, and tells the deployment what it came to.
    ///
    /// # Errors
    /// When the launch cannot be made at all; what the candidate does wrong is an outcome.
    pub async fn probe(&self, deployment: &Deployment) -> Result<Option<Outcome>> {
        let deployments = self.deployments();
        let Some(chosen) = deployments.choose_probe(&self.engine, deployment).await? else { return Ok(None) };
        let (Some(image), Some(decision)) = (chosen.image.clone(), chosen.decision.clone()) else {
            return Ok(None);
        };
        let cache = self.locations.cache_dir.clone();
        let scratch = blocking(move || {
            create_private_dir(&cache)?;
            let made = tempfile::Builder::new().prefix("probe-").tempdir_in(&cache);
            let made = made.context("make a folder in", &cache)?;
            let project = made.path().join("project");
            fs::create_dir(&project).context("make the folder", &project)?;
            Ok(made)
        })
        .await?;
        let apart = self.apart(scratch.path())?;
        let launch = Launch {
            project: scratch.path().join("project"),
            arguments: vec!["--version".into()],
            terminal: None,
            terminal_variables: Vec::new(),
            // Nobody is asked to log in for it, and nobody sees it: Claude Code does not speak to anybody.
            variables: vec![("ANTHROPIC_API_KEY".into(), Sensitive::new("none".into()))],
            keys: Vec::new(),
            ssh_agent: None,
            missing_image: MissingImage::Refuse,
            version: Wish::ByWeight,
        };
        let project = Project::find(&launch.project, &apart.locations)?;
        let id = SessionId::new(&project.root, uuid::Uuid::new_v4().as_u128());
        deployments.begun(id.as_str(), &image, &decision).await;
        let began = Instant::now();
        let chosen = Chosen { decision: None, ..chosen };
        let on = On { launch: &launch, project: &project, keys: &launch.variables, began };
        let outcome =
            match tokio::time::timeout(LIMIT, Box::pin(apart.try_out(&on, id.clone(), chosen))).await {
                Ok(Ok((outcome, ready))) => {
                    if let Some(ready) = ready {
                        deployments.ready(id.as_str(), ready).await;
                    }
                    outcome
                }
                Ok(Err(error)) => Outcome::of_failed_launch(error.code()),
                Err(_) => Outcome::Unknown,
            };
        deployments.ended(id.as_str(), outcome).await;
        // Whatever is left of it holds nothing of anybody's.
        apart.remove_parts(&id).await?;
        Ok(Some(outcome))
    }

    /// The same engine, in another home.
    fn apart(&self, home: &std::path::Path) -> Result<Self> {
        let mut locations = Locations::find(Some(home))?;
        locations.sync_lock = locations.home.join("sync.lock");
        locations.cache_dir.clone_from(&self.locations.cache_dir);
        let mut settings = self.settings.clone();
        for (key, value) in [
            ("login.mode", "api-key"),
            ("backup.local.path", "~/.claude-backups"),
            // The cache may be below a folder that the image keeps to itself, such as root's home.
            ("session.paths", "mapped"),
        ] {
            settings.use_for_now(key, value)?;
        }
        Ok(Self { locations, settings, engine: self.engine.clone() })
    }

    async fn try_out(
        &self,
        on: &On<'_>,
        id: SessionId,
        chosen: Chosen,
    ) -> Result<(Outcome, Option<Duration>)> {
        let version = chosen.image.as_ref().map(|image| image.version.claude_version.clone());
        let mut attached = Box::pin(self.launch_on(on, id.clone(), chosen, &ProgressSink::none())).await?;
        let (mut said, mut ready) = (String::new(), None);
        while let Some(output) = attached.output.next().await {
            ready.get_or_insert_with(|| on.began.elapsed());
            let (Output::Out(bytes) | Output::Err(bytes)) = output;
            said.push_str(&String::from_utf8_lossy(&bytes));
        }
        if self.ended(&id).await? == Ended::Detached {
            return Err(Error::new(Code::EngineFailed, "a probe's session goes on without its output"));
        }
        let finished = self.finish(attached).await?;
        let is_promised = version.is_some_and(|version| said.contains(&format!("{version} ")));
        let outcome = match finished.exit_code {
            _ if finished.out_of_memory => Outcome::OutOfMemory,
            Some(0) if is_promised => Outcome::Ok,
            Some(_) => Outcome::Died,
            None => Outcome::EngineFault,
        };
        Ok((outcome, ready))
    }
}
