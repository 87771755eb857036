//! The part `sops:` of a file: who can open it, which values are encrypted, and the MAC over them.

use super::{
    emit,
    recipients::Wrapped,
    selection::{MacScope, Selection, text_of},
    yaml::{Entry, Map, Node, Scalar, Source},
};
use crate::error_handling::{Code, Error, Result};
use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};

/// The top-level key of it.
pub(super) const KEY: &str = "sops";

/// What sops looks at to know how a file is to be read: it refuses files without one.
pub(super) const VERSION: &str = "3.11.0";

/// Kinds of keys that sops knows and Drydock does not.
const FOREIGN: &[&str] = &["kms", "gcp_kms", "azure_kv", "hc_vault", "pgp"];

#[derive(Debug, Clone)]
pub(super) struct Metadata {
    pub(super) wrapped: Vec<Wrapped>,
    pub(super) selection: Selection,
    pub(super) scope: MacScope,
    /// As the MAC is bound to it.
    pub(super) last_modified: String,
    /// Encrypted.
    pub(super) mac: String,
    /// Whether all in it is what Drydock would have written, so that it can be written anew.
    pub(super) rewritable: Rewritable,
}

/// Whether something would be lost by writing it anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rewritable {
    Yes,
    No,
}

impl Metadata {
    /// Reads it from a file's mapping.
    pub(super) fn read(root: &Map, source: Source<'_>) -> Result<Self> {
        let Some(entry) = root.get(KEY) else { return Err(missing(root, source)) };
        let Node::Map(map) = &entry.value else {
            return Err(incomplete(source, entry.line, "`sops` has nothing below it"));
        };
        let has = |name: &&&str| map.get(name).is_some_and(|entry| !is_empty(entry));
        let foreign = FOREIGN.iter().find(has);
        if map.get("key_groups").is_some_and(|entry| !is_empty(entry)) {
            return Err(source
                .error(Code::SecretsUnsupported, entry.line, "its key is split among several groups of keys")
                .remedy("open it with sops itself"));
        }
        let wrapped = match map.get("age") {
            Some(age) => wrapped(age, source)?,
            None => Vec::new(),
        };
        if wrapped.is_empty() {
            return Err(match foreign {
                Some(kind) => source
                    .error(
                        Code::SecretsUnsupported,
                        entry.line,
                        format!("it is for keys of the kind `{kind}` alone"),
                    )
                    .remedy(
                        "add an age recipient with sops: sops rotate --in-place --add-age RECIPIENT FILE",
                    ),
                None => incomplete(source, entry.line, "nobody is named below `sops` who can open the file"),
            });
        }
        let last_modified = field(map, "lastmodified", entry, source)?;
        let last_modified = DateTime::parse_from_rfc3339(&last_modified.text)
            .map_err(|_| incomplete(source, last_modified.line, "`lastmodified` is no time"))?;
        let known = ["age", "lastmodified", "mac", "version", "mac_only_encrypted"];
        let is_known = |entry: &Entry| {
            let name = entry.key.as_str();
            let selects = name.ends_with("crypted_suffix") || name.ends_with("crypted_regex");
            known.contains(&name) || selects || is_empty(entry)
        };
        let is_last = root.entries.last().is_some_and(|last| last.key == KEY);
        let all_known = map.entries.iter().all(is_known);
        Ok(Self {
            wrapped,
            selection: Selection::read(map, source)?,
            scope: MacScope::read(map),
            last_modified: go_time(last_modified),
            mac: map.get("mac").and_then(text_of).unwrap_or_default().to_owned(),
            rewritable: if is_last && all_known { Rewritable::Yes } else { Rewritable::No },
        })
    }

    /// As it stands at the end of a file, in the order and form of sops' own.
    pub(super) fn written(&self) -> String {
        let mut text = format!("{KEY}:\n    age:\n");
        for wrapped in &self.wrapped {
            text.push_str(&format!(
                "        - recipient: {}\n          enc: |\n",
                emit::plain(&wrapped.recipient)
            ));
            for line in wrapped.armored.lines() {
                text.push_str(&format!("            {line}\n"));
            }
        }
        text.push_str(&format!("    lastmodified: \"{}\"\n    mac: {}\n", self.last_modified, self.mac));
        let (name, of) = self.selection.field();
        text.push_str(&format!("    {name}: {}\n", emit::plain(of)));
        if self.scope == MacScope::Encrypted {
            text.push_str("    mac_only_encrypted: true\n");
        }
        text.push_str(&format!("    version: {VERSION}\n"));
        text
    }

