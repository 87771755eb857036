//! A disk that is plugged in and out: a real file system in a file, mounted here and there.

use super::{
    conversation_id,
    small_disk::{as_root, fill},
    until,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// Longer than it takes the system to let go of a disk.
const LIMIT: Duration = Duration::from_secs(30);

/// A disk with an ext4 file system on it. Dropping it unplugs it.
pub struct Stick {
    /// Where its content is, and what it is mounted at when nothing else is said.
    folder: TempDir,
    at: Option<PathBuf>,
    /// What it was ever mounted at.
    points: Vec<PathBuf>,
}

impl Stick {
    /// A new one that is not plugged in. It takes root, by `sudo` where the tests run as somebody else.
    #[must_use]
    pub fn new(megabytes: u64) -> Self {
        let folder = TempDir::with_prefix("drydock-disk-").expect("a scratch folder");
        let image = folder.path().join("image");
        File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        let owner = format!(
            "root_owner={}:{}",
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw()
        );
        // Debian has it, and losetup, where a user's PATH does not look.
        let made = Command::new("/usr/sbin/mkfs.ext4")
            .args(["-q", "-E", &owner])
            .arg(image)
            .output()
            .expect("mkfs.ext4 is installed");
        assert!(made.status.success(), "mkfs.ext4: {}", String::from_utf8_lossy(&made.stderr));
        Self { folder, at: None, points: Vec::new() }
    }

    /// Where a desktop would mount it: a folder for all disks, and in it one of this name.
    #[must_use]
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("media").join(name)
    }

    /// A place for it that is known for one of volumes by its name alone.
    #[must_use]
    pub fn place_in_mnt() -> PathBuf {
        PathBuf::from("/mnt").join(format!("drydock-test-{}", conversation_id()))
    }

    /// Makes a folder to mount it at.
    pub fn make_place(&mut self, at: &Path) {
        root(&["mkdir", "-p", at.to_str().unwrap()]);
        self.points.push(at.to_path_buf());
    }

    /// Plugs it in.
    pub fn plug_in(&mut self, at: &Path) {
        assert!(self.at.is_none(), "it is plugged in already");
        self.make_place(at);
        let image = self.folder.path().join("image");
        let image = image.to_str().unwrap();
        until("nobody uses it from when it was pulled out", LIMIT, || {
            as_root(&["/usr/sbin/losetup", "--associated", image]).stdout.is_empty().then_some(())
        });
        root(&["mount", "-o", "loop", image, at.to_str().unwrap()]);
        self.at = Some(at.to_path_buf());
    }

    /// Pulls it out, whoever uses it at the moment. The folder that it was mounted at stays, as an empty one.
    pub fn pull_out(&mut self) {
        let at = self.at.take().expect("it is plugged in");
        root(&["umount", "--lazy", at.to_str().unwrap()]);
    }

    /// The system lets nobody write to it any more, as after a fault, or lets them again.
    pub fn make_read_only(&self, read_only: bool) {
        let mode = if read_only { "remount,ro" } else { "remount,rw" };
        root(&["mount", "-o", mode, self.at.as_ref().expect("it is plugged in").to_str().unwrap()]);
    }

    /// Fills it to the last byte. Gives the file to remove.
    #[must_use]
    pub fn fill(&self) -> PathBuf {
        fill(self.at.as_ref().expect("it is plugged in"))
    }
}

impl Drop for Stick {
    fn drop(&mut self) {
        if let Some(at) = self.at.take() {
            let _ = as_root(&["umount", "--lazy", at.to_str().unwrap()]);
        }
        for point in &self.points {
            // Only a folder that is empty: what somebody wrote into it has to be looked at by a person.
            if fs::remove_dir(point).is_err() {
                let _ = as_root(&["rmdir", point.to_str().unwrap()]);
            }
        }
    }
}

fn root(command: &[&str]) {
    let done = as_root(command);
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}
