//! Drydock's own secrets, in the system's keyring: the macOS Keychain, or the Secret Service.
//!
//! A login that Drydock keeps for sessions, and the key of the backups, go into a file for their owner only
//! where there is no keyring at all, as Claude Code itself does it there. A keyring that is locked is not gone around.

use crate::{
    error_handling::{Code, Error, Result},
    keychain::{Fingerprint, Sensitive},
    paths::{Locations, write_private},
};
use serde::Serialize;
use std::{fs, io, path::PathBuf, sync::mpsc, thread, time::Duration};

/// The keyring may be asking the user to unlock it meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);
const SERVICE: &str = "Drydock";

/// What Drydock keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// The token that `claude setup-token` printed.
    SetupToken,
    /// The login that sessions share.
    OwnLogin,
    /// A session's login with another account, which waits for the user.
    OtherLogin(String),
    /// The key of the backup repository.
    RepositoryKey,
    /// The address that alerts go to in Slack.
    SlackWebhook,
    /// The password of the server that alerts go out by as mail.
    SmtpPassword,
    /// The key for Datadog.
    DatadogKey,
    /// What opens the secrets of the user's repository.
    AgeIdentity,
}

impl Secret {
    /// Its name in the keyring.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::SetupToken => "setup-token".into(),
            Self::OwnLogin => "login".into(),
            Self::OtherLogin(session) => format!("login of {session}"),
            Self::RepositoryKey => "repository-key".into(),
            Self::SlackWebhook => "slack-webhook".into(),
            Self::SmtpPassword => "smtp-password".into(),
            Self::DatadogKey => "datadog-key".into(),
            Self::AgeIdentity => "age-identity".into(),
        }
    }

    /// The file that stands in for a keyring, for those secrets that have one.
    fn file(&self, locations: &Locations) -> Option<PathBuf> {
        let name = match self {
            Self::OwnLogin => "login.json".into(),
            Self::OtherLogin(session) => format!("{session}.json"),
            // The data that it opens is on the same disk in the open.
            Self::RepositoryKey => return Some(locations.data_dir.join("backup/key.json")),
            // As sops keeps it; what it opens is in the open where it is used, on the same disk.
            Self::AgeIdentity => return Some(locations.data_dir.join("gitops/identity.txt")),
            _ => return None,
        };
        Some(login_dir(locations).join(name))
    }
}

/// What Drydock writes down of logins; whoever writes there holds the lock in it.
pub(in crate::keychain) fn login_dir(locations: &Locations) -> PathBuf {
    locations.data_dir.join("login")
}

/// Removes what writers left there that were ended in the middle: it may hold a login.
pub(in crate::keychain) fn tidy_login_dir(locations: &Locations) -> Result<()> {
    let Ok(entries) = fs::read_dir(login_dir(locations)) else { return Ok(()) };
    let is_staged = |name: &str| name.starts_with(".drydock-") && name.ends_with(".tmp");
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_staged))
        .try_for_each(|entry| remove(&entry.path()))
}

/// Where a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The system's keyring.
    Keyring,
    /// A file for its owner only, where there is no keyring.
    File,
}

/// The secrets of one home. All its methods block.
#[derive(Debug, Clone)]
pub struct Vault {
    locations: Locations,
}

impl Vault {
    /// The secrets of this home.
    #[must_use]
    pub fn of(locations: &Locations) -> Self {
        Self { locations: locations.clone() }
    }

