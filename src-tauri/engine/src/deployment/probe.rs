//! When Drydock launches a candidate itself: in idle hours, so that somebody with three launches a day comes through.

use super::{Policy, Stage};
use chrono::{DateTime, TimeDelta, Utc};

/// Nobody launched anything for so long.
pub(super) const IDLE: TimeDelta = TimeDelta::hours(1);

/// What is known of a stage's launches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idle {
    /// The candidate's launches in this deployment that count.
    pub(super) launches: u32,
    /// Those that Drydock made itself in this stage.
    pub(super) probes: u32,
    /// When anything was launched last.
    pub(super) last: Option<DateTime<Utc>>,
}

/// Whether a probe is due: launches are missing, nobody works, and no more than half of the stage's are probes.
pub(super) fn is_due(policy: &Policy, stage: Stage, idle: Idle, now: DateTime<Utc>) -> bool {
    let want = policy.launches(stage.index);
    let most = want.saturating_sub(stage.launches_before) / 2;
    let is_idle = now - idle.last.map_or(stage.since, |last| last.max(stage.since)) >= IDLE;
    is_idle && idle.launches < want && idle.probes < most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::Proof;

    #[test]
    fn a_probe_is_made_in_idle_hours_for_at_most_half_of_a_stage() {
        let policy = Policy::usual();
        let at = |minutes| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let stage = Stage { index: 0, since: at(0), launches_before: 0, proof: Proof::Passed };
        let due = |launches, probes, last, now| {
            is_due(&policy, stage, Idle { launches, probes, last: Some(at(last)) }, at(now))
        };
        assert!(due(0, 0, 0, 60));
        assert!(!due(0, 0, 0, 59), "somebody may still work");
        assert!(!due(0, 0, 30, 60), "somebody worked");
        assert!(due(1, 1, 0, 60));
        assert!(!due(2, 2, 0, 60), "two of five are half");
        assert!(!due(5, 0, 0, 60), "nothing is missing");
    }
}
