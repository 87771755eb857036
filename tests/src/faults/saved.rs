//! A home and its copies as they were before a fault.

use crate::rig::Backups;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A home and its copies, kept aside.
pub struct Saved {
    kept: TempDir,
    /// The folders that are kept.
    folders: Vec<PathBuf>,
}

impl Saved {
    /// Keeps them.
    pub fn of(backups: &Backups) -> Self {
        let folders = vec![backups.home.path().to_path_buf(), backups.scratch("")];
        let kept = TempDir::with_prefix("drydock-saved-").expect("a scratch folder");
        for (n, folder) in folders.iter().enumerate() {
            copy(folder, &kept.path().join(n.to_string()));
        }
        Self { kept, folders }
    }

    /// Brings all of it back.
    pub fn back(&self) {
        for (n, folder) in self.folders.iter().enumerate() {
            fs::remove_dir_all(folder).unwrap();
            copy(&self.kept.path().join(n.to_string()), folder);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let to = to.parent().unwrap().join(to.file_name().unwrap());
    let done = Command::new("cp").arg("-a").arg("-T").args([from, &to]).output().expect("cp can be run");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
