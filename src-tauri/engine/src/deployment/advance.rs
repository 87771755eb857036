//! Doing what a deployment's state asks for: building, testing, making sure of stable. It may be ended anywhere; whoever
//! comes next goes on from the state.

use super::{
    Abort, Again, Deployment, DeploymentId, Deployments, Identity, Proof, SmokeReport, State,
    deployments::{blocking, nothing},
    machine::Event,
    run_smoke_tests,
    store::{Kept, Store},
};
use crate::{
    container::ContainerEngine,
    error_handling::{Code, Error, IoContext, Result},
    image::{self, ClaudeVersion, LayerCache, StoredImage},
    paths::create_private_dir,
    progress::ProgressSink,
    settings::Settings,
};
use chrono::Utc;
use std::fs::{File, OpenOptions, TryLockError};

/// Whether another process that does the work is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Until it is done.
    Wait,
    /// It may do it.
    Leave,
}

impl Deployments {
    /// Builds a candidate beside stable, tests it, and gives it the first share of launches.
    ///
    /// # Errors
    /// When it cannot be built, was taken back before, or does not pass its tests.
    pub async fn deploy_canary(
        &self,
        engine: &ContainerEngine,
        version: Option<ClaudeVersion>,
        again: Again,
        progress: &ProgressSink,
    ) -> Result<Deployment> {
        let version = match version {
            Some(version) => version,
            None => image::newest_version().await?,
        };
        // What is being taken back is taken back to the end first; all else is superseded.
        let deployments = self.clone();
        let active = blocking(move || deployments.look(Utc::now())).await?;
        if active.is_some_and(|kept| matches!(kept.deployment.state, State::RollingBack { .. })) {
            self.go_on(engine, Others::Wait, progress).await?;
        }
        let stable = self.stable_or_built(engine, progress).await?;
        let deployments = self.clone();
        let id = blocking(move || deployments.begin(version, again, &stable, Utc::now())).await?;
        self.go_on(engine, Others::Wait, progress).await?;
        let ended = self.named(&id).await?;
        match &ended.state {
            State::Aborted { abort: Abort::Build { code, message } } => {
                let error = Error::new(*code, message.clone());
                Err(match code {
                    Code::DeploymentDenied => error
                        .remedy("drydock deploy history")
                        .remedy(format!("try it all the same: drydock deploy canary {version} --force")),
                    Code::DeploymentSame => error.remedy("drydock deploy status"),
                    _ => error
                        .remedy(format!("drydock deploy canary {version}   (tries again)"))
                        .remedy("drydock doctor"),
                })
            }
            State::RollingBack { trigger } | State::RolledBack { trigger } => {
                Err(Error::new(Code::DeploymentSmoke, format!("Claude Code {version} was taken back"))
                    .why(trigger)
                    .remedy("drydock deploy smoke")
                    .remedy("drydock deploy status"))
            }
            _ => Ok(ended),
        }
    }

    /// Takes the candidate back, or what became stable last: launches are on what was stable before at once.
    ///
    /// # Errors
    /// [`Code::DeploymentNone`] where there is nothing to take back.
    pub async fn rollback_deployment(
        &self,
        engine: &ContainerEngine,
        progress: &ProgressSink,
    ) -> Result<Deployment> {
        let deployments = self.clone();
        let id = blocking(move || {
            let Some(store) = Store::open_if_there(&deployments.locations)? else { return Err(nothing()) };
            let Kept { deployment, .. } = store.newest()?.ok_or_else(nothing)?;
            drop(store);
            let done = deployments.happen(&deployment.id, None, &Event::RollBack)?;
            done.map(|deployment| deployment.id).ok_or_else(|| {
                Error::new(
                    Code::DeploymentNone,
                    format!(
                        "there is nothing to take back: the newest deployment is {}",
                        deployment.state.word()
                    ),
                )
                .remedy("drydock deploy history")
            })
        })
        .await?;
        self.go_on(engine, Others::Wait, progress).await?;
        self.named(&id).await
    }

