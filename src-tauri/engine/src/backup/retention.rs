//! Which snapshots stay.

use super::{
    ledger::Known,
    snapshot::{CopyName, SnapshotId},
};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How long snapshots stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The last one of each hour stays for so many hours.
    pub hourly: u32,
    /// The last one of each day stays for so many days.
    pub days: u32,
}

/// So many of the newest stay in any case.
const LAST: usize = 3;

/// What a prune would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sorted {
    pub(super) stay: BTreeSet<SnapshotId>,
    pub(super) go: BTreeSet<SnapshotId>,
}

/// Sorts the snapshots that are there into those that stay and those that go.
///
/// Besides the last of each hour and day stay: the last three, the last good ones, the last that was read back
/// in each copy, and what the user pinned. Damaged snapshots fill no hour and no day of a good one.
pub(super) fn sort(
    snapshots: &BTreeMap<SnapshotId, Known>,
    retention: Retention,
    now: DateTime<Utc>,
) -> Sorted {
    // A broken one proves nothing and can only be in the way of the others.
    let (broken, mut there): (Vec<_>, Vec<_>) =
        snapshots.iter().filter(|(_, known)| !known.forgotten).partition(|(_, known)| known.broken);
    // The newest first; names settle a tie, so that the same input has the same answer.
    there.sort_by(|(a, x), (b, y)| y.made.cmp(&x.made).then_with(|| a.cmp(b)));
    let mut stay: BTreeSet<SnapshotId> = there.iter().take(LAST).map(|(id, _)| (*id).clone()).collect();
    stay.extend(there.iter().filter(|(_, known)| known.good).take(LAST).map(|(id, _)| (*id).clone()));
    stay.extend(there.iter().filter(|(_, known)| known.pinned).map(|(id, _)| (*id).clone()));
    for copy in CopyName::ALL {
        let verified = there.iter().find(|(_, known)| known.verified.contains_key(&copy));
        stay.extend(verified.map(|(id, _)| (*id).clone()));
    }
    let (hour, day) = (TimeDelta::hours(1), TimeDelta::days(1));
    for (period, keep) in [
        (hour, TimeDelta::hours(i64::from(retention.hourly))),
        (day, TimeDelta::days(i64::from(retention.days))),
    ] {
        let mut filled = BTreeSet::new();
        let young = there.iter().filter(|(_, known)| now - known.made <= keep);
        // Good ones come first, so that a damaged one stays only where there is none.
        let (good, damaged): (Vec<_>, Vec<_>) = young.partition(|(_, known)| known.good);
        for (id, known) in good.into_iter().chain(damaged) {
            if filled.insert(known.made.duration_trunc(period).unwrap_or(known.made)) {
                stay.insert((*id).clone());
            }
        }
    }
    let gone = there.into_iter().filter(|(id, _)| !stay.contains(*id));
    let go = gone.chain(broken).map(|(id, _)| id.clone()).collect();
    Sorted { stay, go }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RETENTION: Retention = Retention { hourly: 48, days: 30 };

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn id(n: usize) -> SnapshotId {
        format!("{n:064x}").parse().unwrap()
    }

    fn known(minutes_ago: i64) -> Known {
        let made = now() - TimeDelta::minutes(minutes_ago);
        Known { made, good: true, ..Known::default() }
    }

    #[test]
    fn a_month_of_ten_minutes_becomes_hours_and_days() {
        let all: BTreeMap<_, _> = (0..6 * 24 * 40).map(|n| (id(n), known(10 * n as i64))).collect();
        let sorted = sort(&all, RETENTION, now());
        let ages: Vec<_> = sorted.stay.iter().map(|id| (now() - all[id].made).num_hours()).collect();
        let young = ages.iter().filter(|age| **age < 48).count();
        assert!((48..=52).contains(&young), "{young}");
        let old = ages.iter().filter(|age| **age >= 48).count();
        assert!((28..=30).contains(&old), "{old}");
        assert!(ages.iter().all(|age| *age <= 30 * 24));
    }

    proptest! {
        #[test]
        fn what_must_stay_stays(
            snapshots in proptest::collection::vec(
                (0_i64..100_000, any::<bool>(), 0_u8..20, 0_u8..8), 0..60),
            hourly in 0_u32..100, days in 0_u32..60,
        ) {
            let all: BTreeMap<_, _> = snapshots
                .iter()
                .enumerate()
                .map(|(n, (minutes, good, pinned, verified))| {
                    let mut known = Known { good: *good, pinned: *pinned == 0, ..known(*minutes) };
                    for (at, copy) in CopyName::ALL.into_iter().enumerate() {
                        if verified & (1 << at) != 0 {
                            known.verified.insert(copy, now());
                        }
                    }
                    (id(n), known)
                })
                .collect();
            let sorted = sort(&all, Retention { hourly, days }, now());
            prop_assert!(sorted.stay.is_disjoint(&sorted.go));
            prop_assert_eq!(sorted.stay.len() + sorted.go.len(), all.len());
            let newest = |wanted: &dyn Fn(&Known) -> bool| {
                let mut some: Vec<_> = all.iter().filter(|(_, known)| wanted(known)).collect();
                some.sort_by(|(a, x), (b, y)| y.made.cmp(&x.made).then_with(|| a.cmp(b)));
                some.into_iter().map(|(id, _)| id.clone()).collect::<Vec<_>>()
            };
            prop_assert!(newest(&|_| true).iter().take(3).all(|id| sorted.stay.contains(id)));
            prop_assert!(newest(&|known| known.good).iter().take(3).all(|id| sorted.stay.contains(id)));
            prop_assert!(newest(&|known| known.pinned).iter().all(|id| sorted.stay.contains(id)));
            for copy in CopyName::ALL {
                let verified = newest(&|known| known.verified.contains_key(&copy));
                prop_assert!(verified.first().is_none_or(|id| sorted.stay.contains(id)));
            }
            // Letting them go and sorting again changes nothing.
            let mut left = all.clone();
            left.retain(|id, _| sorted.stay.contains(id));
            let again = sort(&left, Retention { hourly, days }, now());
            prop_assert!(again.go.is_empty());
        }
    }
}
