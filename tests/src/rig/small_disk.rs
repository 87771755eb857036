//! A disk so small that a test can fill it.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// A mounted file system in memory. Dropping it unmounts it.
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one. This takes root, by `sudo` where the tests run as somebody else.
    #[must_use]
    pub fn mount(megabytes: u32) -> Self {
        let folder = TempDir::with_prefix("drydock-disk-").expect("a scratch folder");
        let mode = format!("size={megabytes}m,mode=777");
        let done =
            as_root(&["mount", "-t", "tmpfs", "-o", &mode, "drydock-test", folder.path().to_str().unwrap()]);
        assert!(done.status.success(), "mount: {}", String::from_utf8_lossy(&done.stderr));
        Self { folder }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// Fills it to the last byte; what was there stays. Gives the file to remove.
    #[must_use]
    pub fn fill(&self) -> PathBuf {
        fill(&self.path())
    }

    /// Fills it but for so many kilobytes. Gives the file to remove.
    #[must_use]
    pub fn fill_but(&self, kilobytes: u64) -> PathBuf {
        let ballast = self.fill();
        let length = fs::metadata(&ballast).unwrap().len();
        File::options().write(true).open(&ballast).unwrap().set_len(length - (kilobytes << 10)).unwrap();
        ballast
    }

    /// The system lets nobody write to it any more, as after a fault, or lets them again.
    pub fn make_read_only(&self, read_only: bool) {
        let mode = if read_only { "remount,ro" } else { "remount,rw" };
        let done = as_root(&["mount", "-o", mode, self.path().to_str().unwrap()]);
        assert!(done.status.success(), "mount: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path = self.path();
        // What a failed test left in it goes with it.
        let _ = fs::remove_dir_all(&path);
        let _ = as_root(&["umount", "--lazy", path.to_str().unwrap()]);
    }
}

/// Fills a disk to the last byte; what was there stays. Gives the file to remove.
pub(super) fn fill(disk: &Path) -> PathBuf {
    let ballast = disk.join("ballast");
    let mut file = File::create(&ballast).unwrap();
    for size in [1 << 16, 1 << 12, 1 << 6, 1] {
        let block = vec![b'x'; size];
        loop {
            match file.write(&block) {
                Ok(_) => {}
                Err(cause) if cause.kind() == ErrorKind::StorageFull => break,
                Err(cause) => panic!("{}: {cause}", ballast.display()),
            }
        }
    }
    ballast
}

/// Runs a command as root.
pub(super) fn as_root(command: &[&str]) -> Output {
    let sudo: &[&str] =
        if rustix::process::geteuid().is_root() { &[] } else { &["sudo", "--non-interactive"] };
    let all: Vec<_> = sudo.iter().chain(command).collect();
    Command::new(all[0]).args(&all[1..]).output().expect("mount can be run")
}
