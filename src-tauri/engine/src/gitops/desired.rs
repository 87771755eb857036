//! The desired state of this computer: what the repository says, with the home, the computer's name and the secrets
//! filled in.

use super::{
    place::Place,
    repository::{Repository, Source, Wanted, each_text},
    secrets::{Opened, Secrets},
    template::{Filled, Filling, fill, secrets_of},
    value::{Secrecy, Value},
};
use crate::error_handling::{Code, Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The desired state.
#[derive(Debug, Default)]
pub(super) struct Desired {
    pub(super) values: BTreeMap<Place, Value>,
    /// Places whose secrets are not in the repository yet: they wait.
    pub(super) missing: BTreeMap<Place, BTreeSet<String>>,
}

/// Fills in what the repository leaves open.
///
/// # Errors
/// When a file of secrets that is asked for cannot be opened, or a text cannot be filled in.
pub(super) fn resolve(
    repository: &Repository,
    home: &str,
    host: &str,
    secrets: &dyn Secrets,
) -> Result<Desired> {
    let opened = open_asked(repository, secrets)?;
    let secret = |name: &str| {
        let (file, key) = name.rsplit_once('/')?;
        // A file may have keys within keys: the longest name of a file counts.
        std::iter::successors(Some((file, key.to_owned())), |(file, key)| {
            let (above, last) = file.rsplit_once('/')?;
            Some((above, format!("{last}/{key}")))
        })
        .find_map(|(file, key)| opened.get(file)?.get(&key).cloned())
    };
    let with = Filling { home, host, secret: &secret };
    let mut desired = Desired::default();
    for (place, (wanted, source)) in &repository.wanted {
        match wanted {
            Wanted::File(blob) => {
                desired.values.insert(place.clone(), Value::file(blob.bytes.clone(), blob.runs));
            }
            Wanted::Key(value) => {
                let mut missing = BTreeSet::new();
                let (filled, secrecy) =
                    filled(value, &with, &mut missing).map_err(|what| wrong(source, &what))?;
                if missing.is_empty() {
                    desired.values.insert(place.clone(), Value::key(&filled, secrecy));
                } else {
                    desired.missing.insert(place.clone(), missing);
                }
            }
        }
    }
    Ok(desired)
}

fn wrong(source: &Source, what: &str) -> Error {
    Error::new(Code::GitopsInvalid, format!("{}, line {}: {what}", source.file, source.line))
}

/// Opens the files of the secrets that something asks for, and no others.
fn open_asked(repository: &Repository, secrets: &dyn Secrets) -> Result<BTreeMap<String, Opened>> {
    let mut asked = BTreeSet::new();
    for (wanted, source) in repository.wanted.values() {
        let Wanted::Key(value) = wanted else { continue };
        each_text(value, &mut |text| secrets_of(text).map(|names| asked.extend(names)))
            .map_err(|what| wrong(source, &what))?;
    }
    let is_asked = |file: &str| {
        asked.iter().any(|name| name.strip_prefix(file).is_some_and(|rest| rest.starts_with('/')))
    };
    let wanted = repository.secrets.iter().filter(|(file, _)| is_asked(file));
    let mut opened = BTreeMap::new();
    for (file, text) in wanted {
        // What is not for this computer is as if it were not there: what asks for it waits.
        if let Some(secrets) = secrets.decrypt(&format!("secrets/{file}.enc.yaml"), text)? {
            opened.insert(file.clone(), secrets);
        }
    }
    Ok(opened)
}

fn filled(
    value: &serde_json::Value,
    with: &Filling<'_>,
    missing: &mut BTreeSet<String>,
) -> std::result::Result<(serde_json::Value, Secrecy), String> {
    let mut secrecy = Secrecy::Open;
    let mut inner = |value: &serde_json::Value| -> std::result::Result<serde_json::Value, String> {
        let (filled, of_it) = filled(value, with, missing)?;
        if of_it == Secrecy::Secret {
            secrecy = Secrecy::Secret;
        }
        Ok(filled)
    };
    let filled = match value {
        serde_json::Value::String(text) => match fill(text, with)? {
            Filled::Text(text, of_it) => return Ok((serde_json::Value::String(text), of_it)),
            Filled::Missing(names) => {
                missing.extend(names);
                serde_json::Value::Null
            }
        },
        serde_json::Value::Array(items) => {
            serde_json::Value::Array(items.iter().map(&mut inner).collect::<std::result::Result<_, _>>()?)
        }
        serde_json::Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| Ok((key.clone(), inner(value)?)));
            serde_json::Value::Object(entries.collect::<std::result::Result<_, String>>()?)
        }
        other => other.clone(),
    };
    Ok((filled, secrecy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gitops::{
            repository::{self, Reader},
            secrets::SopsSecrets,
            tree::Tree,
        },
        keychain::Sensitive,
        settings::Settings,
    };

    struct Known;

    impl Secrets for Known {
        fn decrypt(&self, _: &str, _: &[u8]) -> Result<Option<Opened>> {
            Ok(Some(BTreeMap::from([
                ("github".to_owned(), Sensitive::new("FAKE-token".to_owned())),
                ("deep/key".to_owned(), Sensitive::new("FAKE-deep".to_owned())),
            ])))
        }
    }

    fn repository(files: &[(&str, &str)]) -> Repository {
        let mut all = vec![("drydock.yaml", "version: 1\n")];
        all.extend_from_slice(files);
        let (repository, problems) =
            repository::read(&Tree::of(&all), &Reader { home: "/home/me", machine: "desk" });
        assert_eq!(problems, []);
        repository
    }

    const SERVERS: (&str, &str) = (
        "desired/mcp.yaml",
        "a: {command: \"${home}/bin/a\", env: {KEY: \"${secret:mcp/github}\", D: \"${secret:mcp/deep/key}\"}}\n\
         b: {command: b, args: [\"${secret:mcp/other}\"]}\n",
    );
    const FILE: (&str, &str) = (
        "secrets/mcp.enc.yaml",
        "github: ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]\n\
         sops: {age: [{recipient: x, enc: x}], lastmodified: \"2026-01-01T00:00:00Z\", mac: x}\n",
    );

    #[test]
    fn secrets_are_filled_in_and_those_that_are_not_there_wait() {
        let desired = resolve(&repository(&[SERVERS, FILE]), "/home/me", "desk", &Known).unwrap();
        let place = "claude.json#/mcpServers/a".parse().unwrap();
        let value = &desired.values[&place];
        assert_eq!(value.secrecy, Secrecy::Secret);
        assert_eq!(
            value.json(),
            Some(r#"{"command":"/home/me/bin/a","env":{"KEY":"FAKE-token","D":"FAKE-deep"}}"#)
        );
        let waits = "claude.json#/mcpServers/b".parse().unwrap();
        assert_eq!(desired.missing[&waits].iter().collect::<Vec<_>>(), ["mcp/other"]);
    }

    #[test]
    fn a_file_of_secrets_is_opened_where_something_asks_for_it_and_there_is_a_key() {
        let home = tempfile::tempdir().unwrap();
        let locations = crate::paths::Locations::find(Some(home.path())).unwrap();
        let secrets = SopsSecrets::of(&locations, &Settings::load(&locations.settings_file).unwrap());
        let resolved = |files: &[(&str, &str)]| resolve(&repository(files), "/home/me", "desk", &secrets);
        assert_eq!(resolved(&[SERVERS, FILE]).unwrap().missing.len(), 2, "without a key it waits");
        secrets.recipients().unwrap();
        assert!(resolved(&[FILE]).is_ok());
        assert_eq!(resolved(&[SERVERS, FILE]).unwrap().missing.len(), 2, "for others it waits");
        let kept = BTreeMap::from([("github".to_owned(), Sensitive::new("FAKE-token".to_owned()))]);
        let text = String::from_utf8(secrets.encrypt(FILE.0, &kept).unwrap()).unwrap();
        assert_eq!(resolved(&[SERVERS, (FILE.0, &text)]).unwrap().missing.len(), 2);
        let changed = text.replace("github:", "gitlab:");
        let error = resolved(&[SERVERS, (FILE.0, &changed)]).unwrap_err();
        assert_eq!(error.code(), Code::GitopsSecret);
    }
}
