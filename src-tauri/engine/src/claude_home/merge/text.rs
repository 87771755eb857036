//! A JSON object as text: finding its keys, and setting or removing one without touching the rest.

use super::super::document::{DocumentFault, parse_document};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use std::{collections::HashSet, fmt, ops::Range};

/// A document that can be merged: one JSON object, no key twice, nested no deeper than is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'t> {
    text: &'t str,
}

/// One key of an object, by its places in the document's text.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    at: usize,
    value: Range<usize>,
}

impl<'t> Document<'t> {
    /// Reads a document, strictly: of a key that stands twice, programs read different ones.
    pub(super) fn read(text: &'t [u8]) -> Result<Self, DocumentFault> {
        // The faults of a document as a whole have their words there.
        parse_document(text)?;
        let mut reader = serde_json::Deserializer::from_slice(text);
        NoKeyTwice.deserialize(&mut reader).map_err(|cause| {
            let reason = cause.to_string();
            let reason = reason.split(" at line ").next().unwrap_or(&reason).to_owned();
            DocumentFault { line: cause.line(), column: cause.column(), reason }
        })?;
        let text = std::str::from_utf8(text).map_err(|cause| DocumentFault {
            line: 0,
            column: 0,
            reason: format!("it is not text: {cause}"),
        })?;
        Ok(Self { text })
    }

    pub(super) fn root(self) -> Value<'t> {
        Value { document: self.text, at: span_of_value(self.text, skip_space(self.text, 0)) }
    }
}

/// A value in a document's text.
#[derive(Debug, Clone)]
pub(super) struct Value<'t> {
    document: &'t str,
    at: Range<usize>,
}

impl<'t> Value<'t> {
    pub(super) fn text(&self) -> &'t str {
        &self.document[self.at.clone()]
    }

    pub(super) fn is_object(&self) -> bool {
        self.text().starts_with('{')
    }

    /// The keys of an object in their order; none of anything else.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let (text, mut entries) = (self.document, Vec::new());
        if !self.is_object() {
            return entries;
        }
        let mut at = skip_space(text, self.at.start + 1);
        while text.as_bytes().get(at) == Some(&b'"') {
            let key = span_of_value(text, at);
            let colon = skip_space(text, key.end);
            let value = span_of_value(text, skip_space(text, colon + 1));
            let name = serde_json::from_str(&text[key.clone()]).unwrap_or_default();
            let after = skip_space(text, value.end);
            entries.push(Entry { key: name, at: key.start, value });
            at = skip_space(text, after + 1);
        }
        entries
    }

    pub(super) fn of(&self, entry: &Entry) -> Self {
        Self { document: self.document, at: entry.value.clone() }
    }

    pub(super) fn get(&self, key: &str) -> Option<Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| self.of(entry))
    }

    /// Whether both say the same: white space and the order of keys do not count, the spelling of
    /// numbers does.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let parsed = |value: &Self| serde_json::from_str::<serde_json::Value>(value.text()).ok();
        self.text() == other.text() || parsed(self) == parsed(other)
    }
}

/// The document with the value at a path set to this text, made where it was not.
pub(super) fn set(document: &str, path: &[String], value: &str) -> String {
    let mut at = span_of_value(document, skip_space(document, 0));
    for (depth, key) in path.iter().enumerate() {
        let here = Value { document, at: at.clone() };
        let entries = here.entries();
        match entries.iter().find(|entry| entry.key == *key) {
            Some(entry) => at = entry.value.clone(),
            None => {
                let nested = path[depth + 1..]
                    .iter()
                    .rev()
                    .fold(value.to_owned(), |inner, key| format!("{{{}: {inner}}}", quoted(key)));
                return insert(document, &here, &entries, key, &nested);
            }
        }
    }
    format!("{}{value}{}", &document[..at.start], &document[at.end..])
}

/// The document without the key at a path.
pub(super) fn remove(document: &str, path: &[String]) -> String {
    let mut here = Value { document, at: span_of_value(document, skip_space(document, 0)) };
    let Some((last, above)) = path.split_last() else { return document.to_owned() };
    for key in above {
        match here.get(key) {
            Some(inner) => here = inner,
            None => return document.to_owned(),
        }
    }
    let entries = here.entries();
    let Some(index) = entries.iter().position(|entry| entry.key == *last) else { return document.to_owned() };
    let gone = match (index.checked_sub(1).map(|before| &entries[before]), entries.get(index + 1)) {
        (Some(before), _) => before.value.end..entries[index].value.end,
        (None, Some(next)) => entries[index].at..next.at,
        (None, None) => here.at.start + 1..here.at.end - 1,
    };
    format!("{}{}", &document[..gone.start], &document[gone.end..])
}