    /// A secret, and where it is.
    ///
    /// # Errors
    /// [`Code::KeychainLocked`] when the keyring is locked; [`Code::KeyringNone`] when there is none and
    /// the secret has no other place.
    pub fn read(&self, secret: &Secret) -> Result<Option<(Sensitive<String>, Place)>> {
        let in_file = || self.read_file(secret).map(|found| found.map(|text| (text, Place::File)));
        let elsewhere = self.is_in_keyring(secret);
        match self.keyring(secret, |entry| match entry.get_password() {
            Ok(text) => Ok(Some(Sensitive::new(text))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(cause) => Err(cause),
        }) {
            Ok(Some(text)) => Ok(Some((text, Place::Keyring))),
            // A file of the time before there was a keyring.
            Ok(None) => in_file(),
            Err(error)
                if error.code() == Code::KeyringNone
                    && secret.file(&self.locations).is_some()
                    && !elsewhere =>
            {
                in_file()
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps a secret, in the place of an old one.
    ///
    /// # Errors
    /// As [`Vault::read`].
    pub fn write(&self, secret: &Secret, value: &Sensitive<String>) -> Result<Place> {
        let text = value.clone();
        let file = secret.file(&self.locations);
        if let Some(file) = &file
            && !self.is_in_keyring(secret)
            && self.keyring(secret, |_| Ok(())).is_ok()
        {
            // Before it is: afterwards nobody would look for it in the keyring if that is gone.
            write_private(&marker(file), b"")?;
        }
        let kept = self.keyring(secret, move |entry| entry.set_password(text.reveal()));
        match (kept, file) {
            (Ok(()), file) => {
                file.map_or(Ok(()), |file| remove(&file))?;
                Ok(Place::Keyring)
            }
            (Err(error), Some(file)) if error.code() == Code::KeyringNone && !marker(&file).exists() => {
                write_private(&file, value.reveal().as_bytes()).map(|()| Place::File)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Forgets a secret; one that is not there is no error.
    ///
    /// # Errors
    /// As [`Vault::read`].
    pub fn remove(&self, secret: &Secret) -> Result<()> {
        let file = secret.file(&self.locations);
        let removed = self.keyring(secret, |entry| match entry.delete_credential() {
            Err(keyring::Error::NoEntry) => Ok(()),
            removed => removed,
        });
        match (removed, file) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(file)) => remove(&file).and_then(|()| remove(&marker(&file))),
            (Err(error), Some(file)) if error.code() == Code::KeyringNone && !marker(&file).exists() => {
                remove(&file)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Whether the secret was put into the keyring: then a keyring that is not there now is no reason to take
    /// it for absent, or to begin another one in a file.
    fn is_in_keyring(&self, secret: &Secret) -> bool {
        secret.file(&self.locations).is_some_and(|file| marker(&file).exists())
    }

    fn read_file(&self, secret: &Secret) -> Result<Option<Sensitive<String>>> {
        let Some(file) = secret.file(&self.locations) else { return Ok(None) };
        match fs::read_to_string(&file) {
            Ok(text) => Ok(Some(Sensitive::new(text))),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::io("read", &file, &cause)),
        }
    }

    fn keyring<T: Send + 'static>(
        &self,
        secret: &Secret,
        act: impl Fn(&keyring_core::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut name = secret.name();
        if !self.locations.own_home {
            // Another home's secrets are others.
            let home = self.locations.home.display().to_string();
            name.push_str(&format!(" ({})", Fingerprint::of(&home)));
        }
        with_entry(SERVICE, &name, act)
    }
}

fn marker(file: &std::path::Path) -> PathBuf {
    file.with_extension("in-keyring")
}

fn remove(file: &std::path::Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", file, &cause)),
        _ => Ok(()),
    }
}

/// Does something with an entry of the keyring. Blocking, for two minutes at most.
pub(super) fn with_entry<T: Send + 'static>(
    service: &str,
    user: &str,
    act: impl Fn(&keyring_core::Entry) -> keyring::Result<T> + Send + 'static,
) -> Result<T> {
    let (service, user) = (service.to_owned(), user.to_owned());
    let (done, answer) = mpsc::channel();
    // A thread of its own: the keyring's client waits for the user without an end, and must not be run
    // where other tasks are.
    thread::spawn(move || {
        let first = keyring::Entry::new(&service, &user).and_then(|entry| act(&entry.inner));
        let outcome = match first {
            // The keyring was not there when this process first asked, or was started again since.
            Err(keyring::Error::NoDefaultStore | keyring::Error::PlatformFailure(_)) => connect_again()
                .and_then(|()| keyring_core::Entry::new(&service, &user))
                .and_then(|entry| act(&entry)),
            outcome => outcome,
        };
        // Nobody is there to hear it when the patience is over.
        let _ = done.send(outcome.map_err(|cause| refusal(&cause)));
    });
    match answer.recv_timeout(PATIENCE) {
        Ok(outcome) => outcome,
        Err(_) => Err(locked("it did not answer within two minutes")),
    }
}

fn connect_again() -> keyring::Result<()> {
    #[cfg(target_os = "macos")]
    let store = apple_native_keyring_store::keychain::Store::new()?;
    #[cfg(not(target_os = "macos"))]
    let store = zbus_secret_service_keyring_store::Store::new()?;
    keyring_core::set_default_store(store);
    Ok(())
}

fn none(why: impl std::fmt::Display) -> Error {
    let why = why.to_string();
    let why = why.trim_start_matches("Platform failure: ").trim_start_matches("zbus error: ").to_owned();
    Error::new(Code::KeyringNone, "there is no keyring to keep secrets in").why(why).remedy(
        if cfg!(target_os = "macos") {
            "open Keychain Access and look whether the login keychain is well"
        } else {
            "start one, such as gnome-keyring or KWallet, in this desktop session"
        },
    )
}

fn locked(why: impl std::fmt::Display) -> Error {
    Error::new(Code::KeychainLocked, "the keyring is locked").why(why).remedy(if cfg!(target_os = "macos") {
        "unlock it: security unlock-keychain"
    } else {
        "unlock it, by logging in to the desktop or in its own program (Seahorse, KWalletManager)"
    })
}

fn refusal(cause: &keyring::Error) -> Error {
    match cause {
        keyring::Error::NoStorageAccess(why) => locked(why),
        keyring::Error::NoDefaultStore => none(cause),
        // There is no bus, or nobody on it keeps secrets.
        keyring::Error::PlatformFailure(why) if is_absent(&why.to_string()) => none(why),
        keyring::Error::PlatformFailure(why) => {
            Error::new(Code::KeychainRefused, "the keyring refused").why(why).remedy(LOOK)
        }
        // Its own text may quote what it was given.
        _ => Error::new(Code::KeychainRefused, "the keyring does not take this secret").remedy(LOOK),
    }
}

const LOOK: &str = if cfg!(target_os = "macos") {
    "open Keychain Access and look whether the login keychain is well"
} else {
    "look into the keyring with its own program (Seahorse, KWalletManager), then run the command again"
};

fn is_absent(why: &str) -> bool {
    [
        "Failed to connect",
        "I/O error",
        "ServiceUnknown",
        "not provided by any .service files",
        "NameHasNoOwner",
        "no secret service",
    ]
    .iter()
    .any(|sign| why.contains(sign))
}
