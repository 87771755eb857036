//! One YAML text as a tree whose parts know where in the text they stand.
//!
//! JSON is read the same way: it is YAML but for how numbers are understood, which [`super::value`] knows.

use crate::error_handling::{Code, Error, Result};
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag};
use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};
use zeroize::Zeroizing;

/// A text, and by which name errors speak of it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The file's name in the repository.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a str,
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

impl Source<'_> {
    /// An error at a line. What is said must quote no value.
    pub(super) fn error(&self, code: Code, line: usize, what: impl std::fmt::Display) -> Error {
        Error::new(code, format!("{}, line {line}: {what}", self.name))
    }

    /// An error about the whole.
    pub(super) fn error_whole(&self, code: Code, what: impl std::fmt::Display) -> Error {
        Error::new(code, format!("{}: {what}", self.name))
    }
}

/// What becomes of `*alias`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aliases {
    /// It stands for what its anchor names.
    Resolved,
    /// It is an error: what a secrets file says stands where it is read.
    Refused,
}

/// A document whose top level is a mapping.
pub(super) struct Tree {
    pub(super) root: Map,
    pub(super) comments: Vec<Comment>,
}

/// A part of the document.
#[derive(Clone)]
pub(super) enum Node {
    Scalar(Scalar),
    List(List),
    Map(Map),
}

/// `- item` lines.
#[derive(Clone)]
pub(super) struct List {
    pub(super) items: Vec<Node>,
    pub(super) layout: Layout,
    pub(super) line: usize,
    /// Where it begins in the text.
    pub(super) start: usize,
}

/// How a part is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Block,
    Flow,
}

/// `key: value` lines.
#[derive(Clone)]
pub(super) struct Map {
    pub(super) entries: Vec<Entry>,
    pub(super) layout: Layout,
    pub(super) line: usize,
    /// Where it begins in the text.
    pub(super) start: usize,
}

impl Map {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// One `key: value`.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_range: Range<usize>,
    pub(super) line: usize,
    /// How many characters stand before the key.
    pub(super) column: usize,
    pub(super) value: Node,
}

/// A value as it is written.
#[derive(Clone)]
pub(super) struct Scalar {
    pub(super) text: Zeroizing<String>,
    pub(super) style: ScalarStyle,
    /// A tag of YAML's core schema, such as `str`.
    pub(super) tag: Option<String>,
    pub(super) range: Range<usize>,
    pub(super) line: usize,
}

/// A comment, with `#`.
pub(super) struct Comment {
    pub(super) range: Range<usize>,
    pub(super) line: usize,
}

impl Node {
    pub(super) fn line(&self) -> usize {
        match self {
            Self::Scalar(scalar) => scalar.line,
            Self::Map(map) => map.line,
            Self::List(list) => list.line,
        }
    }

    /// Where it begins in the text.
    pub(super) fn start(&self) -> usize {
        match self {
            Self::Scalar(scalar) => scalar.range.start,
            Self::Map(map) => map.start,
            Self::List(list) => list.start,
        }
    }
}

/// Reads a text that is one document with a mapping at its top.
pub(super) fn read(source: Source<'_>, aliases: Aliases) -> Result<Tree> {
    let options = granit_parser::options! {
        // As go-yaml, and so sops, does it.
        block_scalar_eof_without_line_feed: true,
        max_buffered_comment_events: 100_000,
    };
    let events = Parser::new_from_str_with_options(source.text, options);
    let mut reader = Reader { source, events, aliases, anchors: HashMap::new(), comments: Vec::new() };
    let root = reader.document()?;
    Ok(Tree { root, comments: reader.comments })
}

