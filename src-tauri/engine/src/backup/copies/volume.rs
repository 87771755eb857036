//! A copy in a folder of another volume.
//!
//! A volume that is unplugged leaves its mount point behind, or comes back under another name, and a program
//! that makes folders as it needs them then fills the internal disk. So the copy's folder has a marker, no
//! folder above the copy's is ever made, and the volume is looked at again before each file.

use super::{
    MARKER, Marker, Place,
    files::{is_what_it_says, misnamed, repository_files, sweep},
    mount::{is_mounted, mount_of, siblings},
};
use crate::{
    backup::{sealed, state::CopyState},
    error_handling::{Code, Error, IoContext, Result},
    progress::{Progress, ProgressSink},
};
use drydock_inside::{Staged, disk};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// A folder of a volume that is there now.
#[derive(Debug)]
pub(in crate::backup) struct Volume {
    folder: PathBuf,
    device: u64,
}

impl Volume {
    /// Finds the copy whose folder is `wanted`, also when its volume is mounted under another name. `None`
    /// when its volume is not here.
    ///
    /// # Errors
    /// [`Code::CopyForeign`] when another copy's folder is there.
    pub(in crate::backup) fn find(wanted: &Path, known: &CopyState) -> Result<Option<Self>> {
        let Some(id) = &known.id else { return Ok(None) };
        if let Some(found) = marker_in(wanted)? {
            if found.copy == *id {
                return Self::at(wanted).map(Some);
            }
            return Err(foreign(wanted, "it is another copy's folder"));
        }
        let Some(mount) = &known.mount else { return Ok(None) };
        let Ok(below) = wanted.strip_prefix(mount) else { return Ok(None) };
        for other in siblings(mount) {
            let folder = other.join(below);
            if marker_in(&folder).ok().flatten().is_some_and(|found| found.copy == *id) {
                return Self::at(&folder).map(Some);
            }
        }
        Ok(None)
    }

