//! The login that Drydock keeps for sessions: they sign in inside, and share it.

use crate::{
    error_handling::{Code, Error, Result},
    keychain::{
        Credentials, Secret, Sensitive, Vault,
        stores::{CredentialStore, Found, StoreKind, Written},
    },
    paths::Locations,
};

/// The login in Drydock's own vault. Who writes it holds the authority's lock.
#[derive(Debug, Clone)]
pub(in crate::keychain) struct OwnLogin {
    vault: Vault,
}

impl OwnLogin {
    pub(in crate::keychain) fn of(locations: &Locations) -> Self {
        Self { vault: Vault::of(locations) }
    }
}

impl CredentialStore for OwnLogin {
    fn kind(&self) -> StoreKind {
        StoreKind::Own
    }

    fn read(&self) -> Result<Found> {
        let Some((text, _)) = self.vault.read(&Secret::OwnLogin)? else { return Ok(Found::Nothing) };
        Credentials::parse(text.reveal().as_bytes()).map(Found::Login).map_err(|fault| {
            Error::new(Code::ConfigDamaged, "the login that Drydock keeps for sessions is damaged")
                .why(fault)
                .remedy("forget it, then sign in inside a session: drydock credentials forget own")
        })
    }

    fn replace(&self, expected: Option<&Credentials>, login: &Credentials) -> Result<Written> {
        if self.read()?.login().as_ref() != expected {
            return Ok(Written::Changed);
        }
        let text = String::from_utf8_lossy(login.text().reveal()).into_owned();
        self.vault.write(&Secret::OwnLogin, &Sensitive::new(text))?;
        Ok(Written::Done)
    }

    fn remove(&self) -> Result<()> {
        self.vault.remove(&Secret::OwnLogin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::stores::{login_dir, tidy_login_dir};
    use std::fs;

    fn home() -> (tempfile::TempDir, Locations) {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        (home, locations)
    }

    #[test]
    fn what_an_ended_writer_left_is_removed_and_nothing_else() {
        let (_home, locations) = home();
        let dir = login_dir(&locations);
        fs::create_dir_all(&dir).unwrap();
        for name in [".drydock-0123.tmp", "login.json", "lock"] {
            fs::write(dir.join(name), "FAKE").unwrap();
        }
        tidy_login_dir(&locations).unwrap();
        let mut left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["lock", "login.json"]);
    }
}