    /// Tests the candidate, or stable where there is none. What fails takes a candidate back.
    ///
    /// # Errors
    /// When there is no image, or the engine does not let it be tested.
    pub async fn smoke(&self, engine: &ContainerEngine, progress: &ProgressSink) -> Result<SmokeReport> {
        let locations = self.locations.clone();
        let active =
            blocking(move || Store::open_if_there(&locations)?.map_or(Ok(None), |store| store.active()))
                .await?;
        let candidate = active.and_then(|kept| Some((kept.deployment.candidate.built?, kept.deployment.id)));
        let Some((identity, id)) = candidate else {
            let (stable, _) = self.stable(engine).await?;
            let stable = stable.ok_or_else(|| {
                Error::new(Code::ImageMissing, "no session image is built").remedy("drydock image build")
            })?;
            return tested(engine, &self.settings, &Identity::of(&stable), progress).await;
        };
        let report = tested(engine, &self.settings, &identity, progress).await?;
        self.note_tests(&id, None, &report).await?;
        self.go_on(engine, Others::Leave, progress).await?;
        Ok(report)
    }

    /// Does what is to be done for the deployment that is under way, until it waits for launches, time or the user.
    ///
    /// # Errors
    /// When it cannot be done now; its state stays, and the next one goes on.
    pub async fn go_on(
        &self,
        engine: &ContainerEngine,
        others: Others,
        progress: &ProgressSink,
    ) -> Result<Option<Deployment>> {
        let deployments = self.clone();
        let Some(_lock) = blocking(move || deployments.work(others)).await? else { return Ok(None) };
        loop {
            let deployments = self.clone();
            let Some(kept) = blocking(move || deployments.look(Utc::now())).await? else { return Ok(None) };
            let deployment = &kept.deployment;
            match (&deployment.state, &deployment.candidate.built) {
                (State::Building, _) => self.build(engine, &kept, progress).await?,
                (State::RollingBack { .. }, _) => {
                    self.stable_or_built(engine, progress).await?;
                    self.happened(&kept, Event::Restored).await?;
                }
                (State::Smoke, Some(identity)) => {
                    let report = tested(engine, &self.settings, identity, progress).await?;
                    self.note_tests(&deployment.id, Some(kept.version), &report).await?;
                }
                (State::Stage { at } | State::Paused { at, .. }, Some(identity))
                    if at.proof == Proof::Due =>
                {
                    let report = tested(engine, &self.settings, identity, progress).await?;
                    // Launches may have changed it meanwhile; the tests were of this image all the same.
                    self.note_tests(&deployment.id, None, &report).await?;
                }
                _ => return Ok(Some(kept.deployment)),
            }
        }
    }

    async fn build(&self, engine: &ContainerEngine, kept: &Kept, progress: &ProgressSink) -> Result<()> {
        let Kept { deployment, .. } = kept;
        let settings = with_version(&self.settings, &deployment.candidate.claude_version)?;
        let built = image::build_version(engine, &self.locations, &settings, LayerCache::Use, progress).await;
        let event = match built {
            Ok(built) => self.admitted(deployment, Identity::of(&built)).await?,
            Err(error) => {
                let mut message = error.message().to_owned();
                for cause in error.causes() {
                    message.push_str("; ");
                    message.push_str(cause);
                }
                Event::NotBuilt { code: error.code(), message }
            }
        };
        self.happened(kept, event).await
    }

    /// What is stable, or was taken back, is not tried.
    async fn admitted(&self, deployment: &Deployment, identity: Identity) -> Result<Event> {
        if identity.is(&deployment.stable) {
            let message = format!("{identity} is what launches use already");
            return Ok(Event::NotBuilt { code: Code::DeploymentSame, message });
        }
        let (locations, digest) = (self.locations.clone(), identity.digest.clone());
        let again = deployment.candidate.again;
        let denied = blocking(move || {
            let mut store = Store::open(&locations)?;
            let denied = store.denied()?.into_iter().find(|denied| denied.identity.digest == digest);
            if denied.is_some() && again == Again::Forced {
                store.forgive(&digest)?;
                return Ok(None);
            }
            Ok(denied)
        })
        .await?;
        Ok(match denied {
            Some(denied) => {
                let message = format!("{identity} was taken back before: {}", denied.why);
                Event::NotBuilt { code: Code::DeploymentDenied, message }
            }
            None => Event::Built(identity),
        })
    }

