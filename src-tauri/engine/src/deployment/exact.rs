//! The rule's exact figures: every history of launches with its probability, compared with what was worked out beforehand.

use super::{
    Outcome, Policy, Proof, RuleKind, Stage, Tally,
    judge::{Facts, Verdict, judge},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// All that the rule knows of a history.
type Known = (usize, u32, u32, u32);

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn verdict(policy: &Policy, (index, launches, faults, in_a_row): Known) -> Verdict {
    let candidate = Tally { launches, faults, in_a_row, ..Tally::default() };
    judge(&Facts {
        policy,
        stage: Stage { index, since: at(0), launches_before: 0, proof: Proof::Passed },
        patience: 40,
        candidate: &candidate,
        stable: &Tally::default(),
        stable_rate: None,
        manual: false,
        now: at(60),
    })
}

/// One more launch of each history.
fn next((stage, launches, faults, in_a_row): Known, outcome: Outcome) -> Known {
    let mut tally = Tally { launches, faults, in_a_row, ..Tally::default() };
    tally.add(outcome);
    (stage, tally.launches, tally.faults, tally.in_a_row)
}

/// How probable it is that a candidate with this rate of errors is taken back, and that it is promoted, within so many
/// launches; `stages` says whether stages are left meanwhile.
fn probabilities(policy: &Policy, error: f64, most: u32, stages: usize) -> (f64, f64) {
    let mut histories: BTreeMap<Known, f64> = BTreeMap::from([((0, 0, 0, 0), 1.0)]);
    let (mut back, mut promoted) = (0.0, 0.0);
    for _ in 0..most {
        let mut after: BTreeMap<Known, f64> = BTreeMap::new();
        for (known, chance) in histories {
            for (outcome, share) in [(Outcome::Died, error), (Outcome::Ok, 1.0 - error)] {
                let (mut known, chance) = (next(known, outcome), chance * share);
                match verdict(policy, known) {
                    Verdict::RollBack(_) => {
                        back += chance;
                        continue;
                    }
                    Verdict::Advance if known.0 + 1 == stages => {
                        promoted += chance;
                        continue;
                    }
                    Verdict::Advance if stages > 0 => known.0 += 1,
                    _ => {}
                }
                *after.entry(known).or_default() += chance;
            }
        }
        histories = after;
    }
    (back, promoted)
}

const RATES: [f64; 8] = [0.01, 0.02, 0.05, 0.10, 0.20, 0.30, 0.50, 1.0];

/// To the last digit that was worked out.
fn assert_are(what: &str, found: [f64; 8], expected: [f64; 8]) {
    for ((rate, found), expected) in RATES.iter().zip(found).zip(expected) {
        assert!((found - expected).abs() < 0.000_5 + 1e-9, "{what} at {rate}: {found:.4}, not {expected}");
    }
}

/// Only the first two stages: what comes before all launches try it.
fn up_to_all_launches() -> Policy {
    let mut policy = Policy::usual();
    policy.stages.truncate(2);
    policy
}

#[test]
fn so_many_are_taken_back_before_they_have_all_launches() {
    let policy = up_to_all_launches();
    let both = RATES.map(|rate| probabilities(&policy, rate, 40, 2));
    assert_are(
        "taken back",
        both.map(|(back, _)| back),
        [0.005, 0.020, 0.118, 0.371, 0.795, 0.957, 0.999, 1.0],
    );
    for (rate, (back, promoted)) in RATES.iter().zip(both) {
        assert!((back + promoted - 1.0).abs() < 1e-3, "at {rate} some are neither: {back} {promoted}");
    }
}

#[test]
fn the_bare_rule_takes_so_many_back_by_their_fifteenth_and_their_thirtieth_launch() {
    let policy = Policy::usual();
    let by = |most| RATES.map(|rate| probabilities(&policy, rate, most, 0).0);
    assert_are("by 15", by(15), [0.005, 0.018, 0.100, 0.311, 0.712, 0.917, 0.998, 1.0]);
    assert_are("by 30", by(30), [0.007, 0.028, 0.169, 0.515, 0.925, 0.995, 1.0, 1.0]);
}

#[test]
fn the_plain_bounds_alone_take_many_more_good_ones_back() {
    let policy = Policy { rule: RuleKind::Strict, ..Policy::usual() };
    let by = |most| RATES.map(|rate| probabilities(&policy, rate, most, 0).0);
    assert_are("by 15", by(15), [0.088, 0.171, 0.390, 0.657, 0.912, 0.983, 1.0, 1.0]);
    assert_are("by 30", by(30), [0.091, 0.183, 0.445, 0.764, 0.977, 0.999, 1.0, 1.0]);
}

#[test]
fn one_that_always_fails_is_taken_back_at_its_second_launch() {
    let (back, _) = probabilities(&Policy::usual(), 1.0, 2, 3);
    assert!((back - 1.0).abs() < 1e-12);
}
