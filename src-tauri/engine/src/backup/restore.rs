//! Bringing files of a snapshot back: into a folder beside its target first, compared there, and then put in
//! their place in one step.

use super::{Backups, copies::is_mount_point, repository::Restored, snapshot::SnapshotId};
use crate::{
    error_handling::{Code, Error, HalfMade, IoContext, Result},
    paths::create_private_dir,
    progress::ProgressSink,
};
use drydock_inside::{Before, Placed, Staged, disk, place};
use rustix::process::{Pid, test_kill_process};
use std::{
    fs::{self, File, FileType, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What came back to the host home.
#[derive(Debug, Clone, Default, serde::Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct BroughtBack {
    /// Files that are in their place again.
    pub back: Vec<PathBuf>,
    /// Files that stay as they are, since something is there.
    pub there: Vec<PathBuf>,
}

impl Backups {
    /// Restores `paths` of a snapshot, or all of it, into `to`: a folder that is empty or not there yet. It
    /// has either everything or nothing.
    ///
    /// # Errors
    /// [`Code::RestoreTarget`] when `to` holds something; [`Code::BackupIncomplete`] when a file cannot be
    /// brought back and `damaged` is [`IfDamaged::Refuse`].
    pub fn restore(
        &self,
        snapshot: &SnapshotId,
        paths: &[PathBuf],
        to: &Path,
        damaged: IfDamaged,
        progress: &ProgressSink,
    ) -> Result<Restored> {
        refuse_full(to)?;
        let key = self.existing()?;
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !parent.is_dir() {
            return Err(Error::new(Code::RestoreTarget, format!("{} is not a folder", parent.display()))
                .remedy("make it first"));
        }
        // A volume's top folder cannot be exchanged for another.
        let is_volume = is_mount_point(to);
        let staging = Staging::beside(if is_volume { to } else { parent })?;
        let restored = self.restore_into(&self.root, &key, snapshot, paths, &staging.path, progress)?;
        if !restored.failed.is_empty() && damaged == IfDamaged::Refuse {
            return Err(incomplete(&restored));
        }
        if is_volume {
            for entry in fs::read_dir(&staging.path).context("list", &staging.path)?.flatten() {
                let target = to.join(entry.file_name());
                disk::rename(&entry.path(), &target).context("put in its place", &target)?;
            }
            disk::sync_folder(to).context("flush", to)?;
        } else {
            disk::rename(&staging.path, to)
                .and_then(|()| disk::sync_folder(parent))
                .context("put in its place", to)?;
        }
        Ok(restored)
    }

    /// Brings files of a snapshot back to where they were in the host home, where nothing is there now. What
    /// comes back counts as written now: Claude Code would delete an old conversation again.
    ///
    /// # Errors
    /// As [`Backups::restore`].
    pub fn bring_back(
        &self,
        snapshot: &SnapshotId,
        paths: &[PathBuf],
        progress: &ProgressSink,
    ) -> Result<BroughtBack> {
        let key = self.existing()?;
        create_private_dir(&self.locations.claude_dir)?;
        let staging = Staging::beside(&self.locations.claude_dir)?;
        let restored = self.restore_into(&self.root, &key, snapshot, paths, &staging.path, progress)?;
        if !restored.failed.is_empty() {
            return Err(incomplete(&restored));
        }
        let mut brought = BroughtBack::default();
        for entry in walkdir::WalkDir::new(&staging.path).sort_by_file_name().into_iter().flatten() {
            let Ok(name) = entry.path().strip_prefix(&staging.path) else { continue };
            let Some(target) = self.place_of(name) else { continue };
            let mode = entry.metadata().map_or(0o600, |data| data.mode() & 0o777);
            let kind = entry.file_type();
            if kind.is_dir() {
                make_folder(&target, mode)?;
            } else if bring_one(entry.path(), &target, kind, mode)? {
                brought.back.push(target);
            } else {
                brought.there.push(target);
            }
        }
        Ok(brought)
    }
}

/// Makes a folder as it was, with its parents, if it is not there.
fn make_folder(folder: &Path, mode: u32) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    create_private_dir(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(mode)).context("set the permissions of", folder)
}

/// Puts one file or link in its place, if nothing is there; whether it is there now.
fn bring_one(from: &Path, target: &Path, kind: FileType, mode: u32) -> Result<bool> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    create_private_dir(folder)?;
    if kind.is_symlink() {
        let link = fs::read_link(from).context("read", from)?;
        return match std::os::unix::fs::symlink(link, target) {
            Ok(()) => Ok(true),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(cause) => Err(Error::io("write", target, &cause)),
        };
    }
    let mut file = File::open(from).context("read", from)?;
    let staged = Staged::write(folder, mode, &mut file).context("write", target)?;
    match place(staged, target, Before::Nothing).context("write", target)? {
        Placed::Done { .. } => {
            let set = File::open(target).and_then(|file| file.set_modified(SystemTime::now()));
            set.context("set the time of", target)?;
            Ok(true)
        }
        Placed::Surprise { .. } => Ok(false),
    }
}

/// What happens when a file of a snapshot cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfDamaged {
    /// Nothing is restored.
    Refuse,
    /// The others are.
    LeaveOut,
}

fn incomplete(restored: &Restored) -> Error {
    let count = restored.failed.len();
    let mut error = Error::new(
        Code::BackupIncomplete,
        format!("{count} files of the snapshot could not be brought back"),
    );
    for failed in restored.failed.iter().take(3) {
        error = error.why(format!("{}: {}", failed.path.display(), failed.why));
    }
    error.remedy("drydock backup verify --heal").remedy("add --partial to bring back the others")
}

fn refuse_full(to: &Path) -> Result<()> {
    let refused = |why: &str| {
        Err(Error::new(Code::RestoreTarget, format!("nothing can be restored into {}", to.display()))
            .why(why)
            .remedy("choose a folder that is empty or not there yet"))
    };
    match fs::read_dir(to) {
        Ok(mut entries) => match entries.next() {
            Some(_) => refused("it holds files already"),
            None => Ok(()),
        },
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => refused("it is not a folder"),
        Err(cause) => Err(Error::io("look into", to, &cause)),
    }
}

/// A folder to restore into. It goes with this value, unless it was put in its place; that of a process that
/// was ended goes with the next one.
pub(super) struct Staging {
    pub(super) path: PathBuf,
    _half_made: HalfMade,
}

impl Staging {
    const PREFIX: &str = ".drydock-restore-";

    pub(super) fn beside(parent: &Path) -> Result<Self> {
        Self::sweep(parent);
        let prefix = format!("{}{}-", Self::PREFIX, std::process::id());
        let made = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".tmp")
            .tempdir_in(parent)
            .context("make a folder in", parent)?;
        let path = made.keep();
        Ok(Self { _half_made: HalfMade::folder(&path), path })
    }
}

impl Staging {
    /// Removes what processes left that are not there any more.
    pub(super) fn sweep(parent: &Path) {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if is_left(&entry.file_name().to_string_lossy()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // It is not there any more when it was put in its place.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Whether a folder is of a process that is not there any more.
fn is_left(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(Staging::PREFIX) else { return false };
    let pid = rest.split('-').next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}
