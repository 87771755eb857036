//! What stands at a place, and prints of it: digests with a salt of this home's own, so that a print tells
//! nobody a short secret.

use crate::{
    error_handling::{IoContext, Result},
    paths::write_private,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, fs, io, path::Path};

/// What stands at a place.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) content: Content,
    pub(super) secrecy: Secrecy,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// The JSON text of a key's value.
    Key(String),
    /// A file.
    File { bytes: Vec<u8>, runs: Runs },
}

/// Whether a file is a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    Yes,
    No,
}

/// Whether a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    Open,
    /// A secret is in it.
    Secret,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(value)")
    }
}

impl Value {
    pub(super) fn key(json: &serde_json::Value, secrecy: Secrecy) -> Self {
        Self { content: Content::Key(json.to_string()), secrecy }
    }

    pub(super) fn file(bytes: Vec<u8>, runs: Runs) -> Self {
        Self { content: Content::File { bytes, runs }, secrecy: Secrecy::Open }
    }

    /// The JSON text of a key.
    pub(super) fn json(&self) -> Option<&str> {
        match &self.content {
            Content::Key(text) => Some(text),
            Content::File { .. } => None,
        }
    }

    /// What tells it from any other value: white space and the order of keys do not count, the spelling of
    /// numbers does.
    pub(super) fn print(&self, salt: &Salt) -> Print {
        match &self.content {
            Content::Key(text) => match serde_json::from_str(text) {
                Ok(json) => salt.print(&[b"key", sorted(&json).to_string().as_bytes()]),
                Err(_) => salt.print(&[b"text", text.as_bytes()]),
            },
            Content::File { bytes, runs } => {
                salt.print(&[if *runs == Runs::Yes { b"program" } else { b"file" }, bytes])
            }
        }
    }

    /// The value as it may be shown and kept: a secret by its print alone.
    pub(super) fn shown(&self, salt: &Salt) -> String {
        const MOST: usize = 400;
        let print = || self.print(salt);
        match (&self.content, self.secrecy) {
            (_, Secrecy::Secret) => format!("(secret {})", print().short()),
            (Content::File { bytes, .. }, _) => {
                format!("(file of {} bytes, {})", bytes.len(), print().short())
            }
            (Content::Key(text), _) => match text.char_indices().nth(MOST) {
                Some((end, _)) => format!("{}… ({})", &text[..end], print().short()),
                None => text.clone(),
            },
        }
    }
}

/// The same value with the keys of its objects in order.
fn sorted(json: &serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            serde_json::Value::Object(entries.into_iter().collect())
        }
        serde_json::Value::Array(items) => serde_json::Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// A digest of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Print(String);

impl Print {
    /// As it is shown.
    pub(super) fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }

    /// All of it.
    pub(super) fn whole(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// What makes the prints of this home others than those of the same values elsewhere.
#[derive(Clone)]
pub(super) struct Salt([u8; 16]);

impl Salt {
    /// That of a home, made the first time.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let file = folder.join("salt");
        match fs::read(&file) {
            Ok(bytes) => {
                if let Ok(salt) = <[u8; 16]>::try_from(bytes.as_slice()) {
                    return Ok(Self(salt));
                }
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(cause).context("read", &file),
        }
        let salt = uuid::Uuid::new_v4().into_bytes();
        write_private(&file, &salt)?;
        Ok(Self(salt))
    }

    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        Self([7; 16])
    }

    pub(super) fn print(&self, parts: &[&[u8]]) -> Print {
        let mut digest = Sha256::new();
        digest.update(self.0);
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let digest = digest.finalize();
        Print(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_known_by_what_it_says_and_not_by_how_it_is_laid_out() {
        let salt = Salt::for_tests();
        let one = Value::key(&json!({"a": 1, "b": [2]}), Secrecy::Open);
        let other =
            Value { content: Content::Key("{ \"b\": [2],\n \"a\": 1 }".into()), secrecy: Secrecy::Open };
        assert_eq!(one.print(&salt), other.print(&salt));
        assert_ne!(one.print(&salt), Value::key(&json!({"a": 1.0, "b": [2]}), Secrecy::Open).print(&salt));
        let file = |runs| Value::file(b"x".to_vec(), runs).print(&salt);
        assert_ne!(file(Runs::Yes), file(Runs::No));
    }

    #[test]
    fn a_secret_is_shown_by_its_print_alone() {
        let salt = Salt::for_tests();
        let secret = Value::key(&json!("hunter2-FAKE"), Secrecy::Secret);
        assert!(!secret.shown(&salt).contains("hunter2"), "{}", secret.shown(&salt));
        assert_eq!(format!("{secret:?}"), "(value)");
    }
}
