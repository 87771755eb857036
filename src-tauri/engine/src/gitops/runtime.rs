//! What stands on this computer at the places that git has a say in, and the files as they are to be.

use super::{
    apply::{Lock, NewFile},
    place::{Place, Target},
    value::{Content, Runs, Secrecy, Value},
};
use crate::{
    claude_home::{KeyChange, apply_changes, parse_document},
    error_handling::{Code, Error, IoContext, Result},
    paths::Locations,
    settings::{settings_in, settings_with},
};
use drydock_inside::Mark;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// One file as it was read.
#[derive(Debug)]
struct Read {
    path: PathBuf,
    text: Option<Vec<u8>>,
    mode: u32,
}

impl Read {
    /// Through the user's own links: people keep what they write in a repository of dotfiles.
    fn of(path: &Path) -> Result<Self> {
        let path = if path.is_symlink() {
            fs::canonicalize(path).context("follow", path)?
        } else {
            path.to_path_buf()
        };
        match fs::read(&path) {
            Ok(text) => {
                let mode = fs::metadata(&path).context("look at", &path)?.permissions().mode() & 0o777;
                Ok(Self { path, text: Some(text), mode })
            }
            Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Self { path, text: None, mode: 0o600 })
            }
            Err(cause) => Err(cause).context("read", &path),
        }
    }

    fn mark(&self) -> Option<Mark> {
        let text = self.text.as_ref()?;
        let sha256 = drydock_inside::Digest::from(<[u8; 32]>::from(Sha256::digest(text)));
        Some(Mark { len: text.len() as u64, sha256 })
    }

    fn new_file(&self, after: Option<Vec<u8>>, mode: u32, lock: Lock) -> NewFile {
        NewFile { target: self.path.clone(), before: self.mark(), after, mode, lock }
    }

    fn is_program(&self) -> Runs {
        if self.mode & 0o100 != 0 { Runs::Yes } else { Runs::No }
    }
}

/// A JSON document as it was read.
#[derive(Debug)]
struct Document {
    read: Read,
    json: serde_json::Value,
}

impl Document {
    fn of(path: &Path) -> Result<Self> {
        let read = Read::of(path)?;
        let json = match &read.text {
            None => serde_json::Value::Null,
            Some(text) => parse_document(text).map(serde_json::Value::Object).map_err(|fault| {
                Error::new(Code::ConfigDamaged, format!("{} is damaged", read.path.display()))
                    .why(fault)
                    .remedy("drydock recover")
            })?,
        };
        Ok(Self { read, json })
    }

    fn value(&self, place: &Place) -> Option<String> {
        self.json.pointer(&place.pointer()).map(ToString::to_string)
    }

    /// The document's text with these values; the rest keeps its bytes.
    fn with(&self, changes: &[(&Place, Option<&Value>)]) -> Result<Vec<u8>> {
        let text = self.read.text.clone().unwrap_or_else(|| b"{}\n".to_vec());
        let changes: Vec<_> = changes
            .iter()
            .map(|(place, value)| KeyChange {
                pointer: place.pointer(),
                base: None,
                host: self.value(place),
                session: value.and_then(Value::json).map(str::to_owned),
            })
            .collect();
        let applied = apply_changes(&text, &changes).map_err(|fault| {
            Error::new(Code::ConfigDamaged, format!("{} is damaged", self.read.path.display())).why(fault)
        })?;
        Ok(applied.text)
    }
}

/// The places as they are now.
#[derive(Debug)]
pub(super) struct Runtime {
    settings: Document,
    state: Document,
    drydock: Read,
    own: BTreeMap<String, String>,
    files: BTreeMap<String, Read>,
}

