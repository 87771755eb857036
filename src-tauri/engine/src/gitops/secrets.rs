//! Secrets of the repository: what stands where a text says `${secret:…}`.

use super::{
    identity::Identity,
    sops::{MacScope, Recipient, Rule, SecretFiles, Selection, Source, encrypt, with_recovery},
};
use crate::{
    error_handling::{Code, Error, Result},
    keychain::Sensitive,
    paths::Locations,
    settings::Settings,
};
use chrono::Utc;
use serde_json::Value;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Secrets by their names.
pub(super) type Opened = BTreeMap<String, Sensitive<String>>;

/// Opens files of secrets.
pub(super) trait Secrets {
    /// The secrets of a file, by their keys; keys within keys are joined by `/`. `None` where it is not for this computer:
    /// it has no key, or the file is for the keys of others.
    ///
    /// # Errors
    /// [`Code::GitopsSecret`] when it cannot be opened although it is for this computer: it was tampered with.
    fn decrypt(&self, path: &str, text: &[u8]) -> Result<Option<Opened>>;
}

/// Files of SOPS, by the key of this home's user.
#[derive(Debug, Clone)]
pub(super) struct SopsSecrets {
    locations: Locations,
    /// Who can open new files as well.
    recovery: Option<Recipient>,
}

impl SopsSecrets {
    pub(super) fn of(locations: &Locations, settings: &Settings) -> Self {
        Self { locations: locations.clone(), recovery: settings.gitops_recovery_recipient() }
    }

    /// A file of these secrets, for this computer's key, which is made if there is none, and the recovery recipient.
    ///
    /// # Errors
    /// When there is no key and none can be made, or a key's name cannot be in such a file.
    pub(super) fn encrypt(
        &self,
        path: &str,
        secrets: &BTreeMap<String, Sensitive<String>>,
    ) -> Result<Vec<u8>> {
        let recipients = self.recipients()?;
        let rule = Rule { recipients, selection: Selection::default(), scope: MacScope::All };
        let mut text = Zeroizing::new(String::new());
        for (name, secret) in secrets {
            // As JSON, which YAML has within itself.
            let quoted = Zeroizing::new(Value::from(secret.reveal().as_str()).to_string());
            text.push_str(&format!("{}: {}\n", Value::from(name.as_str()), quoted.as_str()));
        }
        encrypt(Source { name: path, text: &text }, &rule, Utc::now()).map(String::into_bytes)
    }

    /// For whom such a file is.
    ///
    /// # Errors
    /// When the key of this home cannot be read or made.
    pub(super) fn recipients(&self) -> Result<Vec<Recipient>> {
        Ok(with_recovery(Identity::load_or_make(&self.locations)?.recipient(), self.recovery.as_ref()))
    }
}

impl Secrets for SopsSecrets {
    fn decrypt(&self, path: &str, text: &[u8]) -> Result<Option<Opened>> {
        if Identity::load(&self.locations)?.is_none() {
            return Ok(None);
        }
        match SecretFiles::of(&self.locations).decrypt(path, text) {
            Ok(secrets) => {
                let named = secrets.into_iter().map(|(name, secret)| (name.replace('.', "/"), secret));
                Ok(Some(named.collect()))
            }
            Err(error) if error.code() == Code::SecretsForOthers => Ok(None),
            Err(error) => Err(unopened(path, &error)),
        }
    }
}

/// The code of all files of secrets that a commit brings and that cannot be opened; why is what SOPS's form says.
fn unopened(path: &str, cause: &Error) -> Error {
    let mut error = Error::new(Code::GitopsSecret, format!("{path} cannot be opened")).why(cause.message());
    for why in cause.causes() {
        error = error.why(why);
    }
    for remedy in cause.remedies() {
        error = error.remedy(remedy);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::plain_secrets::plain_secrets;

    #[test]
    fn what_is_encrypted_here_is_opened_here_and_nowhere_else() {
        let home = tempfile::tempdir().unwrap();
        let recovery = Identity::generate();
        let of = |home: &std::path::Path| {
            let locations = Locations::find(Some(home)).unwrap();
            SopsSecrets { locations, recovery: Some(recovery.recipient()) }
        };
        let secrets = of(home.path());
        let kept = BTreeMap::from([
            ("github".to_owned(), Sensitive::new("ghp_FAKE: \"#1\"\n".to_owned())),
            ("a.b".to_owned(), Sensitive::new("no".to_owned())),
        ]);
        let name = "secrets/mcp.enc.yaml";
        let text = secrets.encrypt(name, &kept).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("FAKE"));
        assert_eq!(plain_secrets(name, std::str::from_utf8(&text).unwrap()), []);
        let by_hand = format!("{}more: FAKE-abcdefgh-1\n", String::from_utf8_lossy(&text));
        assert_eq!(plain_secrets(name, &by_hand).len(), 1);
        let opened = secrets.decrypt(name, &text).unwrap().unwrap();
        assert_eq!(opened["github"].reveal(), "ghp_FAKE: \"#1\"\n");
        assert_eq!(opened.len(), 2);

        let other = tempfile::tempdir().unwrap();
        let others = of(other.path());
        assert!(others.decrypt(name, &text).unwrap().is_none(), "without a key");
        others.recipients().unwrap();
        assert!(others.decrypt(name, &text).unwrap().is_none(), "with another key");
        recovery.keep_instead(&others.locations).unwrap();
        let opened = others.decrypt(name, &text).unwrap().unwrap();
        assert_eq!(opened["a/b"].reveal(), "no", "by the key that was kept elsewhere");
        let changed = String::from_utf8_lossy(&text).replace("github:", "gitlab:");
        assert_eq!(secrets.decrypt(name, changed.as_bytes()).unwrap_err().code(), Code::GitopsSecret);
    }
}
