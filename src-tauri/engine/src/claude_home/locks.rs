//! Claude Code's own locks: folders beside what they guard, as `proper-lockfile` makes them.
//!
//! Whoever makes the folder has the lock; its time is refreshed while it is held, and after a while
//! without a refresh it is a dead owner's, and taken over.
//!
//! Sources, observed with 2.1.330 and read in its text: `.claude.json.lock` is stale after ten seconds.
//! A refresh of the login takes `.oauth_refresh.lock` in Claude Code's folder (stale after sixty), then
//! `<folder>.lock` beside it, as older versions do; each write of the login takes `.storage-write.lock`
//! (stale after fifteen).

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

/// A lock while it is held: milliseconds, since Claude Code waits for it.
#[derive(Debug)]
pub(crate) struct FolderLock {
    folder: PathBuf,
}

/// Whose lock it is and how long anybody waits for it.
#[derive(Debug, Clone, Copy)]
struct Custom {
    /// After this long without a refresh it is a dead owner's.
    stale: Duration,
    /// So long a taker waits.
    patience: Duration,
}

impl FolderLock {
    /// The lock on `.claude.json`, or nothing after two seconds: Claude Code itself then writes without.
    /// Blocking.
    pub(crate) fn on_state(document: &Path) -> Option<Self> {
        let custom = Custom { stale: Duration::from_secs(10), patience: Duration::from_secs(2) };
        match Self::take(with_lock(document), custom) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => {
                tracing::debug!("Claude Code's lock is held; going on without it, as Claude Code does");
                None
            }
            Err(cause) => {
                tracing::debug!(%cause, "Claude Code's lock cannot be taken");
                None
            }
        }
    }

    fn take(folder: PathBuf, custom: Custom) -> io::Result<Option<Self>> {
        let deadline = Instant::now() + custom.patience;
        loop {
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(Some(Self { folder })),
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    if is_stale(&folder, custom.stale) {
                        // Whoever removes it first makes it anew; the other waits again.
                        let _ = fs::remove_dir(&folder);
                        continue;
                    }
                }
                Err(cause) => return Err(cause),
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// All locks under which Claude Code renews and writes its login, in its own order. While they are held
/// no Claude Code of this home is between posting a refresh token and saving the next.
#[derive(Debug)]
pub(crate) struct LoginLocks {
    // Given back in the order of the fields: the last taken first.
    _write: FolderLock,
    _legacy: FolderLock,
    _refresh: FolderLock,
}

impl LoginLocks {
    /// Takes them; `None` when a Claude Code holds one for longer than a refresh takes. Blocking.
    ///
    /// # Errors
    /// When a lock's folder cannot be made.
    pub(crate) fn take(claude_dir: &Path) -> io::Result<Option<Self>> {
        let patience = Duration::from_secs(10);
        let refresh = Custom { stale: Duration::from_secs(60), patience };
        let write = Custom { stale: Duration::from_secs(15), patience };
        let real = fs::canonicalize(claude_dir).unwrap_or_else(|_| claude_dir.to_path_buf());
        let Some(first) = FolderLock::take(claude_dir.join(".oauth_refresh.lock"), refresh)? else {
            return Ok(None);
        };
        let Some(second) = FolderLock::take(with_lock(&real), refresh)? else { return Ok(None) };
        let third = FolderLock::take(claude_dir.join(".storage-write.lock"), write)?;
        Ok(third.map(|third| Self { _write: third, _legacy: second, _refresh: first }))
    }
}

fn with_lock(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn is_stale(folder: &Path, stale: Duration) -> bool {
    let modified = fs::metadata(folder).and_then(|data| data.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > stale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_once_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let document = dir.path().join(".claude.json");
        let folder = dir.path().join(".claude.json.lock");
        let lock = FolderLock::on_state(&document).unwrap();
        assert!(folder.is_dir());
        drop(lock);
        assert!(!folder.exists());
    }

    #[test]
    fn a_dead_owners_lock_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(".claude.json.lock");
        fs::create_dir(&folder).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        fs::File::open(&folder).unwrap().set_modified(long_ago).unwrap();
        assert!(FolderLock::on_state(&dir.path().join(".claude.json")).is_some());
    }

    #[test]
    fn the_logins_locks_are_claude_codes_and_all_are_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let claude = dir.path().join(".claude");
        fs::create_dir(&claude).unwrap();
        let names = [
            claude.join(".oauth_refresh.lock"),
            dir.path().join(".claude.lock"),
            claude.join(".storage-write.lock"),
        ];
        let locks = LoginLocks::take(&claude).unwrap().unwrap();
        assert!(names.iter().all(|name| name.is_dir()));
        drop(locks);
        assert!(names.iter().all(|name| !name.exists()));
    }

    #[test]
    fn a_lock_that_cannot_be_had_leaves_none_of_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let claude = dir.path().join("claude");
        fs::create_dir(&claude).unwrap();
        // A file is nobody's lock, and cannot be taken over.
        fs::write(claude.join(".storage-write.lock"), "").unwrap();
        let custom = Custom { stale: Duration::from_secs(60), patience: Duration::ZERO };
        let first = FolderLock::take(claude.join(".oauth_refresh.lock"), custom).unwrap();
        assert!(FolderLock::take(claude.join(".storage-write.lock"), custom).unwrap().is_none());
        drop(first);
        assert!(!claude.join(".oauth_refresh.lock").exists());
    }
}
