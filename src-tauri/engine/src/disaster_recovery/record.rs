//! What a recovery writes down: its plan before anything is done, each deed before it is done, its report. It
//! is what an interrupted one is finished by, and what undo goes by.

use super::{
    plan::{Plan, RecoveryId},
    recovery::Report,
};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::{Locations, create_private_dir, write_record},
};
use chrono::{DateTime, TimeDelta, Utc};
use drydock_inside::{Mark, disk};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// So long a recovery can be undone.
pub(super) const UNDO: TimeDelta = TimeDelta::days(30);

/// How a recovery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "RecoveryStanding"))]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It was begun. If nobody is at it, it was interrupted.
    Begun,
    /// It was interrupted, and another one did the rest.
    Interrupted,
    /// It is done.
    Done,
    /// It did not come to its end.
    Failed,
    /// It was undone.
    Undone,
}

/// One change of the host home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// The file.
    pub file: PathBuf,
    /// Where what was there is now; `None` where nothing was.
    pub before: Option<PathBuf>,
    /// What it holds since; `None` for what is no plain file.
    pub after: Option<Mark>,
}

/// A recovery of the past.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Past {
    /// Its plan.
    pub plan: Plan,
    /// When it was begun.
    pub begun: DateTime<Utc>,
    /// How it stands.
    pub standing: Standing,
    /// Its report, when it has one.
    pub report: Option<Report>,
    /// Why it failed.
    pub error: Option<Error>,
}

impl Past {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> RecoveryId {
        self.plan.id
    }

    /// Whether it can be undone at this time.
    #[must_use]
    pub fn can_be_undone(&self, now: DateTime<Utc>) -> bool {
        self.standing != Standing::Undone && now - self.begun < UNDO
    }
}

/// The records of all recoveries, while one process is at them.
#[derive(Debug)]
pub(super) struct Records {
    folder: PathBuf,
    _lock: Option<File>,
}

impl Records {
    /// For looking only.
    pub(super) fn seen(locations: &Locations) -> Self {
        Self { folder: locations.data_dir.join("recovery"), _lock: None }
    }

    /// For changing them: one process at a time.
    pub(super) fn alone(locations: &Locations) -> Result<Self> {
        let folder = locations.data_dir.join("recovery");
        create_private_dir(&folder)?;
        let path = folder.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .context("open", &path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(Code::RecoveryRunning, "another recovery is at work")
                    .remedy("wait for it to finish: drydock recover --history"))
            }
            Err(TryLockError::Error(cause)) => Err(cause).context("lock", &path),
        }
    }

    pub(super) fn of(&self, id: RecoveryId) -> Record {
        Record { folder: self.folder.join(id.to_string()) }
    }

    /// All of them, the oldest first. One that cannot be read is passed over.
    pub(super) fn all(&self) -> Vec<Past> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let read = |entry: fs::DirEntry| {
            let text = fs::read(entry.path().join("record.json")).ok()?;
            serde_json::from_slice(&text)
                .inspect_err(|cause| tracing::warn!(%cause, "a record of a recovery cannot be read"))
                .ok()
        };
        let mut all: Vec<Past> = entries.filter_map(read).collect();
        all.sort_by_key(|past| past.begun);
        all
    }
}

/// The record of one recovery.
#[derive(Debug)]
pub(super) struct Record {
    folder: PathBuf,
}

impl Record {
    /// The folder for what was there before.
    pub(super) fn quarantine(&self) -> PathBuf {
        self.folder.join("quarantine")
    }

    /// The folder for what an undo took away again.
    pub(super) fn undone(&self) -> PathBuf {
        self.folder.join("undone")
    }

    /// A folder for what is being made.
    pub(super) fn workshop(&self) -> Result<PathBuf> {
        let folder = self.folder.join("workshop");
        create_private_dir(&folder)?;
        Ok(folder)
    }

    pub(super) fn write(&self, past: &Past) -> Result<()> {
        write_record(&self.folder.join("record.json"), past)
    }

    /// Writes a deed down, before it is done.
    pub(super) fn intend(&self, deed: &Deed) -> Result<()> {
        let path = self.folder.join("deeds.jsonl");
        let mut line = serde_json::to_vec(deed)
            .map_err(|cause| Error::new(Code::Internal, "a record could not be written down").why(cause))?;
        line.push(b'\n');
        let mut file =
            OpenOptions::new().append(true).create(true).mode(0o600).open(&path).context("open", &path)?;
        disk::write(&mut file, &line).context("write", &path)?;
        // What came back where nothing was is no loss, even without its line; what was replaced would be.
        if deed.before.is_some() { disk::sync(&file).context("flush", &path) } else { Ok(()) }
    }

    /// The deeds, in their order. A last line that was not written to its end was not begun.
    pub(super) fn deeds(&self) -> Result<Vec<Deed>> {
        let path = self.folder.join("deeds.jsonl");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(cause).context("read", &path),
        };
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Removes what was made on the way.
    pub(super) fn clean_up(&self) {
        let _ = fs::remove_dir_all(self.folder.join("workshop"));
    }

    /// Removes everything: nothing can be undone any more.
    pub(super) fn forget(&self) -> Result<()> {
        fs::remove_dir_all(&self.folder).context("remove", &self.folder)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}