/// Adds a key at the end of an object, laid out as its other keys are.
fn insert(document: &str, object: &Value<'_>, entries: &[Entry], key: &str, value: &str) -> String {
    if !object.is_object() {
        return document.to_owned();
    }
    let key = quoted(key);
    match entries.last() {
        Some(last) => {
            let line = document[..last.at].rfind('\n').map(|at| &document[at..last.at]);
            let before = match line {
                Some(line) if line.trim().is_empty() => format!(",{line}"),
                _ => ", ".to_owned(),
            };
            format!("{}{before}{key}: {value}{}", &document[..last.value.end], &document[last.value.end..])
        }
        None => {
            let start = document[..object.at.start].rfind('\n').map_or(0, |at| at + 1);
            let line = &document[start..];
            let indent = &line[..line.len() - line.trim_start_matches(' ').len()];
            let inside = format!("{{\n{indent}  {key}: {value}\n{indent}}}");
            format!("{}{inside}{}", &document[..object.at.start], &document[object.at.end..])
        }
    }
}

/// Where in a line of JSON the strings at these paths stand, in their order; `*` is any key. `None`
/// where the line is not a JSON object.
pub(crate) fn string_spans(line: &str, paths: &[&[&str]]) -> Option<Vec<Range<usize>>> {
    serde_json::from_str::<serde::de::IgnoredAny>(line).ok()?;
    let root = Value { document: line, at: span_of_value(line, skip_space(line, 0)) };
    if !root.is_object() {
        return None;
    }
    let mut spans = Vec::new();
    strings_at(&root, paths, &mut spans);
    spans.sort_by_key(|span| span.start);
    spans.dedup();
    Some(spans)
}

fn strings_at(value: &Value<'_>, paths: &[&[&str]], spans: &mut Vec<Range<usize>>) {
    for entry in value.entries() {
        let rests: Vec<_> = paths
            .iter()
            .filter_map(|path| path.split_first())
            .filter(|(first, _)| **first == "*" || **first == entry.key)
            .map(|(_, rest)| rest)
            .collect();
        if rests.is_empty() {
            continue;
        }
        let inner = value.of(&entry);
        if rests.iter().any(|rest| rest.is_empty()) && inner.text().starts_with('"') {
            spans.push(entry.value.clone());
        } else {
            strings_at(&inner, &rests, spans);
        }
    }
}

fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}

fn skip_space(text: &str, at: usize) -> usize {
    let space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| space(byte)).count()
}

/// Where the value that begins here ends, in a document that was read before.
fn span_of_value(text: &str, start: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                if depth <= 1 {
                    // The end of a container, or of the one around a bare word.
                    return start..at + depth;
                }
                depth -= 1;
                at += 1;
            }
            b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return start..at,
            _ => at += 1,
        }
        if depth == 0 && *byte == b'"' {
            return start..at;
        }
    }
    start..at
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Reads any value and refuses one in which a key stands twice.
struct NoKeyTwice;

impl<'de> DeserializeSeed<'de> for NoKeyTwice {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NoKeyTwice {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(NoKeyTwice)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format!("the key {} stands twice", quoted(&key))));
            }
            entries.next_value_seed(NoKeyTwice)?;
            seen.insert(key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn setting_a_key_touches_nothing_else() {
        let text = "{\n  \"a\": 1e5,\n  \"b\": {\n    \"c\": [1.0, \"\\u00e9}\"]\n  }\n}\n";
        assert_eq!(set(text, &path(&["a"]), "2"), text.replace("1e5", "2"));
        assert_eq!(set(text, &path(&["b", "c"]), "null"), text.replace("[1.0, \"\\u00e9}\"]", "null"));
        let added = set(text, &path(&["b", "d"]), "true");
        assert_eq!(added, text.replace("}\"]\n", "}\"],\n    \"d\": true\n"));
        let nested = set("{}", &path(&["x", "y"]), "1");
        assert_eq!(nested, "{\n  \"x\": {\"y\": 1}\n}");
        assert_eq!(set("{\"a\":1}", &path(&["b"]), "2"), "{\"a\":1, \"b\": 2}");
    }

    #[test]
    fn removing_a_key_leaves_a_document() {
        let text = "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}";
        assert_eq!(remove(text, &path(&["a"])), "{\n  \"b\": 2,\n  \"c\": 3\n}");
        assert_eq!(remove(text, &path(&["b"])), "{\n  \"a\": 1,\n  \"c\": 3\n}");
        assert_eq!(remove(text, &path(&["c"])), "{\n  \"a\": 1,\n  \"b\": 2\n}");
        assert_eq!(remove("{\"a\": 1}", &path(&["a"])), "{}");
        assert_eq!(remove(text, &path(&["x", "y"])), text);
    }

    #[test]
    fn odd_documents_are_refused_with_a_place() {
        let fault = |text: &str| Document::read(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            fault("{\"a\":1,\n \"b\":{\"c\":1,\"c\":2}}"),
            "line 2, column 15: the key \"c\" stands twice"
        );
        assert!(
            fault(&format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000))).contains("recursion")
        );
        assert!(fault("\u{feff}{}").contains("line 1"));
        assert!(fault("[]").contains("not a JSON object"));
    }
}
