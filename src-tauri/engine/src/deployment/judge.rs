//! What follows from the launches so far: go on, wait, ask, or take the candidate back.
//!
//! A plain function of counts and the clock. It is asked after every outcome, in every state in which the candidate can
//! be launched, paused ones too.

use super::{
    Policy, RuleKind, Stage, Tally, Trigger,
    machine::Proof,
    policy::LEAST_IN_BAKE,
    rule::{Evidence, has_too_many_errors, is_too_slow},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{fmt, time::Duration};

/// With fewer launches, stable is nothing to compare with, and the plain bounds say nothing.
const LEAST_STABLE: u32 = 3;
const LEAST_STRICT: u32 = 5;

/// What a deployment is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) policy: &'a Policy,
    pub(super) stage: Stage,
    /// At so many launches without a verdict the user is asked.
    pub(super) patience: u32,
    /// The candidate's launches in this deployment.
    pub(super) candidate: &'a Tally,
    /// Stable's launches since the deployment began.
    pub(super) stable: &'a Tally,
    /// The rate of errors of stable's newest fifty.
    pub(super) stable_rate: Option<f64>,
    /// Whether the user has set the weight: then no stage is left.
    pub(super) manual: bool,
    pub(super) now: DateTime<Utc>,
}

/// What is still missing before a stage is left.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "missing")]
pub enum Missing {
    /// Launches of the candidate.
    Launches {
        /// So many there are.
        have: u32,
        /// So many it takes.
        want: u32,
    },
    /// Time.
    Minutes {
        /// So many minutes more.
        left: i64,
    },
    /// The share of errors has to come down.
    FewerErrors,
    /// The evidence against the candidate has to go away.
    Doubt,
    /// The last launch was an error.
    GoodLaunch,
    /// The smoke tests after the last promotion.
    Smoke,
    /// The user has set the weight by the variable.
    ManualWeight,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launches { have, want } => write!(f, "{have} of {want} launches"),
            Self::Minutes { left } => write!(f, "{left} minutes more"),
            Self::FewerErrors => f.write_str("a lower share of errors"),
            Self::Doubt => f.write_str("less evidence against it"),
            Self::GoodLaunch => f.write_str("a good launch after the failed one"),
            Self::Smoke => f.write_str("its smoke tests after the promotion"),
            Self::ManualWeight => f.write_str("the end of the weight set by hand"),
        }
    }
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// Take it back.
    RollBack(Trigger),
    /// It would be taken back, but stable does no better: it is not the image.
    Environment(Trigger),
    /// Enough was seen, and it says nothing.
    Inconclusive,
    /// Leave the stage.
    Advance,
    /// Go on.
    Wait(Vec<Missing>),
}

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let Facts { policy, candidate, .. } = *facts;
    // What was lost is lost: no comparison excuses it.
    if candidate.unverified > 0 {
        return Verdict::RollBack(Trigger::Unverified);
    }
    let evidence = evidence(facts);
    let trigger = match policy.rule {
        RuleKind::Sequential => sequential(facts, &evidence),
        RuleKind::Strict => plain(policy, candidate),
    };
    if let Some(trigger) = trigger {
        // The plain bounds know no comparison.
        return if policy.rule == RuleKind::Sequential && stable_does_no_better(facts, &trigger) {
            Verdict::Environment(trigger)
        } else {
            Verdict::RollBack(trigger)
        };
    }
    let missing = missing(facts, &evidence);
    if missing.is_empty() {
        Verdict::Advance
    } else if candidate.launches >= facts.patience && !facts.manual && !missing.contains(&Missing::Smoke) {
        Verdict::Inconclusive
    } else {
        Verdict::Wait(missing)
    }
}

pub(super) fn evidence(facts: &Facts<'_>) -> Evidence {
    let Facts { policy, candidate, .. } = *facts;
    let (errors, slowness) = ((candidate.faults, candidate.launches), (candidate.slow, candidate.timed));
    Evidence::of(policy, errors, slowness, facts.stable_rate)
}

fn sequential(facts: &Facts<'_>, evidence: &Evidence) -> Option<Trigger> {
    let Facts { policy, candidate, .. } = *facts;
    let Tally { launches, faults, slow, timed, .. } = *candidate;
    if candidate.in_a_row >= 2 {
        Some(Trigger::InARow { times: candidate.in_a_row, launches })
    } else if has_too_many_errors(policy, faults, launches, evidence) {
        Some(Trigger::Errors { faults, launches })
    } else if is_too_slow(slow, timed, evidence) {
        Some(slow_launches(policy, candidate))
    } else {
        None
    }
}

