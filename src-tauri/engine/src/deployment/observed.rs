//! What is told of deployments: each transition once, after it is written down, also when a process ended in between.

use super::{Deployment, State, store::Store};
use crate::{
    error_handling::Result,
    observability::{Event, EventName, Level, log_event},
};

/// Tells what nobody was told of yet. A process that ends in between says it twice rather than never.
pub(super) fn tell(store: &mut Store) -> Result<()> {
    for transition in store.untold()? {
        log_event(&event(&transition.before, &transition.deployment));
        store.told(transition.seq)?;
    }
    Ok(())
}

fn event(before: &str, deployment: &Deployment) -> Event {
    let (name, level) = match &deployment.state {
        State::Building => (EventName::DeploymentBegun, Level::Info),
        State::Smoke => (EventName::DeploymentBuilt, Level::Info),
        State::Stage { .. } => (EventName::DeploymentStage, Level::Info),
        State::Paused { .. } => (EventName::DeploymentPaused, Level::Warn),
        State::RollingBack { .. } => (EventName::DeploymentRollingBack, Level::Warn),
        State::RolledBack { .. } => (EventName::DeploymentRolledBack, Level::Error),
        State::Succeeded => (EventName::DeploymentSucceeded, Level::Info),
        State::Aborted { .. } | State::Superseded => (EventName::DeploymentEnded, Level::Warn),
    };
    let mut event = Event::new(name)
        .level(level)
        .with("deployment", deployment.id.as_str())
        .with("claude", deployment.candidate.claude_version.as_str())
        .with("state", deployment.state.word())
        .with("before", before);
    if let Some(stage) = deployment.state.stage() {
        event = event.with("stage", stage.index).with("launches", u64::from(stage.launches_before));
    }
    match &deployment.state {
        State::RollingBack { trigger } | State::RolledBack { trigger } => {
            event.with("reason", trigger.word())
        }
        State::Aborted { abort: super::Abort::Build { code, .. } } => event.code(*code),
        State::Paused { pause, .. } => event.with(
            "reason",
            match pause {
                super::Pause::User => "user",
                super::Pause::Inconclusive => "inconclusive",
                super::Pause::Environment { .. } => "environment",
            },
        ),
        _ => event,
    }
}
