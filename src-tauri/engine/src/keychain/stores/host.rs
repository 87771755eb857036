//! The host's login, wherever it is.

use super::{ClaudeKeychain, CredentialStore, CredentialsFile, Found, Pair, StoreKind, Written};
use crate::{
    error_handling::{Error, Result},
    keychain::Credentials,
    paths::Locations,
};
use serde::Serialize;

/// The host's login, and where it was found.
#[derive(Debug, Clone)]
pub struct HostLogin {
    /// Where it was found.
    pub store: StoreKind,
    /// The login.
    pub login: Credentials,
}

/// What one store answered.
#[derive(Debug, Serialize)]
pub struct Asked {
    /// The store.
    pub store: StoreKind,
    /// Why it is not the one that answered; nothing for the one that is.
    pub not_because: Option<String>,
}

/// The stores of the host's login, in the order in which they are asked.
pub struct HostStores {
    stores: Vec<Box<dyn CredentialStore + Send>>,
}

impl std::fmt::Debug for HostStores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.stores.iter().map(|store| store.kind())).finish()
    }
}

impl HostStores {
    /// Those of this home.
    #[must_use]
    pub fn of(locations: &Locations) -> Self {
        Self {
            stores: vec![
                Box::new(ClaudeKeychain::of(locations)),
                Box::new(CredentialsFile::of(locations)),
                Box::new(Pair::of(locations)),
            ],
        }
    }

    /// The login, and what each store said up to the one that had it. A store that cannot be read is gone
    /// past, as Claude Code does; when no other has a login either, that was why.
    ///
    /// # Errors
    /// The first store's error, when no store has a login.
    pub fn ask(&self) -> (Result<Option<HostLogin>>, Vec<Asked>) {
        let (mut asked, mut failed) = (Vec::new(), None::<Error>);
        for store in &self.stores {
            let kind = store.kind();
            let not_because = match store.read() {
                Ok(Found::Login(login)) if login.kind().is_some() => {
                    asked.push(Asked { store: kind, not_because: None });
                    return (Ok(Some(HostLogin { store: kind, login })), asked);
                }
                Ok(Found::Login(_)) => "it holds no login with Anthropic".into(),
                Ok(Found::Nothing) => "nothing is there".into(),
                Ok(Found::Skipped(why)) => why,
                Err(error) => {
                    let why = error.to_string();
                    failed = failed.or(Some(error));
                    why
                }
            };
            asked.push(Asked { store: kind, not_because: Some(not_because) });
        }
        (failed.map_or(Ok(None), Err), asked)
    }
}

impl CredentialStore for HostStores {
    fn kind(&self) -> StoreKind {
        self.stores.first().map_or(StoreKind::File, |store| store.kind())
    }

    fn read(&self) -> Result<Found> {
        Ok(self.ask().0?.map_or(Found::Nothing, |found| Found::Login(found.login)))
    }

    /// Into the store that has the login; where none has one, into Claude Code's own first that is here.
    fn replace(&self, expected: Option<&Credentials>, login: &Credentials) -> Result<Written> {
        let holding = self.ask().0?.map(|found| found.store);
        let mut skipped = String::new();
        for store in self.stores.iter().filter(|store| store.kind() != StoreKind::Pair) {
            if holding.is_some_and(|kind| kind != StoreKind::Pair && kind != store.kind()) {
                continue;
            }
            // The pair is a copy: what replaces it goes where Claude Code looks.
            let expected = if holding == Some(StoreKind::Pair) { None } else { expected };
            match store.replace(expected, login)? {
                Written::Skipped(why) => skipped = why,
                written => return Ok(written),
            }
        }
        Ok(Written::Skipped(skipped))
    }

    fn tidy(&self) -> Result<()> {
        self.stores.iter().try_for_each(|store| store.tidy())
    }

