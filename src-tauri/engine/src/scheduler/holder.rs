//! One process does the scheduled work of a home: a lock that the system lets go of when it ends.

use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::{Locations, create_private_dir, write_record},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    thread,
    time::Duration,
};

/// Who only asks holds the lock for an instant, and so does a child of one that was killed before it began to run.
const INSTANT: Duration = Duration::from_millis(25);
const TRIES: u32 = 40;

/// Who does the scheduled work of a home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Makes this process the one.
pub(super) fn take(locations: &Locations, now: DateTime<Utc>) -> Result<File> {
    create_private_dir(&locations.data_dir)?;
    let path = lock_file(locations);
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .context("open", &path)?;
    let mut tries = 0;
    while let Err(refused) = lock.try_lock() {
        match refused {
            TryLockError::WouldBlock if tries < TRIES => thread::sleep(INSTANT),
            TryLockError::WouldBlock => return Err(running(locations)),
            TryLockError::Error(cause) => return Err(cause).context("lock", &path),
        }
        tries += 1;
    }
    let holder = Holder { pid: std::process::id(), since: now };
    write_record(&holder_file(locations), &holder)?;
    Ok(lock)
}

/// Who it is now; nobody if `None`.
pub(super) fn holder(locations: &Locations) -> Option<Holder> {
    let lock = File::open(lock_file(locations)).ok()?;
    match lock.try_lock_shared() {
        // Nobody had it.
        Ok(()) => None,
        Err(_) => serde_json::from_slice(&fs::read(holder_file(locations)).ok()?).ok(),
    }
}

fn lock_file(locations: &Locations) -> PathBuf {
    locations.data_dir.join("scheduler.lock")
}

fn holder_file(locations: &Locations) -> PathBuf {
    locations.data_dir.join("scheduler.json")
}

fn running(locations: &Locations) -> Error {
    let error = Error::new(Code::DaemonRunning, "the scheduled work is done by another process already");
    match holder(locations) {
        Some(holder) => error.why(format!(
            "process {} does it since {}",
            holder.pid,
            holder.since.format("%Y-%m-%d %H:%M UTC")
        )),
        None => error,
    }
    .remedy("nothing: it is done; drydock status shows it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_who_only_asks_is_no_reason_not_to_begin() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        drop(take(&locations, Utc::now()).unwrap());
        let asking = File::open(lock_file(&locations)).unwrap();
        asking.lock_shared().unwrap();
        let begun = thread::scope(|scope| {
            let begun = scope.spawn(|| take(&locations, Utc::now()));
            // It goes well however long this takes; so long it is refused at first.
            thread::sleep(INSTANT * 2);
            drop(asking);
            begun.join().unwrap()
        });
        let lock = begun.unwrap();
        assert_eq!(holder(&locations).unwrap().pid, std::process::id());
        assert_eq!(take(&locations, Utc::now()).unwrap_err().code(), Code::DaemonRunning);
        drop(lock);
        assert_eq!(holder(&locations), None);
    }
}
