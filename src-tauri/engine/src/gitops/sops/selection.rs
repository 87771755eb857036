//! Which values of a file are encrypted: by the names of the keys on the way to them.

use super::yaml::{Entry, Map, Node, Source};
use crate::error_handling::{Code, Result};
use regex::Regex;

/// The rule of one file. There is only one, as with sops.
#[derive(Debug, Clone)]
pub enum Selection {
    /// All but what stands below a key that ends so.
    UnencryptedSuffix(String),
    /// What stands below a key that ends so.
    EncryptedSuffix(String),
    /// All but what stands below a key that matches.
    UnencryptedRegex(Regex),
    /// What stands below a key that matches.
    EncryptedRegex(Regex),
}

/// What sops does when nothing is said.
const DEFAULT_SUFFIX: &str = "_unencrypted";

impl Default for Selection {
    fn default() -> Self {
        Self::UnencryptedSuffix(DEFAULT_SUFFIX.into())
    }
}

impl Selection {
    /// Reads it from a file's metadata, or from a creation rule: both name it alike.
    pub(super) fn read(map: &Map, source: Source<'_>) -> Result<Self> {
        let mut found = Vec::new();
        for entry in &map.entries {
            let Some(text) = text_of(entry).filter(|text| !text.is_empty()) else { continue };
            let regex = || {
                Regex::new(text).map_err(|_| {
                    let what = format!("`{}` is no pattern that can be used", entry.key);
                    source.error(Code::SecretsRules, entry.line, what)
                })
            };
            found.push(match entry.key.as_str() {
                "unencrypted_suffix" => Self::UnencryptedSuffix(text.to_owned()),
                "encrypted_suffix" => Self::EncryptedSuffix(text.to_owned()),
                "unencrypted_regex" => Self::UnencryptedRegex(regex()?),
                "encrypted_regex" => Self::EncryptedRegex(regex()?),
                "unencrypted_comment_regex" | "encrypted_comment_regex" => {
                    let what = format!("`{}`: Drydock does not choose values by their comments", entry.key);
                    return Err(source.error(Code::SecretsUnsupported, entry.line, what).remedy(
                        "use encrypted_regex or a suffix instead, or use sops itself for this file",
                    ));
                }
                _ => continue,
            });
        }
        if found.len() > 1 {
            let what = "only one of encrypted_suffix, unencrypted_suffix, encrypted_regex and unencrypted_regex \
                        can be set";
            return Err(source.error(Code::SecretsRules, map.line, what));
        }
        Ok(found.pop().unwrap_or_default())
    }

    /// Whether the value that these keys lead to is encrypted.
    pub(super) fn takes(&self, keys: &[&str]) -> bool {
        let any = |test: &dyn Fn(&str) -> bool| keys.iter().any(|key| test(key));
        match self {
            Self::UnencryptedSuffix(suffix) => !any(&|key| key.ends_with(suffix.as_str())),
            Self::EncryptedSuffix(suffix) => any(&|key| key.ends_with(suffix.as_str())),
            Self::UnencryptedRegex(regex) => !any(&|key| regex.is_match(key)),
            Self::EncryptedRegex(regex) => any(&|key| regex.is_match(key)),
        }
    }

    /// As it stands in a file's metadata.
    pub(super) fn field(&self) -> (&'static str, &str) {
        match self {
            Self::UnencryptedSuffix(suffix) => ("unencrypted_suffix", suffix),
            Self::EncryptedSuffix(suffix) => ("encrypted_suffix", suffix),
            Self::UnencryptedRegex(regex) => ("unencrypted_regex", regex.as_str()),
            Self::EncryptedRegex(regex) => ("encrypted_regex", regex.as_str()),
        }
    }
}

/// What a MAC is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacScope {
    /// Every value.
    All,
    /// The encrypted values.
    Encrypted,
}

impl MacScope {
    /// Reads `mac_only_encrypted`.
    pub(super) fn read(map: &Map) -> Self {
        match map.get("mac_only_encrypted").and_then(text_of) {
            Some("true" | "True" | "TRUE") => Self::Encrypted,
            _ => Self::All,
        }
    }
}

/// The text of a scalar.
pub(super) fn text_of(entry: &Entry) -> Option<&str> {
    match &entry.value {
        Node::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}
