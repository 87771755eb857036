//! What a launch asks, and what it tells: which image it gets, when it was ready, and what it came to.

use super::{
    Decision, Deployment, Deployments, GoesOn, Identity, Outcome, Policy, Routing, Side, State, Weight, Why,
    Wish,
    deployments::blocking,
    probe::{self, Idle},
    store::{Ended, NewLaunch, Store},
};
use crate::{
    container::ContainerEngine,
    error_handling::{Code, Result},
    image::{self, StoredImage},
    settings::Settings,
};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// What a launch is to be decided by.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// What the user says.
    pub(crate) wish: Wish,
    /// What is gone on with.
    pub(crate) goes_on: GoesOn,
}

/// The image that a launch gets.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// The image, or nothing where stable is not built.
    pub(crate) image: Option<StoredImage>,
    /// What it is to be built by.
    pub(crate) settings: Settings,
    /// How it was chosen, where it is written down.
    pub(crate) decision: Option<Decision>,
}

impl Chosen {
    /// Whether it is the candidate.
    pub(crate) fn is_canary(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| decision.side == Side::Canary)
    }
}

/// What is due.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// Building, testing, going back.
    pub(crate) work: bool,
    /// The deployment whose candidate is to be launched.
    pub(crate) probe: Option<Deployment>,
}

impl Due {
    /// Whether nothing is.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.work && self.probe.is_none()
    }
}

/// The deployment under way, as a launch sees it.
struct Trying {
    deployment: Deployment,
    weight: Weight,
    before: Option<String>,
    goes_on: GoesOn,
}

impl Deployments {
    /// Chooses the image of a launch.
    ///
    /// # Errors
    /// [`Code::DeploymentWeight`] for a wrong weight; [`Code::DeploymentNone`] when the candidate is asked for and
    /// there is none. A state database that cannot be used is no reason not to work: then it is stable.
    pub(crate) async fn choose(
        &self,
        engine: &ContainerEngine,
        launch: &str,
        asked: &Asked,
    ) -> Result<Chosen> {
        let manual = Weight::of_environment()?;
        let trying = match self.trying(asked).await {
            Ok(trying) => trying,
            Err(error) if asked.wish == Wish::Force(Side::Canary) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "launches use stable, since it is not known what is being tried out");
                None
            }
        };
        let candidate = match trying.as_ref().and_then(|trying| trying.deployment.candidate.built.as_ref()) {
            Some(identity) => {
                image::list_images(engine).await?.into_iter().find(|one| one.id == identity.digest)
            }
            None => None,
        };
        // A candidate that somebody removed from the engine cannot be launched, and is not at fault.
        let trying = trying.filter(|_| candidate.is_some());
        let before = trying.as_ref().and_then(|trying| {
            // Most conversations were had there, and stable goes on with those of the candidate as well.
            if trying.goes_on == GoesOn::Picked {
                return Some(Side::Stable);
            }
            let digest = trying.before.as_ref()?;
            let is = |identity: &Identity| identity.digest == *digest;
            match &trying.deployment {
                Deployment { candidate, .. } if candidate.built.as_ref().is_some_and(is) => {
                    Some(Side::Canary)
                }
                Deployment { stable, .. } if is(stable) => Some(Side::Stable),
                _ => None,
            }
        });
        let routing = Routing {
            trying: trying.as_ref().map(|trying| (&trying.deployment.id, trying.weight)),
            manual,
            wish: asked.wish,
            before,
        };
        let decision = routing.decide(launch)?;
        if decision.side == Side::Canary {
            return Ok(Chosen {
                image: candidate,
                settings: self.settings.clone(),
                decision: Some(decision),
            });
        }
        let (image, settings) = self.stable(engine).await?;
        Ok(Chosen { image, settings, decision: Some(decision) })
    }

    /// The candidate, for a launch that Drydock makes itself; nothing where it is not tried any more.
    pub(crate) async fn choose_probe(
        &self,
        engine: &ContainerEngine,
        deployment: &Deployment,
    ) -> Result<Option<Chosen>> {
        let Some(identity) = &deployment.candidate.built else { return Ok(None) };
        let image = image::list_images(engine).await?.into_iter().find(|one| one.id == identity.digest);
        let decision = Decision {
            side: Side::Canary,
            deployment: Some(deployment.id.clone()),
            u: None,
            weight: self.weight(Some(deployment))?,
            why: Why::Probe,
        };
        Ok(image.map(|image| Chosen {
            image: Some(image),
            settings: self.settings.clone(),
            decision: Some(decision),
        }))
    }

    /// What is due for the deployment under way, now that time has passed.
    pub(crate) async fn due(&self, now: DateTime<Utc>) -> Result<Due> {
        let deployments = self.clone();
        blocking(move || {
            let Some(kept) = deployments.look(now)? else { return Ok(Due::default()) };
            let work = deployments.has_work();
            let policy = Policy::of(&deployments.settings)?;
            let store = Store::open(&deployments.locations)?;
            let deployment = kept.deployment;
            let State::Stage { at } = deployment.state else { return Ok(Due { work, probe: None }) };
            let launches = store.launches(Some(&deployment.id))?;
            let probes = launches.iter().filter(|one| one.why == Why::Probe && one.at >= at.since).count();
            let idle = Idle {
                launches: store.standing(&deployment, &policy)?.candidate.launches,
                probes: u32::try_from(probes).unwrap_or(u32::MAX),
                last: launches.first().map(|one| one.at),
            };
            let probe = probe::is_due(&policy, at, idle, now).then_some(deployment);
            Ok(Due { work, probe })
        })
        .await
    }

    /// Stable, in the place of a candidate that failed at this launch.
    pub(crate) async fn fall_back(&self, engine: &ContainerEngine, from: &Decision) -> Result<Chosen> {
        let (image, settings) = self.stable(engine).await?;
        let decision = Decision { side: Side::Stable, why: Why::Fallback, ..from.clone() };
        Ok(Chosen { image, settings, decision: Some(decision) })
    }

    async fn trying(&self, asked: &Asked) -> Result<Option<Trying>> {
        let (deployments, goes_on) = (self.clone(), asked.goes_on.clone());
        blocking(move || {
            let Some(store) = Store::open_if_there(&deployments.locations)? else { return Ok(None) };
            let Some(deployment) = store.active()?.map(|kept| kept.deployment) else { return Ok(None) };
            if deployment.state.stage().is_none() {
                return Ok(None);
            }
            let weight = deployments.weight(Some(&deployment))?;
            let conversation = goes_on.conversation(&deployments.locations);
            let before = conversation.map_or(Ok(None), |id| store.conversation(&id))?;
            Ok(Some(Trying { deployment, weight, before, goes_on }))
        })
        .await
    }

    /// Notes a launch before it begins. Where nothing was ever tried out there is nothing to note it in.
    pub(crate) async fn begun(&self, launch: &str, image: &StoredImage, decision: &Decision) {
        let (deployments, launch) = (self.clone(), launch.to_owned());
        let (image, decision) = (Identity::of(image), decision.clone());
        self.noted(move || {
            let Some(mut store) = Store::open_if_there(&deployments.locations)? else { return Ok(()) };
            store.launch(&NewLaunch { id: &launch, image: &image, decision: &decision, at: Utc::now() })
        })
        .await;
    }

    /// Notes how long a launch took until it was ready.
    pub(crate) async fn ready(&self, launch: &str, after: Duration) {
        let (deployments, launch) = (self.clone(), launch.to_owned());
        self.noted(move || {
            let Some(mut store) = Store::open_if_there(&deployments.locations)? else { return Ok(()) };
            store.ready(&launch, after.as_secs_f64())
        })
        .await;
    }

    /// Notes what a launch came to. A deployment that it changed is returned.
    pub(crate) async fn ended(&self, launch: &str, outcome: Outcome) -> Option<Deployment> {
        let (deployments, launch) = (self.clone(), launch.to_owned());
        let ended = Ended { outcome, seconds: None };
        let done = blocking(move || deployments.end(&launch, ended, Utc::now())).await;
        done.unwrap_or_else(|error| {
            tracing::warn!(%error, "what a launch came to could not be written down");
            None
        })
    }

    /// Notes on which image conversations were had.
    pub(crate) async fn conversed(&self, launch: &str, names: &[String]) {
        let ids: Vec<_> = names.iter().filter_map(|name| conversation_of(name)).collect();
        if ids.is_empty() {
            return;
        }
        let (deployments, launch) = (self.clone(), launch.to_owned());
        self.noted(move || {
            let Some(mut store) = Store::open_if_there(&deployments.locations)? else { return Ok(()) };
            store.conversations(&ids, &launch, Utc::now())
        })
        .await;
    }

    /// What cannot be written down of a launch does not stop it.
    async fn noted(&self, work: impl FnOnce() -> Result<()> + Send + 'static) {
        if let Err(error) = blocking(work).await {
            tracing::warn!(%error, "a launch could not be written down for the deployment");
        }
    }

    /// Whether a launch of the candidate that failed with this code is made again on stable.
    pub(crate) fn falls_back(decision: &Decision, code: Code) -> bool {
        let is_the_images = Outcome::of_failed_launch(code).counts() == super::Counts::Error;
        decision.side == Side::Canary && decision.why != Why::Forced && is_the_images
    }

    /// Refuses settings that no deployment could go by.
    ///
    /// # Errors
    /// As [`Policy::of`].
    pub fn check_settings(&self) -> Result<()> {
        Policy::of(&self.settings).map(drop)
    }
}