/// The bounds of the specification, word for word.
fn plain(policy: &Policy, candidate: &Tally) -> Option<Trigger> {
    let Tally { launches, faults, timed, p95, .. } = *candidate;
    if launches >= LEAST_STRICT && candidate.error_rate().is_some_and(|rate| rate > policy.max_error_rate) {
        Some(Trigger::Errors { faults, launches })
    } else if timed >= LEAST_STRICT && p95.is_some_and(|p95| p95 > policy.max_seconds) {
        Some(slow_launches(policy, candidate))
    } else {
        None
    }
}

fn slow_launches(policy: &Policy, candidate: &Tally) -> Trigger {
    let milliseconds = |seconds: f64| {
        u64::try_from(Duration::try_from_secs_f64(seconds).unwrap_or_default().as_millis())
            .unwrap_or(u64::MAX)
    };
    Trigger::Slow {
        slow: candidate.slow,
        timed: candidate.timed,
        limit_ms: milliseconds(policy.max_seconds),
        p95_ms: candidate.p95.map(milliseconds),
    }
}

fn stable_does_no_better(facts: &Facts<'_>, trigger: &Trigger) -> bool {
    let Facts { candidate, stable, .. } = *facts;
    let (stable_launches, ours, theirs) = match trigger {
        Trigger::Slow { .. } => (stable.timed, candidate.slow_rate(), stable.slow_rate()),
        _ => (stable.launches, candidate.error_rate(), stable.error_rate()),
    };
    let is_as_bad = ours.zip(theirs).is_some_and(|(ours, theirs)| theirs >= ours);
    stable_launches >= LEAST_STABLE && is_as_bad
}

