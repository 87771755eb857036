//! What the command line, the app, launches and the scheduler ask of deployments.

use super::{
    Again, Candidate, Deployment, DeploymentId, Identity, Policy, Promotion, State, Transition, Weight,
    machine::Event,
    observed::tell,
    store::{Ended, Kept, Store, With},
};
use crate::{
    error_handling::{Code, Error, Result},
    image::{ClaudeVersion, StoredImage},
    paths::Locations,
    settings::Settings,
};
use chrono::{DateTime, Utc};

/// The deployments of one home.
#[derive(Debug, Clone)]
pub struct Deployments {
    pub(super) locations: Locations,
    pub(super) settings: Settings,
}

impl Deployments {
    /// Those of a home.
    #[must_use]
    pub fn of(locations: &Locations, settings: &Settings) -> Self {
        Self { locations: locations.clone(), settings: settings.clone() }
    }

    pub(super) fn with<'a>(&'a self, policy: &'a Policy, now: DateTime<Utc>) -> With<'a> {
        With { policy, asked: self.settings.claude_version(), now }
    }

    /// Takes the candidate further: to its next stage, or to the end.
    ///
    /// # Errors
    /// [`Code::DeploymentNone`] and [`Code::DeploymentState`] where there is nothing to take further.
    pub fn promote(&self, promotion: Promotion, now: DateTime<Utc>) -> Result<Deployment> {
        self.by_the_user(now, |launches| Event::Promote { promotion, launches })
    }

