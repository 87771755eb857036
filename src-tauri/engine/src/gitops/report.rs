//! What became of a look, as a value.

use super::{
    adopt::Adopted,
    audit::Cause,
    commit::{About, Commit},
    place::Place,
    planned::Planned,
    reconcile::Look,
    root::DriftPolicy,
    sessions::InSession,
    state::{Access, DriftKind, HeldChange, HeldWhy, State, Unreachable},
};
use crate::error_handling::Error;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How a look came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Outcome {
    /// What the commit says is here, but for what waits or differs.
    Synced,
    /// A commit waits for the user as a whole.
    Held {
        /// The commit.
        commit: Commit,
        /// Why it waits.
        why: HeldWhy,
    },
    /// A commit cannot be brought here. Nothing of it was.
    Failed {
        /// The commit.
        commit: Commit,
        /// Why not.
        error: Error,
    },
    /// A commit was brought here, did not pass its check, and was taken back.
    RolledBack {
        /// The commit.
        commit: Commit,
        /// What was wrong.
        error: Error,
    },
    /// Nothing new is brought here until the user says so.
    Suspended {
        /// Why.
        why: String,
    },
    /// Nothing was ever fetched.
    NothingFetched,
}

/// A place that was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// The place.
    pub place: Place,
    /// Why.
    pub cause: Cause,
    /// What is there now, as it may be shown.
    pub to: Option<String>,
}

/// A place that is not as git says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct DriftLine {
    /// The place.
    #[cfg_attr(feature = "typescript", ts(as = "String"))]
    pub place: Place,
    /// Who changed it.
    pub kind: DriftKind,
    /// The session that what stands there came from, as far as that is known.
    pub session: Option<String>,
    /// Since when that is known.
    pub since: DateTime<Utc>,
    /// What stands there, as it may be shown.
    pub actual: Option<String>,
    /// What git says, as it may be shown.
    pub desired: Option<String>,
    /// Whether it comes back so often that it is not taken back any more.
    pub fights: bool,
    /// What happens to it by itself.
    pub policy: DriftPolicy,
}

/// What became of a look.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where the repository is.
    pub repository: String,
    /// The commit that was looked at.
    pub commit: Option<Commit>,
    /// What it says of itself.
    pub about: Option<About>,
    /// How it came out.
    pub outcome: Outcome,
    /// Since when the repository cannot be reached, if it cannot.
    pub unreachable: Option<Unreachable>,
    /// What was written.
    pub changed: Vec<Changed>,
    /// How many places were as git says already, and are Drydock's from now on.
    pub owned: usize,
    /// What git says nothing of any more, and was changed here: it stays.
    pub released: Vec<Place>,
    /// What is not as git says.
    pub drift: Vec<DriftLine>,
    /// What sessions changed in their own copies of it alone: it waits for the user, as `drydock held` says. It is looked
    /// for where drift is asked for.
    pub in_sessions: Vec<InSession>,
    /// What waits for the user, since this computer would act on it.
    pub held: BTreeMap<Place, HeldChange>,
    /// What waits for secrets that are not in the repository.
    pub missing: BTreeMap<Place, BTreeSet<String>>,
    /// Whether something differs, waits or failed that did not before.
    #[serde(skip)]
    pub(super) news: bool,
    /// What is to become a commit, by the policies.
    #[serde(skip)]
    pub(super) adopt: Vec<Place>,
    /// What became a commit.
    pub adopted: Option<Adopted>,
}

impl Report {
    pub(super) fn empty(outcome: Outcome) -> Self {
        Self {
            repository: String::new(),
            commit: None,
            about: None,
            outcome,
            unreachable: None,
            changed: Vec::new(),
            owned: 0,
            released: Vec::new(),
            drift: Vec::new(),
            in_sessions: Vec::new(),
            held: BTreeMap::new(),
            missing: BTreeMap::new(),
            news: false,
            adopt: Vec::new(),
            adopted: None,
        }
    }

    pub(super) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    pub(super) fn with_state(mut self, state: &State) -> Self {
        self.repository.clone_from(&state.repository);
        self.unreachable.clone_from(&state.unreachable);
        self
    }

    /// Whether something was done, or came to light.
    #[must_use]
    pub fn is_news(&self) -> bool {
        !self.changed.is_empty()
            || self.adopted.is_some()
            || self.news
            || matches!(self.outcome, Outcome::RolledBack { .. })
    }

    /// What became of it, in one sentence.
    #[must_use]
    pub fn in_short(&self) -> String {
        let commit = match &self.outcome {
            Outcome::RolledBack { commit, error } => {
                return format!("commit {commit} was taken back: {}", error.message());
            }
            Outcome::Failed { commit, error } => {
                return format!("commit {commit} cannot be brought here: {}", error.message());
            }
            Outcome::Held { commit, .. } => return format!("commit {commit} waits for you"),
            Outcome::Suspended { why } => return format!("nothing new is brought here: {why}"),
            Outcome::NothingFetched => return "nothing was ever fetched".to_owned(),
            Outcome::Synced => self.commit.as_ref().map_or("", |commit| commit.short()),
        };
        let parts = [
            (self.changed.len(), "changed"),
            (self.held.len(), "wait for you"),
            (self.missing.len(), "wait for secrets"),
            (self.drift.len(), "are not as git says"),
            (self.adopted.as_ref().map_or(0, |adopted| adopted.places.len()), "became a commit"),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if parts.is_empty() {
            return format!("as commit {commit} says");
        }
        format!("commit {commit}: {}", parts.join(", "))
    }

    /// Whether something waits for the user's word.
    #[must_use]
    pub fn needs_user(&self) -> bool {
        let is_refused = self.unreachable.as_ref().is_some_and(|gone| gone.access == Access::Refused);
        is_refused
            || matches!(self.outcome, Outcome::Held { .. })
            || !(self.held.is_empty()
                && self.missing.is_empty()
                && self.drift.is_empty()
                && self.in_sessions.is_empty())
    }

    /// Whether everything is as git says.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.outcome == Outcome::Synced
            && self.drift.is_empty()
            && self.in_sessions.is_empty()
            && self.held.is_empty()
            && self.missing.is_empty()
    }
}

/// The drift that is known, with the values as they may be shown.
pub(super) fn drift_lines(look: &Look<'_>, planned: &Planned) -> Vec<DriftLine> {
    if look.state.drift.is_empty() {
        return Vec::new();
    }
    let sessions = look.sessions();
    let lines = look.state.drift.iter().map(|(place, drifted)| {
        let actual = look.actual(planned, place);
        DriftLine {
            place: place.clone(),
            kind: drifted.kind,
            session: sessions.as_ref().and_then(|sessions| sessions.origin(place, actual.as_ref())),
            since: drifted.since,
            actual: actual.map(|value| value.shown(&look.salt)),
            desired: planned.desired.values.get(place).map(|value| value.shown(&look.salt)),
            fights: drifted.fight.is_some(),
            policy: planned.repository.root.policy(place, look.gitops.settings.gitops_drift_policy()),
        }
    });
    lines.collect()
}
