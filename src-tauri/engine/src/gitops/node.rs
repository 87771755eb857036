//! Reading YAML and JSON into one tree that knows where in the text each value stands.
//!
//! Of YAML only what reads the same to everybody: no anchors, aliases and tags, no second document, no key twice.

use crate::claude_home::parse_document;
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use serde_json::{Map, Number, Value};
use std::ops::Range;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Its line, from 1.
    pub(super) line: usize,
    /// Its bytes in the text.
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Object(Vec<Entry>),
    List(Vec<Node>),
    /// A text, a number, true, false or null.
    Leaf(Value),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The key's line, from 1.
    pub(super) line: usize,
    /// Where the key begins.
    pub(super) at: usize,
    pub(super) value: Node,
}

/// What is wrong with a text, and in which line; line 0 is the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) what: String,
}

impl Fault {
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

impl Node {
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Object(entries) => entries,
            Kind::List(_) | Kind::Leaf(_) => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.kind, Kind::Object(_))
    }

    pub(super) fn json(&self) -> Value {
        match &self.kind {
            Kind::Leaf(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(Self::json).collect()),
            Kind::Object(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.json())).collect::<Map<_, _>>(),
            ),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Leaf(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}

/// Reads a JSON document: one object, as Claude Code itself reads it.
pub(super) fn read_json(text: &[u8]) -> Result<Node, Fault> {
    parse_document(text).map_err(|fault| Fault::new(fault.line, fault.reason))?;
    // What is JSON is YAML as well, and that reader knows the places.
    read_yaml(text)
}

/// Reads a YAML document: one mapping.
pub(super) fn read_yaml(text: &[u8]) -> Result<Node, Fault> {
    let text = std::str::from_utf8(text).map_err(|cause| {
        let before = &text[..cause.valid_up_to()];
        Fault::new(memchr::memchr_iter(b'\n', before).count() + 1, "these bytes are no text (UTF-8)")
    })?;
    let mut reader = Reader { text, events: Parser::new_from_str(text), depth: 0 };
    let root = match reader.next()? {
        (Event::StreamEnd, span) => Node { line: 1, span: bytes(&span), kind: Kind::Object(Vec::new()) },
        (event, span) => reader.node(event, &span)?,
    };
    match reader.next()? {
        (Event::StreamEnd, _) => {}
        (_, span) => return Err(Fault::new(span.start.line(), "a second document begins here")),
    }
    match &root.kind {
        Kind::Object(_) => Ok(root),
        Kind::Leaf(Value::Null) => Ok(Node { kind: Kind::Object(Vec::new()), ..root }),
        Kind::List(_) | Kind::Leaf(_) => Err(Fault::new(root.line, "it must be keys with values")),
    }
}

struct Reader<'t> {
    text: &'t str,
    events: Parser<'t, granit_parser::StrInput<'t>>,
    depth: usize,
}

impl<'t> Reader<'t> {
    /// The next event that is about values.
    fn next(&mut self) -> Result<(Event<'t>, Span), Fault> {
        loop {
            match self.events.next_event() {
                Some(Ok((
                    Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd | Event::Comment(..),
                    _,
                ))) => {}
                Some(Ok(found)) => return Ok(found),
                Some(Err(cause)) => return Err(Fault::new(cause.marker().line(), cause.info())),
                None => return Err(Fault::new(0, "the file ends in the middle")),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span) -> Result<Node, Fault> {
        const DEEPEST: usize = 64;
        let line = span.start.line();
        let refused = |what: &str| Err(Fault::new(line, what));
        match event {
            Event::Scalar(_, _, 1.., _)
            | Event::SequenceStart(_, 1.., _)
            | Event::MappingStart(_, 1.., _)
            | Event::Anchor(..)
            | Event::Alias(_)
            | Event::UnresolvedAlias(_) => refused("anchors and aliases are not read here"),
            Event::Scalar(.., Some(_))
            | Event::SequenceStart(.., Some(_))
            | Event::MappingStart(.., Some(_)) => refused("tags are not read here"),
            Event::Scalar(text, style, _, None) => {
                let value = match style {
                    ScalarStyle::Plain => plain(&text).map_err(|what| Fault::new(line, what))?,
                    _ => Value::String(text.into_owned()),
                };
                let mut span = bytes(span);
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    // Its place is told without the sign that it begins with.
                    let head = self.text.get(..span.start).unwrap_or_default();
                    span.start = head.rfind(['|', '>']).unwrap_or(span.start);
                }
                Ok(Node { line, span, kind: Kind::Leaf(value) })
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if self.depth >= DEEPEST => {
                refused("it is nested too deeply")
            }
            Event::SequenceStart(style, ..) => {
                self.depth += 1;
                let mut items = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => break end,
                        (event, span) => items.push(self.node(event, &span)?),
                    }
                };
                self.depth -= 1;
                let last = items.last().map(|item| item.span.end);
                Ok(Node { line, span: around(style, span, &end, last), kind: Kind::List(items) })
            }
            Event::MappingStart(style, ..) => {
                self.depth += 1;
                let mut entries: Vec<Entry> = Vec::new();
                let end = loop {
                    let (event, span) = match self.next()? {
                        (Event::MappingEnd, end) => break end,
                        found => found,
                    };
                    let key = self.node(event, &span)?;
                    let key_line = key.line;
                    let Kind::Leaf(name) = key.kind else {
                        return Err(Fault::new(key_line, "a key must be a text"));
                    };
                    let name = match name {
                        Value::String(name) => name,
                        Value::Null => return Err(Fault::new(key_line, "a key must be a text")),
                        other => other.to_string(),
                    };
                    if entries.iter().any(|entry| entry.key == name) {
                        return Err(Fault::new(key_line, format!("the key \"{name}\" stands twice")));
                    }
                    let (event, span) = self.next()?;
                    let value = self.node(event, &span)?;
                    entries.push(Entry { key: name, line: key_line, at: key.span.start, value });
                };
                self.depth -= 1;
                let last = entries.last().map(|entry| entry.value.span.end);
                Ok(Node { line, span: around(style, span, &end, last), kind: Kind::Object(entries) })
            }
            _ => refused("this is not understood here"),
        }
    }
}

