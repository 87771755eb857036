//! Which session brought a key of a document here: for whoever finds later that it is not what it should be. Values are
//! kept as digests, each with a salt of its own. The sync lock is held while this is written.

use crate::{
    claude_home::KeyChange,
    error_handling::{Code, Error, IoContext, Result},
    paths::write_private,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fs, io, path::Path};
use uuid::Uuid;

const FILE: &str = "brought.json";

/// More than one home has of such keys.
const KEPT: usize = 500;

/// The keys that sessions brought here.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Brought(Vec<Key>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Key {
    /// The document's name below the home.
    document: String,
    pointer: String,
    session: String,
    at: DateTime<Utc>,
    salt: Uuid,
    print: String,
}

impl Brought {
    /// What is on record.
    ///
    /// # Errors
    /// When the record cannot be read, or is damaged.
    pub(crate) fn load(data_dir: &Path) -> Result<Self> {
        let file = data_dir.join(FILE);
        match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|cause| {
                Error::new(Code::Internal, format!("Drydock's record {} is damaged", file.display()))
                    .why(cause)
            }),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(cause) => Err(cause).context("read", &file),
        }
    }

    /// Writes down that a session brought these.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn note<'c>(
        data_dir: &Path,
        session: &str,
        document: &str,
        changes: impl Iterator<Item = &'c KeyChange>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let new: Vec<_> = changes
            .map(|change| {
                let salt = Uuid::new_v4();
                Key {
                    document: document.to_owned(),
                    pointer: change.pointer.clone(),
                    session: session.to_owned(),
                    at: now,
                    salt,
                    print: print(salt, change.session.as_deref()),
                }
            })
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        // A damaged record is begun anew: it only helps to tell who it was.
        let Self(mut keys) = Self::load(data_dir).unwrap_or_default();
        keys.retain(|key| !new.iter().any(|one| one.document == key.document && one.pointer == key.pointer));
        keys.extend(new);
        keys.drain(..keys.len().saturating_sub(KEPT));
        let text = serde_json::to_vec(&Self(keys))
            .map_err(|cause| Error::new(Code::Internal, "a record could not be written").why(cause))?;
        write_private(&data_dir.join(FILE), &text)
    }

    /// The session that brought a key, if what it brought is what stands there now.
    pub(crate) fn by(&self, document: &str, pointer: &str, now: Option<&str>) -> Option<&str> {
        let found = self.0.iter().find(|key| key.document == document && key.pointer == pointer)?;
        (print(found.salt, now) == found.print).then_some(&found.session)
    }
}

/// White space does not count.
fn print(salt: Uuid, json: Option<&str>) -> String {
    let value = json.map(serde_json::from_str::<serde_json::Value>);
    let text = match value {
        None => "absent".to_owned(),
        Some(Ok(value)) => format!("json {value}"),
        Some(Err(_)) => format!("text {}", json.unwrap_or_default()),
    };
    let digest = Sha256::new().chain_update(salt.as_bytes()).chain_update(text).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(pointer: &str, session: Option<&str>) -> KeyChange {
        KeyChange { pointer: pointer.to_owned(), base: None, host: None, session: session.map(str::to_owned) }
    }

    #[test]
    fn the_last_session_that_brought_a_value_is_known_as_long_as_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        let note = |session: &str, changes: &[KeyChange]| {
            Brought::note(dir.path(), session, ".claude/settings.json", changes.iter(), Utc::now()).unwrap();
        };
        note("one", &[change("/model", Some("\"opus\"")), change("/theme", Some("\"FAKE-dark\""))]);
        note("two", &[change("/model", Some("\"haiku\""))]);
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(!text.contains("haiku") && !text.contains("FAKE-dark"), "{text}");
        let brought = Brought::load(dir.path()).unwrap();
        let by = |pointer: &str, now| brought.by(".claude/settings.json", pointer, now);
        assert_eq!(by("/model", Some(" \"haiku\" ")), Some("two"));
        assert_eq!(by("/theme", Some("\"FAKE-dark\"")), Some("one"));
        assert_eq!(by("/model", Some("\"opus\"")), None, "somebody changed it since");
        assert_eq!(by("/model", None), None);
        assert_eq!(brought.by(".claude.json", "/model", Some("\"haiku\"")), None);
    }

    #[test]
    fn it_does_not_grow_and_a_damaged_record_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "[{").unwrap();
        assert!(Brought::load(dir.path()).is_err());
        let many: Vec<_> = (0..KEPT + 7).map(|at| change(&format!("/{at}"), Some("1"))).collect();
        Brought::note(dir.path(), "one", "x", many.iter(), Utc::now()).unwrap();
        let brought = Brought::load(dir.path()).unwrap();
        assert_eq!(brought.0.len(), KEPT);
        assert_eq!(brought.by("x", &format!("/{}", KEPT + 6), Some("1")), Some("one"));
    }
}
