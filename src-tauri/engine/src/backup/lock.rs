//! Who may do what with a repository at the same time: many take and read snapshots, or one removes files.
//!
//! The system gives a lock back when its process ends, however it ends.

use super::{repository::order::Wait, snapshot::CopyName};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::create_private_dir,
};
use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// A lock, while it lives.
#[derive(Debug)]
pub(super) struct Lock {
    /// None where nothing can be written, so that nobody could remove a file either.
    _file: Option<File>,
}

/// So long one waits for the others.
const PATIENCE: Duration = Duration::from_secs(600);

impl Wait {
    fn patience(self) -> Duration {
        match self {
            Self::Long => PATIENCE,
            Self::Short => Duration::from_secs(3),
        }
    }
}

impl Lock {
    /// To take and read snapshots.
    pub(super) fn shared(root: &Path) -> Result<Self> {
        if is_read_only(root) {
            return Ok(Self { _file: None });
        }
        Self::wait(root, "repository.lock", File::try_lock_shared, PATIENCE)
    }

    /// To take a snapshot that somebody waits for, or that nobody does.
    pub(super) fn shared_for(root: &Path, wait: Wait) -> Result<Self> {
        match wait {
            Wait::Long => Self::shared(root),
            Wait::Short => Self::wait(root, "repository.lock", File::try_lock_shared, wait.patience()),
        }
    }

    /// To remove files, or to put others in their place.
    pub(super) fn alone(root: &Path) -> Result<Self> {
        Self::wait(root, "repository.lock", File::try_lock, PATIENCE)
    }

    /// To write into the ledger.
    pub(super) fn ledger(root: &Path) -> Result<Self> {
        Self::wait(root, "ledger.lock", File::try_lock, PATIENCE)
    }

    /// To mend the local copy. What one is fetching from another copy is no rubbish, and two would put each
    /// other's good files aside.
    pub(super) fn healing(root: &Path) -> Result<Self> {
        if is_read_only(root) {
            return Ok(Self { _file: None });
        }
        Self::wait(root, "healing.lock", File::try_lock, PATIENCE)
    }

    /// To write another copy. Whoever need not wait is told soon: a copy can take hours.
    pub(super) fn copy(root: &Path, copy: CopyName, wait: Wait) -> Result<Self> {
        Self::wait(root, &format!("{copy}.lock"), File::try_lock, wait.patience())
    }

    /// To begin another copy.
    pub(super) fn beginning(root: &Path) -> Result<Self> {
        Self::wait(root, "beginning.lock", File::try_lock, Duration::from_secs(60))
    }

    /// To remove files if nobody else is at work.
    pub(super) fn alone_now(root: &Path) -> Result<Option<Self>> {
        if is_read_only(root) {
            return Ok(None);
        }
        let file = open(root, "repository.lock")?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(cause).context("lock", root),
        }
    }

    fn wait(
        root: &Path,
        name: &str,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
        patience: Duration,
    ) -> Result<Self> {
        let file = open(root, name)?;
        let deadline = Instant::now() + patience;
        loop {
            match lock(&file) {
                Ok(()) => return Ok(Self { _file: Some(file) }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        Code::BackupBusy,
                        "another piece of work on the backups does not end",
                    )
                    .why(format!("it has held the repository for {} s", patience.as_secs()))
                    .remedy("wait for it, or end it, and run the command again"));
                }
                Err(TryLockError::Error(cause)) => return Err(cause).context("lock", root),
            }
        }
    }
}

/// Whether a folder is on a file system that is mounted to be read only.
fn is_read_only(root: &Path) -> bool {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    statvfs(root).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn open(root: &Path, name: &str) -> Result<File> {
    let folder = root.join("drydock");
    create_private_dir(&folder)?;
    let path = folder.join(name);
    // One that may not be written can still be held.
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    opened.or_else(|cause| File::open(&path).map_err(|_| cause)).context("open", &path)
}
