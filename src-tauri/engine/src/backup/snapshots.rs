//! The snapshots there are: listing them, looking into them, keeping one.

use super::{
    Backups,
    ledger::{Event, Known, Ledger},
    repository::{Hit, Listed, order::Work},
    snapshot::{CopyName, Snapshot, SnapshotId},
};
use crate::{
    error_handling::{Code, Error, Result},
    progress::ProgressSink,
};
use serde::Serialize;
use std::path::Path;

impl Backups {
    /// All snapshots of the local copy, the oldest first.
    ///
    /// # Errors
    /// [`Code::BackupNone`] when there is none yet.
    pub fn list(&self) -> Result<Vec<ListedSnapshot>> {
        let snapshots: Vec<Snapshot> = self.work(Work::List, &ProgressSink::none())?;
        let ledger = Ledger::read(&Ledger::file(&self.root)).unwrap_or_default();
        Ok(snapshots
            .into_iter()
            .map(|snapshot| {
                let known = ledger.snapshots.get(&snapshot.id);
                ListedSnapshot {
                    good: known.is_some_and(Known::is_good) && snapshot.is_good(),
                    broken: known.is_some_and(|known| known.broken),
                    pinned: known.is_some_and(|known| known.pinned),
                    verified: known.map(|known| known.verified.keys().copied().collect()).unwrap_or_default(),
                    snapshot,
                }
            })
            .collect())
    }

    /// The snapshot that somebody means: the beginning of its name, or `latest`.
    ///
    /// # Errors
    /// [`Code::SnapshotUnknown`], [`Code::SnapshotAmbiguous`].
    pub fn find_snapshot(&self, text: &str) -> Result<Snapshot> {
        let all = self.list()?;
        let unknown = || {
            Error::new(Code::SnapshotUnknown, format!("there is no snapshot {text}"))
                .remedy("drydock backup list")
        };
        if text == "latest" {
            let good = all.iter().rev().find(|listed| listed.good);
            return good.or(all.last()).map(|listed| listed.snapshot.clone()).ok_or_else(unknown);
        }
        let mut matching = all.into_iter().filter(|listed| listed.snapshot.id.as_str().starts_with(text));
        match (matching.next(), matching.next()) {
            (Some(one), None) if text.len() >= 4 => Ok(one.snapshot),
            (Some(_), Some(_)) => {
                Err(Error::new(Code::SnapshotAmbiguous, format!("several snapshots begin with {text}"))
                    .remedy("drydock backup list, and type more of the name"))
            }
            _ => Err(unknown()),
        }
    }

    /// What is in a folder of a snapshot.
    ///
    /// # Errors
    /// [`Code::SnapshotPath`] when there is no such folder.
    pub fn browse(&self, snapshot: &SnapshotId, folder: &Path) -> Result<Vec<Listed>> {
        let work = Work::Browse { snapshot: snapshot.clone(), folder: folder.to_path_buf() };
        self.work(work, &ProgressSink::none())
    }

    /// The conversations of all snapshots in which a text stands, in any case.
    ///
    /// # Errors
    /// When the snapshots cannot be read.
    pub fn find_text(&self, text: &str, progress: &ProgressSink) -> Result<Vec<Hit>> {
        if text.trim().is_empty() {
            return Err(Error::new(Code::Usage, "there is nothing to look for")
                .remedy("drydock backup list --find TEXT"));
        }
        self.work(Work::Find { text: text.to_owned() }, progress)
    }

    /// Keeps a snapshot for good, or lets it go the way of the others again.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn pin(&self, snapshot: &SnapshotId, pin: Pin) -> Result<()> {
        let snapshot = snapshot.clone();
        self.record(vec![match pin {
            Pin::Keep => Event::Pinned { snapshot },
            Pin::LetGo => Event::Unpinned { snapshot },
        }])
    }
}

/// A snapshot and what the ledger says of it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ListedSnapshot {
    /// The snapshot.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// Whether everything in it can be relied on.
    pub good: bool,
    /// Whether it has lost data since.
    pub broken: bool,
    /// Whether the user wants to keep it.
    pub pinned: bool,
    /// The copies in which it was read back.
    pub verified: Vec<CopyName>,
}

/// What becomes of a snapshot that the user names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// It stays for good.
    Keep,
    /// It goes when its time comes.
    LetGo,
}
