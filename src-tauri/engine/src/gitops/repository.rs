//! What a repository's files say: the desired state, by place, with the file and line where it is said.
//!
//! | file | what it is |
//! | --- | --- |
//! | `drydock.yaml` | what the repository says of itself |
//! | `desired/settings.yaml`, `desired/<section>.yaml` | Drydock's own settings |
//! | `desired/claude/settings.json` | keys of Claude Code's settings |
//! | `desired/claude.json` | preferences in `.claude.json` |
//! | `desired/mcp.yaml` | MCP servers |
//! | `desired/claude/…` | CLAUDE.md, agents, commands, skills, hooks and their like |
//! | `machines/<name>/…` | the same for one computer, over the rest; null takes a key away |
//! | `projects/<name>/project.yaml` | what one project has of its own |
//! | `secrets/<name>.enc.yaml` | secrets, encrypted by SOPS |

use super::{
    node::{Fault, Kind, Node, read_json, read_yaml},
    place::{Place, Target},
    plain_secrets::{Found, Kind as SecretKind, plain_secrets_by},
    root::Root,
    sops::{RULES_FILE, Rules, Source as Text},
    template::secrets_of,
    tree::{Blob, Tree},
};
use crate::{
    claude_home::{KeyPolicy, KeyTable},
    settings::{KEYS, check_setting},
    validation::validate_text,
};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

/// The file that makes a folder such a repository.
pub(super) const ROOT_FILE: &str = "drydock.yaml";

/// Something wrong with a repository's files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 where it is about the whole file.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// What is wanted at a place, as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    Key(serde_json::Value),
    File(Blob),
}

/// Where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) file: String,
    pub(super) line: usize,
    /// The keys in that file; none where it is the file.
    pub(super) keys: Vec<String>,
}

/// The desired state as it is written, before anything is filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct Repository {
    pub(super) root: Root,
    pub(super) wanted: BTreeMap<Place, (Wanted, Source)>,
    /// The files of secrets, by the name that a template uses.
    pub(super) secrets: BTreeMap<String, Vec<u8>>,
    /// What has to be encrypted.
    pub(super) rules: Rules,
}

/// For whom the files are read.
pub(super) struct Reader<'a> {
    /// For `${home}` in a project's path.
    pub(super) home: &'a str,
    /// The name of this computer's folder in `machines/`.
    pub(super) machine: &'a str,
}

/// Reads a repository's files. All that is wrong is told at once; such a repository is not used.
pub(super) fn read(tree: &Tree, reader: &Reader<'_>) -> (Repository, Vec<Problem>) {
    let mut reading = Reading { reader, repository: Repository::default(), problems: Vec::new() };
    reading.root(tree);
    let desired = |name: &str| name.strip_prefix("desired/").map(str::to_owned);
    reading.layer(tree, desired);
    for (name, blob) in &tree.0 {
        if let Some(rest) = name.strip_prefix("projects/") {
            reading.project(name, rest, blob);
        } else if let Some(rest) = name.strip_prefix("secrets/") {
            reading.secret(name, rest, blob);
        }
    }
    let own = format!("machines/{}/", reader.machine);
    for machine in machines(tree) {
        if format!("machines/{machine}/") != own {
            // Read for what is wrong with it alone: this computer has nothing of it.
            let mut other = Reading { reader, repository: Repository::default(), problems: Vec::new() };
            other.layer(tree, |name| below_machine(name, &machine));
            reading.problems.append(&mut other.problems);
        }
    }
    reading.layer(tree, |name| name.strip_prefix(&own).map(str::to_owned));
    reading.rules(tree);
    for (name, blob) in &tree.0 {
        reading.in_plain(name, &String::from_utf8_lossy(&blob.bytes));
    }
    let Reading { mut repository, mut problems, .. } = reading;
    repository.wanted.retain(|place, _| !repository.root.ignores(place));
    problems.sort();
    problems.dedup();
    (repository, problems)
}

fn machines(tree: &Tree) -> Vec<String> {
    let mut names: Vec<_> = tree
        .0
        .keys()
        .filter_map(|name| name.strip_prefix("machines/")?.split_once('/').map(|(name, _)| name.to_owned()))
        .collect();
    names.dedup();
    names
}