    /// As it stands at the end of a file of JSON, in the form of sops' own: the last member, and nothing after it.
    pub(super) fn written_json(&self) -> String {
        let recipients: Vec<_> = self
            .wrapped
            .iter()
            .map(|wrapped| {
                format!(
                    "\t\t\t{{\n\t\t\t\t\"recipient\": {},\n\t\t\t\t\"enc\": {}\n\t\t\t}}",
                    emit::quoted(&wrapped.recipient),
                    emit::quoted(&wrapped.armored)
                )
            })
            .collect();
        let (name, of) = self.selection.field();
        let only = match self.scope {
            MacScope::All => "",
            MacScope::Encrypted => "\t\t\"mac_only_encrypted\": true,\n",
        };
        format!(
            "\"{KEY}\": {{\n\t\t\"age\": [\n{}\n\t\t],\n\t\t\"lastmodified\": \"{}\",\n\t\t\"mac\": \"{}\",\n\
             \t\t\"{name}\": {},\n{only}\t\t\"version\": \"{VERSION}\"\n\t}}",
            recipients.join(",\n"),
            self.last_modified,
            self.mac,
            emit::quoted(of),
        )
    }
}

/// The time as files and MACs have it.
pub(super) fn modified_at(now: DateTime<Utc>) -> String {
    go_time(now.fixed_offset())
}

/// As Go's `RFC3339`.
fn go_time(at: DateTime<FixedOffset>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The scalars of the metadata that change whenever a value does.
pub(super) fn changing(root: &Map) -> Option<(&Scalar, &Scalar)> {
    let Node::Map(map) = &root.get(KEY)?.value else { return None };
    let scalar = |name: &str| match &map.get(name)?.value {
        Node::Scalar(scalar) => Some(scalar),
        _ => None,
    };
    Some((scalar("lastmodified")?, scalar("mac")?))
}

fn wrapped(age: &Entry, source: Source<'_>) -> Result<Vec<Wrapped>> {
    let broken = |line| incomplete(source, line, "a recipient below `sops` is not whole");
    let Node::List(list) = &age.value else { return Err(broken(age.line)) };
    list.items
        .iter()
        .map(|item| {
            let Node::Map(map) = item else { return Err(broken(item.line())) };
            let text = |name| map.get(name).filter(|entry| !is_empty(entry)).and_then(text_of);
            match (text("recipient"), text("enc")) {
                (Some(recipient), Some(armored)) => {
                    Ok(Wrapped { recipient: recipient.to_owned(), armored: armored.to_owned() })
                }
                _ => Err(broken(map.line)),
            }
        })
        .collect()
}

fn field<'m>(map: &'m Map, name: &str, sops: &Entry, source: Source<'_>) -> Result<&'m Scalar> {
    match map.get(name).map(|entry| &entry.value) {
        Some(Node::Scalar(scalar)) if !scalar.text.is_empty() => Ok(scalar),
        _ => Err(incomplete(source, sops.line, format!("`{name}` is missing below `sops`"))),
    }
}

fn is_empty(entry: &Entry) -> bool {
    match &entry.value {
        Node::Scalar(scalar) => matches!(scalar.text.as_str(), "" | "~" | "null"),
        Node::List(list) => list.items.is_empty(),
        Node::Map(map) => map.entries.is_empty(),
    }
}

fn incomplete(source: Source<'_>, line: usize, what: impl std::fmt::Display) -> Error {
    source
        .error(Code::SecretsIncomplete, line, what)
        .why("the end of the file may be cut off")
        .remedy("bring it back: git checkout -- FILE")
}

/// There is no such part: either nobody encrypted the file, or its end is gone.
fn missing(root: &Map, source: Source<'_>) -> Error {
    if has_ciphertext(&Node::Map(root.clone())) {
        let what = "it has encrypted values, but no part `sops` that says for whom";
        return source
            .error_whole(Code::SecretsIncomplete, what)
            .why("the end of the file may be cut off")
            .remedy("bring it back: git checkout -- FILE");
    }
    source
        .error_whole(Code::SecretsPlain, "it is not encrypted")
        .remedy(format!("drydock gitops encrypt {}", source.name))
}

fn has_ciphertext(node: &Node) -> bool {
    match node {
        Node::Scalar(scalar) => super::cipher::is_encrypted(&scalar.text),
        Node::List(list) => list.items.iter().any(has_ciphertext),
        Node::Map(map) => map.entries.iter().any(|entry| has_ciphertext(&entry.value)),
    }
}