fn bytes(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}

/// A block ends with its last value: its end is told only where the next thing begins.
fn around(style: StructureStyle, start: &Span, end: &Span, last: Option<usize>) -> Range<usize> {
    let from = bytes(start).start;
    match (style, last) {
        (StructureStyle::Block, Some(last)) => from..last,
        _ => from..bytes(end).end,
    }
}

/// A scalar without quotes, by YAML's core schema. What programs of different ages read differently is refused.
fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" => return Ok(Value::Null),
        "true" => return Ok(Value::Bool(true)),
        "false" => return Ok(Value::Bool(false)),
        _ => {}
    }
    // YAML 1.1 reads these as true and false, and an hour as a number.
    const TWO_WAYS: &[&str] = &["yes", "no", "on", "off", "y", "n", "null", "true", "false"];
    if TWO_WAYS.contains(&text.to_ascii_lowercase().as_str()) {
        return Err(format!("{text} means two things in YAML: write true or false, or put it in quotes"));
    }
    if let Ok(number) = serde_json::from_str::<Number>(text) {
        return Ok(Value::Number(number));
    }
    let looks_like_number =
        text.trim_start_matches(['+', '-', '.']).starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_hexdigit() || "+-._xo:".contains(c))
            && !text.contains("..")
            && (text.starts_with(['+', '.', '0']) || text.contains(['_', ':']))
            && text.matches('.').count() < 2;
    if looks_like_number {
        return Err(format!("put {text} in quotes, or write it as a plain number"));
    }
    Ok(Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn fault(text: &str) -> (usize, String) {
        let fault = read_yaml(text.as_bytes()).unwrap_err();
        (fault.line, fault.what)
    }

    #[test]
    fn yaml_is_read_with_the_place_of_each_key() {
        let text = "# mine\nimage:\n  packages: [git, jq]\n  base: debian:bookworm-slim\nversion: 2.1.330\n";
        let node = read_yaml(text.as_bytes()).unwrap();
        let expected = json!({"image": {"packages": ["git", "jq"], "base": "debian:bookworm-slim"},
            "version": "2.1.330"});
        assert_eq!(node.json(), expected);
        let image = node.get("image").unwrap();
        let base = image.value.get("base").unwrap();
        assert_eq!((image.line, base.line), (2, 4));
        assert_eq!(&text[base.value.span.clone()], "debian:bookworm-slim");
        assert_eq!(&text[image.value.span.clone()], "packages: [git, jq]\n  base: debian:bookworm-slim");
    }

    #[test]
    fn what_reads_in_two_ways_is_refused_with_its_line() {
        assert_eq!(fault("a: 1\nb: yes\n").0, 2);
        assert_eq!(fault("a: 1\nb: 0x1F\n").0, 2);
        assert!(fault("a: &x 1\n").1.contains("anchors"));
        assert!(fault("a: 1\nb: *x\n").0 == 2);
        assert!(fault("a: !!str 1\n").1.contains("tags"));
        assert_eq!(fault("a: 1\nb: 2\na: 3\n"), (3, "the key \"a\" stands twice".to_owned()));
        assert_eq!(fault("a: 1\n---\nb: 2\n").1, "a second document begins here");
        assert_eq!(fault("- 1\n").1, "it must be keys with values");
        assert_eq!(fault("a: [1\nb: 2\n").0, 2);
    }

    #[test]
    fn json_is_read_strictly_and_with_its_lines() {
        let node = read_json(b"{\n  \"a\": {\"b\": \"\\ud83d\\ude00\"},\n  \"c\": 1.0\n}").unwrap();
        assert_eq!(node.json().to_string(), "{\"a\":{\"b\":\"\u{1f600}\"},\"c\":1.0}");
        assert_eq!(node.get("c").unwrap().line, 3);
        assert_eq!(read_json(b"{a: 1}").unwrap_err().line, 1);
        assert!(read_json(b"{\"a\": 1,\n\"a\": 2}").unwrap_err().what.contains("twice"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Control characters beyond ASCII are JSON, and no YAML.
            "[ -~\\n\\té名😀]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[ -~é名]{0,8}", inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_object_is_read_as_what_it_is(inner in any_json()) {
            let whole = json!({"v": inner});
            for text in [whole.to_string(), serde_json::to_string_pretty(&whole).unwrap()] {
                prop_assert_eq!(read_json(text.as_bytes()).unwrap().json(), whole.clone());
            }
        }

        #[test]
        fn no_text_is_too_odd_to_be_refused_in_order(text in "(?s).{0,80}") {
            let _ = read_yaml(text.as_bytes());
        }
    }
}
