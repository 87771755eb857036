//! The members of a document one by one, and which of them a damage has left whole.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A member of the document, or an entry of one of its collections.
pub(crate) type Name = (String, Option<String>);

/// Members whose entries stand for themselves.
const COLLECTIONS: &[&str] = &["projects", "mcpServers"];

/// The members of a document, if it is one.
pub(crate) fn members(text: &[u8]) -> Option<BTreeMap<Name, Value>> {
    let Ok(Value::Object(document)) = serde_json::from_slice(text) else { return None };
    let mut all = BTreeMap::new();
    for (key, value) in document {
        match value {
            Value::Object(entries) if COLLECTIONS.contains(&key.as_str()) => {
                all.extend(entries.into_iter().map(|(entry, value)| ((key.clone(), Some(entry)), value)));
            }
            value => drop(all.insert((key, None), value)),
        }
    }
    Some(all)
}

/// The members of the document as it was before the damage that are whole in what is left of it: by their values
/// where it still is a document, else those that end before the first byte that differs.
pub(crate) fn intact(before: &[u8], damaged: &[u8]) -> BTreeSet<Name> {
    let all = members(before).expect("a sound document");
    let without_mark = damaged.strip_prefix(b"\xef\xbb\xbf").unwrap_or(damaged);
    if let Some(left) = members(without_mark) {
        return all
            .into_iter()
            .filter(|(name, value)| left.get(name) == Some(value))
            .map(|(name, _)| name)
            .collect();
    }
    let same = before.iter().zip(damaged).take_while(|(a, b)| a == b).count();
    let ends = ends(before);
    let is_whole = |name: &Name| ends.get(name).is_some_and(|end| *end <= same);
    all.into_keys().filter(is_whole).collect()
}

/// Where each member ends, with the comma and the end of the line behind it, in a text as `serde_json` writes it for
/// people. In one without lines nothing counts as whole.
fn ends(text: &[u8]) -> BTreeMap<Name, usize> {
    let text = std::str::from_utf8(text).expect("a sound document");
    let mut ends = BTreeMap::new();
    let (mut member, mut entry): (Option<String>, Option<String>) = (None, None);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        let (indent, key) = (line.len() - start.len(), start.starts_with('"').then(|| key_of(start)));
        if indent <= 2 || indent == 4 && key.is_some() {
            let ended = entry.take().map(|entry| (member.clone().unwrap_or_default(), Some(entry)));
            ends.extend(ended.map(|name| (name, at)));
        }
        if indent == 0 || indent == 2 && key.is_some() {
            let is_plain = |key: &String| !COLLECTIONS.contains(&key.as_str());
            ends.extend(member.take().filter(is_plain).map(|name| ((name, None), at)));
        }
        match (indent, key) {
            (2, Some(key)) => member = Some(key),
            (4, Some(key)) if member.as_deref().is_some_and(|member| COLLECTIONS.contains(&member)) => {
                entry = Some(key);
            }
            _ => {}
        }
        at += line.len();
    }
    ends
}

fn key_of(line: &str) -> String {
    line[1..].split('"').next().unwrap_or_default().to_owned()
}
