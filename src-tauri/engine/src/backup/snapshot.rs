//! What a snapshot is, in words of Drydock's own.

use crate::error_handling::{Code, Error, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A snapshot's name: 64 hexadecimal digits, the SHA-256 of its file in the repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(type = "string"))]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId(String);

impl SnapshotId {
    /// All 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits, as people see and type them.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl FromStr for SnapshotId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if is_digest(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::new(Code::SnapshotUnknown, format!("`{text}` is not the name of a snapshot"))
                .remedy("drydock backup list"))
        }
    }
}

impl TryFrom<String> for SnapshotId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SnapshotId> for String {
    fn from(id: SnapshotId) -> Self {
        id.0
    }
}

/// Whether a text is a SHA-256 in lower-case hexadecimal digits.
pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Why a snapshot was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "SnapshotReason"))]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Somebody asked for it.
    Manual,
    /// Its time had come.
    Scheduled,
    /// Something changed.
    Change,
    /// A sync was about to change the host home.
    PreSync,
    /// A recovery was about to change the host home.
    PreRecovery,
}

impl Reason {
    /// The word for it, as it stands in the snapshot.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
            Self::Change => "change",
            Self::PreSync => "pre-sync",
            Self::PreRecovery => "pre-recovery",
        }
    }
}

/// A document that was damaged when the snapshot was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct DamagedDocument {
    /// Its name in the snapshot, such as `.claude.json`.
    pub name: String,
    /// What is wrong with it, with line and column.
    pub fault: String,
}

/// One snapshot, as the repository tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Snapshot {
    /// Its name.
    pub id: SnapshotId,
    /// When it was taken.
    pub time: DateTime<Utc>,
    /// Why.
    pub reason: Reason,
    /// Files and folders' worth of files in it.
    pub files: u64,
    /// Bytes of all files in it.
    pub bytes: u64,
    /// Files that were not in the snapshot before.
    pub new: u64,
    /// Files that were another in the snapshot before.
    pub changed: u64,
    /// Bytes that it added to the repository, compressed.
    pub added: u64,
    /// Documents that were damaged already: such a snapshot is kept, and never counts as good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(optional, as = "Option<Vec<DamagedDocument>>"))]
    pub damaged: Vec<DamagedDocument>,
    /// Files that could not be read, by name: the snapshot is without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(optional, as = "Option<Vec<String>>"))]
    pub unread: Vec<String>,
}

impl Snapshot {
    /// Whether everything in it can be relied on.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.damaged.is_empty() && self.unread.is_empty()
    }
}

/// One of the three places where backups are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum CopyName {
    /// The repository in the user's home.
    Local,
    /// Its mirror on another volume.
    External,
    /// Its mirror at an rclone remote.
    Cloud,
}

impl CopyName {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Local, Self::External, Self::Cloud];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::External => "external",
            Self::Cloud => "cloud",
        }
    }
}

impl fmt::Display for CopyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
