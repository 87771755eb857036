//! What the repository's process is asked to do, and what it answers. No type of the library's is among it.

use super::source::Origin;
use crate::backup::{
    retention::Retention,
    snapshot::{DamagedDocument, Reason, Snapshot, SnapshotId},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One piece of work on one repository.
#[derive(Serialize, Deserialize)]
pub(in crate::backup) struct Order {
    /// The repository's folder.
    pub(in crate::backup) root: PathBuf,
    /// Its master key, where it needs to be opened with one.
    pub(in crate::backup) master: Option<String>,
    pub(in crate::backup) work: Work,
}

/// The work.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::backup) enum Work {
    /// Makes a repository that this recovery code opens. Answer: [`Unlocked`].
    Begin { code: String },
    /// Opens the repository by its recovery code. Answer: [`Unlocked`].
    Unlock { code: String },
    /// Puts a key file for the code into the repository. Answer: nothing.
    AddKey { code: String },
    /// Takes a snapshot. Answer: [`Taken`].
    Take(Take),
    /// All snapshots. Answer: a list of [`Snapshot`].
    List,
    /// Looks whether everything is there that the snapshots need. Answer: [`Checked`].
    /// Snapshots that are known to have lost data are not asked about.
    Check { read: ReadBack, except: Vec<SnapshotId> },
    /// Which of these snapshots have lost data. Answer: a list of [`SnapshotId`].
    Broken { among: Vec<SnapshotId> },
    /// Parses the documents in a snapshot, and its conversations record by record. Answer: [`Documents`].
    Documents { snapshot: SnapshotId },
    /// The files of a snapshot in a folder. Answer: a list of [`Listed`].
    Browse { snapshot: SnapshotId, folder: PathBuf },
    /// All files of these snapshots, in all their folders. Answer: a list of [`Listed`] for each.
    Files { snapshots: Vec<SnapshotId> },
    /// Searches all conversations in all snapshots. Answer: a list of [`Hit`].
    Find { text: String },
    /// Writes files of a snapshot into an empty folder, and compares them. Answer: [`Restored`].
    Restore { snapshot: SnapshotId, paths: Vec<PathBuf>, to: PathBuf },
    /// Removes the snapshots that do not stay. Answer: [`Pruned`].
    Prune { retention: Retention, now: DateTime<Utc>, deed: PruneDeed },
    /// Makes the index anew from the packs that are there. Answer: nothing.
    RepairIndex,
}

/// How a snapshot is taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::backup) struct Take {
    pub(in crate::backup) origin: Origin,
    pub(in crate::backup) reason: Reason,
    /// Bytes that conversations may take that are gone from the host home.
    pub(in crate::backup) archive: u64,
    pub(in crate::backup) reading: Reading,
    pub(in crate::backup) wait: Wait,
}

/// How long other work on the repository is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backup) enum Wait {
    /// Until it is done.
    Long,
    /// Seconds: somebody waits in turn.
    Short,
}

/// What of the host home is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backup) enum Reading {
    /// What changed since the last snapshot.
    Changed,
    /// Everything: some of what is in the repository may be lost.
    Everything,
}

/// How much of the data is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backup) enum ReadBack {
    /// None of it: only what is there.
    Structure,
    /// All of it, decrypted.
    Everything,
}

/// Whether a prune is done or only planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backup) enum PruneDeed {
    Plan,
    Do,
}

#[derive(Serialize, Deserialize)]
pub(in crate::backup) struct Unlocked {
    pub(in crate::backup) master: String,
    pub(in crate::backup) repository: String,
}

/// What became of a snapshot that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case", tag = "taken")]
pub enum Taken {
    /// A new one.
    New {
        /// The snapshot.
        snapshot: Snapshot,
    },
    /// Nothing has changed since this one.
    Unchanged {
        /// The snapshot that holds everything already.
        snapshot: SnapshotId,
        /// Documents that are damaged, now as then.
        damaged: Vec<DamagedDocument>,
    },
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::New { snapshot } => write!(
                f,
                "snapshot {} is taken: {} new, {} changed",
                snapshot.id, snapshot.new, snapshot.changed
            ),
            Self::Unchanged { snapshot, .. } => write!(f, "nothing has changed since snapshot {snapshot}"),
        }
    }
}

impl Taken {
    /// The snapshot that holds the host home as it is.
    #[must_use]
    pub fn id(&self) -> &SnapshotId {
        match self {
            Self::New { snapshot } => &snapshot.id,
            Self::Unchanged { snapshot, .. } => snapshot,
        }
    }
}

/// What a look over a repository found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::backup) struct Checked {
    /// Snapshots that can be read.
    pub(in crate::backup) snapshots: Vec<SnapshotId>,
    /// What is wrong, in the library's words.
    pub(in crate::backup) faults: Vec<String>,
    /// Files of the repository that are missing, by name.
    pub(in crate::backup) missing: Vec<String>,
}

/// What a snapshot's documents are like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backup) struct Documents {
    pub(in crate::backup) parsed: u64,
    pub(in crate::backup) damaged: Vec<DamagedDocument>,
}

/// A file or folder in a snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Listed {
    /// Its name in the snapshot.
    pub path: PathBuf,
    /// What it is.
    pub kind: ListedKind,
    /// Bytes.
    pub size: u64,
    /// When it was written last.
    pub modified: Option<DateTime<Utc>>,
}

/// What something in a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum ListedKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
}

/// A conversation that holds what was looked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Hit {
    /// The newest snapshot that has it.
    pub snapshot: SnapshotId,
    /// When that was taken.
    pub time: DateTime<Utc>,
    /// The conversation's file in the snapshot.
    pub path: PathBuf,
    /// When it was written last.
    pub modified: Option<DateTime<Utc>>,
    /// How often the text is in it.
    pub count: u64,
    /// The first place, with some text around it.
    pub excerpt: String,
}

/// What was restored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Files written and compared with the snapshot.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that could not be, and why; nothing stands in their place.
    pub failed: Vec<FailedFile>,
}

/// A file that could not be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedFile {
    /// Its name in the snapshot.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// What a prune did, or would do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Pruned {
    /// Snapshots that stay.
    pub stay: Vec<SnapshotId>,
    /// Snapshots that went.
    pub gone: Vec<SnapshotId>,
    /// Bytes that nothing needs any more. They go a day later, when nothing can be reading them.
    pub unused: u64,
}
