//! What Drydock remembers of the copies: when each was written, read back and restored from last.
//!
//! None of it is needed to restore. It can be lost: the ledger and the copies themselves tell the most of it.

use super::{
    ledger::Head,
    sealed,
    snapshot::{CopyName, SnapshotId},
};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::{Locations, create_private_dir},
};
use chrono::{DateTime, TimeDelta, Utc};
use drydock_inside::disk;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// All that is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// The repository's id.
    pub(super) repository: Option<String>,
    /// The repository's `config`, which no key and no ledger could make again.
    pub(super) config: Option<Vec<u8>>,
    /// The last record that was written into the ledger.
    pub(super) head: Head,
    /// When the user showed that they have the recovery sheet.
    pub(super) sheet_saved: Option<DateTime<Utc>>,
    /// At this time everything in the host home was in the local copy.
    pub(super) saved_as_of: Option<DateTime<Utc>>,
    pub(super) copies: BTreeMap<CopyName, CopyState>,
    pub(super) jobs: BTreeMap<String, JobState>,
    /// Runs that did not happen when they should have, the newest last.
    pub(super) missed: Vec<Missed>,
}

/// What is remembered of one copy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct CopyState {
    /// Its own id, as its marker says: another folder at the same path is another copy.
    pub(super) id: Option<String>,
    /// For a volume: where it was mounted, so that it is found under another name.
    pub(super) mount: Option<PathBuf>,
    /// The newest snapshot it holds, and as of when.
    pub(super) newest: Option<(SnapshotId, DateTime<Utc>)>,
    pub(super) written: Option<DateTime<Utc>>,
    /// What was in the local copy at this time is in this one.
    pub(super) listed: Option<DateTime<Utc>>,
    pub(super) verified: Option<Verified>,
    pub(super) drill: Option<Drill>,
    pub(super) failure: Option<Failure>,
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Which part of the data is read back next.
    pub(super) part: u32,
}

/// A look at a copy that found it whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Verified {
    /// When.
    pub at: DateTime<Utc>,
    /// The newest snapshot then.
    pub snapshot: SnapshotId,
}

/// A restore that proved a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Drill {
    /// When.
    pub at: DateTime<Utc>,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// How long it took until everything was back and compared: the recovery time that is proven.
    pub seconds: f64,
    /// Files brought back.
    pub files: u64,
    /// Bytes brought back.
    pub bytes: u64,
    /// Records of conversations that were parsed.
    pub records: u64,
    /// Those of them that are no JSON, as on the host.
    pub broken: u64,
}

/// Work on a copy that does not succeed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Failure {
    /// When it first failed.
    pub since: DateTime<Utc>,
    /// When it last failed.
    pub at: DateTime<Utc>,
    /// How often in a row.
    pub times: u32,
    /// What happened.
    #[serde(with = "words")]
    #[cfg_attr(feature = "typescript", ts(as = "Error"))]
    pub error: Error,
}

/// An error as its words; one that cannot be read is no reason to lose the rest.
mod words {
    use super::{Code, Error};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(error: &Error, serializer: S) -> Result<S::Ok, S::Error> {
        error.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Error, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(serde_json::from_value(value)
            .unwrap_or_else(|_| Error::new(Code::CopyFailed, "an error of another version of Drydock")))
    }
}

/// What is remembered of a job of the scheduler.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct JobState {
    pub(crate) begun: Option<DateTime<Utc>>,
    pub(crate) done: Option<DateTime<Utc>>,
    /// How often in a row it failed since.
    pub(crate) failures: u32,
    pub(crate) failed: Option<DateTime<Utc>>,
}

/// A run that did not happen when it should have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Missed {
    /// The job.
    pub job: String,
    /// When it should have run.
    pub due: DateTime<Utc>,
    /// When that was noticed.
    pub noticed: DateTime<Utc>,
}

