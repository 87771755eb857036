//! What is due: a plain function of the clock, of what was done, and of what has changed.
//!
//! Only the wall clock counts, so that a computer that slept catches up when it wakes.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// Work that is done by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// A snapshot into the local copy.
    Snapshot,
    /// The external copy is brought up to the local one.
    External,
    /// The cloud copy is brought up to the local one.
    Cloud,
    /// The copies are read back.
    Verify,
    /// Snapshots whose time is over go.
    Prune,
    /// The local copy is restored and timed.
    DrillLocal,
    /// The external copy is restored and timed.
    DrillExternal,
    /// The cloud copy is restored and timed.
    DrillCloud,
}

impl Job {
    /// All of them, in the order in which they are begun.
    pub const ALL: [Self; 8] = [
        Self::Snapshot,
        Self::External,
        Self::Cloud,
        Self::Verify,
        Self::Prune,
        Self::DrillLocal,
        Self::DrillExternal,
        Self::DrillCloud,
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::External => "external",
            Self::Cloud => "cloud",
            Self::Verify => "verify",
            Self::Prune => "prune",
            Self::DrillLocal => "drill-local",
            Self::DrillExternal => "drill-external",
            Self::DrillCloud => "drill-cloud",
        }
    }
}

/// What was done of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// When it last succeeded.
    pub done: Option<DateTime<Utc>>,
    /// When it last failed, and how often in a row.
    pub failed: Option<(DateTime<Utc>, u32)>,
}

/// Changes of the host home that no snapshot has yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The first of them.
    pub first: DateTime<Utc>,
    /// The last of them.
    pub last: DateTime<Utc>,
}

/// How a copy stands to the local one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    Absent,
    /// It has the newest snapshot.
    UpToDate,
    /// It does not.
    Behind,
}

/// All that the decision needs.
#[derive(Debug, Clone)]
pub struct Situation {
    /// The wall clock.
    pub now: DateTime<Utc>,
    /// At most so long between two snapshots.
    pub interval: TimeDelta,
    /// What was done.
    pub jobs: BTreeMap<Job, Done>,
    /// What has changed since the last snapshot, as far as the watcher knows.
    pub changed: Option<Changed>,
    /// The external copy.
    pub external: Standing,
    /// The cloud copy.
    pub cloud: Standing,
    /// Whether the newest snapshot is proven, so that others may go.
    pub proven: bool,
    /// Whether a copy was written since the last look, and was never looked at.
    pub unseen: bool,
    /// Whether there is a snapshot at all.
    pub begun: bool,
}

/// After so much quiet a change is worth a snapshot.
const QUIET: TimeDelta = TimeDelta::seconds(60);
/// A change waits no longer than this, quiet or not.
const LONGEST: TimeDelta = TimeDelta::minutes(10);
/// A cloud is not written more often.
const CLOUD: TimeDelta = TimeDelta::minutes(15);
const DAY: TimeDelta = TimeDelta::days(1);
const WEEK: TimeDelta = TimeDelta::days(7);
const MONTH: TimeDelta = TimeDelta::days(30);

/// How often a job is to run, whatever happens.
#[must_use]
pub fn period(job: Job, interval: TimeDelta) -> Option<TimeDelta> {
    match job {
        Job::Snapshot => Some(interval),
        Job::External | Job::Cloud => None,
        Job::Verify | Job::Prune => Some(DAY),
        Job::DrillLocal | Job::DrillExternal => Some(WEEK),
        Job::DrillCloud => Some(MONTH),
    }
}

/// The jobs to begin now.
#[must_use]
pub fn due(situation: &Situation) -> Vec<Job> {
    Job::ALL.into_iter().filter(|job| is_due(*job, situation)).collect()
}

fn is_due(job: Job, situation: &Situation) -> bool {
    let now = situation.now;
    let known = situation.jobs.get(&job).cloned().unwrap_or_default();
    if let Some((at, times)) = known.failed
        && at <= now
        && now - at < pause(job, times)
    {
        return false;
    }
    // A time that is yet to come was written before the clock was set back: it says nothing.
    let done = known.done.filter(|at| *at <= now);
    let over = |period: TimeDelta| done.is_none_or(|at| now - at >= period);
    let wanted = match job {
        Job::Snapshot => {
            over(situation.interval)
                || situation
                    .changed
                    .is_some_and(|changed| now - changed.last >= QUIET || now - changed.first >= LONGEST)
        }
        Job::External => situation.external == Standing::Behind,
        Job::Cloud => situation.cloud == Standing::Behind && over(CLOUD),
        Job::Verify => over(DAY) || situation.unseen,
        Job::Prune => over(DAY) && situation.proven,
        Job::DrillLocal => over(WEEK),
        Job::DrillExternal => over(WEEK) && situation.external == Standing::UpToDate,
        Job::DrillCloud => over(MONTH) && situation.cloud == Standing::UpToDate,
    };
    wanted && (situation.begun || job == Job::Snapshot)
}

/// How long a job that failed is left alone.
fn pause(job: Job, times: u32) -> TimeDelta {
    let doubled = TimeDelta::minutes(1 << times.saturating_sub(1).min(6));
    match job {
        // Somebody may plug the disk in at any time, and a look costs nothing.
        Job::External => TimeDelta::minutes(1),
        Job::Snapshot => doubled.min(TimeDelta::minutes(10)),
        _ => doubled.min(TimeDelta::hours(1)),
    }
}

