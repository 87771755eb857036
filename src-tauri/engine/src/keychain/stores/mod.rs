//! Where logins are kept, each behind the same trait.
//!
//! Claude Code's own rule decides among its two: what the Keychain has wins, and where it has nothing the
//! file is read. The pair `claude.ai`, `claude.ai.refresh` is asked last: it is a copy that nobody renews.

mod claude_item;
mod file;
mod host;
mod pair;
mod security;
mod vault;

pub(super) use claude_item::ClaudeKeychain;
pub(super) use file::CredentialsFile;
pub use host::{Asked, HostLogin, HostStores};
pub(super) use pair::Pair;
pub use vault::{Place, Secret, Vault};
pub(super) use vault::{login_dir, tidy_login_dir};

use super::Credentials;
use crate::error_handling::Result;
use serde::Serialize;

/// A kind of place where a login can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// Claude Code's item in the macOS Keychain.
    Keychain,
    /// `.credentials.json` in Claude Code's folder.
    File,
    /// The items `claude.ai` and `claude.ai.refresh` of the system's keyring.
    Pair,
    /// Drydock's own: the login that sessions share.
    Own,
}

impl StoreKind {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keychain => "Claude Code's Keychain item",
            Self::File => "Claude Code's file .credentials.json",
            Self::Pair => "the keyring items claude.ai and claude.ai.refresh",
            Self::Own => "the login that Drydock keeps for sessions",
        }
    }
}

/// What a store answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A login.
    Login(Credentials),
    /// The store is there and has none.
    Nothing,
    /// The store cannot be asked here, and why.
    Skipped(String),
}

impl Found {
    /// The login, if there is one.
    #[must_use]
    pub fn login(self) -> Option<Credentials> {
        match self {
            Self::Login(login) => Some(login),
            Self::Nothing | Self::Skipped(_) => None,
        }
    }
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Written {
    /// The store has the new login.
    Done,
    /// The store had another one than expected: nothing was written.
    Changed,
    /// The store cannot be written here, and why.
    Skipped(String),
}

/// A place where a login is kept. All its methods block.
pub trait CredentialStore {
    /// Which kind of place it is.
    fn kind(&self) -> StoreKind;

    /// The login in it.
    ///
    /// # Errors
    /// When the store is locked, refuses, or holds something that is no login.
    fn read(&self) -> Result<Found>;

    /// Puts a login in the place of the one that is expected there.
    ///
    /// # Errors
    /// When the store is locked or refuses: the old login is then still there.
    fn replace(&self, expected: Option<&Credentials>, login: &Credentials) -> Result<Written>;

    /// Removes what a writer left that was ended in the middle. Whoever calls it is the only writer now.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn tidy(&self) -> Result<()> {
        Ok(())
    }

    /// Removes the login.
    ///
    /// # Errors
    /// When the store is locked or refuses.
    fn remove(&self) -> Result<()>;
}