impl State {
    pub(super) fn file(locations: &Locations) -> PathBuf {
        locations.data_dir.join("backup/state.json")
    }

    /// Reads it. `None` when there is no such file.
    ///
    /// # Errors
    /// [`Code::BackupDamaged`] when it is not what was written.
    pub(super) fn read(locations: &Locations) -> Result<Option<Self>> {
        sealed::read(&Self::file(locations))
    }

    /// Changes it. One that is damaged is put aside; for one that is not there, `anew` tells what can be told.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn change<T>(
        locations: &Locations,
        anew: impl FnOnce() -> Self,
        change: impl FnOnce(&mut Self) -> T,
    ) -> Result<T> {
        let file = Self::file(locations);
        let folder = file.parent().unwrap_or(Path::new("."));
        create_private_dir(folder)?;
        let _lock = locked(&folder.join("state.lock"))?;
        let before = match Self::read(locations) {
            Err(error) if error.code() == Code::BackupDamaged => {
                put_aside(&file)?;
                None
            }
            read => read?,
        };
        let mut state = before.clone().unwrap_or_else(anew);
        let done = change(&mut state);
        if Some(&state) != before.as_ref() {
            sealed::write(&file, &state)?;
        }
        Ok(done)
    }

    pub(super) fn copy(&self, copy: CopyName) -> CopyState {
        self.copies.get(&copy).cloned().unwrap_or_default()
    }
}

impl CopyState {
    pub(super) fn succeeded(&mut self) {
        self.failure = None;
    }

    pub(super) fn failed(&mut self, error: &Error, now: DateTime<Utc>) {
        // That the user stopped it says nothing of the copy.
        if error.code() == Code::Stopped {
            return;
        }
        let (since, times) = self.failure.as_ref().map_or((now, 0), |known| (known.since, known.times));
        self.failure = Some(Failure { since, at: now, times: times + 1, error: error.clone() });
    }
}

impl Failure {
    /// How long to leave it alone: a minute, twice as long each time, at most an hour.
    #[must_use]
    pub fn pause(&self) -> TimeDelta {
        TimeDelta::minutes(1 << self.times.saturating_sub(1).min(6)).min(TimeDelta::hours(1))
    }
}

/// Moves a damaged file out of the way, for whoever wants to look at it.
pub(super) fn put_aside(file: &Path) -> Result<PathBuf> {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".damaged-{}", Utc::now().format("%Y%m%dT%H%M%S%3f")));
    let aside = PathBuf::from(name);
    disk::rename(file, &aside).context("put aside", file)?;
    Ok(aside)
}

/// Held by the system for this process, and given back when it ends, however it ends. Blocking.
fn locked(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .context("open", path)?;
    file.lock().context("lock", path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_state_is_put_aside_and_begun_anew() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let change = |name: &str| {
            State::change(&locations, State::default, |state| state.repository = Some(name.into())).unwrap();
            State::read(&locations).unwrap().unwrap().repository.unwrap()
        };
        assert_eq!(State::read(&locations).unwrap(), None);
        assert_eq!(change("r"), "r");
        let file = State::file(&locations);
        let mut text = std::fs::read(&file).unwrap();
        text[70] ^= 1;
        std::fs::write(&file, text).unwrap();
        assert_eq!(State::read(&locations).unwrap_err().code(), Code::BackupDamaged);
        assert_eq!(change("s"), "s");
        let aside = std::fs::read_dir(file.parent().unwrap()).unwrap().flatten();
        assert_eq!(aside.filter(|entry| entry.file_name().to_string_lossy().contains("damaged")).count(), 1);
    }

    #[test]
    fn pauses_grow_to_an_hour() {
        let mut copy = CopyState::default();
        let error = Error::new(Code::CopyFailed, "x");
        let mut pauses = Vec::new();
        for _ in 0..9 {
            copy.failed(&error, Utc::now());
            pauses.push(copy.failure.as_ref().unwrap().pause().num_minutes());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