fn below_machine(name: &str, machine: &str) -> Option<String> {
    name.strip_prefix("machines/")?.strip_prefix(machine)?.strip_prefix('/').map(str::to_owned)
}

struct Reading<'a> {
    reader: &'a Reader<'a>,
    repository: Repository,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn problem(&mut self, file: &str, fault: Fault) {
        self.problems.push(Problem { file: file.to_owned(), line: fault.line, what: fault.what });
    }

    fn parsed(&mut self, file: &str, parsed: Result<Node, Fault>) -> Option<Node> {
        parsed.map_err(|fault| self.problem(file, fault)).ok()
    }

    fn root(&mut self, tree: &Tree) {
        let Some(blob) = tree.0.get(ROOT_FILE) else {
            return self
                .problem(ROOT_FILE, Fault::new(0, "the file is missing; drydock gitops init makes one"));
        };
        let Some(node) = self.parsed(ROOT_FILE, read_yaml(&blob.bytes)) else { return };
        let mut faults = Vec::new();
        self.repository.root = Root::read(&node, &mut faults);
        faults.into_iter().for_each(|fault| self.problem(ROOT_FILE, fault));
    }

    /// What `.sops.yaml` wants encrypted. Where that cannot be known, nothing of the repository is used.
    fn rules(&mut self, tree: &Tree) {
        let Some(blob) = tree.0.get(RULES_FILE) else { return };
        match Rules::read(Text { name: RULES_FILE, text: &String::from_utf8_lossy(&blob.bytes) }) {
            Ok(rules) => self.repository.rules = rules,
            Err(error) => {
                // It begins with the file, which is said already.
                let what = error.message().trim_start_matches(RULES_FILE).trim_start_matches([',', ':', ' ']);
                self.problem(RULES_FILE, Fault::new(0, what));
            }
        }
    }

    /// Secrets that stand in plain in a file.
    fn in_plain(&mut self, file: &str, text: &str) {
        let is_told = self.problems.iter().any(|problem| problem.file == file);
        for Found { line, kind } in plain_secrets_by(&self.repository.rules, file, text) {
            let what = match kind {
                // That it is not encrypted at all, or cannot be read, was said when it was read.
                SecretKind::NotEncrypted if line == 1 && is_told => continue,
                SecretKind::NotEncrypted => {
                    format!(
                        "{kind} stands here in plain; drydock gitops encrypt and drydock gitops set do that"
                    )
                }
                _ => format!("{kind} stands here in plain; write ${{secret:…}} and keep it in secrets/"),
            };
            self.problem(file, Fault::new(line, what));
        }
    }

    /// The files of `desired/`, or of one computer's folder over it.
    fn layer(&mut self, tree: &Tree, below: impl Fn(&str) -> Option<String>) {
        for (file, blob) in &tree.0 {
            let Some(name) = below(file) else { continue };
            match name.as_str() {
                "claude/settings.json" => self.document(file, blob, &Target::Settings, KeyTable::Settings),
                "claude.json" => self.document(file, blob, &Target::State, KeyTable::State),
                "mcp.yaml" => self.servers(file, blob),
                _ => match (name.strip_prefix("claude/"), name.strip_suffix(".yaml")) {
                    (Some(authored), _) => self.authored(file, authored, blob),
                    (None, Some(section)) if is_section(section) => self.settings(file, section, blob),
                    _ => self.problem(file, Fault::new(0, "Drydock knows no such file; see docs/gitops.md")),
                },
            }
        }
    }

    /// One of Claude Code's documents, key by key.
    fn document(&mut self, file: &str, blob: &Blob, target: &Target, table: KeyTable) {
        let Some(node) = self.parsed(file, read_json(&blob.bytes)) else { return };
        let as_name = if *target == Target::State { ".claude.json" } else { "settings.json" };
        for found in validate_text(Path::new(file), &blob.bytes, as_name) {
            let line = found.place.map_or(0, |place| usize::try_from(place.line).unwrap_or(0));
            self.problem(file, Fault::new(line, found.reason));
        }
        if let Some(projects) = node.get("projects").filter(|_| *target == Target::State) {
            return self.problem(
                file,
                Fault::new(projects.line, "projects have files of their own: projects/NAME/project.yaml"),
            );
        }
        let mut leaves = Vec::new();
        collect(table, &node, &mut Vec::new(), &mut leaves);
        for (keys, line, value) in leaves {
            let place = Place { target: target.clone(), keys: keys.clone() };
            self.want(place, &value, Source { file: file.to_owned(), line, keys });
        }
    }

    fn servers(&mut self, file: &str, blob: &Blob) {
        let Some(node) = self.parsed(file, read_yaml(&blob.bytes)) else { return };
        for server in node.entries() {
            let place = Place::key(Target::State, &["mcpServers", &server.key]);
            let source = Source { file: file.to_owned(), line: server.line, keys: vec![server.key.clone()] };
            self.server(place, &server.value, source);
        }
    }

    fn server(&mut self, place: Place, node: &Node, source: Source) {
        let value = node.json();
        let name = place.keys.last().cloned().unwrap_or_default();
        if !value.is_null() {
            let document = serde_json::json!({ "mcpServers": { name: value } }).to_string();
            for found in validate_text(Path::new(&source.file), document.as_bytes(), ".claude.json") {
                self.problem(&source.file, Fault::new(source.line, found.reason));
            }
        }
        self.want(place, &value, source);
    }

    /// What one project has of its own.
    fn project(&mut self, file: &str, rest: &str, blob: &Blob) {
        if rest.split('/').skip(1).ne(["project.yaml"]) {
            return self.problem(file, Fault::new(0, "a project has one file: projects/NAME/project.yaml"));
        }
        let Some(node) = self.parsed(file, read_yaml(&blob.bytes)) else { return };
        let path = match node.get("path").map(|entry| (entry.line, entry.value.text())) {
            Some((line, Some(text))) => {
                let path = text.replace("${home}", self.reader.home);
                if !path.starts_with('/') {
                    return self
                        .problem(file, Fault::new(line, "`path` is absolute, or begins with ${home}"));
                }
                path
            }
            Some((line, None)) => return self.problem(file, Fault::new(line, "`path` is a text")),
            None => return self.problem(file, Fault::new(1, "`path` says which folder the project is")),
        };
        for entry in node.entries() {
            let source = |keys: Vec<String>, line| Source { file: file.to_owned(), line, keys };
            match entry.key.as_str() {
                "path" => {}
                "mcp" => {
                    for server in entry.value.entries() {
                        let place =
                            Place::key(Target::State, &["projects", &path, "mcpServers", &server.key]);
                        let keys = vec!["mcp".to_owned(), server.key.clone()];
                        self.server(place, &server.value, source(keys, server.line));
                    }
                }
                key => {
                    let place = Place::key(Target::State, &["projects", &path, key]);
                    let is_list = matches!(&entry.value.kind, Kind::List(items) if items.iter().all(|item| item.text().is_some()));
                    if place.refused().is_none() && !is_list {
                        self.problem(file, Fault::new(entry.line, format!("`{key}` is a list of texts")));
                    } else {
                        self.want(place, &entry.value.json(), source(vec![key.to_owned()], entry.line));
                    }
                }
            }
        }
    }

    /// Settings of Drydock's own.
    fn settings(&mut self, file: &str, section: &str, blob: &Blob) {
        let Some(node) = self.parsed(file, read_yaml(&blob.bytes)) else { return };
        let prefix: Vec<String> = if section == "settings" { Vec::new() } else { vec![section.to_owned()] };
        self.settings_below(file, &prefix, &mut Vec::new(), &node);
    }

    fn settings_below(&mut self, file: &str, prefix: &[String], path: &mut Vec<String>, node: &Node) {
        for entry in node.entries() {
            path.push(entry.key.clone());
            let keys: Vec<_> = prefix.iter().chain(path.iter()).flat_map(|key| key.split('.')).collect();
            let place = Place::key(Target::Drydock, &keys);
            let source = Source { file: file.to_owned(), line: entry.line, keys: path.clone() };
            match &entry.value.kind {
                Kind::Object(_) => self.settings_below(file, prefix, path, &entry.value),
                kind => match setting_text(kind) {
                    Err(what) => self.problem(file, Fault::new(entry.line, what)),
                    Ok(None) => self.want(place, &serde_json::Value::Null, source),
                    Ok(Some(text)) => {
                        if !text.contains("${")
                            && let Err(error) = check_setting(&place.dotted(), &text)
                        {
                            let near =
                                error.remedies().first().map(|near| format!(" ({near})")).unwrap_or_default();
                            self.problem(file, Fault::new(entry.line, format!("{}{near}", error.message())));
                        } else {
                            self.want(place, &serde_json::Value::String(text), source);
                        }
                    }
                },
            }
            path.pop();
        }
    }

    fn authored(&mut self, file: &str, name: &str, blob: &Blob) {
        let place = Place::file(name);
        if let Some(why) = place.refused() {
            return self.problem(file, Fault::new(0, why));
        }
        let source = Source { file: file.to_owned(), line: 0, keys: Vec::new() };
        self.repository.wanted.insert(place, (Wanted::File(blob.clone()), source));
    }

    fn secret(&mut self, file: &str, rest: &str, blob: &Blob) {
        let Some(name) = rest.strip_suffix(".enc.yaml") else {
            return self.problem(file, Fault::new(0, "files of secrets are named secrets/NAME.enc.yaml"));
        };
        let Some(node) = self.parsed(file, read_yaml(&blob.bytes)) else { return };
        if node.get("sops").is_none() {
            return self
                .problem(file, Fault::new(0, "it is not encrypted: drydock gitops encrypt does that"));
        }
        self.repository.secrets.insert(name.to_owned(), blob.bytes.clone());
    }

    /// Something is wanted at a place; null is that nothing is.
    fn want(&mut self, place: Place, value: &serde_json::Value, source: Source) {
        if let Some(why) = place.refused() {
            let last = source.keys.last().cloned().unwrap_or_default();
            return self.problem(&source.file.clone(), Fault::new(source.line, format!("`{last}`: {why}")));
        }
        if let Err(what) = each_text(value, &mut |text| secrets_of(text).map(drop)) {
            return self.problem(&source.file.clone(), Fault::new(source.line, what));
        }
        match value {
            serde_json::Value::Null => _ = self.repository.wanted.remove(&place),
            value => _ = self.repository.wanted.insert(place, (Wanted::Key(value.clone()), source)),
        }
    }
}