fn missing(facts: &Facts<'_>, evidence: &Evidence) -> Vec<Missing> {
    let Facts { policy, stage, candidate, now, .. } = *facts;
    let mut missing = Vec::new();
    let waited = now - stage.since;
    let (have, want) = (candidate.launches, policy.launches(stage.index));
    // The last stage ends with its launches or with its days, and never without data.
    let baked = policy.is_last(stage.index)
        && waited >= policy.bake
        && have.saturating_sub(stage.launches_before) >= LEAST_IN_BAKE;
    if have < want && !baked {
        missing.push(Missing::Launches { have, want });
    }
    if waited < policy.least_time {
        missing
            .push(Missing::Minutes { left: (policy.least_time - waited).num_seconds().div_euclid(60) + 1 });
    }
    if candidate.error_rate().is_none_or(|rate| rate > policy.max_error_rate) && have > 0 {
        missing.push(Missing::FewerErrors);
    }
    if policy.rule == RuleKind::Sequential && evidence.is_near() {
        missing.push(Missing::Doubt);
    }
    if policy.rule == RuleKind::Sequential && candidate.in_a_row > 0 {
        missing.push(Missing::GoodLaunch);
    }
    if stage.proof == Proof::Due {
        missing.push(Missing::Smoke);
    }
    if facts.manual {
        missing.push(Missing::ManualWeight);
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::Outcome;
    use chrono::TimeDelta;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn stage(index: usize, launches_before: u32) -> Stage {
        Stage { index, since: at(0), launches_before, proof: Proof::Passed }
    }

    /// A tally of good launches and errors, as a string of `.` and `x` tells them.
    fn tally(text: &str) -> Tally {
        let mut tally = Tally::default();
        for launch in text.chars() {
            tally.add(if launch == 'x' { Outcome::Died } else { Outcome::Ok });
        }
        tally
    }

    fn judged(stage: Stage, candidate: &Tally, stable: &Tally, minutes: i64) -> Verdict {
        judge(&Facts {
            policy: &Policy::usual(),
            stage,
            patience: 40,
            candidate,
            stable,
            stable_rate: None,
            manual: false,
            now: at(minutes),
        })
    }

    #[test]
    fn a_stage_is_left_with_enough_launches_enough_time_and_no_doubt() {
        let none = Tally::default();
        assert_eq!(judged(stage(0, 0), &tally("....."), &none, 10), Verdict::Advance);
        assert_eq!(judged(stage(1, 5), &tally(&".".repeat(15)), &none, 10), Verdict::Advance);
        let waits = |verdict| matches!(verdict, Verdict::Wait(missing) if !missing.is_empty());
        assert!(waits(judged(stage(0, 0), &tally("...."), &none, 10)), "launches");
        assert!(waits(judged(stage(0, 0), &tally("....."), &none, 9)), "minutes");
        assert!(waits(judged(stage(0, 0), &tally("....x"), &none, 10)), "the last launch");
        assert!(waits(judged(stage(0, 0), &tally("x...."), &none, 10)), "one of five is more than a tenth");
        let due = Stage { proof: Proof::Due, ..stage(0, 0) };
        assert_eq!(judged(due, &tally("....."), &none, 10), Verdict::Wait(vec![Missing::Smoke]));
    }

    #[test]
    fn no_data_is_never_a_pass() {
        let year = 525_600;
        for index in 0..3 {
            let verdict = judged(stage(index, 0), &Tally::default(), &tally("......"), year);
            assert!(matches!(verdict, Verdict::Wait(_)), "stage {index}: {verdict:?}");
        }
        // The last stage ends with its days, but not without launches of its own.
        assert!(matches!(judged(stage(2, 15), &tally(&".".repeat(19)), &tally(""), year), Verdict::Wait(_)));
        assert_eq!(judged(stage(2, 15), &tally(&".".repeat(20)), &tally(""), year), Verdict::Advance);
        assert!(matches!(judged(stage(2, 15), &tally(&".".repeat(20)), &tally(""), 60), Verdict::Wait(_)));
    }

    #[test]
    fn two_errors_in_a_row_or_enough_of_them_take_it_back() {
        let good = tally("....");
        assert!(matches!(
            judged(stage(0, 0), &tally("xx"), &good, 0),
            Verdict::RollBack(Trigger::InARow { .. })
        ));
        let verdict = judged(stage(1, 5), &tally(".....x.x"), &good, 0);
        assert!(
            matches!(verdict, Verdict::RollBack(Trigger::Errors { faults: 2, launches: 8 })),
            "{verdict:?}"
        );
        assert!(matches!(judged(stage(1, 5), &tally("x..........x"), &good, 0), Verdict::Wait(_)));
    }

    #[test]
    fn what_did_not_come_out_as_it_was_takes_it_back_at_once_whatever_stable_does() {
        let mut candidate = tally("........");
        candidate.add(Outcome::Unverified);
        assert_eq!(
            judged(stage(1, 5), &candidate, &tally("xxxxxx"), 0),
            Verdict::RollBack(Trigger::Unverified)
        );
    }

    #[test]
    fn what_befalls_stable_as_well_is_not_the_images_fault() {
        let verdict = judged(stage(0, 0), &tally(".xx"), &tally("xxx"), 0);
        assert!(matches!(verdict, Verdict::Environment(Trigger::InARow { .. })), "{verdict:?}");
        // Two launches of stable are nothing to go by.
        assert!(matches!(judged(stage(0, 0), &tally(".xx"), &tally("xx"), 0), Verdict::RollBack(_)));
        let mut slow = tally("....");
        (0..3).for_each(|_| slow.time(20.0, 15.0));
        assert!(matches!(
            judged(stage(0, 0), &slow, &tally("...."), 0),
            Verdict::RollBack(Trigger::Slow { .. })
        ));
        assert!(matches!(judged(stage(0, 0), &slow, &slow, 0), Verdict::Environment(Trigger::Slow { .. })));
    }

    #[test]
    fn who_sees_much_and_knows_nothing_asks() {
        let candidate = tally(&"...........x".repeat(4)[..40]);
        let doubtful = Tally { in_a_row: 1, ..candidate };
        assert_eq!(judged(stage(2, 15), &doubtful, &Tally::default(), 60), Verdict::Inconclusive);
    }

    #[test]
    fn a_weight_set_by_hand_keeps_the_stage_and_not_the_candidate() {
        let policy = Policy::usual();
        let facts = |candidate| Facts {
            policy: &policy,
            stage: stage(0, 0),
            patience: 40,
            candidate,
            stable: candidate,
            stable_rate: None,
            manual: true,
            now: at(60),
        };
        let good = tally(&".".repeat(50));
        assert_eq!(judge(&facts(&good)), Verdict::Wait(vec![Missing::ManualWeight]));
        let bad = tally("xx");
        let verdict = judge(&Facts { stable: &Tally::default(), ..facts(&bad) });
        assert!(matches!(verdict, Verdict::RollBack(_)), "{verdict:?}");
    }

    #[test]
    fn the_strict_rule_is_the_plain_bounds() {
        let policy = Policy { rule: RuleKind::Strict, ..Policy::usual() };
        let verdict = |candidate: &Tally| {
            judge(&Facts {
                policy: &policy,
                stage: stage(0, 0),
                patience: 40,
                candidate,
                stable: &tally("xxxx"),
                stable_rate: None,
                manual: false,
                now: at(60),
            })
        };
        assert!(matches!(verdict(&tally("xx..")), Verdict::Wait(_)), "four are too few");
        assert!(matches!(
            verdict(&tally("x....")),
            Verdict::RollBack(Trigger::Errors { faults: 1, launches: 5 })
        ));
        assert_eq!(verdict(&tally(".........x")), Verdict::Advance, "a tenth is not more than a tenth");
        let mut slow = tally(".....");
        (0..5).for_each(|n| slow.time(if n == 0 { 15.5 } else { 1.0 }, 15.0));
        slow.p95 = Some(15.5);
        assert!(matches!(verdict(&slow), Verdict::RollBack(Trigger::Slow { slow: 1, timed: 5, .. })));
    }
}
