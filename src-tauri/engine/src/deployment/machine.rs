//! A deployment as a value, and what becomes of it by each event: plain functions, no clock, no disk.

use super::{Abort, Candidate, Identity, Pause, Policy, Trigger, judge::Verdict, policy::PATIENCE};
use crate::error_handling::Code;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(String);

impl DeploymentId {
    pub(super) fn new() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the smoke tests were run since the last promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// They are still to be run.
    Due,
    /// They passed.
    Passed,
}

/// A stage that a candidate is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Which one.
    pub index: usize,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Launches of the candidate before it.
    pub launches_before: u32,
    /// Whether the smoke tests of this stage were run.
    pub proof: Proof,
}

/// Where a deployment stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// The candidate is being built.
    Building,
    /// It is tested before any launch tries it.
    Smoke,
    /// Some launches try it.
    Stage {
        /// The stage.
        at: Stage,
    },
    /// It stands still; launches go on as in its stage.
    Paused {
        /// Why.
        pause: Pause,
        /// The stage.
        at: Stage,
    },
    /// No launch tries it any more, and stable is made sure of.
    RollingBack {
        /// Why.
        trigger: Trigger,
    },
    /// It was taken back.
    RolledBack {
        /// Why.
        trigger: Trigger,
    },
    /// It is what launches use.
    Succeeded,
    /// It was given up before any launch tried it.
    Aborted {
        /// Why.
        abort: Abort,
    },
    /// A newer candidate took its place.
    Superseded,
}

impl State {
    /// A word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Smoke => "smoke",
            Self::Stage { .. } => "stage",
            Self::Paused { .. } => "paused",
            Self::RollingBack { .. } => "rolling-back",
            Self::RolledBack { .. } => "rolled-back",
            Self::Succeeded => "succeeded",
            Self::Aborted { .. } => "aborted",
            Self::Superseded => "superseded",
        }
    }

    /// Whether something is still to happen.
    #[must_use]
    pub fn is_active(&self) -> bool {
        match self {
            Self::Building
            | Self::Smoke
            | Self::Stage { .. }
            | Self::Paused { .. }
            | Self::RollingBack { .. } => true,
            Self::RolledBack { .. } | Self::Succeeded | Self::Aborted { .. } | Self::Superseded => false,
        }
    }

    /// The stage whose weight launches go by, where they try the candidate.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Stage { at } | Self::Paused { at, .. } => Some(*at),
            _ => None,
        }
    }

    fn with_stage(self, stage: Stage) -> Self {
        match self {
            Self::Paused { pause, .. } => Self::Paused { pause, at: stage },
            _ => Self::Stage { at: stage },
        }
    }
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its name.
    pub id: DeploymentId,
    /// What is tried out.
    pub candidate: Candidate,
    /// What is gone back to.
    pub stable: Identity,
    /// When it began.
    pub began: DateTime<Utc>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// At so many launches without a verdict the user is asked.
    pub patience: u32,
}

/// How far a promotion by hand goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promotion {
    /// To the next stage.
    Next,
    /// To the end.
    Full,
}

/// What happens to a deployment.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// The candidate is built.
    Built(Identity),
    /// It could not be built, or may not be tried.
    NotBuilt { code: Code, message: String },
    /// The smoke tests passed.
    SmokePassed,
    /// Some of them failed.
    SmokeFailed(Vec<String>),
    /// Its launches were looked at, so many of them.
    Judged { verdict: Verdict, launches: u32 },
    /// The user wants it to stand still.
    Pause,
    /// The user wants it to go on, after so many launches.
    Resume { launches: u32 },
    /// The user wants it further, after so many launches.
    Promote { promotion: Promotion, launches: u32 },
    /// The user wants it back.
    RollBack,
    /// Stable is there.
    Restored,
    /// A newer candidate takes its place.
    Supersede,
}

/// What is written down together with a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The candidate is not tried again by itself.
    Deny,
    /// The candidate is stable from now on.
    MakeStable,
    /// What was stable before is stable again.
    Restore,
}

/// What a deployment becomes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) deployment: Deployment,
    pub(super) effects: Vec<Effect>,
}

impl Deployment {
    pub(super) fn begin(candidate: Candidate, stable: Identity, policy: &Policy, now: DateTime<Utc>) -> Self {
        Self {
            id: DeploymentId::new(),
            candidate,
            stable,
            began: now,
            state: State::Building,
            patience: policy.patience(),
        }
    }

