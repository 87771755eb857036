//! What the scheduler asks of the backups: how they stand, and to remember what ran.

use super::{
    Backups,
    copies::is_mounted,
    repository::{
        Taken,
        order::{Reading, Wait},
    },
    snapshot::{CopyName, Reason},
    state::{Missed, State},
};
use crate::{
    error_handling::{Error, Result},
    progress::ProgressSink,
    scheduler::{Done, Job, Situation, Standing},
};
use chrono::{DateTime, TimeDelta, Utc};

/// So many missed runs are remembered.
const REMEMBERED: usize = 50;

impl Backups {
    /// Takes a snapshot into the local copy alone.
    ///
    /// # Errors
    /// When none can be taken.
    pub fn snapshot(&self, reason: Reason, progress: &ProgressSink) -> Result<Taken> {
        self.take(reason, Reading::Changed, Wait::Long, progress)
    }

    /// How things stand for the scheduler, but for what the watcher knows.
    ///
    /// # Errors
    /// When the settings or the lock do not allow a look. A damaged state is mended by the next job.
    pub fn situation(&self, interval: TimeDelta, now: DateTime<Utc>) -> Result<Situation> {
        let state = self.remembered().state;
        let newest = |copy| state.copies.get(&copy).and_then(|known| known.newest.as_ref()).map(|(id, _)| id);
        let ours = newest(CopyName::Local);
        let standing = |set: bool, copy| match (set, ours) {
            (false, _) | (_, None) => Standing::Absent,
            (true, ours) if ours == newest(copy) => Standing::UpToDate,
            (true, _) => Standing::Behind,
        };
        let looked = state.jobs.get(Job::Verify.word()).and_then(|known| known.begun);
        let unseen = state.copies.values().any(|copy| {
            copy.verified.is_none() && copy.written.is_some_and(|at| looked.is_some_and(|looked| at > looked))
        });
        let jobs = Job::ALL.into_iter().map(|job| {
            let known = state.jobs.get(job.word()).cloned().unwrap_or_default();
            (job, Done { done: known.done, failed: known.failed.map(|at| (at, known.failures)) })
        });
        Ok(Situation {
            now,
            interval,
            jobs: jobs.collect(),
            changed: None,
            external: standing(self.has_external_place(&state), CopyName::External),
            cloud: standing(self.settings.cloud_copy().is_some(), CopyName::Cloud),
            proven: state
                .copies
                .values()
                .any(|copy| copy.verified.as_ref().is_some_and(|verified| Some(&verified.snapshot) == ours)),
            unseen,
            begun: ours.is_some(),
        })
    }

    /// A volume that was never here is none to be behind.
    fn has_external_place(&self, state: &State) -> bool {
        let known = state.copies.get(&CopyName::External).is_some_and(|known| known.id.is_some());
        let wanted = self.settings.external_copy(&self.locations.home);
        // As where a copy is begun: a folder that a volume left behind is none to be behind either.
        let is_here =
            |path: &std::path::Path| is_mounted(path) && path.parent().is_some_and(std::path::Path::is_dir);
        wanted.is_some_and(|path| known || is_here(&path))
    }

    /// Remembers that a job ran.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn note_run(&self, job: &str, begun: DateTime<Utc>, failed: Option<&Error>) -> Result<()> {
        self.remember(|state| {
            let known = state.jobs.entry(job.to_owned()).or_default();
            known.begun = Some(begun);
            if failed.is_some() {
                known.failed = Some(begun);
                known.failures += 1;
            } else {
                known.done = Some(begun);
                (known.failed, known.failures) = (None, 0);
            }
        })
    }

    /// Remembers that a run did not happen when it should have; `false` when that is known.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn note_missed(&self, job: &str, due: DateTime<Utc>, now: DateTime<Utc>) -> Result<bool> {
        self.remember(|state| {
            if state.missed.iter().any(|missed| missed.job == job && missed.due == due) {
                return false;
            }
            state.missed.push(Missed { job: job.to_owned(), due, noticed: now });
            let spare = state.missed.len().saturating_sub(REMEMBERED);
            state.missed.drain(..spare);
            true
        })
    }
}