    fn remove(&self) -> Result<()> {
        self.stores.iter().try_for_each(|store| store.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_handling::Code;
    use std::cell::RefCell;

    /// A store in memory.
    struct Memory {
        kind: StoreKind,
        login: RefCell<Result<Found, Code>>,
    }

    impl CredentialStore for Memory {
        fn kind(&self) -> StoreKind {
            self.kind
        }

        fn read(&self) -> Result<Found> {
            self.login.borrow().clone().map_err(|code| Error::new(code, "it is locked"))
        }

        fn replace(&self, expected: Option<&Credentials>, login: &Credentials) -> Result<Written> {
            let there = match self.read()? {
                Found::Skipped(why) => return Ok(Written::Skipped(why)),
                found => found.login(),
            };
            if there.as_ref() != expected {
                return Ok(Written::Changed);
            }
            *self.login.borrow_mut() = Ok(Found::Login(login.clone()));
            Ok(Written::Done)
        }

        fn remove(&self) -> Result<()> {
            *self.login.borrow_mut() = Ok(Found::Nothing);
            Ok(())
        }
    }

    fn login(n: u32) -> Credentials {
        Credentials::of_pair(&format!("FAKE-a{n}"), &format!("FAKE-r{n}"))
    }

    fn stores(
        keychain: Result<Found, Code>,
        file: Result<Found, Code>,
        pair: Result<Found, Code>,
    ) -> HostStores {
        let memory = |kind, login| -> Box<dyn CredentialStore + Send> {
            Box::new(Memory { kind, login: RefCell::new(login) })
        };
        HostStores {
            stores: vec![
                memory(StoreKind::Keychain, keychain),
                memory(StoreKind::File, file),
                memory(StoreKind::Pair, pair),
            ],
        }
    }

    #[test]
    fn the_first_that_has_a_login_answers_and_the_others_say_why_not() {
        let chain = stores(
            Ok(Found::Skipped("not here".into())),
            Ok(Found::Login(login(1))),
            Ok(Found::Login(login(2))),
        );
        let (found, asked) = chain.ask();
        assert_eq!(found.unwrap().unwrap().store, StoreKind::File);
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].not_because.as_deref(), Some("not here"));
    }

    #[test]
    fn a_locked_store_is_gone_past_and_said_when_nothing_else_answers() {
        let (found, _) =
            stores(Err(Code::KeychainLocked), Ok(Found::Login(login(1))), Ok(Found::Nothing)).ask();
        assert_eq!(found.unwrap().unwrap().store, StoreKind::File);
        let (found, asked) = stores(Err(Code::KeychainLocked), Ok(Found::Nothing), Ok(Found::Nothing)).ask();
        assert_eq!((found.unwrap_err().code(), asked.len()), (Code::KeychainLocked, 3));
    }

    #[test]
    fn a_login_is_written_where_it_is() {
        let chain = stores(Ok(Found::Nothing), Ok(Found::Login(login(1))), Ok(Found::Nothing));
        assert_eq!(chain.replace(Some(&login(1)), &login(2)).unwrap(), Written::Done);
        assert_eq!(chain.stores[1].read().unwrap(), Found::Login(login(2)));
        assert_eq!(chain.stores[0].read().unwrap(), Found::Nothing);
        // Off macOS, with none anywhere: into the file.
        let chain = stores(Ok(Found::Skipped("x".into())), Ok(Found::Nothing), Ok(Found::Nothing));
        assert_eq!(chain.replace(None, &login(2)).unwrap(), Written::Done);
        assert_eq!(chain.stores[1].read().unwrap(), Found::Login(login(2)));
        // What was only in the pair goes where Claude Code looks.
        let chain = stores(Ok(Found::Nothing), Ok(Found::Nothing), Ok(Found::Login(login(1))));
        assert_eq!(chain.replace(Some(&login(1)), &login(2)).unwrap(), Written::Done);
        assert_eq!(chain.stores[0].read().unwrap(), Found::Login(login(2)));
    }
}
