//! `.sops.yaml`: for whom new files are encrypted, and what in them. The user's own sops reads the same file.

use super::{
    recipients::Recipient,
    selection::{MacScope, Selection, text_of},
    yaml::{self, Aliases, Entry, Map, Node, Source},
};
use crate::error_handling::{Code, Error, IoContext, Result};
use regex::Regex;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The file's name.
pub const RULES_FILE: &str = ".sops.yaml";

/// Files of a repository of Drydock's that are always in the open.
const NEVER_SECRET: &[&str] = &[RULES_FILE, "README.md", "drydock.yaml"];

/// Kinds of keys that a rule can name and Drydock does not have.
const FOREIGN: &[&str] = &["kms", "pgp", "gcp_kms", "azure_keyvault", "hc_vault_transit_uri", "hc_vault"];

/// The creation rules of a repository.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<(Option<Regex>, Result<Rule>)>,
}

/// How files are encrypted that a rule is for.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Who can open them.
    pub recipients: Vec<Recipient>,
    /// Which of their values are encrypted.
    pub selection: Selection,
    /// What their MAC is made of.
    pub scope: MacScope,
}

impl Rules {
    /// Reads the rules. What one rule cannot be used for is said when a file asks for it, as with sops.
    ///
    /// # Errors
    /// [`Code::SecretsRules`] or [`Code::SecretsSyntax`] when it is no such file, with the line.
    pub fn read(source: Source<'_>) -> Result<Self> {
        let tree = yaml::read(source, Aliases::Resolved)?;
        let Some(entry) = tree.root.get("creation_rules") else { return Ok(Self::default()) };
        let Node::List(list) = &entry.value else {
            return Err(source.error(Code::SecretsRules, entry.line, "`creation_rules` is no list"));
        };
        let rules = list.items.iter().map(|item| {
            let Node::Map(map) = item else {
                return Err(source.error(Code::SecretsRules, item.line(), "this is no rule"));
            };
            let pattern = map.get("path_regex").map(|entry| {
                let text = text_of(entry).unwrap_or_default();
                Regex::new(text).map_err(|_| {
                    let what = "`path_regex` is no pattern that can be used";
                    source.error(Code::SecretsRules, entry.line, what)
                })
            });
            // One without a pattern, or with an empty one, is for all files.
            let pattern = pattern.transpose()?.filter(|pattern| !pattern.as_str().is_empty());
            Ok((pattern, rule(map, source)))
        });
        Ok(Self { rules: rules.collect::<Result<_>>()? })
    }

    /// The text of rules for a new repository, for this computer's key and, where the user has one, for a key that they
    /// keep elsewhere.
    #[must_use]
    pub fn first(recipients: &[Recipient]) -> String {
        let mut text = String::from(
            "# For whom secrets are encrypted: this computer's key, and keys that you keep elsewhere.\n\
             # After a change here: drydock gitops encrypt --rewrap FILE\n\
             creation_rules:\n  - path_regex: ^secrets/.*\\.enc\\.yaml$\n    age:\n",
        );
        for recipient in recipients {
            text.push_str(&format!("      - {recipient}\n"));
        }
        text
    }

    /// The rule for a file, by its path from the folder of the rules: the first that matches.
    ///
    /// # Errors
    /// When the rule cannot be used.
    pub fn rule_for(&self, path: &str) -> Result<Option<Rule>> {
        self.first_for(path).map(|(_, rule)| rule.clone()).transpose()
    }

    /// Whether the rule for a file says that it has to be encrypted: one for files of its kind. One that is for
    /// everything, also for what nobody would encrypt, only says how.
    #[must_use]
    pub fn wants_encrypted(&self, path: &str) -> bool {
        let first = self.first_for(path).and_then(|(pattern, _)| pattern.as_ref());
        first.is_some_and(|pattern| !NEVER_SECRET.iter().any(|name| pattern.is_match(name)))
    }

    fn first_for(&self, path: &str) -> Option<&(Option<Regex>, Result<Rule>)> {
        let matches = |(pattern, _): &&(Option<Regex>, _)| {
            pattern.as_ref().is_none_or(|pattern| pattern.is_match(path))
        };
        self.rules.iter().find(matches)
    }
}

fn rule(map: &Map, source: Source<'_>) -> Result<Rule> {
    if let Some(entry) = map.entries.iter().find(|entry| FOREIGN.contains(&entry.key.as_str())) {
        return Err(foreign(source, entry));
    }
    let mut recipients = Vec::new();
    if let Some(groups) = map.get("key_groups") {
        let Node::List(list) = &groups.value else {
            return Err(source.error(Code::SecretsRules, groups.line, "`key_groups` is no list"));
        };
        let [Node::Map(group)] = list.items.as_slice() else {
            let what = "several groups of keys, each of which has a part of the key";
            return Err(source
                .error(Code::SecretsUnsupported, groups.line, what)
                .remedy("name all recipients in one group, or below `age`"));
        };
        if let Some(entry) = group.entries.iter().find(|entry| entry.key != "age") {
            return Err(foreign(source, entry));
        }
        group.get("age").map_or(Ok(()), |entry| read_recipients(entry, source, &mut recipients))?;
    } else if let Some(entry) = map.get("age") {
        read_recipients(entry, source, &mut recipients)?;
    }
    Ok(Rule { recipients, selection: Selection::read(map, source)?, scope: MacScope::read(map) })
}

/// As sops reads them: in a list, or separated by commas.
fn read_recipients(entry: &Entry, source: Source<'_>, found: &mut Vec<Recipient>) -> Result<()> {
    let mut read = |text: &str, line: usize| {
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let recipient = Recipient::read(part).map_err(|error| {
                error
                    .remedies()
                    .iter()
                    .fold(source.error(Code::SecretsRules, line, error.message()), |error, remedy| {
                        error.remedy(remedy)
                    })
            })?;
            if !found.contains(&recipient) {
                found.push(recipient);
            }
        }
        Ok(())
    };
    match &entry.value {
        Node::Scalar(scalar) => read(&scalar.text, scalar.line),
        Node::List(list) => list.items.iter().try_for_each(|item| match item {
            Node::Scalar(scalar) => read(&scalar.text, scalar.line),
            other => Err(source.error(Code::SecretsRules, other.line(), "this is no recipient")),
        }),
        Node::Map(map) => Err(source.error(Code::SecretsRules, map.line, "`age` is no list of recipients")),
    }
}

fn foreign(source: Source<'_>, entry: &Entry) -> Error {
    source
        .error(
            Code::SecretsUnsupported,
            entry.line,
            format!("the rule names a key of the kind `{}`", entry.key),
        )
        .why("Drydock encrypts for age recipients alone")
        .remedy("give files for Drydock a rule of their own, with `age` only, above this one")
}

/// The rules that are for a file on the disk, and its path from their folder: the nearest of the folders above it.
///
/// # Errors
/// When there are rules that cannot be read.
pub fn rules_above(file: &Path) -> Result<Option<(Rules, PathBuf)>> {
    for folder in file.ancestors().skip(1) {
        let rules = folder.join(RULES_FILE);
        let text = match fs::read_to_string(&rules) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            Err(cause) => return Err(cause).context("read", &rules),
        };
        let name = rules.display().to_string();
        let read = Rules::read(Source { name: &name, text: &text })?;
        let path = file.strip_prefix(folder).unwrap_or(file).to_path_buf();
        return Ok(Some((read, path)));
    }
    Ok(None)
}
