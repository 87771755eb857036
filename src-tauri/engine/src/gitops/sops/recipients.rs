//! Age recipients: who can open a file's data key.

use super::{cipher::DataKey, yaml::Source};
use crate::{
    error_handling::{Code, Error, Result},
    gitops::identity::Identity,
};
use age::{
    Decryptor, Encryptor,
    armor::{ArmoredReader, ArmoredWriter, Format},
    x25519,
};
use std::{
    fmt,
    io::{Read, Write},
    str::FromStr,
};
use zeroize::Zeroizing;

/// A key that files are encrypted for: `age1…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Recipient(String);

impl Recipient {
    /// Reads one. Recipients of plugins and SSH keys are not among them.
    ///
    /// # Errors
    /// [`Code::SecretsRules`] when it is none.
    pub fn read(text: &str) -> Result<Self> {
        let text = text.trim();
        x25519::Recipient::from_str(text).map(|recipient| Self(recipient.to_string())).map_err(|_| {
            let what = if text.starts_with("AGE-SECRET-KEY-") {
                "a secret key stands where a recipient belongs".to_owned()
            } else {
                format!("`{text}` is no age recipient")
            };
            Error::new(Code::SecretsRules, what)
                .why("a recipient is what `age-keygen -y` prints: age1 and 58 letters and digits")
                .remedy("drydock gitops key show-recipient, for this computer's")
        })
    }

    /// That of a secret key.
    pub(in crate::gitops) fn of(identity: &x25519::Identity) -> Self {
        Self(identity.to_public().to_string())
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For whom files are encrypted where no rule says it: this computer's key, and the one for the day that it is lost.
pub(in crate::gitops) fn with_recovery(own: Recipient, recovery: Option<&Recipient>) -> Vec<Recipient> {
    let recovery = recovery.filter(|recovery| **recovery != own).cloned();
    std::iter::once(own).chain(recovery).collect()
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A data key as one recipient can open it.
#[derive(Debug, Clone)]
pub(super) struct Wrapped {
    /// As the file has it: it can be one that Drydock could not encrypt for.
    pub(super) recipient: String,
    /// In age's armor.
    pub(super) armored: String,
}

impl Wrapped {
    /// Encrypts a data key.
    pub(super) fn new(key: &DataKey, recipient: &Recipient) -> Result<Self> {
        let failed = |cause: &dyn fmt::Display| {
            Error::new(Code::Internal, "the data key could not be encrypted").why(cause)
        };
        let to = x25519::Recipient::from_str(&recipient.0).map_err(|cause| failed(&cause))?;
        let encryptor = Encryptor::with_recipients(std::iter::once(&to as &dyn age::Recipient))
            .map_err(|cause| failed(&cause))?;
        let mut armored = Vec::new();
        ArmoredWriter::wrap_output(&mut armored, Format::AsciiArmor)
            .and_then(|armor| encryptor.wrap_output(armor))
            .and_then(|mut writer| writer.write_all(key.reveal()).map(|()| writer))
            .and_then(|writer| writer.finish()?.finish())
            .map_err(|cause| failed(&cause))?;
        let armored = String::from_utf8(armored).map_err(|cause| failed(&cause))?;
        Ok(Self { recipient: recipient.0.clone(), armored })
    }

    /// The data key, if this one is for the identity.
    fn open(&self, identity: &Identity) -> Option<DataKey> {
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(self.armored.as_bytes())).ok()?;
        let mut reader = decryptor.decrypt(std::iter::once(identity.as_age())).ok()?;
        let mut key = Zeroizing::new(Vec::new());
        reader.read_to_end(&mut key).ok()?;
        DataKey::of(&key)
    }
}

/// The data key of a file.
pub(super) fn unwrap(wrapped: &[Wrapped], identity: &Identity, source: Source<'_>) -> Result<DataKey> {
    let own = identity.recipient();
    let (ours, others): (Vec<_>, Vec<_>) =
        wrapped.iter().partition(|wrapped| wrapped.recipient == own.as_str());
    // As sops does it, whatever the names say.
    if let Some(key) = ours.iter().chain(&others).find_map(|wrapped| wrapped.open(identity)) {
        return Ok(key);
    }
    if ours.is_empty() {
        let names: Vec<_> = others.iter().map(|wrapped| wrapped.recipient.as_str()).collect();
        return Err(source
            .error_whole(Code::SecretsForOthers, "it is not encrypted for this computer's key")
            .why(format!("it is for {}; the key here is {own}", names.join(", ")))
            .remedy(format!(
                "where it can be opened, put {own} into .sops.yaml, then: drydock gitops encrypt --rewrap {}",
                source.name
            ))
            .remedy("or bring its key here: drydock gitops key import"));
    }
    Err(source
        .error_whole(Code::SecretsKey, "this computer's key does not open it, although it is named in it")
        .why("the encrypted data key in the file was changed, or was made for another key")
        .remedy("bring the file back from the repository's history: git checkout COMMIT -- FILE"))
}
