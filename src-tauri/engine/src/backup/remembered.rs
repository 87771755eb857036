//! What is remembered of the backups, and what of it can be told anew when it is damaged or lost.

use super::{
    Backups,
    ledger::Ledger,
    snapshot::CopyName,
    state::{CopyState, State},
};
use crate::{
    container::hex,
    error_handling::{Code, Error, Result},
};
use sha2::{Digest, Sha256};
use std::fs;

/// The state as it is known, and what is wrong with its file.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    pub(super) state: State,
    pub(super) damage: Option<String>,
}

impl Backups {
    /// What is remembered; what cannot be read is told by the ledger as far as it goes.
    pub(super) fn remembered(&self) -> Remembered {
        let damage = match State::read(&self.locations) {
            Ok(Some(state)) => return Remembered { state, damage: None },
            Ok(None) => "it is missing".to_owned(),
            Err(error) => error.message().to_owned(),
        };
        let state = self.told_anew();
        // Nothing is missing where nothing was begun.
        let damage = (state.repository.is_some() || damage != "it is missing").then_some(damage);
        Remembered { state, damage }
    }

    /// Changes what is remembered.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn remember<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T> {
        State::change(&self.locations, || self.told_anew(), change)
    }

    /// What the ledger and the copy itself tell.
    fn told_anew(&self) -> State {
        let ledger = Ledger::read(&Ledger::file(&self.root)).unwrap_or_default();
        let config = fs::read(self.root.join("config")).ok();
        let config = config.filter(|config| ledger.config.as_ref() == Some(&hex(&Sha256::digest(config))));
        let newest = ledger.newest().and_then(|id| Some((id.clone(), ledger.snapshots.get(id)?.made)));
        let mut state = State {
            repository: ledger.repository.clone(),
            config,
            head: ledger.head.clone(),
            saved_as_of: newest.as_ref().map(|(_, at)| *at),
            ..State::default()
        };
        if newest.is_some() {
            state.copies.insert(CopyName::Local, CopyState { newest, ..CopyState::default() });
        }
        state
    }

    /// The ledger, if it is what was written last.
    ///
    /// # Errors
    /// [`Code::BackupDamaged`] when it is damaged or its end is missing: nothing may be added to it then.
    pub(super) fn sound_ledger(&self) -> Result<Ledger> {
        let file = Ledger::file(&self.root);
        let ledger = Ledger::read(&file)?;
        if ledger.has(&self.remembered().state.head) {
            return Ok(ledger);
        }
        Err(Error::new(Code::BackupDamaged, format!("the ledger {} is damaged", file.display()))
            .why("records at its end are missing")
            .remedy("drydock backup verify --heal"))
    }
}
