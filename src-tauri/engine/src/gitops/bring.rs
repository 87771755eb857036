//! Bringing a commit here: one transaction, planned anew where somebody else wrote meanwhile.

use super::{
    apply::{self, Applied, Recorded},
    audit::{self, Entry},
    commit::Commit,
    planned::Planned,
    reconcile::Look,
    report::{Changed, Outcome, Report, drift_lines},
    runtime::below_home,
    state::State,
    steps::{Decided, Deciding},
    verify::{Verify, proven},
    wish::Wish,
};
use crate::{
    backup::{BeforeSync, pre_sync_backup},
    error_handling::{Code, Error, Result},
    sync::SyncLock,
};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// So often is a plan made anew when another program writes at the same time.
const ROUNDS: usize = 8;
/// How much of a commit is brought here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bring {
    /// All of it.
    All,
    /// It is looked at alone.
    Nothing,
}

impl Look<'_> {
    /// Brings what a commit says here.
    pub(super) fn bring(&mut self, commit: &Commit, wish: &Wish, bring: Bring) -> Result<Report> {
        for round in 0..ROUNDS {
            let planned = self.planned(commit)?;
            let (decided, mut next) = Deciding::begin(self, &planned, wish, bring).all();
            if bring == Bring::All {
                next.take_in_force(commit, &planned.about, self.now);
            }
            if decided.writes.is_empty() {
                self.state = next;
                self.keep(commit);
                return Ok(self.report(&planned, &decided));
            }
            match self.write(&planned, &decided, wish, next, round)? {
                Applied::Done => {
                    self.keep(commit);
                    return Ok(self.report(&planned, &decided));
                }
                Applied::Moved(file) => {
                    tracing::debug!(file = %file.display(), "written meanwhile; planned anew");
                }
                Applied::Unproven(error) => return Err(error),
            }
        }
        Err(Error::new(Code::GitopsBusy, "what git says could not be written")
            .why("another program writes the same files without a pause")
            .remedy("nothing: it is tried again"))
    }

    /// The commit in force must not be cleared away. That it may be is no reason to fail.
    fn keep(&self, commit: &Commit) {
        if let Err(error) = self.mirror.keep(commit) {
            tracing::warn!(%error, "the commit in force is not marked as such");
        }
    }

    /// Writes what was decided, as one transaction.
    fn write(
        &mut self,
        planned: &Planned,
        decided: &Decided,
        wish: &Wish,
        mut next: State,
        round: usize,
    ) -> Result<Applied> {
        let gitops = self.gitops;
        let lock = SyncLock::acquire_blocking(
            &gitops.locations.sync_lock,
            "configuration from git",
            gitops.settings.lock_timeout(),
        )?;
        let changes: BTreeMap<_, _> =
            decided.writes.iter().map(|(place, (_, value))| (place.clone(), value.clone())).collect();
        let files = planned.runtime.with(&changes)?;
        pre_sync_backup(
            &BeforeSync::Snapshot(Box::new(gitops.backups())),
            &gitops.locations.home,
            "gitops",
            &below_home(&gitops.locations.home, &files),
            // Each round has a backup of its own, and they are named after their times.
            self.now + TimeDelta::milliseconds(i64::try_from(round).unwrap_or(0)),
        )?;
        let entries = decided.writes.iter().map(|(place, (cause, value))| Entry {
            at: self.now,
            actor: wish.actor,
            cause: *cause,
            commit: Some(planned.commit.clone()),
            author: Some(planned.about.author.clone()),
            place: place.clone(),
            from: self.actual(planned, place).map(|value| value.shown(&self.salt)),
            to: value.as_ref().map(|value| value.shown(&self.salt)),
        });
        let (lines, head) = audit::chained(&self.state.audit, entries.collect())?;
        (next.audit, next.unlogged) = (head, lines);
        let verify = Verify::before(&gitops.locations, &gitops.settings);
        let (store, salt) = (&self.store, &self.salt);
        let mut recorded = None;
        let applied = apply::apply(
            &gitops.transaction(),
            files,
            || proven(&verify, &changes, salt, &planned.commit),
            |id| {
                next.transaction = Some(id);
                let saved = store.save(&next);
                // A failing disk may have taken it all the same.
                let holds = saved.is_ok() || store.load().is_ok_and(|now| now.transaction == Some(id));
                recorded = holds.then_some(id);
                Ok(match saved {
                    Err(error) if !holds => Recorded::No(error),
                    _ => Recorded::Yes,
                })
            },
        );
        // What was recorded holds, even if clearing up behind it failed.
        if recorded.is_some() {
            self.state = next;
            audit::append(&store.folder().join(audit::FILE), &self.state.unlogged)?;
        }
        drop(lock);
        applied
    }

    fn report(&self, planned: &Planned, decided: &Decided) -> Report {
        let changed = decided.writes.iter().map(|(place, (cause, value))| Changed {
            place: place.clone(),
            cause: *cause,
            to: value.as_ref().map(|value| value.shown(&self.salt)),
        });
        Report {
            repository: self.state.repository.clone(),
            commit: Some(planned.commit.clone()),
            about: Some(planned.about.clone()),
            outcome: Outcome::Synced,
            unreachable: None,
            changed: changed.collect(),
            owned: decided.owned.len(),
            released: decided.released.clone(),
            drift: drift_lines(self, planned),
            in_sessions: Vec::new(),
            held: self.state.held.clone(),
            missing: planned.desired.missing.clone(),
            news: false,
            adopt: decided.adopt.clone(),
            adopted: None,
        }
    }
}
