//! The present state, as the files of a repository.

use super::yaml;
use crate::{
    claude_home::{KeyPolicy, KeyTable, parse_document},
    error_handling::{Code, Error, IoContext, Result},
    gitops::{
        gitops::Gitops,
        place::{Place, Target},
        plain_secrets::{may_be_secret, named, plain_secrets},
        template::unfilled,
        tree::LARGEST_FILE,
    },
    keychain::Sensitive,
    settings::settings_in,
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

/// A secret that was found.
pub(super) struct Kept {
    pub(super) value: Sensitive<String>,
    pub(super) place: Place,
}

/// The files, the secrets by file and key, and what was left.
#[derive(Default)]
pub(super) struct Present {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) secrets: BTreeMap<String, BTreeMap<String, Kept>>,
    pub(super) left: BTreeMap<String, String>,
}

/// Reads what is here.
pub(super) fn present(gitops: &Gitops) -> Result<Present> {
    let home = gitops.locations.home.to_string_lossy().into_owned();
    let mut reading = Reading { home, present: Present::default() };
    reading.own(&gitops.locations.settings_file)?;
    reading.settings(&gitops.locations.claude_dir.join("settings.json"))?;
    reading.state(&gitops.locations.claude_json)?;
    reading.authored(&gitops.locations.claude_dir)?;
    Ok(reading.present)
}

struct Reading {
    home: String,
    present: Present,
}

impl Reading {
    fn put(&mut self, name: &str, text: String) {
        self.present.files.insert(name.to_owned(), text.into_bytes());
    }

    /// Drydock's own settings.
    fn own(&mut self, file: &Path) -> Result<()> {
        let Some(text) = text_of(file)? else { return Ok(()) };
        let mut root = Map::new();
        for (name, value) in settings_in(file, &String::from_utf8_lossy(&text))? {
            let keys: Vec<_> = name.split('.').collect();
            let place = Place::key(Target::Drydock, &keys);
            if place.refused().is_some() {
                continue;
            }
            let value = match value.parse::<i64>() {
                Ok(number) if number.to_string() == value => Value::from(number),
                _ => self.opened(&Value::String(value), &place, "drydock", &keys),
            };
            nested(&mut root, &keys, value);
        }
        if !root.is_empty() {
            self.put("desired/settings.yaml", yaml::document(&root));
        }
        Ok(())
    }

    /// Claude Code's settings.
    fn settings(&mut self, file: &Path) -> Result<()> {
        let Some(mut document) = document(file)? else { return Ok(()) };
        document.retain(|_, value| !value.is_null());
        let opened: Map<_, _> = document
            .iter()
            .map(|(key, value)| {
                let place = Place::key(Target::Settings, &[key]);
                (key.clone(), self.opened(value, &place, "settings", &[key]))
            })
            .collect();
        if !opened.is_empty() {
            let text = serde_json::to_string_pretty(&opened)
                .map_err(|cause| Error::new(Code::Internal, "a document could not be written").why(cause))?;
            self.put("desired/claude/settings.json", format!("{text}\n"));
        }
        Ok(())
    }

