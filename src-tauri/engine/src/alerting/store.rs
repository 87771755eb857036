//! Where alerting keeps what it remembers: one document, changed under a lock by one process at a time.

use super::AlertState;
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::{Locations, create_private_dir, write_record},
};
use chrono::{DateTime, Utc};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The files of one home.
#[derive(Debug, Clone)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(super) fn of(locations: &Locations) -> Self {
        Self { folder: locations.data_dir.join("alerts") }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    /// What is remembered; nothing where nothing was.
    ///
    /// # Errors
    /// [`Code::AlertsDamaged`] when it cannot be understood.
    pub(super) fn read(&self) -> Result<AlertState> {
        let file = self.file();
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(AlertState::default()),
            Err(cause) => return Err(cause).context("read", &file),
        };
        serde_json::from_slice(&text).map_err(|cause| {
            Error::new(Code::AlertsDamaged, format!("{} is damaged", file.display()))
                .why(cause)
                .remedy("nothing: it is put aside at the next look, and what fires is said anew")
        })
    }

    /// Changes what is remembered. One that is damaged is put aside, and begun anew. Blocking.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut AlertState) -> Result<T>) -> Result<T> {
        let _lock = self.locked()?;
        let before = self.read_or_begin()?;
        let mut state = before.clone();
        let done = change(&mut state)?;
        if state != before {
            self.write(&state)?;
        }
        Ok(done)
    }

    /// Changes what is remembered, whether or not it can be written: on a full disk there is something to say. What
    /// could not be written is given back, to be carried on from at the next change. Blocking.
    pub(super) fn change_or_carry<T>(
        &self,
        carried: Option<&AlertState>,
        change: impl FnOnce(&mut AlertState) -> T,
    ) -> (T, Option<AlertState>) {
        let lock = self.locked();
        let known = self.read_or_begin();
        let mut state = match (carried, &known) {
            (Some(carried), _) => carried.clone(),
            (None, Ok(known)) => known.clone(),
            (None, Err(_)) => AlertState::default(),
        };
        let done = change(&mut state);
        let written = match (&lock, &known) {
            (Ok(_), Ok(known)) if *known == state => Ok(()),
            _ => self.write(&state),
        };
        match written {
            Ok(()) => (done, None),
            Err(error) => {
                if carried.is_none() {
                    tracing::warn!(%error, "what is known of alerts is only in memory for now");
                }
                (done, Some(state))
            }
        }
    }

    fn locked(&self) -> Result<File> {
        create_private_dir(&self.folder)?;
        let path = self.folder.join("state.lock");
        let lock = open(&path)?;
        lock.lock().context("lock", &path)?;
        Ok(lock)
    }

    fn read_or_begin(&self) -> Result<AlertState> {
        match self.read() {
            Err(error) if error.code() == Code::AlertsDamaged => {
                tracing::warn!(%error, "alerts begin anew");
                put_aside(&self.file())?;
                Ok(AlertState::default())
            }
            read => read,
        }
    }

    fn write(&self, state: &AlertState) -> Result<()> {
        write_record(&self.file(), state)
    }

    /// The right to send, which one process has at a time; `None` while another has it.
    ///
    /// # Errors
    /// When the lock cannot be made.
    pub(super) fn sender(&self) -> Result<Option<File>> {
        create_private_dir(&self.folder)?;
        let path = self.folder.join("sender.lock");
        let lock = open(&path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(cause).context("lock", &path),
        }
    }

    /// When somebody last looked; `None` when nobody ever did.
    pub(super) fn last_look(&self) -> Option<DateTime<Utc>> {
        let text = fs::read_to_string(self.folder.join("looked")).ok()?;
        DateTime::parse_from_rfc3339(text.trim()).ok().map(|at| at.to_utc())
    }

    /// Somebody looked. It need not outlast a power cut, and is not waited for.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn looked(&self, now: DateTime<Utc>) -> Result<()> {
        create_private_dir(&self.folder)?;
        let path = self.folder.join("looked");
        let mut file = open(&path)?;
        // Shorter than a block, always as long, and in one write: there is no half of it.
        let text = now.format("%Y-%m-%dT%H:%M:%SZ\n").to_string();
        file.write_all(text.as_bytes()).context("write", &path)
    }
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).context("open", path)
}

fn put_aside(file: &Path) -> Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".damaged");
    fs::rename(file, PathBuf::from(name)).context("put aside", file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::{Silence, Silenced};

    #[test]
    fn what_is_remembered_outlasts_the_process_and_what_is_damaged_is_put_aside() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let store = Store::of(&locations);
        assert_eq!(store.read().unwrap(), AlertState::default());
        let now = Utc::now();
        let silence = |state: &mut AlertState| {
            state.silences.push(Silence { what: Silenced::All, made: now, until: now });
            Ok(state.silences.len())
        };
        assert_eq!(store.change(silence).unwrap(), 1);
        assert_eq!(Store::of(&locations).change(silence).unwrap(), 2);
        fs::write(store.file(), "{\"silences\":").unwrap();
        assert_eq!(store.read().unwrap_err().code(), Code::AlertsDamaged);
        assert_eq!(store.change(silence).unwrap(), 1);
        assert!(store.folder.join("state.json.damaged").exists());
    }

    #[test]
    fn what_cannot_be_written_is_carried_on_until_it_can() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::of(&Locations::find(Some(home.path())).unwrap());
        // A file is in the place of the folder.
        create_private_dir(store.folder.parent().unwrap()).unwrap();
        fs::write(&store.folder, "").unwrap();
        let now = Utc::now();
        let more = |state: &mut AlertState| {
            state.silences.push(Silence { what: Silenced::All, made: now, until: now });
            state.silences.len()
        };
        let (count, carried) = store.change_or_carry(None, more);
        assert!(count == 1 && carried.is_some());
        let (count, carried) = store.change_or_carry(carried.as_ref(), more);
        assert!(count == 2 && carried.is_some());
        fs::remove_file(&store.folder).unwrap();
        let (count, carried) = store.change_or_carry(carried.as_ref(), more);
        assert!(count == 3 && carried.is_none());
        assert_eq!(store.read().unwrap().silences.len(), 3);
    }

    #[test]
    fn one_process_has_the_right_to_send_and_a_look_is_remembered() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::of(&Locations::find(Some(home.path())).unwrap());
        let first = store.sender().unwrap();
        assert!(first.is_some() && store.sender().unwrap().is_none());
        drop(first);
        assert!(store.sender().unwrap().is_some());
        assert_eq!(store.last_look(), None);
        let now = Utc::now();
        store.looked(now).unwrap();
        assert!((now - store.last_look().unwrap()).num_seconds() <= 1);
    }
}
