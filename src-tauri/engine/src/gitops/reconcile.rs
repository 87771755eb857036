//! One look: fetch, compare, and bring here what git says; what a look of any kind begins with and leaves.

use super::{
    apply,
    audit::{self, Actor},
    bring::Bring,
    choose::{Chosen, choose},
    commit::Commit,
    gitops::Gitops,
    mirror::Mirror,
    observed::{self, News},
    report::{Outcome, Report},
    sessions::Sessions,
    state::{FailedCommit, State, Store, Suspended},
    value::Salt,
    wish::{Target, Wish},
};
use crate::{
    error_handling::{Code, Error, Result},
    sync::SyncLock,
};
use chrono::{DateTime, Utc};
use std::{collections::BTreeSet, time::Duration};

/// So long another process is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Brings what git says to this computer, and tells what differs. Blocking.
///
/// # Errors
/// [`Code::GitopsOff`] where no repository is set up; [`Code::GitopsBusy`] or [`Code::LockHeld`] where others are at
/// work; what keeps this computer from being read or written. A commit that cannot be brought here is no error: the
/// report says so.
pub fn reconcile_config(gitops: &Gitops, wish: &Wish, now: DateTime<Utc>) -> Result<Report> {
    let store = Store::take(&gitops.locations.data_dir, PATIENCE)?;
    let mut look = Look::begin(gitops, store, now)?;
    let mut report = look.reconcile(wish)?;
    report.news = observed::told(&report, &look.before) == News::Some;
    Ok(report)
}

/// One look, while this process has the state for itself.
pub(super) struct Look<'a> {
    pub(super) gitops: &'a Gitops,
    pub(super) store: Store,
    pub(super) state: State,
    /// The state as it was found, to tell what is new.
    pub(super) before: State,
    pub(super) mirror: Mirror,
    pub(super) salt: Salt,
    pub(super) now: DateTime<Utc>,
}

impl<'a> Look<'a> {
    /// Opens everything, and finishes what an ended process was at.
    pub(super) fn begin(gitops: &'a Gitops, store: Store, now: DateTime<Utc>) -> Result<Self> {
        let (remote, address) = gitops.remote()?;
        let mut state = store.load()?;
        let transaction = state.transaction;
        if apply::is_begun(&gitops.transaction()) {
            let _lock = SyncLock::acquire_blocking(
                &gitops.locations.sync_lock,
                "configuration from git",
                gitops.settings.lock_timeout(),
            )?;
            apply::recover(&gitops.transaction(), |id| transaction == Some(id))?;
        }
        audit::append(&store.folder().join(audit::FILE), &state.unlogged)?;
        if state.repository != address {
            // What was written from another repository is nobody's any more: it is compared anew.
            let (audit, unlogged) = (state.audit.clone(), Vec::new());
            state =
                State { version: 1, repository: address, audit, unlogged, transaction, ..State::default() };
        }
        let salt = Salt::of(store.folder())?;
        let mirror = Mirror::open(
            &store.folder().join("mirror.git"),
            &gitops.locations.home,
            remote,
            gitops.settings.gitops_branch(),
            Some(store.lock()),
        )?;
        Ok(Self { gitops, store, before: state.clone(), state, mirror, salt, now })
    }

