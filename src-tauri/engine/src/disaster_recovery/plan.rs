//! What a recovery is going to do, so that a person can judge it before anything is done.

use crate::{
    backup::SnapshotId,
    validation::{Finding, Fix},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A recovery's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct RecoveryId(Uuid);

impl RecoveryId {
    pub(super) fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Reads a name, or the beginning of one, and says whether it means this.
    #[must_use]
    pub fn is_meant_by(self, text: &str) -> bool {
        text.len() >= 4 && self.0.simple().to_string().starts_with(&text.to_ascii_lowercase())
    }
}

impl std::fmt::Display for RecoveryId {
    /// The first eight digits, as people see and type them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.simple().to_string()[..8])
    }
}

/// What is to be recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// What Claude Code cannot work with, and nothing else: what happens by itself.
    Unusable,
    /// All that is damaged or gone.
    Damaged,
    /// These files, or all in these folders, damaged or not.
    Only(Vec<PathBuf>),
    /// Everything, as the snapshot has it. What the snapshot does not have stays.
    Whole,
}

/// From where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The newest snapshot that is good.
    NewestGood,
    /// This one.
    Snapshot(SnapshotId),
}

/// What somebody wants recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What.
    pub scope: Scope,
    /// From where.
    pub source: Source,
}

/// What happens to one file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case", tag = "act")]
pub enum Act {
    /// Nothing is there: it comes back from the snapshot.
    BringBack {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// It comes back from the snapshot, with what is still good in the damaged one and newer.
    Merge {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// It comes back from the snapshot as it was; the present one goes into quarantine.
    Replace {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// It comes back from a backup that Claude Code made itself and that is newer than the snapshot.
    FromClaudeCode {
        /// That backup. `file` is already the item's own, beside which this stands.
        #[serde(rename = "backup")]
        file: PathBuf,
    },
    /// No backup has it: what is still good in it stays.
    KeepWhatIsWhole,
    /// It is changed without a backup.
    Fix {
        /// How.
        fix: Fix,
    },
    /// Nothing can be done by itself.
    ByHand {
        /// What the user can do.
        remedy: String,
    },
}

/// One file of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Item {
    /// The file.
    pub file: PathBuf,
    /// Its name in the snapshot that it comes from.
    pub name: PathBuf,
    /// What is wrong with it, in words.
    pub why: String,
    /// What happens to it.
    #[serde(flatten)]
    pub act: Act,
    /// Bytes that are written.
    pub bytes: u64,
}

/// The snapshot that a recovery uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Chosen {
    /// Its name.
    pub id: SnapshotId,
    /// When it was taken.
    pub taken: DateTime<Utc>,
}

/// A snapshot that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Skipped {
    /// The snapshot.
    pub id: SnapshotId,
    /// When it was taken.
    pub taken: DateTime<Utc>,
    /// Why it is not used.
    pub why: String,
}

/// What a recovery is going to do. Nothing was changed for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Plan {
    /// The recovery's name.
    pub id: RecoveryId,
    /// When it was made.
    pub made: DateTime<Utc>,
    /// What is damaged.
    pub findings: Vec<Finding>,
    /// The snapshot that is used; `None` where none is there, or none is needed.
    pub chosen: Option<Chosen>,
    /// Newer ones that are not.
    pub skipped: Vec<Skipped>,
    /// What had to be mended in the backups to read them.
    pub mended: Vec<String>,
    /// What happens to which file.
    pub items: Vec<Item>,
    /// Who is at work on the host home now.
    pub running: Vec<super::Running>,
    /// How long it is expected to take, in seconds.
    pub seconds: f64,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.iter().all(|item| matches!(item.act, Act::ByHand { .. }))
    }

    /// What could be lost: everything written between the snapshot and the damage, at most.
    #[must_use]
    pub fn possible_loss(&self) -> Option<TimeDelta> {
        let uses_snapshot = self.items.iter().any(|item| item.act.snapshot().is_some());
        self.chosen.as_ref().filter(|_| uses_snapshot).map(|chosen| self.made - chosen.taken)
    }

    /// Bytes that come back.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }

    /// The item of a file.
    #[must_use]
    pub fn item(&self, file: &Path) -> Option<&Item> {
        self.items.iter().find(|item| item.file == file)
    }
}

impl Act {
    /// The snapshot that it needs.
    #[must_use]
    pub fn snapshot(&self) -> Option<&SnapshotId> {
        match self {
            Self::BringBack { snapshot } | Self::Merge { snapshot } | Self::Replace { snapshot } => {
                Some(snapshot)
            }
            Self::FromClaudeCode { .. } | Self::KeepWhatIsWhole | Self::Fix { .. } | Self::ByHand { .. } => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_that_is_written_down_is_read_again() {
        let snapshot: SnapshotId = "a".repeat(64).parse().unwrap();
        let acts = [
            Act::BringBack { snapshot: snapshot.clone() },
            Act::Merge { snapshot: snapshot.clone() },
            Act::Replace { snapshot },
            Act::FromClaudeCode { file: "/h/.claude/backups/1".into() },
            Act::KeepWhatIsWhole,
            Act::Fix { fix: Fix::DropByteOrderMark },
            Act::ByHand { remedy: "look".to_owned() },
        ];
        for act in acts {
            let item = Item { file: "/h/x".into(), name: "x".into(), why: "odd".to_owned(), act, bytes: 1 };
            let text = serde_json::to_string(&item).unwrap();
            assert_eq!(serde_json::from_str::<Item>(&text).unwrap(), item, "{text}");
        }
    }
}
