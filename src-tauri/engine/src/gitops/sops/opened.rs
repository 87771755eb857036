//! Opening a file: every value decrypted, and the MAC over them checked, before anything of it is used.

use super::{
    cipher::{DataKey, Refusal, is_comment, is_encrypted},
    emit,
    leaf::{Leaf, Role, containers, leaves},
    metadata::{self, Metadata},
    recipients,
    selection::MacScope,
    value::{Dialect, Value},
    yaml::{self, Aliases, Map, Node, Source, Tree},
};
use crate::{
    error_handling::{Code, Error, Result},
    gitops::identity::Identity,
    keychain::Sensitive,
};
use sha2::{Digest, Sha512};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The MAC over encrypted values alone begins with these, so that it never equals one over all
/// (<https://github.com/getsops/sops/blob/v3.11.0/sops.go>, `MACOnlyEncryptedInitialization`).
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b,
    0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// A file that was opened and is what was encrypted.
pub struct Opened<'a> {
    pub(super) source: Source<'a>,
    pub(super) tree: Tree,
    pub(super) metadata: Metadata,
    pub(super) key: DataKey,
    /// In the order of the leaves.
    values: Vec<Value>,
}

impl std::fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({})", self.source.name)
    }
}

/// Opens a file of YAML or, by its name, of JSON.
///
/// # Errors
/// One code for each way in which it is not what was encrypted, or not for this key.
pub fn open<'a>(source: Source<'a>, identity: &Identity) -> Result<Opened<'a>> {
    let tree = yaml::read(source, Aliases::Refused)?;
    let metadata = Metadata::read(&tree.root, source)?;
    let key = recipients::unwrap(&metadata.wrapped, identity, source)?;
    let values = decrypted(source, &tree.root, &metadata, &key)?;
    let mac = mac(&tree.root, &metadata, &values);
    let kept = key.open(&metadata.mac, &metadata.last_modified).map_err(|_| {
        altered(source, Code::SecretsMac, "its MAC does not open: the MAC or `lastmodified` was changed")
    })?;
    if kept != Value::text(&mac) {
        let what = "its MAC does not fit: a value was changed, moved, added or removed without the key";
        return Err(altered(source, Code::SecretsMac, what));
    }
    Ok(Opened { source, tree, metadata, key, values })
}