    /// What of `.claude.json` is no one computer's alone.
    fn state(&mut self, file: &Path) -> Result<()> {
        let Some(document) = document(file)? else { return Ok(()) };
        let shared: Map<_, _> = document
            .iter()
            .filter(|(key, value)| KeyTable::State.policy(&[key]) == KeyPolicy::Share && !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !shared.is_empty() {
            let text = serde_json::to_string_pretty(&shared)
                .map_err(|cause| Error::new(Code::Internal, "a document could not be written").why(cause))?;
            self.put("desired/claude.json", format!("{text}\n"));
        }
        if let Some(Value::Object(servers)) = document.get("mcpServers") {
            let servers = self.servers(servers, &[]);
            if !servers.is_empty() {
                self.put("desired/mcp.yaml", yaml::document(&servers));
            }
        }
        if let Some(Value::Object(projects)) = document.get("projects") {
            let mut names = BTreeSet::new();
            for (path, entry) in projects {
                self.project(path, entry, &mut names);
            }
        }
        Ok(())
    }

    fn servers(&mut self, servers: &Map<String, Value>, above: &[&str]) -> Map<String, Value> {
        let known = servers.iter().filter(|(_, server)| server.is_object());
        known
            .map(|(name, server)| {
                let keys: Vec<_> = above.iter().copied().chain(["mcpServers", name]).collect();
                let place = Place::key(Target::State, &keys);
                (name.clone(), self.opened(server, &place, "mcp", &[name]))
            })
            .collect()
    }

    fn project(&mut self, path: &str, entry: &Value, names: &mut BTreeSet<String>) {
        const LISTS: &[&str] =
            &["allowedTools", "disabledMcpServers", "disabledMcpjsonServers", "enabledMcpjsonServers"];
        let Some(entry) = entry.as_object() else { return };
        let mut said = Map::new();
        for key in LISTS {
            match entry.get(*key) {
                Some(Value::Array(items)) if !items.is_empty() && items.iter().all(Value::is_string) => {
                    let place = Place::key(Target::State, &["projects", path, key]);
                    said.insert((*key).to_owned(), self.opened(&entry[*key], &place, "projects", &[key]));
                }
                _ => {}
            }
        }
        if let Some(Value::Object(servers)) = entry.get("mcpServers") {
            let servers = self.servers(servers, &["projects", path]);
            if !servers.is_empty() {
                said.insert("mcp".to_owned(), Value::Object(servers));
            }
        }
        if said.is_empty() || !path.starts_with('/') {
            return;
        }
        let last = plain_name(path.rsplit('/').next().unwrap_or("project"));
        let name = (1..)
            .map(|n| if n == 1 { last.clone() } else { format!("{last}-{n}") })
            .find(|name| !names.contains(name))
            .unwrap_or(last);
        names.insert(name.clone());
        let mut all = Map::from_iter([("path".to_owned(), Value::String(unfilled(path, &self.home)))]);
        all.extend(said);
        self.put(&format!("projects/{name}/project.yaml"), yaml::document(&all));
    }

    /// What the user wrote for Claude Code.
    fn authored(&mut self, folder: &Path) -> Result<()> {
        let skipped: Vec<_> = crate::claude_home::skipped_folders().collect();
        let wanted = |entry: &walkdir::DirEntry| {
            let name = entry.file_name().to_string_lossy();
            !(entry.depth() == 1
                && (skipped.contains(&name.as_ref()) || name == "projects" || name == "plugins"))
                && name != ".git"
        };
        for entry in
            walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(wanted).flatten()
        {
            let Some(name) = entry.path().strip_prefix(folder).ok().and_then(Path::to_str) else { continue };
            if entry.file_type().is_dir() || Place::file(name).refused().is_some() {
                continue;
            }
            let shown = format!("claude/{name}");
            match fs::metadata(entry.path()) {
                Ok(data) if data.is_file() && data.len() <= LARGEST_FILE => {}
                Ok(data) if data.is_file() => {
                    self.present.left.insert(shown, "it is larger than 1 MiB".to_owned());
                    continue;
                }
                // A link to a folder, or one that leads nowhere.
                _ => {
                    self.present.left.insert(shown, "it is no file".to_owned());
                    continue;
                }
            }
            let text = fs::read(entry.path()).context("read", entry.path())?;
            let file = format!("desired/{shown}");
            match plain_secrets(&file, &String::from_utf8_lossy(&text)).first() {
                Some(found) => {
                    let why = format!("{} is in line {} of it", found.kind, found.line);
                    self.present.left.insert(shown, why);
                }
                None => _ = self.present.files.insert(file, text),
            }
        }
        Ok(())
    }

    /// The value with names in the place of secrets and of the home.
    fn opened(&mut self, value: &Value, place: &Place, file: &str, keys: &[&str]) -> Value {
        match value {
            Value::String(text) => {
                self.text(text, keys.last().copied().unwrap_or_default(), place, file, keys)
            }
            Value::Array(items) => {
                let list = keys.last().copied().unwrap_or_default();
                let opened = named(list, items).map(|(name, item)| match item {
                    Value::String(text) => self.text(text, name, place, file, keys),
                    other => self.opened(other, place, file, keys),
                });
                Value::Array(opened.collect())
            }
            Value::Object(map) => Value::Object(
                map.iter()
                    .map(|(key, value)| {
                        // `env` and `headers` say nothing in a name, where they are not all that there is.
                        let above = keys
                            .iter()
                            .copied()
                            .filter(|key| file == "settings" || !["env", "headers"].contains(key));
                        let keys: Vec<_> = above.chain([key.as_str()]).collect();
                        (key.clone(), self.opened(value, place, file, &keys))
                    })
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    /// A text that is the value of something of this name.
    fn text(&mut self, text: &str, name: &str, place: &Place, file: &str, keys: &[&str]) -> Value {
        if !may_be_secret(name, text) {
            return Value::String(unfilled(text, &self.home));
        }
        let kept = self.present.secrets.entry(file.to_owned()).or_default();
        let name = plain_name(&keys.join("_")).to_ascii_lowercase();
        let name = (1..)
            .map(|n| if n == 1 { name.clone() } else { format!("{name}_{n}") })
            .find(|name| kept.get(name).is_none_or(|other| other.value.reveal() == text))
            .unwrap_or(name);
        kept.insert(name.clone(), Kept { value: Sensitive::new(text.to_owned()), place: place.clone() });
        Value::String(format!("${{secret:{file}/{name}}}"))
    }
}

fn nested(map: &mut Map<String, Value>, keys: &[&str], value: Value) {
    let Some((first, rest)) = keys.split_first() else { return };
    if rest.is_empty() {
        map.insert((*first).to_owned(), value);
        return;
    }
    let inner = map.entry((*first).to_owned()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        nested(inner, rest, value);
    }
}

/// A name that a folder, a file and a secret can have.
fn plain_name(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' }).collect();
    if plain.is_empty() { "unnamed".to_owned() } else { plain }
}

fn text_of(file: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause).context("read", file),
    }
}

fn document(file: &Path) -> Result<Option<Map<String, Value>>> {
    let Some(text) = text_of(file)? else { return Ok(None) };
    parse_document(&text).map(Some).map_err(|fault| {
        Error::new(Code::ConfigDamaged, format!("{} is damaged", file.display()))
            .why(fault)
            .remedy("drydock recover")
    })
}