/// The runs of a job that did not happen when they should have: the first one that is a whole period late.
#[must_use]
pub fn missed(situation: &Situation) -> Vec<(Job, DateTime<Utc>)> {
    Job::ALL
        .into_iter()
        .filter_map(|job| {
            let period = period(job, situation.interval)?;
            let due = situation.jobs.get(&job)?.done? + period;
            (situation.now - due >= period).then_some((job, due))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn idle(now: DateTime<Utc>) -> Situation {
        let done = |at| Done { done: Some(at), failed: None };
        Situation {
            now,
            interval: TimeDelta::minutes(60),
            jobs: Job::ALL.into_iter().map(|job| (job, done(start()))).collect(),
            changed: None,
            external: Standing::UpToDate,
            cloud: Standing::UpToDate,
            proven: true,
            unseen: false,
            begun: true,
        }
    }

    #[test]
    fn the_first_thing_is_a_snapshot() {
        let mut situation = idle(start());
        situation.jobs.clear();
        situation.begun = false;
        assert_eq!(due(&situation), [Job::Snapshot]);
    }

    #[test]
    fn a_change_waits_for_quiet_but_not_for_ever() {
        let mut situation = idle(start() + TimeDelta::minutes(5));
        let seconds_ago = |seconds| situation.now - TimeDelta::seconds(seconds);
        let (one, sixty, many) = (seconds_ago(1), seconds_ago(60), seconds_ago(600));
        situation.changed = Some(Changed { first: sixty, last: one });
        assert!(due(&situation).is_empty());
        situation.changed = Some(Changed { first: sixty, last: sixty });
        assert_eq!(due(&situation), [Job::Snapshot]);
        situation.changed = Some(Changed { first: many, last: one });
        assert_eq!(due(&situation), [Job::Snapshot]);
    }

    #[test]
    fn a_night_asleep_is_caught_up_with_once_and_noticed() {
        let situation = idle(start() + TimeDelta::hours(9));
        assert_eq!(due(&situation), [Job::Snapshot]);
        assert_eq!(missed(&situation), [(Job::Snapshot, start() + TimeDelta::hours(1))]);
        let month = idle(start() + TimeDelta::days(40));
        assert_eq!(
            due(&month),
            [Job::Snapshot, Job::Verify, Job::Prune, Job::DrillLocal, Job::DrillExternal, Job::DrillCloud]
        );
    }

    #[test]
    fn a_copy_that_nobody_has_looked_at_is_looked_at() {
        let mut situation = idle(start() + TimeDelta::minutes(2));
        assert!(!due(&situation).contains(&Job::Verify));
        situation.unseen = true;
        assert!(due(&situation).contains(&Job::Verify));
    }

    #[test]
    fn a_clock_that_was_set_back_stops_nothing() {
        let mut situation = idle(start() - TimeDelta::days(400));
        assert!(due(&situation).contains(&Job::Snapshot));
        let failed = Some((start(), 3));
        situation.jobs.insert(Job::Snapshot, Done { done: Some(start()), failed });
        assert!(due(&situation).contains(&Job::Snapshot));
    }

    #[test]
    fn a_failure_is_tried_again_less_and_less_but_a_disk_each_minute() {
        let mut situation = idle(start() + TimeDelta::minutes(30));
        situation.external = Standing::Behind;
        situation.cloud = Standing::Behind;
        let failed = |times, minutes| Done {
            done: Some(start()),
            failed: Some((situation.now - TimeDelta::minutes(minutes), times)),
        };
        let (disk, cloud) = (failed(50, 1), failed(5, 15));
        situation.jobs.insert(Job::External, disk);
        situation.jobs.insert(Job::Cloud, cloud);
        assert_eq!(due(&situation), [Job::External]);
        situation.now += TimeDelta::minutes(1);
        assert_eq!(due(&situation), [Job::External, Job::Cloud]);
    }

    proptest! {
        /// A simulated month: whatever the changes, the sleep and the failures, no change of a computer that is
        /// awake is older than the interval without a snapshot, and no job runs more often than it should.
        #[test]
        fn no_change_is_older_than_the_interval(
            changes in proptest::collection::vec(0_i64..60 * 24 * 3, 0..200),
            sleeps in proptest::collection::vec((0_i64..60 * 24 * 3, 1_i64..600), 0..5),
        ) {
            let mut situation = idle(start());
            let mut unsaved: Option<DateTime<Utc>> = None;
            let mut minute = 0;
            let mut woken = 0;
            while minute < 60 * 24 * 3 {
                if let Some((_, length)) = sleeps.iter().find(|(at, _)| *at == minute) {
                    minute += length;
                    woken = minute;
                }
                situation.now = start() + TimeDelta::minutes(minute);
                if changes.contains(&minute) {
                    let first = situation.changed.map_or(situation.now, |changed| changed.first);
                    situation.changed = Some(Changed { first, last: situation.now });
                    unsaved.get_or_insert(situation.now);
                }
                for job in due(&situation) {
                    situation.jobs.insert(job, Done { done: Some(situation.now), failed: None });
                    if job == Job::Snapshot {
                        situation.changed = None;
                        unsaved = None;
                    }
                }
                if let Some(since) = unsaved {
                    let awake_since = start() + TimeDelta::minutes(woken);
                    prop_assert!(situation.now - since.max(awake_since) < TimeDelta::minutes(11));
                }
                minute += 1;
            }
        }
    }
}
