//! The pair of keyring items `claude.ai` (access token) and `claude.ai.refresh` (refresh token).
//!
//! It is a copy for scripts that expect it there. Nobody renews it, so it is the last to be asked, and
//! its refresh token may long have been used.

use super::{CredentialStore, Found, StoreKind, Written, vault::with_entry};
use crate::{
    error_handling::{Code, Error, Result},
    keychain::{Credentials, Sensitive},
    paths::Locations,
};

/// The pair of the user's keyring.
#[derive(Debug, Clone)]
pub(in crate::keychain) struct Pair {
    account: String,
    own_home: bool,
}

impl Pair {
    /// The pair of this home's user.
    #[must_use]
    pub(in crate::keychain) fn of(locations: &Locations) -> Self {
        let account = super::claude_item::account(std::env::var("USER").ok());
        Self { account, own_home: locations.own_home }
    }

    fn read_one(&self, service: &str) -> Result<Option<Sensitive<String>>> {
        with_entry(service, &self.account, |entry| match entry.get_password() {
            Ok(token) => Ok(Some(Sensitive::new(token))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(cause) => Err(cause),
        })
    }

    fn write_one(&self, service: &str, token: Sensitive<String>) -> Result<()> {
        with_entry(service, &self.account, move |entry| entry.set_password(token.reveal()))
    }
}

const NOT_OURS: &str = "the keyring belongs to your own home, and another one was given";
const ACCESS: &str = "claude.ai";
const REFRESH: &str = "claude.ai.refresh";

impl CredentialStore for Pair {
    fn kind(&self) -> StoreKind {
        StoreKind::Pair
    }

    fn read(&self) -> Result<Found> {
        if !self.own_home {
            return Ok(Found::Skipped(NOT_OURS.into()));
        }
        let both = self.read_one(ACCESS).and_then(|access| Ok(access.zip(self.read_one(REFRESH)?)));
        match both {
            Ok(Some((access, refresh))) => {
                Ok(Found::Login(Credentials::of_pair(access.reveal(), refresh.reveal())))
            }
            Ok(None) => Ok(Found::Nothing),
            Err(error) if error.code() == Code::KeyringNone => Ok(Found::Skipped(error.message().to_owned())),
            Err(error) => Err(error),
        }
    }

    fn replace(&self, expected: Option<&Credentials>, login: &Credentials) -> Result<Written> {
        let there = match self.read()? {
            Found::Skipped(why) => return Ok(Written::Skipped(why)),
            found => found.login(),
        };
        let prints =
            |login: Option<&Credentials>| login.map(|login| (login.access_print(), login.refresh_print()));
        if prints(there.as_ref()) != prints(expected) {
            return Ok(Written::Changed);
        }
        let Some((access, refresh)) = login.tokens() else {
            return Ok(Written::Skipped("a login without both tokens is no pair".into()));
        };
        // The refresh token first: a pair of a new access token and an old refresh token would be dead.
        self.write_one(REFRESH, refresh)?;
        self.write_one(ACCESS, access)?;
        Ok(Written::Done)
    }

    fn remove(&self) -> Result<()> {
        if !self.own_home {
            return Err(Error::new(Code::KeyringNone, "the pair was not removed")
                .why(NOT_OURS)
                .remedy("drydock credentials forget pair   (without --home)"));
        }
        for service in [ACCESS, REFRESH] {
            with_entry(service, &self.account, |entry| match entry.delete_credential() {
                Err(keyring::Error::NoEntry) => Ok(()),
                removed => removed,
            })?;
        }
        Ok(())
    }
}