impl Opened<'_> {
    /// Every value by its name, such as `slack.webhook`.
    ///
    /// # Errors
    /// [`Code::SecretsShape`] when two have the same name: a key can have a dot in it.
    pub fn secrets(&self) -> Result<BTreeMap<String, Sensitive<String>>> {
        let mut found = BTreeMap::new();
        for (leaf, value) in leaves(&self.tree.root).iter().zip(&self.values) {
            if leaf.role == Role::Comment {
                continue;
            }
            let name = leaf.name();
            let what = format!("two values have the name `{name}`");
            let text = Sensitive::new(value.to_text().to_string());
            if found.insert(name, text).is_some() {
                return Err(self.source.error(Code::SecretsShape, leaf.scalar.line, what));
            }
        }
        Ok(found)
    }

    /// The file as it was before it was encrypted, with its comments. What is one JSON document stays that.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        if dialect(self.source.name) == Dialect::Json || self.tree.root.layout == yaml::Layout::Flow {
            return Zeroizing::new(self.json().to_string() + "\n");
        }
        let mut parts: Vec<(std::ops::Range<usize>, Zeroizing<String>)> = Vec::new();
        for (leaf, value) in leaves(&self.tree.root).iter().zip(&self.values) {
            let is_as_it_was = leaf.scalar.text.is_empty() || *value == Value::Null;
            if !self.metadata.selection.takes(&leaf.keys()) || is_as_it_was {
                continue;
            }
            if let Value::Comment(text) = value {
                // In the place of the item with its dash.
                let begin = self.source.text[..leaf.scalar.range.start].rfind('-');
                parts.push((begin.unwrap_or_default()..leaf.scalar.range.end, comment(text)));
                continue;
            }
            let written = match (value, leaf.layout, leaf.indent) {
                (Value::Text(text), yaml::Layout::Flow, _) => Zeroizing::new(emit::quoted(text)),
                (Value::Text(text), yaml::Layout::Block, None) => Zeroizing::new(emit::plain(text)),
                (value, _, indent) => emit::value(value, indent.unwrap_or_default()),
            };
            parts.push((leaf.scalar.range.clone(), written));
        }
        let places = containers(&self.tree.root);
        for found in &self.tree.comments {
            let sealed = self.source.text.get(found.range.clone()).unwrap_or_default();
            let sealed = sealed.trim_start_matches('#');
            // Which list or mapping a comment belongs to is go-yaml's secret; only the right one opens it.
            let opened = || places.iter().find_map(|place| self.key.open_comment(sealed, place).ok());
            if let Some(text) = is_encrypted(sealed).then(opened).flatten() {
                parts.push((found.range.clone(), comment(&text)));
            }
        }
        parts.sort_by_key(|(range, _)| range.start);
        let mut out = Zeroizing::new(String::with_capacity(self.source.text.len()));
        let (mut at, end) = (0, self.data_end());
        for (range, text) in
            parts.into_iter().filter(|(range, _)| range.end <= end.start || range.start >= end.end)
        {
            push_without(self.source.text, at..range.start, &end, &mut out);
            out.push_str(&text);
            at = range.end;
        }
        push_without(self.source.text, at..self.source.text.len(), &end, &mut out);
        out
    }

    /// Where the metadata stands in the text.
    fn data_end(&self) -> std::ops::Range<usize> {
        let whole = self.source.text.len();
        let mut entries = self.tree.root.entries.iter().skip_while(|entry| entry.key != metadata::KEY);
        let begin = entries.next().map_or(whole, |entry| entry.key_range.start);
        let end = entries.next().map_or(whole, |entry| entry.key_range.start);
        begin..end
    }

    /// The values as one JSON document.
    #[must_use]
    pub fn json(&self) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(self.source.text.len()));
        let mut values = self.values.iter();
        json_map(&self.tree.root, &mut values, &mut out, Skip::Metadata);
        out
    }
}

fn comment(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.split('\n').map(|line| format!("#{line}")).collect::<Vec<_>>().join("\n"))
}

fn push_without(text: &str, range: std::ops::Range<usize>, hole: &std::ops::Range<usize>, out: &mut String) {
    let mut push = |from: usize, to: usize| {
        if from < to {
            out.push_str(text.get(from..to).unwrap_or_default());
        }
    };
    push(range.start, range.end.min(hole.start));
    push(range.start.max(hole.end), range.end);
}

#[derive(Clone, Copy, PartialEq)]
enum Skip {
    Metadata,
    Nothing,
}

fn json_map<'v>(map: &Map, values: &mut impl Iterator<Item = &'v Value>, out: &mut String, skip: Skip) {
    out.push('{');
    let mut first = true;
    for entry in map.entries.iter().filter(|entry| skip == Skip::Nothing || entry.key != metadata::KEY) {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        out.push_str(&emit::quoted(&entry.key));
        out.push(':');
        json(&entry.value, values, out);
    }
    out.push('}');
}

