//! What a sync did.

use crate::{
    backup::PreSyncBackup,
    container::Refused,
    sync::{
        HeldId,
        held::{Held, HeldChanges, Reason},
        lock::SyncLock,
        plan::Fork,
    },
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// Something of the session that waits for the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The held change's name.
    pub id: HeldId,
    /// What it is about.
    pub subject: String,
    /// Why it waits.
    pub reason: Reason,
}

impl Waiting {
    pub(crate) fn of(held: &Held) -> Self {
        Self { id: held.id.clone(), subject: held.subject.clone(), reason: held.reason }
    }
}

/// What a sync out did.
#[derive(Debug, Default, Serialize)]
pub struct OutReport {
    /// Conversations and files that are new on the host, by name.
    pub created: Vec<String>,
    /// Files that grew or were replaced, by name.
    pub updated: Vec<String>,
    /// Keys that documents took, as `document pointer`.
    pub merged: Vec<String>,
    /// Conversations that went on in two ways.
    pub forks: Vec<Fork>,
    /// What waits for the user.
    pub held: Vec<Waiting>,
    /// What would have waited, and the user lets through each time.
    pub approved: Vec<Waiting>,
    /// What was not read out of the session.
    pub refused: Vec<Refused>,
    /// The copy of what was changed, as it was before.
    pub backup: Option<PreSyncBackup>,
    /// Files that changed while they were looked at; they have to be read whole.
    #[serde(skip)]
    pub(crate) again: Vec<String>,
}

impl OutReport {
    /// Whether nothing came out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.created.is_empty()
            && self.updated.is_empty()
            && self.merged.is_empty()
            && self.forks.is_empty()
            && self.held.is_empty()
            && self.approved.is_empty()
    }

    /// Lets through what the user said so of.
    pub(crate) fn let_through(&mut self, held: &HeldChanges, lock: &SyncLock, now: DateTime<Utc>) {
        let waiting: Vec<_> = self.held.iter().map(|waiting| waiting.id.clone()).collect();
        let approved = held.approve_by_rules(&waiting, lock, now);
        let all = std::mem::take(&mut self.held).into_iter();
        (self.approved, self.held) = all.partition(|waiting| approved.contains(&waiting.id));
    }

    /// Adds what a further round did.
    pub(crate) fn add(&mut self, other: Self) {
        self.created.extend(other.created);
        self.updated.extend(other.updated);
        self.merged.extend(other.merged);
        self.forks.extend(other.forks);
        self.held.extend(other.held);
        self.approved.extend(other.approved);
        self.refused.extend(other.refused);
        self.backup = self.backup.take().or(other.backup);
        self.again = other.again;
    }
}
