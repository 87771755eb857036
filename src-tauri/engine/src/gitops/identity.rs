//! The age identity of this home: what opens its secrets files. It is made once, kept in the Keychain, and shown only
//! to those who ask for it.

use super::sops::Recipient;
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    keychain::{Place, Secret, Sensitive, Vault},
    paths::{Locations, create_private_dir},
};
use age::{secrecy::ExposeSecret, x25519};
use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, str::FromStr};

/// An age secret key.
#[derive(Clone)]
pub struct Identity(x25519::Identity);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// A new one, kept nowhere.
    #[must_use]
    pub fn generate() -> Self {
        Self(x25519::Identity::generate())
    }

    /// Reads one as `age-keygen` writes it: `AGE-SECRET-KEY-1…`, with comments above it.
    ///
    /// # Errors
    /// [`Code::SecretsKey`] when it is none, or more than one.
    pub fn read(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let refuse = |why: &str| {
            Error::new(Code::SecretsKey, "that is no key that opens secrets")
                .why(why)
                .remedy("give it as age-keygen writes it: AGE-SECRET-KEY-1, and 58 letters and digits")
        };
        match lines.collect::<Vec<_>>().as_slice() {
            [line] => x25519::Identity::from_str(line).map(Self).map_err(refuse),
            [] => Err(refuse("there is none in what was given")),
            _ => Err(refuse("there are several lines in what was given")),
        }
    }

    /// The one that is kept. Blocking.
    ///
    /// # Errors
    /// As [`Vault::read`]; [`Code::SecretsKey`] when what is kept is none.
    pub fn load(locations: &Locations) -> Result<Option<Self>> {
        let Some((text, _)) = Vault::of(locations).read(&Secret::AgeIdentity)? else { return Ok(None) };
        Self::read(text.reveal()).map(Some)
    }

    /// The one that is kept, or a new one that is kept from now on. Blocking.
    ///
    /// # Errors
    /// As [`Identity::load`] and [`Vault::write`].
    pub fn load_or_make(locations: &Locations) -> Result<Self> {
        if let Some(kept) = Self::load(locations)? {
            return Ok(kept);
        }
        // Two that make one at the same time would encrypt for one of them that is lost.
        let _alone = Self::alone(locations)?;
        if let Some(kept) = Self::load(locations)? {
            return Ok(kept);
        }
        let new = Self::generate();
        new.write(locations)?;
        Ok(new)
    }

    /// Keeps this one. Another one that is kept already is not replaced: files may be encrypted for it alone.
    /// Blocking.
    ///
    /// # Errors
    /// [`Code::SecretsKey`] when there is another; as [`Vault::write`].
    pub fn keep(&self, locations: &Locations) -> Result<Place> {
        let _alone = Self::alone(locations)?;
        match Self::load(locations)? {
            Some(kept) if kept.recipient() != self.recipient() => Err(Error::new(
                Code::SecretsKey,
                "there is another key here already, and it is not replaced",
            )
            .why(format!("files may be encrypted for it alone: {}", kept.recipient()))
            .remedy(
                "keep a copy of it (drydock gitops key export), and run the command again with --replace",
            )),
            _ => self.write(locations),
        }
    }

    /// Keeps this one in the place of any other. Blocking.
    ///
    /// # Errors
    /// As [`Vault::write`].
    pub fn keep_instead(&self, locations: &Locations) -> Result<Place> {
        let _alone = Self::alone(locations)?;
        self.write(locations)
    }

    /// For whom files are encrypted that this one opens.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient::of(&self.0)
    }

    /// The secret key, to be handed to those who asked for it.
    #[must_use]
    pub fn export(&self) -> Sensitive<String> {
        Sensitive::new(self.0.to_string().expose_secret().to_owned())
    }

    pub(super) fn as_age(&self) -> &dyn age::Identity {
        &self.0
    }

    fn write(&self, locations: &Locations) -> Result<Place> {
        Vault::of(locations).write(&Secret::AgeIdentity, &self.export())
    }

    fn alone(locations: &Locations) -> Result<std::fs::File> {
        let dir = locations.data_dir.join("gitops");
        create_private_dir(&dir)?;
        let path = dir.join("identity.lock");
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.context("open", &path)?;
        file.lock().context("lock", &path)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_age_keygen_writes_it_and_never_shown() {
        let identity = Identity::generate();
        let text = identity.export();
        let file =
            format!("# created: 2026-01-01\n# public key: {}\n{}\n", identity.recipient(), text.reveal());
        assert_eq!(Identity::read(&file).unwrap().recipient(), identity.recipient());
        assert_eq!(format!("{identity:?}"), "Identity");
        for wrong in ["", "# nothing\n", "AGE-SECRET-KEY-1FAKE", &format!("{0}\n{0}", text.reveal())] {
            let error = Identity::read(wrong).unwrap_err();
            assert_eq!(error.code(), Code::SecretsKey);
            assert!(!error.to_string().contains("FAKE"), "{error}");
        }
    }
}
