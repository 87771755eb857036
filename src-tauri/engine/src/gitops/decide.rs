//! What the user decides: what waits may happen, an earlier commit comes back, and new ones are taken again.

use super::{
    audit::{self, Actor, AuditLine},
    gitops::Gitops,
    place::Place,
    reconcile::{Look, reconcile_config},
    report::Report,
    state::{self, FailedCommit, HeldChange, HeldCommit, InForce, State, Store, Suspended, Unreachable},
    wish::{Target, Wish},
};
use crate::error_handling::{Code, Error, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Which of the changes that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those of these names.
    These(Vec<String>),
    /// All of them.
    All,
}

/// How the configuration stands, by what is remembered.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct GitopsStatus {
    /// Where the repository is.
    pub repository: String,
    /// Its branch.
    pub branch: String,
    /// Whether it is looked at by itself.
    pub enabled: bool,
    /// What is in force.
    pub in_force: Option<InForce>,
    /// The commit before it, to which a rollback goes back.
    pub before: Option<InForce>,
    /// How many places come from git.
    pub places: usize,
    /// When it was looked at last.
    pub looked: Option<DateTime<Utc>>,
    /// When it was fetched last.
    pub fetched: Option<DateTime<Utc>>,
    /// Since when it cannot be reached.
    pub unreachable: Option<Unreachable>,
    /// A commit that could not be brought here.
    pub failed: Option<FailedCommit>,
    /// A commit that waits.
    pub held_commit: Option<HeldCommit>,
    /// Why nothing new is brought here.
    pub suspended: Option<Suspended>,
    /// What waits for the user.
    #[cfg_attr(feature = "typescript", ts(as = "BTreeMap<String, HeldChange>"))]
    pub held: BTreeMap<Place, HeldChange>,
    /// What is not as git says, and since when.
    #[cfg_attr(feature = "typescript", ts(as = "BTreeMap<String, DateTime<Utc>>"))]
    pub drift: BTreeMap<Place, DateTime<Utc>>,
    /// How many of these are not taken back any more, since they come back again and again.
    pub fights: usize,
}

impl Gitops {
    /// How it stands, by what is remembered: nothing is fetched or compared.
    ///
    /// # Errors
    /// [`Code::GitopsOff`] where no repository is set up.
    pub fn status(&self) -> Result<GitopsStatus> {
        let (_, repository) = self.remote()?;
        let known = self.known(&repository)?;
        let failed = known.standing_failure().cloned();
        Ok(GitopsStatus {
            repository,
            branch: self.settings.gitops_branch().to_owned(),
            enabled: self.settings.gitops_enabled(),
            places: known.inventory.len(),
            before: known.before_in_force().cloned(),
            in_force: known.in_force,
            looked: known.looked,
            fetched: known.fetched,
            unreachable: known.unreachable,
            failed,
            held_commit: known.held_commit,
            suspended: known.suspended,
            held: known.held,
            fights: known.drift.values().filter(|drifted| drifted.fight.is_some()).count(),
            drift: known.drift.into_iter().map(|(place, drifted)| (place, drifted.since)).collect(),
        })
    }

    /// What is remembered of this repository.
    pub(super) fn known(&self, repository: &str) -> Result<State> {
        let known = state::load(&state::folder(&self.locations.data_dir))?;
        Ok(if known.repository == repository { known } else { State::default() })
    }

    /// Lets what waits happen, and brings it here. Blocking.
    ///
    /// # Errors
    /// [`Code::GitopsPlace`] when nothing of a name waits; as [`reconcile_config`].
    pub fn approve(&self, which: &Which, now: DateTime<Utc>) -> Result<Report> {
        {
            let store = Store::take(&self.locations.data_dir, PATIENCE)?;
            let mut look = Look::begin(self, store, now)?;
            let waiting: BTreeSet<_> = look.state.held.values().map(|held| held.id.clone()).collect();
            let wanted: BTreeSet<_> = match which {
                Which::All => waiting.clone(),
                Which::These(names) => names.iter().cloned().collect(),
            };
            if let Some(unknown) = wanted.difference(&waiting).next() {
                return Err(Error::new(Code::GitopsPlace, format!("nothing of the name {unknown} waits"))
                    .remedy("drydock gitops status"));
            }
            look.state.approved.extend(wanted);
            look.save()?;
        }
        reconcile_config(self, &Wish::of_user(), now)
    }

    /// Goes back to an earlier commit: the one before what is in force, if none is named. Nothing newer is brought here
    /// until [`Gitops::resume`]. Blocking.
    ///
    /// # Errors
    /// [`Code::GitopsPlace`] when there is none; as [`reconcile_config`].
    pub fn rollback(&self, to: Option<&str>, now: DateTime<Utc>) -> Result<Report> {
        let (_, repository) = self.remote()?;
        let known = self.known(&repository)?;
        let commit = match to {
            Some(text) => text.to_owned(),
            None => {
                let earlier = known.before_in_force().ok_or_else(|| {
                    Error::new(Code::GitopsPlace, "there is no earlier commit to go back to")
                        .remedy("drydock gitops rollback COMMIT")
                })?;
                earlier.commit.as_str().to_owned()
            }
        };
        let wish = Wish { target: Target::Commit(commit), ..Wish::of_user() };
        reconcile_config(self, &wish, now)
    }

    /// Takes new commits again. Blocking.
    ///
    /// # Errors
    /// As [`reconcile_config`].
    pub fn resume(&self, now: DateTime<Utc>) -> Result<Report> {
        {
            let store = Store::take(&self.locations.data_dir, PATIENCE)?;
            let mut look = Look::begin(self, store, now)?;
            look.state.suspended = None;
            // Whoever resumes has looked: what was given up is tried again.
            look.state.taken_back.clear();
            look.save()?;
        }
        reconcile_config(self, &Wish::of_user(), now)
    }

    /// The log of changes, the oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn audit(&self) -> Result<Vec<AuditLine>> {
        audit::read(&state::folder(&self.locations.data_dir).join(audit::FILE))
    }

    /// Proves that the log of changes is what was written; how many lines it has.
    ///
    /// # Errors
    /// [`Code::GitopsAudit`] with the first line that is not.
    pub fn verify_audit(&self) -> Result<u64> {
        let store = Store::take(&self.locations.data_dir, PATIENCE)?;
        let known = store.load()?;
        let file = store.folder().join(audit::FILE);
        audit::append(&file, &known.unlogged)?;
        audit::verify(&file, &known.audit)
    }
}

/// The log of every change, proven: from what, to what, by which commit and whom, and why. It is written by each look that
/// changes something, in the same transaction.
///
/// # Errors
/// [`Code::GitopsAudit`] when the log is not what was written.
pub fn audit_config_change(gitops: &Gitops) -> Result<Vec<AuditLine>> {
    gitops.verify_audit()?;
    gitops.audit()
}

/// What is not as git says, compared now; nothing is fetched or written but the record of it. Blocking.
///
/// # Errors
/// As [`reconcile_config`].
pub fn detect_drift(gitops: &Gitops, now: DateTime<Utc>) -> Result<Report> {
    let store = Store::take(&gitops.locations.data_dir, PATIENCE)?;
    let mut look = Look::begin(gitops, store, now)?;
    look.detect(Actor::Loop)
}