    /// Keeps the candidate in its stage. Its launches go on being judged.
    ///
    /// # Errors
    /// As [`Deployments::promote`].
    pub fn pause(&self, now: DateTime<Utc>) -> Result<Deployment> {
        self.by_the_user(now, |_| Event::Pause)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// As [`Deployments::promote`].
    pub fn resume(&self, now: DateTime<Utc>) -> Result<Deployment> {
        self.by_the_user(now, |launches| Event::Resume { launches })
    }

    fn by_the_user(&self, now: DateTime<Utc>, event: impl FnOnce(u32) -> Event) -> Result<Deployment> {
        let policy = Policy::of(&self.settings)?;
        let mut store = Store::open_if_there(&self.locations)?.ok_or_else(nothing)?;
        let Kept { deployment, version } = store.active()?.ok_or_else(nothing)?;
        let launches = store.standing(&deployment, &policy)?.candidate.launches;
        let with = self.with(&policy, now);
        // The user decided by what they saw: if it is another state by now, they decide again.
        let done = store.happen(&deployment.id, Some(version), &event(launches), with)?;
        tell(&mut store)?;
        done.ok_or_else(|| {
            Error::new(
                Code::DeploymentState,
                format!("that cannot be done while the deployment is {}", deployment.state.word()),
            )
            .remedy("drydock deploy status")
        })
    }

    /// Notes that the user has seen how the newest deployment ended: an alert about it is over.
    ///
    /// # Errors
    /// When the state database cannot be used.
    pub fn see(&self) -> Result<()> {
        match Store::open_if_there(&self.locations)? {
            Some(mut store) => store.see(),
            None => Ok(()),
        }
    }

    /// The newest deployment, if it was taken back by itself and the user has not said that they have seen it.
    ///
    /// # Errors
    /// When the state database cannot be used.
    pub fn unseen_rollback(&self) -> Result<Option<Deployment>> {
        let Some(store) = Store::open_if_there(&self.locations)? else { return Ok(None) };
        Ok(store.unseen()?.filter(|deployment| match &deployment.state {
            State::RollingBack { trigger } | State::RolledBack { trigger } => {
                *trigger != super::Trigger::User
            }
            _ => false,
        }))
    }

    /// Transitions of all deployments, the newest first.
    ///
    /// # Errors
    /// When the state database cannot be used.
    pub fn history(&self, most: u32) -> Result<Vec<Transition>> {
        Store::open_if_there(&self.locations)?.map_or(Ok(Vec::new()), |store| store.history(most))
    }

    /// The digests of the images that must stay: what is tried, what is stable, and what may be gone back to.
    ///
    /// # Errors
    /// When the state database cannot be used.
    pub fn needed_images(&self) -> Result<Vec<String>> {
        /// So many versions that were stable stay.
        const WAYS_BACK: usize = 3;
        let Some(store) = Store::open_if_there(&self.locations)? else { return Ok(Vec::new()) };
        let mut needed: Vec<_> =
            store.promoted()?.into_iter().take(1 + WAYS_BACK).map(|one| one.identity.digest).collect();
        if let Some(Kept { deployment, .. }) = store.newest()? {
            if deployment.state.is_active() {
                needed.extend(deployment.candidate.built.map(|identity| identity.digest));
            }
            needed.push(deployment.stable.digest);
        }
        Ok(needed)
    }

    /// Whether the deployment under way waits for work, and not for launches, time or the user.
    #[must_use]
    pub fn has_work(&self) -> bool {
        let active = Store::open_if_there(&self.locations)
            .and_then(|store| store.map_or(Ok(None), |store| store.active()));
        // What cannot be looked up is told to whoever asks for it.
        active.ok().flatten().is_some_and(|kept| match kept.deployment.state {
            State::Building | State::Smoke | State::RollingBack { .. } => true,
            State::Stage { at } | State::Paused { at, .. } => at.proof == super::Proof::Due,
            _ => false,
        })
    }

    /// Begins to try a candidate; an older one that is under way is superseded.
    pub(super) fn begin(
        &self,
        version: ClaudeVersion,
        again: Again,
        stable: &StoredImage,
        now: DateTime<Utc>,
    ) -> Result<DeploymentId> {
        let policy = Policy::of(&self.settings)?;
        let candidate = Candidate { claude_version: version.to_string(), built: None, again };
        let deployment = Deployment::begin(candidate, Identity::of(stable), &policy, now);
        let mut store = Store::open(&self.locations)?;
        store.begin(&deployment, self.with(&policy, now))?;
        tell(&mut store)?;
        Ok(deployment.id)
    }

    /// Lets an event happen to a deployment that is still at this version.
    pub(super) fn happen(
        &self,
        id: &DeploymentId,
        version: Option<i64>,
        event: &Event,
    ) -> Result<Option<Deployment>> {
        let policy = Policy::of(&self.settings)?;
        let mut store = Store::open(&self.locations)?;
        let done = store.happen(id, version, event, self.with(&policy, Utc::now()))?;
        tell(&mut store)?;
        Ok(done)
    }

    /// Looks at the launches of what is under way once more: time has passed.
    pub(super) fn look(&self, now: DateTime<Utc>) -> Result<Option<Kept>> {
        let Some(mut store) = Store::open_if_there(&self.locations)? else { return Ok(None) };
        let policy = Policy::of(&self.settings)?;
        store.look(self.with(&policy, now))?;
        tell(&mut store)?;
        store.active()
    }

    /// Notes what a launch came to. A deployment that it changed is returned.
    pub(super) fn end(&self, launch: &str, ended: Ended, now: DateTime<Utc>) -> Result<Option<Deployment>> {
        let Some(mut store) = Store::open_if_there(&self.locations)? else { return Ok(None) };
        let policy = Policy::of(&self.settings)?;
        let changed = store.end(launch, ended, self.with(&policy, now))?;
        tell(&mut store)?;
        Ok(changed)
    }

    /// The weight that launches go by now: the variable's, else the stage's.
    pub(super) fn weight(&self, deployment: Option<&Deployment>) -> Result<Weight> {
        let policy = Policy::of(&self.settings)?;
        let stage = deployment.and_then(|deployment| deployment.state.stage());
        Ok(stage.map_or(Weight::NONE, |stage| policy.weight(stage.index)))
    }
}

pub(super) fn nothing() -> Error {
    Error::new(Code::DeploymentNone, "no image version is being tried out").remedy("drydock deploy canary")
}

/// Work on the disk, off the threads that others wait on.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
}