    /// What an event makes of it; `None` where it means nothing now.
    pub(super) fn step(&self, event: &Event, policy: &Policy, now: DateTime<Utc>) -> Option<Step> {
        let to =
            |state: State| Some(Step { deployment: Self { state, ..self.clone() }, effects: Vec::new() });
        let back = |trigger: Trigger, also: &[Effect]| {
            let effects = [&[Effect::Deny], also].concat();
            let state = State::RollingBack { trigger };
            Some(Step { deployment: Self { state, ..self.clone() }, effects })
        };
        let entered = |index: usize, launches: u32, proof: Proof| State::Stage {
            at: Stage { index, since: now, launches_before: launches, proof },
        };
        let next = |at: Stage, launches: u32| {
            if policy.is_last(at.index) {
                let deployment = Self { state: State::Succeeded, ..self.clone() };
                Some(Step { deployment, effects: vec![Effect::MakeStable] })
            } else {
                to(entered(at.index + 1, launches, Proof::Due))
            }
        };
        match (&self.state, event) {
            (State::Building, Event::Built(identity)) => {
                let candidate = Candidate { built: Some(identity.clone()), ..self.candidate.clone() };
                let deployment = Self { candidate, state: State::Smoke, ..self.clone() };
                Some(Step { deployment, effects: Vec::new() })
            }
            (State::Building, Event::NotBuilt { code, message }) => {
                to(State::Aborted { abort: Abort::Build { code: *code, message: message.clone() } })
            }
            (State::Building | State::Smoke, Event::RollBack) => to(State::Aborted { abort: Abort::User }),
            (State::Smoke, Event::SmokePassed) => to(entered(0, 0, Proof::Passed)),
            (State::Smoke | State::Stage { .. } | State::Paused { .. }, Event::SmokeFailed(failed)) => {
                back(Trigger::Smoke { failed: failed.clone() }, &[])
            }
            (state @ (State::Stage { at } | State::Paused { at, .. }), Event::SmokePassed)
                if at.proof == Proof::Due =>
            {
                to(state.clone().with_stage(Stage { proof: Proof::Passed, ..*at }))
            }
            (
                State::Stage { .. } | State::Paused { .. },
                Event::Judged { verdict: Verdict::RollBack(trigger), .. },
            ) => back(trigger.clone(), &[]),
            (State::Stage { at }, Event::Judged { verdict: Verdict::Environment(trigger), .. }) => {
                to(State::Paused { pause: Pause::Environment { trigger: trigger.clone() }, at: *at })
            }
            (State::Stage { at }, Event::Judged { verdict: Verdict::Inconclusive, .. }) => {
                to(State::Paused { pause: Pause::Inconclusive, at: *at })
            }
            (State::Stage { at }, Event::Judged { verdict: Verdict::Advance, launches }) => {
                next(*at, *launches)
            }
            // What was the environment's fault is over.
            (
                State::Paused { pause: Pause::Environment { .. }, at },
                Event::Judged { verdict: Verdict::Wait(_) | Verdict::Advance, .. },
            ) => to(State::Stage { at: *at }),
            (State::Stage { at }, Event::Pause) => to(State::Paused { pause: Pause::User, at: *at }),
            (State::Paused { pause: Pause::Inconclusive | Pause::Environment { .. }, at }, Event::Pause) => {
                to(State::Paused { pause: Pause::User, at: *at })
            }
            (State::Paused { at, .. }, Event::Resume { launches }) => {
                let patience = self.patience.max(launches.saturating_add(PATIENCE));
                let deployment = Self { state: State::Stage { at: *at }, patience, ..self.clone() };
                Some(Step { deployment, effects: Vec::new() })
            }
            (
                State::Stage { at } | State::Paused { at, .. },
                Event::Promote { promotion: Promotion::Next, launches },
            ) => next(*at, *launches),
            (
                State::Stage { .. } | State::Paused { .. },
                Event::Promote { promotion: Promotion::Full, .. },
            ) => {
                let deployment = Self { state: State::Succeeded, ..self.clone() };
                Some(Step { deployment, effects: vec![Effect::MakeStable] })
            }
            (State::Stage { .. } | State::Paused { .. }, Event::RollBack) => back(Trigger::User, &[]),
            (State::Succeeded, Event::RollBack) => back(Trigger::User, &[Effect::Restore]),
            (State::RollingBack { trigger }, Event::Restored) => {
                to(State::RolledBack { trigger: trigger.clone() })
            }
            (
                State::Building | State::Smoke | State::Stage { .. } | State::Paused { .. },
                Event::Supersede,
            ) => to(State::Superseded),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
