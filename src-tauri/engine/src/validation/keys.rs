//! Where the keys of a JSON text are, and which of them are in it twice.

use super::Place;
use memchr::{memchr, memchr_iter, memchr2, memrchr};
use std::collections::HashSet;

/// One step from a document's root to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

enum Level {
    Object { known: HashSet<String>, key_is_next: Next },
    List,
}

#[derive(PartialEq, Eq)]
enum Next {
    Key,
    Value,
}

/// The place of a byte.
pub(super) fn place_at(text: &[u8], at: usize) -> Place {
    let before = &text[..at.min(text.len())];
    let line = memchr_iter(b'\n', before).count() as u64 + 1;
    let column = before.len() - memrchr(b'\n', before).map_or(0, |end| end + 1) + 1;
    Place { line, column: column as u64 }
}

/// The keys that are in an object a second time, each with its place. The text is known to be JSON.
pub(super) fn keys_twice(text: &[u8]) -> Vec<(String, Place)> {
    let mut found = Vec::new();
    each_key(text, |path, at, first| {
        if first == First::No {
            found.push((shown(path), place_at(text, at)));
        }
    });
    found
}

/// Where a value's key is; for an item of a list, the key of the list. The text is known to be JSON.
pub(super) fn place_of(text: &[u8], path: &[Step]) -> Option<Place> {
    let last_key = path.iter().rposition(|step| matches!(step, Step::Key(_)))?;
    let mut found = None;
    // Of a key that is in it twice, the last is the one that counts.
    each_key(text, |at_path, at, _| {
        if *at_path == path[..=last_key] {
            found = Some(at);
        }
    });
    found.map(|at| place_at(text, at))
}

/// A path as a person reads it, such as `projects."/Users/me".allowedTools`.
pub(super) fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                let plain =
                    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
                text.push_str(&if plain { key.clone() } else { format!("{key:?}") });
            }
        }
    }
    text
}

#[derive(PartialEq, Eq)]
enum First {
    Yes,
    No,
}

/// Goes over sound JSON and names every key, with its byte. Anything else ends it early.
fn each_key(text: &[u8], mut seen: impl FnMut(&[Step], usize, First)) {
    let mut levels: Vec<Level> = Vec::new();
    let mut path: Vec<Step> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'{' => {
                levels.push(Level::Object { known: HashSet::new(), key_is_next: Next::Key });
                path.push(Step::Key(String::new()));
            }
            b'[' => {
                levels.push(Level::List);
                path.push(Step::Index(0));
            }
            b'}' | b']' => {
                levels.pop();
                path.pop();
            }
            b',' => match (levels.last_mut(), path.last_mut()) {
                (Some(Level::Object { key_is_next, .. }), _) => *key_is_next = Next::Key,
                (Some(Level::List), Some(Step::Index(index))) => *index += 1,
                _ => {}
            },
            b'"' => {
                let Some(end) = end_of_string(text, at) else { return };
                if let Some(Level::Object { known, key_is_next }) = levels.last_mut()
                    && *key_is_next == Next::Key
                {
                    *key_is_next = Next::Value;
                    let Ok(key) = serde_json::from_slice::<String>(&text[at..=end]) else { return };
                    path.pop();
                    path.push(Step::Key(key.clone()));
                    let first = if known.insert(key) { First::Yes } else { First::No };
                    seen(&path, at, first);
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
}

fn end_of_string(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The first zero byte.
pub(super) fn first_zero(text: &[u8]) -> Option<usize> {
    memchr(0, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_key_is_found_at_any_depth_and_by_its_meaning() {
        let text = br#"{"a":{"b":1,
 "\u0062":[{"c":"x\"{","d":2,"c":3}]},
"a":null}"#;
        let found: Vec<_> =
            keys_twice(text).into_iter().map(|(key, place)| (key, place.line, place.column)).collect();
        assert_eq!(found, [("a.b".into(), 2, 2), ("a.b[0].c".into(), 2, 30), ("a".into(), 3, 1)]);
        assert!(keys_twice(br#"{"a":{"x":1},"b":{"x":1},"x":[{"x":1},{"x":1}]}"#).is_empty());
    }

    #[test]
    fn a_value_is_found_by_the_way_to_it() {
        let text = b"{\"a\": {\"b\": [1,\n {\"c\": 2}]}}";
        let key = |name: &str| Step::Key(name.to_owned());
        assert_eq!(
            place_of(text, &[key("a"), key("b"), Step::Index(1), key("c")]),
            Some(Place { line: 2, column: 3 })
        );
        assert_eq!(place_of(text, &[key("a"), key("b"), Step::Index(0)]), Some(Place { line: 1, column: 8 }));
        assert_eq!(place_of(text, &[key("z")]), None);
        assert_eq!(
            shown(&[key("projects"), key("/u/me"), key("x"), Step::Index(2)]),
            r#"projects."/u/me".x[2]"#
        );
    }
}
