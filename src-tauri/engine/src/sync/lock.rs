//! The sync lock: one sync at a time on a machine's host home, whichever program runs it.

use crate::error_handling::{Code, Error, Result};
use rustix::fs::{Mode, OFlags};
use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The lock while it is held. The kernel gives it back when this is dropped or the process dies, so
/// no lock is ever left behind.
#[derive(Debug)]
pub struct SyncLock {
    file: File,
}

impl Drop for SyncLock {
    fn drop(&mut self) {
        // Who held it last is nobody's business any more; the file itself stays, since removing it
        // would let two processes lock two files of one name.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// Takes the lock, waiting up to `timeout` for another holder.
///
/// # Errors
/// [`Code::LockHeld`] with the holder, or [`Code::LockUnsafe`] when what stands at the path is not
/// a plain file of this user.
pub async fn acquire_sync_lock(path: &Path, purpose: &str, timeout: Duration) -> Result<SyncLock> {
    let file = open(path)?;
    let deadline = Instant::now() + timeout;
    while !try_once(&file, path, timeout, deadline)? {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(noted(file, purpose))
}

impl SyncLock {
    /// As [`acquire_sync_lock`], for a thread that may block.
    ///
    /// # Errors
    /// As [`acquire_sync_lock`].
    pub(crate) fn acquire_blocking(path: &Path, purpose: &str, timeout: Duration) -> Result<Self> {
        let file = open(path)?;
        let deadline = Instant::now() + timeout;
        while !try_once(&file, path, timeout, deadline)? {
            std::thread::sleep(PAUSE);
        }
        Ok(noted(file, purpose))
    }
}

/// Between two looks at a lock that another holds.
const PAUSE: Duration = Duration::from_millis(25);

/// Whether the lock is ours now.
fn try_once(file: &File, path: &Path, timeout: Duration, deadline: Instant) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) if Instant::now() < deadline => Ok(false),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.take(200).read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() { "unknown" } else { holder };
            Err(Error::new(Code::LockHeld, "another sync is at work")
                .why(format!("held by {holder}, waited {} s", timeout.as_secs()))
                .remedy("wait for it to finish, then run the command again"))
        }
        Err(TryLockError::Error(cause)) => Err(Error::io("lock", path, &cause)),
    }
}

/// Notes who holds the lock. The note is for people; a full disk must not keep the lock from working.
fn noted(mut file: File, purpose: &str) -> SyncLock {
    let holder = format!(
        "process {} ({purpose}) since {}\n",
        std::process::id(),
        chrono::Utc::now().format("%H:%M:%S UTC")
    );
    let noted = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(holder.as_bytes()));
    if let Err(cause) = noted {
        tracing::debug!(%cause, "the lock's holder could not be noted");
    }
    SyncLock { file }
}

/// Gives the lock back. Dropping it does the same.
pub fn release_sync_lock(lock: SyncLock) {
    drop(lock);
}

/// Opens the lock file, or one named after the user where another user's file has taken the name.
/// `/tmp` is everybody's: links are not followed, and only a plain file of this user counts.
fn open(path: &Path) -> Result<File> {
    match open_own(path) {
        Ok(file) => Ok(file),
        Err(first) => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}", rustix::process::getuid().as_raw()));
            let second = PathBuf::from(name);
            open_own(&second).map_err(|cause| {
                Error::new(
                    Code::LockUnsafe,
                    format!("the lock file {} is not one that Drydock made", path.display()),
                )
                .why(first)
                .why(format!("{}: {cause}", second.display()))
                .remedy(format!("remove {} and {}", path.display(), second.display()))
            })
        }
    }
}

fn open_own(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    let found = file.metadata()?;
    let own = found.is_file() && found.uid() == rustix::process::getuid().as_raw() && found.nlink() == 1;
    if own { Ok(file) } else { Err(io::Error::other("it is not a plain file of this user")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(60);

    #[tokio::test]
    async fn a_second_holder_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = acquire_sync_lock(&path, "sync in", SHORT).await.unwrap();
        let error = acquire_sync_lock(&path, "sync out", SHORT).await.unwrap_err();
        assert_eq!(error.code(), Code::LockHeld);
        assert!(error.causes()[0].contains(&format!("process {} (sync in)", std::process::id())), "{error}");
        release_sync_lock(held);
        acquire_sync_lock(&path, "sync out", SHORT).await.unwrap();
    }

    #[tokio::test]
    async fn a_planted_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("lock"), dir.path().join("victim"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        acquire_sync_lock(&path, "sync in", SHORT).await.unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        let hard = dir.path().join("hard");
        std::fs::hard_link(&victim, &hard).unwrap();
        acquire_sync_lock(&hard, "sync in", SHORT).await.unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }
}
