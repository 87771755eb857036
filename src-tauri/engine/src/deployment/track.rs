//! How a deployment and its versions stand, in figures, for people and programs.

use super::{
    Counts, Denied, Deployment, Deployments, Evidence, Identity, Launched, Missing, Policy, Side, State,
    Weight, Why,
    judge::{Verdict, evidence, judge},
    store::{Store, With},
    wilson,
};
use crate::{error_handling::Result, observability::Quantiles};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// How a deployment stands.
#[derive(Debug, Clone, Serialize)]
pub struct DeploymentStatus {
    /// The newest deployment, under way or over.
    pub deployment: Option<Deployment>,
    /// How it is judged.
    pub policy: Policy,
    /// What launches use but for those that try a candidate, where a promotion or a deployment says so.
    pub stable: Option<Identity>,
    /// The share of launches that try the candidate.
    pub weight: Weight,
    /// The weight that the user set by the variable, which counts instead.
    pub manual_weight: Option<Weight>,
    /// How the evidence against the candidate stands.
    pub evidence: Option<Evidence>,
    /// What is missing before the stage is left.
    pub missing: Vec<Missing>,
    /// Both versions.
    pub versions: Vec<VersionFigures>,
    /// What is not tried again by itself.
    pub denied: Vec<Denied>,
    /// A version that is newer than what sessions use.
    pub newer: Option<String>,
}

/// One version in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionFigures {
    /// Which one.
    pub side: Side,
    /// The Claude Code in it.
    pub claude_version: String,
    /// The digest of its image.
    pub digest: String,
    /// Launches that say something of the image.
    pub launches: u32,
    /// Errors among them.
    pub errors: u32,
    /// The share of errors.
    pub error_rate: Option<f64>,
    /// Between these two it lies, with a confidence of 95 % (Wilson).
    pub error_interval: Option<(f64, f64)>,
    /// Launches by what they came to.
    pub outcomes: BTreeMap<&'static str, u32>,
    /// Launches whose end is not known yet.
    pub running: u32,
    /// Launches that Drydock made itself.
    pub probes: u32,
    /// Launches slower than the limit.
    pub slow: u32,
    /// Seconds until it was ready, without the first launch of the image.
    pub seconds: Option<Quantiles>,
    /// Seconds of the first launch of the image on this computer.
    pub first_seconds: Option<f64>,
}

impl Deployments {
    /// How the newest deployment stands: its state, and both versions in figures with their confidence.
    ///
    /// # Errors
    /// When the state database cannot be used, or a setting is wrong.
    pub fn track_deployment(&self, now: DateTime<Utc>) -> Result<DeploymentStatus> {
        let policy = Policy::of(&self.settings)?;
        let mut status = DeploymentStatus {
            deployment: None,
            stable: None,
            weight: Weight::NONE,
            manual_weight: Weight::of_environment()?,
            evidence: None,
            missing: Vec::new(),
            versions: Vec::new(),
            denied: Vec::new(),
            newer: self.newer().map(|version| version.to_string()),
            policy,
        };
        let Some(store) = Store::open_if_there(&self.locations)? else { return Ok(status) };
        status.denied = store.denied()?;
        let promoted = store.promoted()?.into_iter().next();
        let promoted = promoted.filter(|one| one.asked == self.settings.claude_version());
        status.stable = promoted.map(|one| one.identity);
        let Some(deployment) = store.newest()?.map(|kept| kept.deployment) else { return Ok(status) };
        if status.stable.is_none() && deployment.state.is_active() {
            status.stable = Some(deployment.stable.clone());
        }
        let launches = store.launches(Some(&deployment.id))?;
        status.versions = [Side::Canary, Side::Stable]
            .into_iter()
            .filter_map(|side| figures(side, &deployment, &launches, status.policy.max_seconds))
            .collect();
        status.weight = self.weight(Some(&deployment))?;
        let standing = store.standing(&deployment, &status.policy)?;
        let with = With { policy: &status.policy, asked: self.settings.claude_version(), now };
        if let Some(facts) = standing.facts(&deployment, with) {
            status.evidence = Some(evidence(&facts));
            if let (State::Stage { .. }, Verdict::Wait(missing)) = (&deployment.state, judge(&facts)) {
                status.missing = missing;
            }
        }
        status.deployment = Some(deployment);
        Ok(status)
    }

    /// Launches of the newest deployment, the newest first: each with its version and why.
    ///
    /// # Errors
    /// When the state database cannot be used.
    pub fn launches(&self) -> Result<Vec<Launched>> {
        let Some(store) = Store::open_if_there(&self.locations)? else { return Ok(Vec::new()) };
        let Some(kept) = store.newest()? else { return Ok(Vec::new()) };
        store.launches(Some(&kept.deployment.id))
    }
}

fn figures(side: Side, deployment: &Deployment, all: &[Launched], limit: f64) -> Option<VersionFigures> {
    let identity = match side {
        Side::Canary => deployment.candidate.built.as_ref()?,
        Side::Stable => &deployment.stable,
    };
    let mut figures = VersionFigures {
        side,
        claude_version: identity.claude_version.clone(),
        digest: identity.digest.clone(),
        launches: 0,
        errors: 0,
        error_rate: None,
        error_interval: None,
        outcomes: BTreeMap::new(),
        running: 0,
        probes: 0,
        slow: 0,
        seconds: None,
        first_seconds: None,
    };
    let mut times = Vec::new();
    for launch in all.iter().filter(|launch| launch.side == side) {
        figures.probes += u32::from(launch.why == Why::Probe);
        let Some(outcome) = launch.outcome else {
            figures.running += 1;
            continue;
        };
        *figures.outcomes.entry(outcome.word()).or_default() += 1;
        if outcome.counts() == Counts::Not {
            continue;
        }
        figures.launches += 1;
        figures.errors += u32::from(outcome.counts() == Counts::Error);
        match launch.seconds {
            Some(seconds) if launch.cold => figures.first_seconds = Some(seconds),
            Some(seconds) => {
                figures.slow += u32::from(seconds > limit);
                times.push(seconds);
            }
            None => {}
        }
    }
    figures.error_rate =
        (figures.launches > 0).then(|| f64::from(figures.errors) / f64::from(figures.launches));
    figures.error_interval = wilson(figures.errors, figures.launches);
    figures.seconds = Quantiles::of(times);
    Some(figures)
}