struct Reader<'a> {
    source: Source<'a>,
    events: Parser<'a, granit_parser::StrInput<'a>>,
    aliases: Aliases,
    anchors: HashMap<usize, Node>,
    comments: Vec<Comment>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Map> {
        let mut root = None;
        let mut documents = 0;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        let what = "a second document begins here, and only one is read from a file";
                        return Err(self.error(Code::SecretsUnsupported, &span, what));
                    }
                }
                Event::StreamStart | Event::DocumentEnd => {}
                event => match self.node(event, &span)? {
                    Node::Map(map) => root = Some(map),
                    _ => {
                        let what = "the file has to begin with `key: value`";
                        return Err(self.error(Code::SecretsShape, &span, what));
                    }
                },
            }
        }
        root.ok_or_else(|| self.source.error_whole(Code::SecretsShape, "there is nothing in the file"))
    }

    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node> {
        let anchor = event.anchor_id();
        let node = match event {
            Event::Scalar(text, style, _, tag) => {
                let tag = match tag.as_deref().map(core_tag) {
                    Some(None) => {
                        let what = "a tag (`!…`) stands here, and values have none";
                        return Err(self.error(Code::SecretsUnsupported, span, what));
                    }
                    tag => tag.flatten(),
                };
                let range = self.range(span)?;
                let text = Zeroizing::new(text.into_owned());
                Node::Scalar(Scalar { text, style, tag, range, line: span.start.line() })
            }
            Event::SequenceStart(style, ..) => Node::List(self.list(layout(style), span)?),
            Event::MappingStart(style, ..) => Node::Map(self.map(layout(style), span)?),
            Event::Alias(id) if self.aliases == Aliases::Resolved => match self.anchors.get(&id) {
                Some(node) => node.clone(),
                None => {
                    return Err(self.error(Code::SecretsSyntax, span, "an alias (`*…`) stands in itself"));
                }
            },
            Event::Alias(_) => {
                let what = "an alias (`*…`) stands here; a secrets file has none";
                return Err(self.error(Code::SecretsUnsupported, span, what));
            }
            _ => return Err(self.broken(span.start.line())),
        };
        if let Some(id) = anchor
            && self.aliases == Aliases::Resolved
        {
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, layout: Layout, span: &Span) -> Result<List> {
        let (line, start) = (span.start.line(), self.range(span)?.start);
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(List { items, layout, line, start }),
                (event, span) => items.push(self.node(event, &span)?),
            }
        }
    }

    fn map(&mut self, layout: Layout, span: &Span) -> Result<Map> {
        let (line, start) = (span.start.line(), self.range(span)?.start);
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Map { entries, layout, line, start }),
                Event::Scalar(text, _, _, tag)
                    if tag.as_deref().is_none_or(|tag| core_tag(tag).as_deref() == Some("str")) =>
                {
                    text.into_owned()
                }
                _ => return Err(self.error(Code::SecretsShape, &span, "a key is no plain text")),
            };
            if !seen.insert(key.clone()) {
                let what = format!("the key `{key}` is here for the second time");
                return Err(self.error(Code::SecretsShape, &span, what));
            }
            let (column, key_range) = (span.start.col(), self.range(&span)?);
            let (event, value_span) = self.next()?;
            let value = self.node(event, &value_span)?;
            entries.push(Entry { key, key_range, line: span.start.line(), column, value });
        }
    }

    /// The next event that is no comment.
    fn next(&mut self) -> Result<(Event<'a>, Span)> {
        loop {
            match self.events.next_event() {
                Some(Ok((Event::Comment(..), span))) => {
                    let range = self.range(&span)?;
                    self.comments.push(Comment { range, line: span.start.line() });
                }
                Some(Ok(event)) => return Ok(event),
                // The parser's own words may quote the text.
                Some(Err(cause)) => return Err(self.broken(cause.marker().line())),
                None => return Err(self.broken(1)),
            }
        }
    }

    fn range(&self, span: &Span) -> Result<Range<usize>> {
        span.byte_range().ok_or_else(|| self.broken(span.start.line()))
    }

    fn error(&self, code: Code, span: &Span, what: impl std::fmt::Display) -> Error {
        self.source.error(code, span.start.line(), what)
    }

    fn broken(&self, line: usize) -> Error {
        self.source
            .error(Code::SecretsSyntax, line, "this is no YAML that can be read")
            .why("a quote, a colon or spaces before a key are missing here or above, or the file breaks off")
            .remedy("mend that line, or bring the file back: git checkout -- FILE")
    }
}

/// A tag that says of which kind a value is.
fn core_tag(tag: &Tag) -> Option<String> {
    match tag.suffix_in_namespace("tag:yaml.org,2002:")?.as_ref() {
        // So go-yaml writes the text `<<`.
        "merge" => Some("str".to_owned()),
        kind @ ("str" | "null" | "bool" | "int" | "float") => Some(kind.to_owned()),
        // The form of a moment says it already.
        "timestamp" => Some("timestamp".to_owned()),
        _ => None,
    }
}

fn layout(style: StructureStyle) -> Layout {
    match style {
        StructureStyle::Block => Layout::Block,
        StructureStyle::Flow => Layout::Flow,
    }
}