/// Whether settings have a section of this name.
fn is_section(name: &str) -> bool {
    name == "settings" || KEYS.iter().any(|key| key.name.split('.').next() == Some(name))
}

/// A setting in its written form; nothing for null.
fn setting_text(kind: &Kind) -> Result<Option<String>, &'static str> {
    match kind {
        Kind::Leaf(serde_json::Value::Null) => Ok(None),
        Kind::Leaf(serde_json::Value::String(text)) => Ok(Some(text.clone())),
        Kind::Leaf(other) => Ok(Some(other.to_string())),
        Kind::List(items) => {
            let words: Option<Vec<_>> = items.iter().map(Node::text).collect();
            words.map(|words| Some(words.join(" "))).ok_or("a list of settings is of texts")
        }
        Kind::Object(_) => Err("a setting is a text, a number, or true or false"),
    }
}

/// The keys of a document that are owned one by one: as far down as sync decides about them.
fn collect(
    table: KeyTable,
    node: &Node,
    path: &mut Vec<String>,
    leaves: &mut Vec<(Vec<String>, usize, serde_json::Value)>,
) {
    for entry in node.entries() {
        path.push(entry.key.clone());
        let keys: Vec<_> = path.iter().map(String::as_str).collect();
        let opens = matches!(table.policy(&keys), KeyPolicy::Into | KeyPolicy::Named);
        if opens && entry.value.is_object() {
            collect(table, &entry.value, path, leaves);
        } else {
            leaves.push((path.clone(), entry.line, entry.value.json()));
        }
        path.pop();
    }
}

/// Looks at each text in a value.
pub(super) fn each_text<E>(
    value: &serde_json::Value,
    look: &mut impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    match value {
        serde_json::Value::String(text) => look(text),
        serde_json::Value::Array(items) => items.iter().try_for_each(|item| each_text(item, look)),
        serde_json::Value::Object(map) => map.values().try_for_each(|value| each_text(value, look)),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "repository_tests.rs"]
mod tests;
