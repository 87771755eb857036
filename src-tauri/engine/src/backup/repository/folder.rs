//! The repository's files in a folder, in restic's layout.
//!
//! `rustic_backend` has such a backend as well; this one flushes folders too, so that a pack is on the disk
//! before the index that names it, takes file systems that cannot flush, makes files for their owner only,
//! reads nothing that is not what its name says, and records each removal before it happens (decision 14).
//!
//! Source of the layout: restic's design, "Repository Layout" (<https://restic.readthedocs.io>).

use super::packs::OpenPacks;
use crate::{
    backup::ledger::{Event, Ledger},
    container::hex,
};
use bytes::Bytes;
use chrono::Utc;
use drydock_inside::{Staged, disk};
use rustic_core::{
    ALL_FILE_TYPES, BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// A repository's folder.
#[derive(Debug)]
pub(in crate::backup) struct Folder {
    root: PathBuf,
    /// Where removals are recorded; `None` where nothing may be removed.
    ledger: Option<Mutex<Ledger>>,
    packs: OpenPacks,
}

impl Folder {
    /// A folder that nothing is removed from.
    pub(in crate::backup) fn kept(root: &Path) -> Self {
        Self { root: root.to_path_buf(), ledger: None, packs: OpenPacks::default() }
    }

    /// A folder that files may be removed from; the caller holds its lock alone.
    pub(in crate::backup) fn pruned(root: &Path, ledger: Ledger) -> Self {
        Self { root: root.to_path_buf(), ledger: Some(Mutex::new(ledger)), packs: OpenPacks::default() }
    }

    fn path(&self, kind: FileType, id: &Id) -> PathBuf {
        self.root.join(name_of(kind, id))
    }
}

/// The name of a file below its repository.
pub(in crate::backup) fn name_of(kind: FileType, id: &Id) -> String {
    let hex = id.to_hex();
    match kind {
        FileType::Config => "config".to_owned(),
        FileType::Pack => format!("data/{}/{}", &hex[..2], hex.as_str()),
        kind => format!("{}/{}", kind.dirname(), hex.as_str()),
    }
}

fn failed(doing: &str, path: &Path, cause: io::Error) -> Box<RusticError> {
    RusticError::with_source(ErrorKind::Backend, format!("could not {doing} `{{path}}`"), cause)
        .attach_context("path", path.display().to_string())
}

impl ReadBackend for Folder {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let size = |path: &Path| -> RusticResult<Option<u32>> {
            match fs::metadata(path) {
                Ok(data) if data.is_file() => Ok(Some(u32::try_from(data.len()).unwrap_or(u32::MAX))),
                Ok(_) => Ok(None),
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(cause) => Err(failed("look at", path, cause)),
            }
        };
        if kind == FileType::Config {
            return Ok(size(&self.root.join("config"))?
                .map(|size| (Id::default(), size))
                .into_iter()
                .collect());
        }
        let mut found = Vec::new();
        let mut folders = vec![self.root.join(kind.dirname())];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                Err(cause) => return Err(failed("list", &folder, cause)),
            };
            for entry in entries {
                let entry = entry.map_err(|cause| failed("list", &folder, cause))?;
                let name = entry.file_name();
                if kind == FileType::Pack && name.len() == 2 {
                    folders.push(entry.path());
                } else if let Some(id) = name.to_str().and_then(|name| Id::parse_some(name, kind))
                    && let Some(size) = size(&entry.path())?
                {
                    found.push((id, size));
                }
            }
        }
        Ok(found)
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        let path = self.path(kind, id);
        let content = fs::read(&path).map_err(|cause| failed("read", &path, cause))?;
        if kind != FileType::Config && hex(&Sha256::digest(&content)) != id.to_hex().as_str() {
            return Err(RusticError::new(
                ErrorKind::Backend,
                "`{path}` is damaged: it is not what its name says",
            )
            .attach_context("path", path.display().to_string()));
        }
        Ok(content.into())
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let path = self.path(kind, id);
        let mut content = vec![0; length as usize];
        let file = match kind {
            FileType::Pack => self.packs.get(id, &path),
            _ => File::open(&path).map(Arc::new),
        };
        file.and_then(|file| file.read_exact_at(&mut content, offset.into()))
            .map_err(|cause| failed("read", &path, cause))?;
        Ok(content.into())
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.path(kind, id).display().to_string()
    }
}

impl WriteBackend for Folder {
    fn create(&self) -> RusticResult<()> {
        for kind in ALL_FILE_TYPES {
            let folder = self.root.join(kind.dirname());
            disk::create_folder(&folder).map_err(|cause| failed("make", &folder, cause))?;
        }
        // All of them, as restic makes them: none is made while data is written.
        for number in 0..=u8::MAX {
            let folder = self.root.join("data").join(format!("{number:02x}"));
            disk::create_folder(&folder).map_err(|cause| failed("make", &folder, cause))?;
        }
        Ok(())
    }

    fn write_bytes(&self, kind: FileType, id: &Id, _: bool, content: BytesList) -> RusticResult<()> {
        let path = self.path(kind, id);
        let folder = path.parent().unwrap_or(&self.root);
        let write = || -> io::Result<()> {
            if kind == FileType::Pack && !folder.exists() {
                // Only below the repository: one that is not there any more is not made anew.
                for level in [self.root.join("data").as_path(), folder] {
                    match fs::create_dir(level) {
                        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(cause),
                        _ => {}
                    }
                }
            }
            let staged = Staged::write(folder, 0o600, &mut content.reader())?;
            disk::rename(staged.path(), &path)?;
            disk::sync_folder(folder)
        };
        write().map_err(|cause| failed("write", &path, cause))
    }

    fn remove(&self, kind: FileType, id: &Id, _: bool) -> RusticResult<()> {
        let path = self.path(kind, id);
        let Some(ledger) = &self.ledger else {
            return Err(RusticError::new(
                ErrorKind::Internal,
                "nothing may be removed from this repository now",
            ));
        };
        let mut ledger = ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ledger
            .add(&Ledger::file(&self.root), Utc::now(), vec![Event::Removed { file: name_of(kind, id) }])
            .map_err(|cause| failed("record the removal of", &path, io::Error::other(cause.to_string())))?;
        match disk::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path, cause)),
            _ => Ok(()),
        }
    }
}