    pub(super) fn reconcile(&mut self, wish: &Wish) -> Result<Report> {
        let chosen = choose(self, wish)?;
        self.state.looked = Some(self.now);
        let report = match chosen {
            Chosen::None(outcome) => Report::empty(outcome),
            // Nothing new: what is in force is compared, and what was decided since is done.
            Chosen::InForce(commit, outcome) => {
                let has_failed =
                    matches!(&outcome, Outcome::Failed { commit: failed, .. } if *failed == commit);
                let is_suspended = matches!(outcome, Outcome::Suspended { .. });
                let bring = if has_failed || is_suspended { Bring::Nothing } else { Bring::All };
                match self.bring(&commit, wish, bring) {
                    Ok(report) => report.with_outcome(outcome),
                    Err(error) if is_the_commits(&error) && has_failed => Report::empty(outcome),
                    Err(error) if is_the_commits(&error) => self.failed(&commit, wish, error)?,
                    Err(error) => return Err(error),
                }
            }
            Chosen::New(commit) => match self.bring(&commit, wish, Bring::All) {
                Ok(report) => report,
                Err(error) if is_the_commits(&error) => self.failed(&commit, wish, error)?,
                Err(error) => return Err(error),
            },
        };
        if let (Target::Commit(_), Some(commit), Outcome::Synced) =
            (&wish.target, &report.commit, &report.outcome)
        {
            let why = format!("you went back to commit {}", commit.short());
            self.state.suspended = Some(Suspended { at: self.now, why });
        }
        let mut report = report.with_state(&self.state);
        if !report.adopt.is_empty()
            && let Some(commit) = report.commit.clone()
        {
            let planned = self.planned(&commit)?;
            match self.adopt(&planned, &report.adopt, wish.actor) {
                Ok(adopted) => report.adopted = Some(adopted),
                // It stays drift, and is tried again.
                Err(error) => tracing::warn!(%error, "what was changed here did not become a commit"),
            }
        }
        self.save()?;
        Ok(report)
    }

    /// Compares what is in force with what stands here.
    pub(super) fn detect(&mut self, actor: Actor) -> Result<Report> {
        let Some(in_force) = self.state.in_force.clone() else {
            return Ok(Report::empty(Outcome::NothingFetched));
        };
        let wish = Wish { actor, ..Wish::of_loop() };
        let mut report = self.bring(&in_force.commit, &wish, Bring::Nothing)?;
        self.state.looked = Some(self.now);
        if let Some(sessions) = self.sessions() {
            let drift: BTreeSet<_> = report.drift.iter().map(|line| &line.place).collect();
            report.in_sessions =
                sessions.waiting(|place| self.state.inventory.contains_key(place) || drift.contains(place));
        }
        self.save()?;
        observed::told(&report, &self.before);
        Ok(report.with_state(&self.state))
    }

    /// A commit that is not tried again; what is in force is still looked after.
    fn failed(&mut self, commit: &Commit, wish: &Wish, error: Error) -> Result<Report> {
        let about = self.mirror.about(commit)?;
        let (at, settings) = (self.now, self.gitops.settings_digest());
        self.state.note_failed(FailedCommit {
            commit: commit.clone(),
            about,
            at,
            error: error.clone(),
            settings,
        });
        // The failure is remembered before anything else: it is not tried again after a crash.
        self.save()?;
        let outcome = if error.code() == Code::GitopsUnproven {
            Outcome::RolledBack { commit: commit.clone(), error }
        } else {
            Outcome::Failed { commit: commit.clone(), error }
        };
        let in_force = self.state.in_force.clone();
        Ok(match in_force.filter(|now| now.commit != *commit) {
            Some(now) => {
                let drift = Wish { revert: Vec::new(), ..wish.clone() };
                match self.bring(&now.commit, &drift, Bring::Nothing) {
                    Ok(report) => report.with_outcome(outcome),
                    Err(_) => Report::empty(outcome),
                }
            }
            None => Report::empty(outcome),
        })
    }

    /// What is on record of sessions' changes. Where that cannot be read, drift is told without it.
    pub(super) fn sessions(&self) -> Option<Sessions> {
        Sessions::read(self.gitops, self.now)
            .inspect_err(|error| tracing::warn!(%error, "what sessions changed is not known"))
            .ok()
    }

    pub(super) fn save(&mut self) -> Result<()> {
        if self.state == self.before { Ok(()) } else { self.store.save(&self.state) }
    }
}

/// Whether an error is the commit's fault, and not that of this computer.
fn is_the_commits(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::GitopsInvalid
            | Code::GitopsSecret
            | Code::GitopsUnproven
            | Code::SettingsValue
            | Code::SettingsUnknownKey
    )
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