fn json<'v>(node: &Node, values: &mut impl Iterator<Item = &'v Value>, out: &mut String) {
    match node {
        Node::Map(map) => json_map(map, values, out, Skip::Nothing),
        Node::List(list) => {
            out.push('[');
            let mut first = true;
            for item in &list.items {
                if matches!(item, Node::Scalar(scalar) if is_comment(&scalar.text)) {
                    values.next();
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                json(item, values, out);
            }
            out.push(']');
        }
        Node::Scalar(_) => match values.next() {
            None | Some(Value::Null) => out.push_str("null"),
            Some(Value::Text(text)) => out.push_str(&Zeroizing::new(emit::quoted(text))),
            Some(Value::Time(moment)) => out.push_str(&emit::quoted(moment)),
            // JSON has no such numbers.
            Some(Value::Float(number)) if !number.is_finite() => {
                out.push_str(&emit::quoted(&Value::Float(*number).to_text()));
            }
            Some(other) => out.push_str(&other.to_text()),
        },
    }
}

/// By whose rules a file's numbers are understood.
pub(super) fn dialect(name: &str) -> Dialect {
    if name.to_ascii_lowercase().ends_with(".json") { Dialect::Json } else { Dialect::Yaml }
}

/// Every value, in the order of the leaves.
fn decrypted(source: Source<'_>, root: &Map, metadata: &Metadata, key: &DataKey) -> Result<Vec<Value>> {
    leaves(root).iter().map(|leaf| decrypted_leaf(source, leaf, metadata, key)).collect()
}

fn decrypted_leaf(source: Source<'_>, leaf: &Leaf<'_>, metadata: &Metadata, key: &DataKey) -> Result<Value> {
    let (line, name) = (leaf.scalar.line, leaf.name());
    let plain = Value::of(leaf.scalar, dialect(source.name)).map_err(|_| {
        source.error(Code::SecretsShape, line, format!("the value of `{name}` is none that sops knows"))
    })?;
    if !metadata.selection.takes(&leaf.keys()) || plain == Value::Null {
        return Ok(plain);
    }
    if leaf.role == Role::Comment {
        let text = key.open_comment(&leaf.scalar.text, &leaf.place());
        return Ok(Value::Comment(text.unwrap_or_else(|_| leaf.scalar.text.clone())));
    }
    let refusal = match &plain {
        Value::Text(text) => match key.open(text, &leaf.place()) {
            Ok(value) => return Ok(value),
            Err(refusal) => refusal,
        },
        _ => Refusal::NotEncrypted,
    };
    Err(match refusal {
        Refusal::NotEncrypted => source
            .error(Code::SecretsPlain, line, format!("the value of `{name}` is not encrypted"))
            .why("it was written into the encrypted file by hand, or its ciphertext was damaged")
            .remedy(format!("remove that line, then: drydock gitops set {} {name}", source.name)),
        Refusal::Form => source
            .error(
                Code::SecretsUnsupported,
                line,
                format!("the value of `{name}` is encrypted in another form"),
            )
            .remedy("open it with sops itself"),
        Refusal::Changed => {
            let what = format!(
                "the value of `{name}` does not open: it was changed, or its key was renamed or moved"
            );
            let error = source.error(Code::SecretsTampered, line, what);
            error.remedy("bring the file back from the repository's history: git checkout COMMIT -- FILE")
        }
    })
}

fn altered(source: Source<'_>, code: Code, what: &str) -> Error {
    source
        .error_whole(code, what)
        .why("nothing of the file is used")
        .remedy("see who changed it: git log -p -- FILE")
        .remedy("bring it back from the repository's history: git checkout COMMIT -- FILE")
}

/// The MAC over the values, as it stands in the file before it is encrypted itself.
pub(super) fn mac(root: &Map, metadata: &Metadata, values: &[Value]) -> String {
    let mut hash = Sha512::new();
    if metadata.scope == MacScope::Encrypted {
        hash.update(ONLY_ENCRYPTED);
    }
    for (leaf, value) in leaves(root).iter().zip(values) {
        let counts = metadata.scope == MacScope::All || metadata.selection.takes(&leaf.keys());
        if counts && leaf.role == Role::Value {
            hash.update(value.bytes());
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The encrypted MAC for a text whose values are known to be good.
pub(super) fn sealed_mac(
    source: Source<'_>,
    root: &Map,
    metadata: &Metadata,
    key: &DataKey,
) -> Result<String> {
    let values = decrypted(source, root, metadata, key)?;
    key.seal(&Value::Text(Zeroizing::new(mac(root, metadata, &values))), &metadata.last_modified)
}
