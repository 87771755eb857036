//! A session's home, in which every name is a stranger's: what stands there is opened through the
//! folders themselves, so that no link that the session puts in the way leads anywhere else, before the
//! look or after it.

use crate::disk;
use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat, openat2},
    io::Errno,
};
use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Component, Path, PathBuf},
};

/// The folder below which everything is.
#[derive(Debug)]
pub(crate) struct Root {
    dir: File,
    path: PathBuf,
}

/// A folder below the root that is held open: paths below it stay in it, whatever its name stands for
/// by now.
#[derive(Debug)]
pub(crate) struct Folder {
    /// What the path goes through.
    dir: File,
}

impl Folder {
    /// A path to the folder itself.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.dir.as_raw_fd()))
    }
}

/// Whether folders that are not there are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Make,
    Fail,
}

impl Root {
    pub(crate) fn open_at(path: &Path) -> io::Result<Self> {
        Ok(Self { dir: File::open(path)?, path: path.to_path_buf() })
    }

    /// The root's own path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a plain file. Links are followed nowhere, and a pipe does not block.
    pub(crate) fn open(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let file = File::from(openat2(&self.dir, name, flags, Mode::empty(), resolve)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(refused("it is no plain file")) }
    }

    /// The folder with these names, one in the other.
    pub(crate) fn folder(&self, names: &[&str], missing: Missing) -> io::Result<Folder> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut folder = Folder { dir: File::from(openat(&self.dir, ".", flags, Mode::empty())?) };
        for name in names {
            let open = || openat(&folder.dir, *name, flags, Mode::empty());
            let next = match open() {
                Err(Errno::NOENT) if missing == Missing::Make => {
                    disk::create_folder(&folder.path().join(name))?;
                    open()
                }
                opened => opened,
            };
            folder = Folder {
                dir: match next {
                    Ok(dir) => File::from(dir),
                    Err(Errno::LOOP | Errno::NOTDIR) => return Err(refused("no folder is in the way to it")),
                    Err(cause) => return Err(cause.into()),
                },
            };
        }
        Ok(folder)
    }

    /// A name's folder, and its path through it.
    pub(crate) fn target(&self, name: &str, missing: Missing) -> io::Result<(Folder, PathBuf)> {
        let parts = components(name)?;
        let (last, folders) = parts.split_last().ok_or_else(|| refused("it has no name"))?;
        let folder = self.folder(folders, missing)?;
        let path = folder.path().join(last);
        Ok((folder, path))
    }
}

/// The parts of a name below the root.
pub(crate) fn components(name: &str) -> io::Result<Vec<&str>> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let parts: Vec<_> = name.split('/').collect();
    if !plain || name.contains('\0') || parts.iter().any(|part| matches!(*part, "" | ".")) {
        return Err(refused("it is not a name below the root"));
    }
    Ok(parts)
}

pub(crate) fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
