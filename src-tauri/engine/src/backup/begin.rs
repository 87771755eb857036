//! The local copy's repository: found, begun, or explained.

use super::{
    Backups,
    key::{RecoveryCode, RepositoryKey},
    ledger::{Event, Ledger},
    lock::Lock,
    repository::{
        order::{Order, Unlocked, Work},
        run,
    },
    sealed,
    state::State,
};
use crate::{
    container::hex,
    error_handling::{Code, Error, IoContext, Result},
    keychain::Sensitive,
    paths::create_private_dir,
    progress::ProgressSink,
};
use chrono::Utc;
use sha2::{Digest, Sha256};
use std::{fs, path::Path};

/// What stands in the local copy's folder for whoever finds it without Drydock.
const READ_ME: &str = "\
These are backups of Claude Code's data, made by Drydock. They are a repository of the restic program's format.

To restore them without Drydock, on any computer, you need the recovery sheet and the program restic
(https://restic.net). In this folder:

    restic -r . snapshots
    restic -r . restore latest --target RESTORED

The password is the code on the recovery sheet. Do not run \"restic prune\" or \"restic forget\" here.
";

impl Backups {
    /// The key of the local copy's repository, which is begun if there is none yet. Blocking.
    ///
    /// # Errors
    /// [`Code::BackupKey`] when there is a repository and no key for it; [`Code::BackupNone`] when there is a
    /// key and its repository is gone; and as the keyring.
    pub(super) fn opened(&self) -> Result<RepositoryKey> {
        match (RepositoryKey::load(&self.locations)?, self.is_begun()) {
            (Some(key), true) if key.master.is_some() && self.is_written_down() => Ok(key),
            (Some(key), true) => self.unlocked(key.code),
            (Some(key), false) if key.master.is_some() && self.has_other_copies()? => Err(self.gone()),
            (key, false) => self.begin(key.map(|key| key.code)),
            (None, true) => Err(no_key(&self.root)),
        }
    }

    /// The key, where nothing may be begun.
    pub(super) fn existing(&self) -> Result<RepositoryKey> {
        match (RepositoryKey::load(&self.locations)?, self.is_begun()) {
            (Some(key), true) if key.master.is_some() => Ok(key),
            (Some(key), true) => self.unlocked(key.code),
            (Some(key), false) if key.master.is_some() && self.remembered().state.repository.is_some() => {
                Err(self.gone())
            }
            (None, true) => Err(no_key(&self.root)),
            (_, false) => {
                Err(Error::new(Code::BackupNone, "there is no backup yet").remedy("drydock backup now"))
            }
        }
    }

    fn is_begun(&self) -> bool {
        self.root.join("config").exists()
    }

    /// Whether the last step of a beginning was done.
    fn is_written_down(&self) -> bool {
        self.remembered().state.repository.is_some()
    }

    /// Whether the lost repository may still be in another copy.
    fn has_other_copies(&self) -> Result<bool> {
        let state = self.remembered().state;
        Ok(state.copies.values().any(|copy| copy.newest.is_some() && copy.id.is_some()))
    }

    fn gone(&self) -> Error {
        Error::new(Code::BackupNone, format!("the local copy is not in {} any more", self.root.display()))
            .why("its key is still here, and another copy may still hold the backups")
            .remedy("drydock backup verify --heal, with the other volume plugged in")
            .remedy("drydock backup copies forget external (and cloud), to begin anew without them")
    }

    fn begin(&self, code: Option<RecoveryCode>) -> Result<RepositoryKey> {
        let _lock = Lock::alone(&self.root)?;
        if self.is_begun() {
            // Another process was quicker.
            return self.existing();
        }
        self.refuse_remains()?;
        let code = code.map_or_else(RecoveryCode::random, Ok)?;
        let half = RepositoryKey { master: None, code: code.clone() };
        // First, so that there is never a repository that nothing opens.
        half.keep(&self.locations)?;
        create_private_dir(&self.root)?;
        remove_keys(&self.root)?;
        let work = Work::Begin { code: code.reveal().to_owned() };
        let order = Order { root: self.root.clone(), master: None, work };
        let unlocked: Unlocked = run(&order, &ProgressSink::none())?;
        let key = RepositoryKey { master: Some(Sensitive::new(unlocked.master)), code };
        key.keep(&self.locations)?;
        self.write_down(&unlocked.repository)?;
        Ok(key)
    }

    /// Takes over a repository that its recovery code opens.
    pub(super) fn unlocked(&self, code: RecoveryCode) -> Result<RepositoryKey> {
        let work = Work::Unlock { code: code.reveal().to_owned() };
        let order = Order { root: self.root.clone(), master: None, work };
        let unlocked: Unlocked = run(&order, &ProgressSink::none())?;
        let key = RepositoryKey { master: Some(Sensitive::new(unlocked.master)), code };
        key.keep(&self.locations)?;
        self.write_down(&unlocked.repository)?;
        Ok(key)
    }

    /// Says in the ledger and in the state which repository this is.
    fn write_down(&self, repository: &str) -> Result<()> {
        let path = self.root.join("config");
        let config = fs::read(&path).context("read", &path)?;
        let read_me = self.root.join("README.txt");
        fs::write(&read_me, READ_ME).context("write", &read_me)?;
        let marker = self.root.join(super::copies::MARKER);
        let known = super::copies::Marker { copy: "local".to_owned(), repository: repository.to_owned() };
        sealed::write(&marker, &known)?;
        // Last: what the ledger has is taken to be written down.
        let file = Ledger::file(&self.root);
        let mut ledger = Ledger::read(&file)?;
        if ledger.repository.as_deref() != Some(repository) {
            let _ledger = Lock::ledger(&self.root)?;
            let event =
                Event::Begun { repository: repository.to_owned(), config: hex(&Sha256::digest(&config)) };
            ledger.add(&file, Utc::now(), vec![event])?;
        }
        self.remember(|state| {
            if state.repository.as_deref() != Some(repository) {
                *state =
                    State { sheet_saved: state.sheet_saved, jobs: state.jobs.clone(), ..State::default() };
            }
            state.repository = Some(repository.to_owned());
            state.config = Some(config);
            state.head = ledger.head.clone();
        })
    }

    /// A repository that lost its `config` is damaged, and none to be begun over.
    fn refuse_remains(&self) -> Result<()> {
        let has_files = |folder: &str| {
            walkdir::WalkDir::new(self.root.join(folder))
                .into_iter()
                .flatten()
                .any(|entry| entry.file_type().is_file())
        };
        if ["data", "snapshots", "index"].into_iter().any(has_files) {
            return Err(Error::new(
                Code::BackupDamaged,
                format!("the backups in {} are damaged", self.root.display()),
            )
            .why("the file `config` is missing, and the data is still there")
            .remedy("drydock backup verify --heal"));
        }
        Ok(())
    }
}

fn no_key(root: &Path) -> Error {
    Error::new(Code::BackupKey, format!("there is no key for the backups in {}", root.display()))
        .why("the keyring of this computer does not hold it")
        .remedy("drydock backup key import, with the code of your recovery sheet")
}

/// Key files of a beginning that was ended in the middle open nothing.
fn remove_keys(root: &Path) -> Result<()> {
    let keys = root.join("keys");
    match fs::remove_dir_all(&keys) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", &keys, &cause)),
        _ => Ok(()),
    }
}