/// The conversation that a file of Claude Code's has.
fn conversation_of(name: &str) -> Option<String> {
    let (folder, file) = name.rsplit_once('/')?;
    let id = file.strip_suffix(".jsonl")?;
    (folder.split('/').any(|part| part == "projects") && uuid::Uuid::parse_str(id).is_ok())
        .then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_candidate_that_fails_by_itself_is_stood_in_for() {
        let decision = |side, why| Decision { side, deployment: None, u: None, weight: Weight::ALL, why };
        let tried = decision(Side::Canary, Why::Weight);
        for code in [Code::ImageBroken, Code::SyncIn, Code::Internal] {
            assert!(Deployments::falls_back(&tried, code), "{code}");
        }
        // On stable it would be no better.
        for code in
            [Code::EngineFailed, Code::LoginNone, Code::LockHeld, Code::DiskFull, Code::ProjectMissing]
        {
            assert!(!Deployments::falls_back(&tried, code), "{code}");
        }
        assert!(!Deployments::falls_back(&decision(Side::Stable, Why::Weight), Code::ImageBroken));
        // Who asks for the candidate is told why it does not start.
        assert!(!Deployments::falls_back(&decision(Side::Canary, Why::Forced), Code::ImageBroken));
    }

    #[test]
    fn conversations_are_known_by_their_files() {
        let id = "0199d0a5-7c1e-7000-8000-000000000001";
        assert_eq!(conversation_of(&format!(".claude/projects/-p/{id}.jsonl")).as_deref(), Some(id));
        for other in [".claude/history.jsonl", ".claude/projects/-p/agent-1.jsonl", ".claude/settings.json"] {
            assert_eq!(conversation_of(other), None, "{other}");
        }
    }
}
