//! A disk so small that a test can fill it.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::PathBuf,
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
        let ballast = self.path().join("ballast");
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
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path = self.path();
        // What a failed test left in it goes with it.
        let _ = fs::remove_dir_all(&path);
        let _ = as_root(&["umount", "--lazy", path.to_str().unwrap()]);
    }
}

fn as_root(command: &[&str]) -> Output {
    let sudo: &[&str] =
        if rustix::process::geteuid().is_root() { &[] } else { &["sudo", "--non-interactive"] };
    let all: Vec<_> = sudo.iter().chain(command).collect();
    Command::new(all[0]).args(&all[1..]).output().expect("mount can be run")
}
