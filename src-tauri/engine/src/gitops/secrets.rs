//! Secrets of the repository: what stands where a text says `${secret:…}`, and what stands in plain where it
//! should not.

use super::{
    identity::Identity,
    sops::{MacScope, Recipient, Rule, SecretFiles, Selection, Source, encrypt, unencrypted_lines},
};
use crate::{
    error_handling::{Code, Error, Result},
    keychain::Sensitive,
    observability::redacted,
    paths::Locations,
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
pub(super) struct SopsSecrets(Locations);

impl SopsSecrets {
    pub(super) fn of(locations: &Locations) -> Self {
        Self(locations.clone())
    }

    /// A file of these secrets, for this computer's key, which is made if there is none.
    ///
    /// # Errors
    /// When there is no key and none can be made, or a key's name cannot be in such a file.
    pub(super) fn encrypt(
        &self,
        path: &str,
        secrets: &BTreeMap<String, Sensitive<String>>,
    ) -> Result<Vec<u8>> {
        let identity = Identity::load_or_make(&self.0)?;
        let rule = Rule {
            recipients: vec![identity.recipient()],
            selection: Selection::default(),
            scope: MacScope::All,
        };
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
        Ok(vec![Identity::load_or_make(&self.0)?.recipient()])
    }
}

impl Secrets for SopsSecrets {
    fn decrypt(&self, path: &str, text: &[u8]) -> Result<Option<Opened>> {
        if Identity::load(&self.0)?.is_none() {
            return Ok(None);
        }
        match SecretFiles::of(&self.0).decrypt(path, text) {
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

/// A secret that stands in plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The line, from 1.
    pub(super) line: usize,
    /// What it is, without its value.
    pub(super) what: String,
}

/// What looks like a secret in a file of the repository.
pub(super) fn plain_secrets(path: &str, text: &[u8]) -> Vec<Found> {
    let text = String::from_utf8_lossy(text);
    if path.starts_with("secrets/") {
        // One that is not encrypted at all, or broken, is told of where it is read.
        let lines = unencrypted_lines(Source { name: path, text: &text });
        let lines = if lines == [1] { Vec::new() } else { lines };
        let in_plain = |line| Found { line, what: "a value that is not encrypted".to_owned() };
        return lines.into_iter().map(in_plain).collect();
    }
    let is_document = path.ends_with(".json") || path.ends_with(".yaml");
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(at, line)| {
            let found = Found { line: at + 1, what: "what looks like a key or a token".to_owned() };
            if has_known_form(line) {
                return Some(found);
            }
            // In prose, "password: short" is no secret; in a document it is.
            let (key, value) = line.split_once(':').filter(|_| is_document)?;
            let value = value.trim().trim_matches([',', '"', '\'', ' ']);
            let key = key.trim().trim_matches(['"', '\'', '-', ' ', '{']);
            is_secret(key, value).then_some(found)
        })
        .collect()
}

/// Whether the value of a key is to be kept from the repository.
pub(super) fn is_secret(key: &str, value: &str) -> bool {
    const NAMES: &[&str] =
        &["token", "secret", "password", "passwd", "api_key", "apikey", "api-key", "credential"];
    let key = key.to_ascii_lowercase();
    let is_named = NAMES.iter().any(|name| key.contains(name)) || key == "authorization";
    // A variable that Claude Code fills in, a path, a number or a switch is none.
    let is_plain = value.len() < 8
        || value.contains("${")
        || value.starts_with(['/', '~', '$', '[', '{'])
        || value.bytes().all(|byte| byte.is_ascii_digit());
    (is_named && !is_plain && !key.ends_with("helper"))
        || (!value.contains("${secret:") && has_known_form(value))
}

/// Whether the JSON text of a value has a secret in it, in whatever it consists of.
pub(super) fn holds_secret(key: &str, json: &str) -> bool {
    fn look(key: &str, value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::String(text) => is_secret(key, text),
            serde_json::Value::Array(items) => items.iter().any(|item| look(key, item)),
            serde_json::Value::Object(map) => map.iter().any(|(key, value)| look(key, value)),
            _ => false,
        }
    }
    // What is no JSON is not known to be open.
    serde_json::from_str(json).map_or(true, |value| look(key, &value))
}

/// Whether a text has a secret in it that is known by its form.
fn has_known_form(text: &str) -> bool {
    // Names before values and logins in addresses are for who reads documents.
    let alone = text.replace([':', '='], " ");
    redacted(&alone, "") != alone || redacted(text, "").contains("[hidden]@")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_and_what_only_speaks_of_them_is_not() {
        let found = |path: &str, text: &str| {
            plain_secrets(path, text.as_bytes()).iter().map(|one| one.line).collect::<Vec<_>>()
        };
        assert_eq!(found("desired/mcp.yaml", "a:\n  env:\n    GITHUB_TOKEN: abcdefgh12345\n"), [3]);
        assert_eq!(found("desired/mcp.yaml", "a:\n  env:\n    GITHUB_TOKEN: ${secret:mcp/github}\n"), [0; 0]);
        assert_eq!(
            found("desired/claude/settings.json", "{\"apiKeyHelper\": \"pass show anthropic\"}"),
            [0; 0]
        );
        assert_eq!(found("desired/claude/CLAUDE.md", "never print a token: use the vault\n"), [0; 0]);
        assert_eq!(found("desired/claude/CLAUDE.md", "use sk-ant-api03-FAKEFAKEFAKE\n"), [1]);
        assert_eq!(found("desired/mcp.yaml", "a: {url: \"https://me:FAKEpass@example.org/\"}\n"), [1]);
    }

    #[test]
    fn what_is_encrypted_here_is_opened_here_and_nowhere_else() {
        let home = tempfile::tempdir().unwrap();
        let secrets = SopsSecrets::of(&Locations::find(Some(home.path())).unwrap());
        let kept = BTreeMap::from([
            ("github".to_owned(), Sensitive::new("ghp_FAKE: \"#1\"\n".to_owned())),
            ("a.b".to_owned(), Sensitive::new("no".to_owned())),
        ]);
        let name = "secrets/mcp.enc.yaml";
        let text = secrets.encrypt(name, &kept).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("FAKE"));
        assert_eq!(plain_secrets(name, &text), []);
        let by_hand = format!("{}more: FAKE-abcdefgh-1\n", String::from_utf8_lossy(&text));
        assert_eq!(plain_secrets(name, by_hand.as_bytes()).len(), 1);
        let opened = secrets.decrypt(name, &text).unwrap().unwrap();
        assert_eq!(opened["github"].reveal(), "ghp_FAKE: \"#1\"\n");
        assert_eq!(opened.len(), 2);

        let other = tempfile::tempdir().unwrap();
        let others = SopsSecrets::of(&Locations::find(Some(other.path())).unwrap());
        assert!(others.decrypt(name, &text).unwrap().is_none(), "without a key");
        others.recipients().unwrap();
        assert!(others.decrypt(name, &text).unwrap().is_none(), "with another key");
        let changed = String::from_utf8_lossy(&text).replace("github:", "gitlab:");
        assert_eq!(secrets.decrypt(name, changed.as_bytes()).unwrap_err().code(), Code::GitopsSecret);
    }
}
