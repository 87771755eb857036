//! Opening the repository, and its faults in Drydock's words.

use super::folder::Folder;
use crate::{
    backup::ledger::Ledger,
    error_handling::{Code, Error, Result},
    keychain::Sensitive,
};
use bytesize::ByteSize;
use rustic_core::{
    ConfigOptions, Credentials, IndexedFullStatus, IndexedIdsStatus, KeyOptions, OpenStatus, ProgressBars,
    Repository, RepositoryBackends, RepositoryOptions, RusticError, RusticResult,
    repofile::{ConfigFile, MasterKey},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

pub(super) type Opened = Repository<OpenStatus>;
/// With an index that knows which content is there.
pub(super) type Ids = Repository<IndexedIdsStatus>;
/// With an index that knows where each content is.
pub(super) type Full = Repository<IndexedFullStatus>;

/// Where the repository is and what opens it.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) root: PathBuf,
    pub(super) master: Sensitive<String>,
}

impl Way {
    /// Opens the repository; nothing can be removed from it.
    pub(super) fn open(&self, progress: impl ProgressBars) -> Result<Opened> {
        self.open_folder(Folder::kept(&self.root), progress)
    }

    /// Opens the repository to remove files from it. The caller holds its lock alone.
    pub(super) fn open_to_prune(&self, progress: impl ProgressBars) -> Result<Opened> {
        let ledger = Ledger::read(&Ledger::file(&self.root))?;
        self.open_folder(Folder::pruned(&self.root, ledger), progress)
    }

    fn open_folder(&self, folder: Folder, progress: impl ProgressBars) -> Result<Opened> {
        let master: MasterKey = serde_json::from_str(self.master.reveal())
            .map_err(|_| Error::new(Code::BackupKey, "the key of the backups is not one"))?;
        if !self.root.join("config").exists() {
            return Err(Error::new(
                Code::BackupDamaged,
                format!("there is no repository in {}", self.root.display()),
            )
            .why("its file `config` is not there")
            .remedy("drydock backup verify --heal"));
        }
        repository(folder, progress)
            .and_then(|repository| repository.open(&Credentials::Masterkey(master)))
            .map_err(|cause| failed("the repository of the backups could not be opened", &cause))
    }
}

fn repository(folder: Folder, progress: impl ProgressBars) -> RusticResult<Repository<()>> {
    // A cache could only hide that a file is damaged: everything is on a disk here.
    let options = RepositoryOptions::default().no_cache(true);
    Repository::new_with_progress(&options, &RepositoryBackends::new(Arc::new(folder), None), progress)
}

/// Begins a repository whose key file is opened by `code`. Gives back the master key, and the repository's id.
pub(super) fn begin(root: &Path, code: &str) -> Result<(Sensitive<String>, String)> {
    // Small packs: a restore holds some in memory, and a cloud takes what changed.
    let config = ConfigOptions::default()
        .set_datapack_size(ByteSize::mib(8))
        .set_datapack_size_limit(ByteSize::mib(8));
    // The key file comes first and `config`, which makes it a repository, last.
    let opened = repository(Folder::kept(root), rustic_core::NoProgressBars)
        .and_then(|made| made.init(&Credentials::password(code), &key_options(), &config))
        .map_err(|cause| failed("the repository of the backups could not be begun", &cause))?;
    let master = serde_json::to_string(&opened.key())
        .map_err(|cause| Error::new(Code::Internal, "a key could not be written down").why(cause))?;
    Ok((Sensitive::new(master), id_of(opened.config())))
}

/// The master key and the id of a repository that `code` opens.
pub(super) fn unlock(root: &Path, code: &str) -> Result<(Sensitive<String>, String)> {
    let opened = repository(Folder::kept(root), rustic_core::NoProgressBars)
        .and_then(|repository| repository.open(&Credentials::password(code)))
        .map_err(|cause| {
            if cause.is_incorrect_password() {
                Error::new(Code::BackupKey, "this code does not open the backups")
                    .why("no key of the repository is for it")
                    .remedy("type it again, from the sheet of these very backups")
            } else {
                failed("the repository of the backups could not be opened", &cause)
            }
        })?;
    let master = serde_json::to_string(&opened.key())
        .map_err(|cause| Error::new(Code::Internal, "a key could not be written down").why(cause))?;
    Ok((Sensitive::new(master), id_of(opened.config())))
}

/// Puts a key file for `code` into a repository that has lost its own.
pub(super) fn add_key(way: &Way, code: &str) -> Result<()> {
    way.open(rustic_core::NoProgressBars)?
        .add_key(code, &key_options())
        .map(drop)
        .map_err(|cause| failed("the recovery code could not be put into the repository", &cause))
}

fn key_options() -> KeyOptions {
    KeyOptions::default()
        .hostname("drydock".to_owned())
        .username("recovery sheet".to_owned())
        .with_created(true)
}

fn id_of(config: &ConfigFile) -> String {
    config.id.to_hex().as_str().to_owned()
}

/// An error of the library's as one of the catalogue's.
pub(super) fn failed(message: &str, cause: &RusticError) -> Error {
    let text = cause.display_log();
    let is_full = text.contains("os error 28") || text.contains("os error 122");
    let is_refused = ["os error 1)", "os error 13)", "os error 30)"].iter().any(|sign| text.contains(sign));
    let error = if is_refused {
        Error::new(Code::FileAccess, message)
            .remedy("make the folder of the backups writable for you, or choose another: drydock settings set backup.local.path FOLDER")
    } else if is_full {
        Error::new(Code::DiskFull, message).remedy("free space on that disk and run the command again")
    } else {
        Error::new(Code::BackupRepository, message).remedy("drydock backup verify")
    };
    error.why(text.trim())
}

/// The repository once more, opened when somebody needs a content out of it.
pub(super) struct LaterFull {
    way: Way,
    opened: Mutex<Option<Arc<Full>>>,
}

impl LaterFull {
    pub(super) fn of(way: &Way) -> Arc<Self> {
        Arc::new(Self { way: way.clone(), opened: Mutex::new(None) })
    }

    pub(super) fn get(&self) -> RusticResult<Arc<Full>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full) = &*opened {
            return Ok(full.clone());
        }
        let full = self
            .way
            .open(rustic_core::NoProgressBars)
            .map_err(|cause| RusticError::new(rustic_core::ErrorKind::Repository, cause.to_string()))?
            .to_indexed()?;
        Ok(opened.insert(Arc::new(full)).clone())
    }
}