    /// Begins a copy, in a folder that is empty or not there yet on a volume that is. `None` when the volume
    /// is not here.
    ///
    /// # Errors
    /// [`Code::CopyForeign`] when the folder holds something else.
    pub(in crate::backup) fn begin(wanted: &Path, repository: &str) -> Result<Option<(Self, CopyState)>> {
        let parent = wanted.parent().unwrap_or(Path::new("/"));
        if !is_mounted(wanted) || !parent.is_dir() {
            return Ok(None);
        }
        let known = |folder: &Path, copy: String| CopyState {
            id: Some(copy),
            mount: mount_of(folder),
            ..CopyState::default()
        };
        if let Some(found) = marker_in(wanted)? {
            if found.repository != repository {
                return Err(foreign(wanted, "it is a copy of other backups"));
            }
            return Ok(Some((Self::at(wanted)?, known(wanted, found.copy))));
        }
        match fs::DirBuilder::new().mode(0o700).create(wanted) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
                return Err(cause).context("make the folder", wanted);
            }
            _ => {}
        }
        let mut entries = fs::read_dir(wanted).context("list", wanted)?;
        let is_other = |name: &str| !name.starts_with('.') && name != "drydock";
        if entries.any(|entry| entry.is_ok_and(|entry| is_other(&entry.file_name().to_string_lossy()))) {
            return Err(foreign(wanted, "it holds files that are not of a copy"));
        }
        let volume = Self::at(wanted)?;
        let marker = Marker { copy: uuid::Uuid::new_v4().to_string(), repository: repository.to_owned() };
        volume.write(MARKER, &sealed::seal(&marker)?)?;
        let state = known(wanted, marker.copy);
        Ok(Some((volume, state)))
    }

    /// A copy's folder whose marker is lost or damaged: its `config` is the one that is known. The marker is
    /// made anew.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(in crate::backup) fn marked_again(
        wanted: &Path,
        marker: &Marker,
        config: &str,
    ) -> Result<Option<Self>> {
        if sealed::digest_of(&wanted.join("config"))?.as_deref() != Some(config) {
            return Ok(None);
        }
        let volume = Self::at(wanted)?;
        volume.write(MARKER, &sealed::seal(marker)?)?;
        // It says nothing about the backups, but a disk that loses files should not do so unnoticed.
        tracing::warn!(folder = %wanted.display(), "the marker of this copy was lost or damaged; it was made anew");
        Ok(Some(volume))
    }

    /// A copy's folder that nobody here knows yet; `None` when there is none. What makes it one is a repository:
    /// its marker may be lost.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub(in crate::backup) fn existing(wanted: &Path) -> Result<Option<Self>> {
        if wanted.join("config").is_file() { Self::at(wanted).map(Some) } else { Ok(None) }
    }

    fn at(folder: &Path) -> Result<Self> {
        let device = fs::metadata(folder).context("look at", folder)?.dev();
        Ok(Self { folder: folder.to_path_buf(), device })
    }

    /// The copy's folder, as it is mounted now.
    pub(in crate::backup) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Fails when the volume is gone, whatever is in its place.
    fn look(&self) -> Result<()> {
        let here = fs::metadata(&self.folder).is_ok_and(|data| data.dev() == self.device);
        let is_copy = || [MARKER, "config"].iter().any(|name| self.folder.join(name).exists());
        if here && is_copy() { Ok(()) } else { Err(absent(&self.folder)) }
    }

    fn make_folder(&self, folder: &Path) -> Result<()> {
        // One level after the other below the copy's own folder, which is never made here.
        let mut path = self.folder.clone();
        for part in folder.components() {
            path.push(part);
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(self.failed("make the folder", &path, &cause));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn put_one(&self, root: &Path, name: &str) -> Result<Option<u64>> {
        self.look()?;
        let (from, target) = (root.join(name), self.folder.join(name));
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        self.make_folder(folder)?;
        let mut file = match File::open(&from) {
            Ok(file) => file,
            // It was pruned since it was listed.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Error::io("read", &from, &cause)),
        };
        let folder = self.folder.join(folder);
        let write = |cause: io::Error| self.failed("write", &target, &cause);
        let staged = Staged::write(&folder, 0o600, &mut file).map_err(write)?;
        if !is_what_it_says(name, &staged.mark().sha256.to_string()) {
            return Err(damaged_source(name));
        }
        disk::rename(staged.path(), &target).map_err(write)?;
        Ok(Some(staged.mark().len))
    }

    /// The volume's own fault is told as what it is.
    fn failed(&self, doing: &str, path: &Path, cause: &io::Error) -> Error {
        match self.look() {
            Err(gone) => gone.why(cause),
            Ok(()) => Error::io(doing, path, cause),
        }
    }
}

impl Place for Volume {
    fn sweep(&self) {
        if self.look().is_ok() {
            sweep(&self.folder);
        }
    }

    fn name(&self) -> String {
        self.folder.display().to_string()
    }

    fn list(&self) -> Result<BTreeMap<String, u64>> {
        self.look()?;
        repository_files(&self.folder)
    }

    fn put(&self, root: &Path, names: &[String], progress: &ProgressSink) -> Result<()> {
        let size = |name: &String| fs::metadata(root.join(name)).map_or(0, |data| data.len());
        let total = names.iter().map(size).sum();
        let mut done = 0;
        let mut folders = BTreeSet::new();
        for name in names {
            progress.go_on()?;
            if let Some(bytes) = self.put_one(root, name)? {
                done += bytes;
                folders.insert(self.folder.join(name).parent().unwrap_or(&self.folder).to_path_buf());
            }
            let what = "copying to the external copy".to_owned();
            progress.report(Progress::Bytes { what, done, total: Some(total) });
        }
        for folder in folders {
            disk::sync_folder(&folder).map_err(|cause| self.failed("flush", &folder, &cause))?;
        }
        Ok(())
    }

    fn remove(&self, names: &[String]) -> Result<()> {
        for name in names {
            self.look()?;
            let path = self.folder.join(name);
            match disk::remove_file(&path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(self.failed("remove", &path, &cause));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.look()?;
        let path = self.folder.join(name);
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(self.failed("read", &path, &cause)),
        }
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        self.make_folder(folder)?;
        let folder = self.folder.join(folder);
        Staged::write(&folder, 0o600, &mut &content[..])
            .and_then(|staged| disk::rename(staged.path(), &path))
            .and_then(|()| disk::sync_folder(&folder))
            .map_err(|cause| Error::io("write", &path, &cause))
    }

    fn fetch(&self, names: &[String], to: &Path, progress: &ProgressSink) -> Result<()> {
        let total = names.len() as u64;
        for (done, name) in names.iter().enumerate() {
            self.look()?;
            let (from, target) = (self.folder.join(name), to.join(name));
            let folder = target.parent().unwrap_or(to);
            crate::paths::create_private_dir(folder)?;
            let mut file = match File::open(&from) {
                Ok(file) => file,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                Err(cause) => return Err(self.failed("read", &from, &cause)),
            };
            let staged = Staged::write(folder, 0o600, &mut file).context("write", &target)?;
            disk::rename(staged.path(), &target)
                .and_then(|()| disk::sync_folder(folder))
                .context("write", &target)?;
            let what = "fetching from the external copy".to_owned();
            progress.report(Progress::Count { what, done: done as u64 + 1, total: Some(total) });
        }
        Ok(())
    }

    fn damaged(&self, _root: &Path, names: &[String], progress: &ProgressSink) -> Result<Vec<String>> {
        self.look()?;
        misnamed(&self.folder, names, "reading the external copy", progress)
    }
}

pub(super) fn damaged_source(name: &str) -> Error {
    Error::new(Code::BackupDamaged, format!("{name} in the local copy is damaged"))
        .why("it is not what its name says; it was not copied any further")
        .remedy("drydock backup verify --heal")
}

fn foreign(folder: &Path, why: &str) -> Error {
    Error::new(Code::CopyForeign, format!("{} cannot be the external copy", folder.display()))
        .why(why)
        .remedy("drydock settings set backup.external.path FOLDER, an empty one on that volume")
}

fn absent(folder: &Path) -> Error {
    Error::new(Code::CopyAbsent, "the volume of the external copy is not there")
        .why(format!("{} is not the folder that it was", folder.display()))
        .remedy("plug it in; the copy then catches up by itself")
}

fn marker_in(folder: &Path) -> Result<Option<Marker>> {
    sealed::read(&folder.join(MARKER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unplugged_volume_is_not_made_anew_on_the_disk_inside() {
        let dir = tempfile::tempdir().unwrap();
        let mount = dir.path().join("disk");
        fs::create_dir(&mount).unwrap();
        let wanted = mount.join("claude-backups");
        let (volume, mut known) = Volume::begin(&wanted, "r").unwrap().unwrap();
        // As if it were a mount point: tests cannot mount everywhere.
        known.mount = Some(mount.clone());
        fs::rename(&mount, dir.path().join("disk 1")).unwrap();
        let error = volume.put(dir.path(), &["config".into()], &ProgressSink::none()).unwrap_err();
        assert_eq!(error.code(), Code::CopyAbsent);
        assert!(!mount.exists());
        // Under its other name it is found.
        let found = Volume::find(&wanted, &known).unwrap().unwrap();
        assert_eq!(found.folder(), dir.path().join("disk 1/claude-backups"));
        fs::create_dir_all(&wanted).unwrap();
        assert!(Volume::find(&wanted, &known).unwrap().is_some_and(|found| found.folder() != wanted));
    }

    #[test]
    fn a_folder_of_something_else_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = dir.path().join("photos");
        fs::create_dir(&wanted).unwrap();
        fs::write(wanted.join("summer.jpg"), "x").unwrap();
        assert_eq!(Volume::begin(&wanted, "r").unwrap_err().code(), Code::CopyForeign);
        assert_eq!(fs::read_dir(&wanted).unwrap().count(), 1);
        let empty = dir.path().join("empty");
        Volume::begin(&empty, "r").unwrap().unwrap();
        assert_eq!(Volume::begin(&empty, "another").unwrap_err().code(), Code::CopyForeign);
        assert!(Volume::begin(&dir.path().join("no/such/volume"), "r").unwrap().is_none());
    }
}