    async fn note_tests(&self, id: &DeploymentId, version: Option<i64>, report: &SmokeReport) -> Result<()> {
        let event = if report.passed() {
            Event::SmokePassed
        } else {
            Event::SmokeFailed(report.failures().map(|check| check.name.to_string()).collect())
        };
        let (deployments, id) = (self.clone(), id.clone());
        blocking(move || deployments.happen(&id, version, &event).map(drop)).await
    }

    /// Of two that did the same work only one goes on.
    async fn happened(&self, kept: &Kept, event: Event) -> Result<()> {
        let (deployments, kept) = (self.clone(), kept.clone());
        blocking(move || deployments.happen(&kept.deployment.id, Some(kept.version), &event).map(drop)).await
    }

    async fn named(&self, id: &DeploymentId) -> Result<Deployment> {
        let (locations, id) = (self.locations.clone(), id.clone());
        blocking(move || {
            let newest = Store::open(&locations)?.newest()?.map(|kept| kept.deployment);
            newest.filter(|deployment| deployment.id == id).ok_or_else(|| {
                Error::new(Code::DeploymentState, "another deployment has begun meanwhile")
                    .remedy("drydock deploy status")
            })
        })
        .await
    }

    /// The right to build and test, which one process has at a time.
    fn work(&self, others: Others) -> Result<Option<File>> {
        create_private_dir(&self.locations.data_dir)?;
        let path = self.locations.data_dir.join("deployment.lock");
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).context("open", &path)?;
        match (others, lock.try_lock()) {
            (_, Ok(())) => Ok(Some(lock)),
            (Others::Leave, Err(TryLockError::WouldBlock)) => Ok(None),
            (Others::Wait, Err(TryLockError::WouldBlock)) => {
                lock.lock().context("lock", &path)?;
                Ok(Some(lock))
            }
            (_, Err(TryLockError::Error(cause))) => Err(Error::io("lock", &path, &cause)),
        }
    }

    /// The image that launches use but for those that try the candidate, and the settings that it is built by.
    pub(crate) async fn stable(&self, engine: &ContainerEngine) -> Result<(Option<StoredImage>, Settings)> {
        let locations = self.locations.clone();
        let promoted = blocking(move || {
            Store::open_if_there(&locations)?.map_or(Ok(Vec::new()), |store| store.promoted())
        })
        .await?;
        // Once the user sets another version themselves, theirs counts.
        let promoted = promoted.into_iter().next().filter(|one| one.asked == self.settings.claude_version());
        let Some(promoted) = promoted else {
            let current = image::current_image(engine, &self.locations, &self.settings).await?;
            return Ok((current, self.settings.clone()));
        };
        let settings = with_version(&self.settings, &promoted.identity.claude_version)?;
        let user = image::SessionUser::current().ids();
        let mut images = image::list_images(engine).await?;
        images.retain(|one| one.user == user);
        let own = images.iter().find(|one| one.id == promoted.identity.digest);
        let same = images.iter().find(|one| one.version.claude_version == promoted.identity.claude_version);
        Ok((own.or(same).cloned(), settings))
    }

    async fn stable_or_built(
        &self,
        engine: &ContainerEngine,
        progress: &ProgressSink,
    ) -> Result<StoredImage> {
        let (stable, settings) = self.stable(engine).await?;
        match stable {
            Some(stable) => Ok(stable),
            None => image::build_image(engine, &self.locations, &settings, LayerCache::Use, progress).await,
        }
    }
}

async fn tested(
    engine: &ContainerEngine,
    settings: &Settings,
    identity: &Identity,
    progress: &ProgressSink,
) -> Result<SmokeReport> {
    let images = image::list_images(engine).await?;
    let image = images.into_iter().find(|one| one.id == identity.digest).ok_or_else(|| {
        Error::new(Code::ImageMissing, format!("the image {identity} is not in the engine any more"))
            .remedy("drydock deploy rollback")
    })?;
    run_smoke_tests(engine, settings, &image, progress).await
}

fn with_version(settings: &Settings, version: &str) -> Result<Settings> {
    let mut settings = settings.clone();
    settings.use_for_now("image.claude_version", version)?;
    Ok(settings)
}
