//! Documents: the members before the first fault are whole, and newer than the backup's.

use crate::claude_home::parse_document;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Members whose own members stand for themselves: a project, a server.
const COLLECTIONS: &[&str] = &["projects", "mcpServers"];

/// The members of a document that are whole before its first fault. All of them where it has none.
pub(in crate::disaster_recovery) fn whole_members(text: &[u8]) -> Map<String, Value> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let fault = match parse_document(text) {
        Ok(members) => return members,
        Err(fault) => fault,
    };
    // Before another fault than the end, and right at the end, a number may have lost digits.
    let ends = fault.is_at_end()
        && !text.last().is_some_and(|byte| b"+-.eE".contains(byte) || byte.is_ascii_digit());
    let numbers = if ends { LastNumber::Whole } else { LastNumber::Doubtful };
    let mut members = Map::new();
    let mut parser = serde_json::Deserializer::from_slice(text);
    // The fault is known; what was whole before it is what is wanted.
    let _ = Members { into: &mut members, level: Level::Document, numbers }.deserialize(&mut parser);
    members
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Document,
    Collection,
}

/// Whether a number right before the fault counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastNumber {
    Whole,
    Doubtful,
}

struct Members<'m> {
    into: &'m mut Map<String, Value>,
    level: Level,
    numbers: LastNumber,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut last: Option<(String, Value)> = None;
        loop {
            let next = map.next_key::<String>();
            if let Some((name, value)) = last.take()
                && (next.is_ok() || !value.is_number() || self.numbers == LastNumber::Whole)
            {
                self.into.insert(name, value);
            }
            let Some(name) = next? else { return Ok(()) };
            if self.level == Level::Document && COLLECTIONS.contains(&name.as_str()) {
                let mut inner = Map::new();
                let seed = Members { into: &mut inner, level: Level::Collection, numbers: self.numbers };
                let read = map.next_value_seed(seed);
                // A part of a collection is worth having.
                if read.is_ok() || !inner.is_empty() {
                    self.into.insert(name, Value::Object(inner));
                }
                read?;
            } else {
                last = Some((name, map.next_value()?));
            }
        }
    }
}

/// `base` with the members of `newer` over it, project by project and server by server. What is of another type
/// than the base's is damaged itself, wherever it is.
pub(in crate::disaster_recovery) fn overlay(
    mut base: Map<String, Value>,
    newer: Map<String, Value>,
) -> Map<String, Value> {
    for (key, value) in newer {
        let is_collection = COLLECTIONS.contains(&key.as_str());
        match (base.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) if is_collection => {
                for (name, entry) in new {
                    let entry = match old.get(&name) {
                        Some(known) => healed(entry, known),
                        None if entry.is_object() => entry,
                        None => continue,
                    };
                    old.insert(name, entry);
                }
            }
            (Some(old), value) => *old = healed(value, old),
            (None, value) => drop(base.insert(key, value)),
        }
    }
    base
}

/// A newer value, but what in it is of another type than the older one's.
fn healed(newer: Value, older: &Value) -> Value {
    match (newer, older) {
        (Value::Object(new), Value::Object(old)) => {
            let heal = |(key, value): (String, Value)| match old.get(&key) {
                Some(known) => (key, healed(value, known)),
                None => (key, value),
            };
            Value::Object(new.into_iter().map(heal).collect())
        }
        (newer, older) if older.is_null() || is_same_type(&newer, older) => newer,
        (_, older) => older.clone(),
    }
}

fn is_same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("not an object") };
        map
    }

    #[test]
    fn what_is_before_the_fault_is_had() {
        let text = br#"{"theme":"dark","projects":{"/a":{"x":1},"/b":{"x":2},"/c":{"x"#;
        let members = whole_members(text);
        assert_eq!(Value::Object(members), json!({"theme":"dark","projects":{"/a":{"x":1},"/b":{"x":2}}}));
        assert_eq!(whole_members(b"\xef\xbb\xbf{\"a\":1}").len(), 1);
        assert!(whole_members(b"").is_empty() && whole_members(&[0; 9]).is_empty());
        // Only the end is missing.
        assert_eq!(Value::Object(whole_members(b"{\"a\":1,\"z\":\"s\"\n")), json!({"a":1,"z":"s"}));
        assert_eq!(Value::Object(whole_members(b"{\"a\":1,\"z\":7\n")), json!({"a":1,"z":7}));
        // One that parses is whole, of whatever type its members are.
        assert_eq!(whole_members(br#"{"projects":"x","later":1}"#).len(), 2);
        // Two halves of two documents.
        assert_eq!(Value::Object(whole_members(br#"{"a":1,"b":{"c{"a":2}"#)), json!({"a":1}));
    }

    #[test]
    fn a_number_that_may_be_torn_does_not_count() {
        assert_eq!(Value::Object(whole_members(br#"{"a":1,"numStartups":12"#)), json!({"a":1}));
    }

    #[test]
    fn the_newer_wins_where_it_is_of_the_same_type() {
        let base = object(json!({"a":1,"mcpServers":{"x":{"command":"old"},"y":{}},"hooks":{},"n":null}));
        let newer = object(json!({"a":2,"mcpServers":{"x":{"command":"new"},"z":{}},"hooks":[],"n":3,"b":4}));
        assert_eq!(
            Value::Object(overlay(base, newer)),
            json!({"a":2,"mcpServers":{"x":{"command":"new"},"y":{},"z":{}},"hooks":{},"n":3,"b":4})
        );
        let base = object(json!({"permissions":{"allow":["a"],"deny":[]}}));
        let broken = object(json!({"permissions":{"allow":"a"}}));
        assert_eq!(Value::Object(overlay(base, broken)), json!({"permissions":{"allow":["a"]}}));
        let base = object(json!({"mcpServers":{"x":{}}}));
        let broken = object(json!({"mcpServers":["x"]}));
        assert_eq!(Value::Object(overlay(base, broken)), json!({"mcpServers":{"x":{}}}));
    }

    proptest! {
        #[test]
        fn every_prefix_gives_members_of_the_whole(
            members in prop::collection::btree_map("[a-c]{1,3}", 0_u32..5000, 0..8),
            projects in prop::collection::btree_map("/[a-z]{1,4}", 0_u32..99, 0..5),
            cut in 0.0..1.0_f64,
        ) {
            let mut document = object(json!(members));
            document.insert("projects".into(), json!(projects));
            let text = serde_json::to_vec(&document).unwrap();
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let cut = (text.len() as f64 * cut) as usize;
            for (key, value) in whole_members(&text[..cut]) {
                match value {
                    Value::Object(entries) => for (name, value) in entries {
                        prop_assert_eq!(&document[&key][&name], &value);
                    },
                    value => prop_assert_eq!(&document[&key], &value),
                }
            }
            prop_assert_eq!(whole_members(&text), document);
        }
    }
}
