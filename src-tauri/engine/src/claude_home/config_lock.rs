//! Claude Code's own lock on `.claude.json`: a folder beside it, as `proper-lockfile` makes them.
//!
//! Source: observed with the program (2.1.330): `mkdir ~/.claude.json.lock`, its time refreshed while
//! it is held, taken over once it is ten seconds old.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

/// After this long without a refresh a lock is its dead owner's.
const STALE: Duration = Duration::from_secs(10);
/// Claude Code itself writes without the lock after about this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The lock while it is held: milliseconds, since Claude Code waits for it.
#[derive(Debug)]
pub(crate) struct ConfigLock {
    folder: PathBuf,
}

impl ConfigLock {
    /// Takes the lock on `document`, or gives up after two seconds, as Claude Code does. Blocking.
    pub(crate) fn take(document: &Path) -> Option<Self> {
        let mut name = document.as_os_str().to_owned();
        name.push(".lock");
        let folder = PathBuf::from(name);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match fs::create_dir(&folder) {
                Ok(()) => return Some(Self { folder }),
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    if is_stale(&folder) {
                        // Whoever removes it first makes it anew; the other waits again.
                        let _ = fs::remove_dir(&folder);
                        continue;
                    }
                }
                Err(cause) => {
                    tracing::debug!(%cause, "Claude Code's lock cannot be taken");
                    return None;
                }
            }
            if Instant::now() >= deadline {
                tracing::debug!("Claude Code's lock is held; going on without it, as Claude Code does");
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for ConfigLock {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

fn is_stale(folder: &Path) -> bool {
    let modified = fs::metadata(folder).and_then(|data| data.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > STALE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_once_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let document = dir.path().join(".claude.json");
        let folder = dir.path().join(".claude.json.lock");
        let lock = ConfigLock::take(&document).unwrap();
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
        assert!(ConfigLock::take(&dir.path().join(".claude.json")).is_some());
    }
}