impl Runtime {
    /// Reads what stands at these places.
    ///
    /// # Errors
    /// [`Code::ConfigDamaged`] when a document cannot be read: nothing is compared with what cannot be.
    pub(super) fn read<'p>(
        locations: &Locations,
        places: impl IntoIterator<Item = &'p Place>,
    ) -> Result<Self> {
        let names: BTreeSet<_> = places
            .into_iter()
            .filter_map(|place| match &place.target {
                Target::File(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let drydock = Read::of(&locations.settings_file)?;
        let own = match &drydock.text {
            Some(text) => settings_in(&drydock.path, &String::from_utf8_lossy(text))?,
            None => BTreeMap::new(),
        };
        let files = names.into_iter().map(|name| {
            let read = Read::of(&locations.claude_dir.join(&name))?;
            Ok((name, read))
        });
        Ok(Self {
            settings: Document::of(&locations.claude_dir.join("settings.json"))?,
            state: Document::of(&locations.claude_json)?,
            drydock,
            own,
            files: files.collect::<Result<_>>()?,
        })
    }

    /// What stands at a place; `None` is nothing.
    pub(super) fn value(&self, place: &Place) -> Option<Value> {
        let key = |text: String| Value { content: Content::Key(text), secrecy: Secrecy::Open };
        match &place.target {
            Target::Settings => self.settings.value(place).map(key),
            Target::State => self.state.value(place).map(key),
            Target::Drydock => {
                let text = self.own.get(&place.dotted())?;
                Some(Value::key(&serde_json::Value::String(text.clone()), Secrecy::Open))
            }
            Target::File(name) => {
                let read = self.files.get(name)?;
                Some(Value::file(read.text.clone()?, read.is_program()))
            }
        }
    }

    /// The files with these values at these places; `None` takes one away.
    ///
    /// # Errors
    /// When a value cannot stand there.
    pub(super) fn with(&self, changes: &BTreeMap<Place, Option<Value>>) -> Result<Vec<NewFile>> {
        let of = |target: &Target| -> Vec<(&Place, Option<&Value>)> {
            let here = changes.iter().filter(|(place, _)| place.target == *target);
            here.map(|(place, value)| (place, value.as_ref())).collect()
        };
        let mut files = Vec::new();
        for (target, document, lock) in
            [(Target::Settings, &self.settings, Lock::None), (Target::State, &self.state, Lock::ClaudeCodes)]
        {
            let changes = of(&target);
            if !changes.is_empty() {
                let text = document.with(&changes)?;
                files.push(document.read.new_file(Some(text), document.read.mode & 0o700 | 0o600, lock));
            }
        }
        let own = of(&Target::Drydock);
        if !own.is_empty() {
            let text = self.drydock.text.clone().unwrap_or_default();
            let changes: Vec<_> = own
                .iter()
                .map(|(place, value)| {
                    let json = value.and_then(Value::json);
                    (place.dotted(), json.and_then(|json| serde_json::from_str::<String>(json).ok()))
                })
                .collect();
            let text = settings_with(&self.drydock.path, &String::from_utf8_lossy(&text), &changes)?;
            files.push(self.drydock.new_file(Some(text.into_bytes()), 0o600, Lock::None));
        }
        for (place, value) in changes {
            let Target::File(name) = &place.target else { continue };
            let Some(read) = self.files.get(name) else { continue };
            let (after, mode) = match value.as_ref().map(|value| &value.content) {
                Some(Content::File { bytes, runs }) => {
                    (Some(bytes.clone()), if *runs == Runs::Yes { 0o700 } else { 0o600 })
                }
                Some(Content::Key(_)) | None => (None, 0o600),
            };
            files.push(read.new_file(after, mode, Lock::None));
        }
        Ok(files)
    }
}

/// The names below the home of what is about to change, for the backup before it.
pub(super) fn below_home(home: &Path, files: &[NewFile]) -> Vec<PathBuf> {
    files.iter().filter_map(|file| file.target.strip_prefix(home).ok().map(Path::to_path_buf)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_keys_change_and_every_other_byte_stays() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        fs::create_dir_all(&locations.claude_dir).unwrap();
        fs::create_dir_all(locations.settings_file.parent().unwrap()).unwrap();
        let settings = "{\n  \"model\": \"opus\",\n  \"x\": 1e5\n}\n";
        fs::write(locations.claude_dir.join("settings.json"), settings).unwrap();
        fs::write(&locations.settings_file, "# mine\n[container]\npids = 512 # few\n").unwrap();
        let place = |text: &str| text.parse::<Place>().unwrap();
        let text = |text: &str| Some(Value::key(&serde_json::json!(text), Secrecy::Open));
        let changes = BTreeMap::from([
            (place("claude/settings.json#/model"), text("haiku")),
            (place("claude/settings.json#/env/A"), text("1")),
            (place("drydock/settings.toml#/container/pids"), None),
            (place("drydock/settings.toml#/image/packages"), text("git")),
            (place("claude/agents/a.md"), Some(Value::file(b"an agent".to_vec(), Runs::No))),
        ]);
        let runtime = Runtime::read(&locations, changes.keys()).unwrap();
        assert_eq!(runtime.value(&place("claude/settings.json#/model")).unwrap().json(), Some("\"opus\""));
        let files = runtime.with(&changes).unwrap();
        let after = |at: usize| String::from_utf8(files[at].after.clone().unwrap()).unwrap();
        assert_eq!(files.len(), 3);
        assert!(after(0).contains("\"model\": \"haiku\"") && after(0).contains("\"x\": 1e5"), "{}", after(0));
        assert!(after(0).contains("\"env\": {\"A\": \"1\"}"), "{}", after(0));
        assert!(after(1).starts_with("# mine\n") && after(1).contains("packages = \"git\""), "{}", after(1));
        assert!(!after(1).contains("pids"), "{}", after(1));
        assert_eq!(after(2), "an agent");
    }

    #[test]
    fn nothing_is_compared_with_a_document_that_cannot_be_read() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        fs::write(&locations.claude_json, "{\"a\":").unwrap();
        assert_eq!(Runtime::read(&locations, []).unwrap_err().code(), Code::ConfigDamaged);
    }
}
