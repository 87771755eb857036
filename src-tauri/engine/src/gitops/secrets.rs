//! Secrets of the repository: what stands where a text says `${secret:…}`, and what stands in plain where it
//! should not.

use crate::{
    error_handling::{Code, Error, Result},
    keychain::Sensitive,
    observability::redacted,
};
use std::collections::BTreeMap;

/// Opens and makes files of secrets.
pub(super) trait Secrets {
    /// The secrets of a file, by their keys; keys within keys are joined by `/`.
    ///
    /// # Errors
    /// [`Code::GitopsSecret`] when it cannot be opened: no key that fits, or it was tampered with.
    fn decrypt(&self, path: &str, text: &[u8]) -> Result<BTreeMap<String, Sensitive<String>>>;

    /// A file of these secrets.
    ///
    /// # Errors
    /// [`Code::GitopsSecret`] when it cannot be made.
    fn encrypt(&self, path: &str, secrets: &BTreeMap<String, Sensitive<String>>) -> Result<Vec<u8>>;
}

/// For a Drydock that opens no files of secrets.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoSecrets;

impl NoSecrets {
    fn refused(path: &str) -> Error {
        Error::new(Code::GitopsSecret, format!("{path} is encrypted, and this Drydock cannot open it"))
            .remedy("use a Drydock that opens files of SOPS")
    }
}

impl Secrets for NoSecrets {
    fn decrypt(&self, path: &str, _text: &[u8]) -> Result<BTreeMap<String, Sensitive<String>>> {
        Err(Self::refused(path))
    }

    fn encrypt(&self, path: &str, _secrets: &BTreeMap<String, Sensitive<String>>) -> Result<Vec<u8>> {
        Err(Self::refused(path))
    }
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
    // What SOPS made is encrypted; that it is, its own check says.
    if path.starts_with("secrets/") {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(text);
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
        assert_eq!(found("secrets/x.enc.yaml", "token: ENC[AES256_GCM,data:abcdefgh]\n"), [0; 0]);
    }
}
