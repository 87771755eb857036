//! New images: what is tried, in figures, and the user's hand on it.

use super::Shared;
use crate::{
    desk::{Desk, blocking},
    doing::{Begun, Deed},
};
use chrono::{DateTime, Utc};
use drydock_engine::{
    deployment::{Again, Deployment, DeploymentStatus, Deployments, Others, Pause, Promotion, Side, State},
    error_handling::Result,
    image::ClaudeVersion,
    progress::ProgressSink,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tauri::AppHandle;
use ts_rs::TS;

/// The newest deployment, as the page shows it.
#[derive(Debug, Clone, Serialize, TS)]
pub(crate) struct Deploying {
    /// The Claude Code that is tried.
    claude_version: String,
    /// Where it stands.
    state: DeployState,
    /// Since when it is in its stage.
    since: Option<DateTime<Utc>>,
    /// Why it stands still or was taken back, in the engine's own sentence.
    why: Option<String>,
    /// The shares of launches, stage by stage.
    stages: Vec<f64>,
    /// The stage it is in.
    stage: Option<usize>,
    /// What the stage is left with, in the engine's own words.
    missing: Vec<String>,
    /// How near it is to being taken back: 1 is there.
    evidence: Option<f64>,
    /// Both versions.
    versions: Vec<TriedVersion>,
}

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeployState {
    Building,
    Smoke,
    Stage,
    Paused,
    TakenBack,
    Succeeded,
    GivenUp,
    Superseded,
}

/// A version in figures.
#[derive(Debug, Clone, Serialize, TS)]
pub(crate) struct TriedVersion {
    /// Whether it is what most launches use, or what is tried.
    stable: bool,
    claude_version: String,
    /// Launches that say something of it, errors among them, and those on their way.
    launches: u32,
    errors: u32,
    running: u32,
    /// Between these two is the share of errors, with 95 % confidence.
    interval: Option<(f64, f64)>,
    /// Seconds until it was ready.
    median: Option<f64>,
    p95: Option<f64>,
}

/// What the user does with what is tried.
#[derive(Debug, Clone, Copy, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeployDeed {
    Promote,
    TakeBack,
    Pause,
    GoOn,
    Seen,
}

/// The newest deployment; nothing before the first.
#[tauri::command]
pub(crate) async fn deployment(desk: Shared<'_>) -> Result<Option<Deploying>> {
    let deployments = desk.drydock()?.deployments();
    blocking(move || Ok(shown(deployments.track_deployment(Utc::now())?))).await
}

/// Builds a Claude Code beside the one in use, tests it, and gives it the first share of launches: the newest one, or
/// that of which the user was told.
#[tauri::command]
pub(crate) async fn try_newest(
    app: AppHandle,
    desk: Shared<'_>,
    version: Option<String>,
) -> Result<Option<Deploying>> {
    let version: Option<ClaudeVersion> = version.map(|text| text.parse()).transpose()?;
    let drydock = desk.drydock()?;
    let begun = Begun::of(&app, desk.inner(), Deed::Candidate);
    let engine = drydock.engine().await?;
    drydock.deployments().deploy_canary(&engine, version, Again::No, &begun.sink()).await?;
    deployment(desk).await
}

/// Does something with what is tried.
#[tauri::command]
pub(crate) async fn steer_deployment(desk: Shared<'_>, deed: DeployDeed) -> Result<Option<Deploying>> {
    let drydock = desk.drydock()?;
    let deployments = drydock.deployments();
    if matches!(deed, DeployDeed::TakeBack) {
        let engine = drydock.engine().await?;
        deployments.rollback_deployment(&engine, &ProgressSink::none()).await?;
    } else {
        let steered = deployments.clone();
        blocking(move || by_hand(&steered, deed)).await?;
    }
    if matches!(deed, DeployDeed::Promote) {
        test_again(desk.inner(), deployments);
    }
    desk.wake.notify_one();
    deployment(desk).await
}

fn by_hand(deployments: &Deployments, deed: DeployDeed) -> Result<()> {
    let now = Utc::now();
    match deed {
        DeployDeed::Promote => deployments.promote(Promotion::Next, now).map(drop),
        DeployDeed::Pause => deployments.pause(now).map(drop),
        DeployDeed::GoOn => deployments.resume(now).map(drop),
        DeployDeed::Seen => deployments.see(),
        DeployDeed::TakeBack => Ok(()),
    }
}

/// The smoke tests after a promotion; the page does not wait for them.
fn test_again(desk: &Arc<Desk>, deployments: Deployments) {
    let desk = desk.clone();
    tauri::async_runtime::spawn(async move {
        let tested = async {
            let engine = desk.drydock()?.engine().await?;
            deployments.go_on(&engine, Others::Leave, &ProgressSink::none()).await
        };
        // They stay due, and the scheduler runs them.
        if let Err(error) = tested.await {
            tracing::warn!(%error, "the tests after a promotion wait");
        }
        desk.wake.notify_one();
    });
}

fn shown(status: DeploymentStatus) -> Option<Deploying> {
    let deployment = status.deployment?;
    let stage = deployment.state.stage();
    Some(Deploying {
        state: state(&deployment),
        since: stage.map(|stage| stage.since),
        why: why(&deployment),
        stages: status.policy.stages.iter().map(|stage| stage.weight.share()).collect(),
        stage: stage.map(|stage| stage.index),
        missing: status.missing.iter().map(ToString::to_string).collect(),
        evidence: status.evidence.map(|found| found.errors.max(found.slowness) / found.boundary),
        versions: status
            .versions
            .into_iter()
            .map(|one| TriedVersion {
                stable: one.side == Side::Stable,
                claude_version: one.claude_version,
                launches: one.launches,
                errors: one.errors,
                running: one.running,
                interval: one.error_interval,
                median: one.seconds.as_ref().map(|seconds| seconds.p50),
                p95: one.seconds.as_ref().map(|seconds| seconds.p95),
            })
            .collect(),
        claude_version: deployment.candidate.claude_version,
    })
}

fn state(deployment: &Deployment) -> DeployState {
    match deployment.state {
        State::Building => DeployState::Building,
        State::Smoke => DeployState::Smoke,
        State::Stage { .. } => DeployState::Stage,
        State::Paused { .. } => DeployState::Paused,
        State::RollingBack { .. } | State::RolledBack { .. } => DeployState::TakenBack,
        State::Succeeded => DeployState::Succeeded,
        State::Aborted { .. } => DeployState::GivenUp,
        State::Superseded => DeployState::Superseded,
    }
}

fn why(deployment: &Deployment) -> Option<String> {
    match &deployment.state {
        State::RollingBack { trigger } | State::RolledBack { trigger } => Some(trigger.to_string()),
        State::Paused { pause: Pause::Environment { trigger }, .. } => Some(trigger.to_string()),
        _ => None,
    }
}
