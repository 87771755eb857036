//! Writing YAML that go-yaml and every other parser read as it was meant.

use super::{
    comments::{Side, Spot},
    value::{Dialect, Value},
    yaml::{Layout, List, Map, Node, Scalar},
};
use crate::error_handling::Result;
use granit_parser::ScalarStyle;
use zeroize::Zeroizing;

/// A text on one line: as it is where nobody could take it for something else, in double quotes otherwise.
pub(super) fn plain(text: &str) -> String {
    if is_safe(text) { text.to_owned() } else { quoted(text) }
}

/// A text in double quotes; that is JSON as well.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Breaks of lines, and what YAML has no place for outside of escapes.
            '\u{85}' | '\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04X}", u32::from(letter)));
            }
            letter if letter.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// A text of a value: lines below each other where it has several and that can be, as a private key does.
pub(super) fn text(text: &str, indent: usize) -> Zeroizing<String> {
    let Some(chomping) = literal(text) else { return Zeroizing::new(plain(text)) };
    let mut out = Zeroizing::new(format!("|{chomping}"));
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
    }
    out
}

/// A value that is not encrypted.
pub(super) fn value(value: &Value, indent: usize) -> Zeroizing<String> {
    match value {
        Value::Null => Zeroizing::new("null".into()),
        Value::Text(content) => text(content, indent),
        Value::Float(number) if number.is_nan() => Zeroizing::new(".nan".into()),
        Value::Float(number) if number.is_infinite() => {
            Zeroizing::new(if *number > 0.0 { ".inf" } else { "-.inf" }.into())
        }
        // Without a point it would be a whole number afterwards.
        Value::Float(number) if number.fract() == 0.0 => Zeroizing::new(format!("{number}.0")),
        other => other.to_text(),
    }
}

/// How the last line break of a block is written, if the text can stand as one.
fn literal(text: &str) -> Option<&'static str> {
    let first = text.split('\n').next()?;
    let is_plain =
        |letter: char| letter == '\n' || letter == '\t' || (!letter.is_control() && !is_odd(letter));
    let fits = text.contains('\n')
        && !first.trim().is_empty()
        && !first.starts_with([' ', '\t'])
        && !text.ends_with("\n\n")
        && text.chars().all(is_plain)
        // Nothing but blanks on a line can be taken for indentation.
        && text.split('\n').all(|line| line.is_empty() || !line.trim().is_empty());
    fits.then_some(if text.ends_with('\n') { "" } else { "-" })
}

fn is_odd(letter: char) -> bool {
    matches!(letter, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a text without quotes is read as that very text, in YAML 1.1 as well.
fn is_safe(text: &str) -> bool {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let starts = |letter: char| letter.is_ascii_alphanumeric() || "_/^".contains(letter);
    let goes_on = |letter: char| letter.is_ascii_alphanumeric() || " _./+@%=()|*?^$-".contains(letter);
    let scalar = Scalar {
        text: Zeroizing::new(text.to_owned()),
        style: ScalarStyle::Plain,
        tag: None,
        range: 0..0,
        line: 1,
    };
    text.starts_with(starts)
        && text.chars().all(goes_on)
        && !text.ends_with(' ')
        && !words.contains(&text.to_ascii_lowercase().as_str())
        && !text.starts_with(|letter: char| letter.is_ascii_digit() && !text.contains(char::is_alphabetic))
        && matches!(Value::of(&scalar, Dialect::Yaml), Ok(Value::Text(_)))
}

/// What becomes of the parts of a document when it is written anew.
pub(super) trait Fill {
    /// What stands for a value; `indent` is that of lines below its key.
    fn scalar(&mut self, scalar: &Scalar, indent: usize) -> Result<Zeroizing<String>>;

    /// The lines of the comments of a place.
    fn comments(&mut self, spot: Spot) -> Result<Vec<Zeroizing<String>>>;
}

/// How much deeper sops indents what is below a key.
const STEP: usize = 4;

/// A mapping as sops indents it.
pub(super) fn entries(map: &Map, fill: &mut impl Fill, out: &mut Zeroizing<String>) -> Result<()> {
    Block { fill, out }.map(map, 0, 0)
}

struct Block<'a, F> {
    fill: &'a mut F,
    out: &'a mut Zeroizing<String>,
}

impl<F: Fill> Block<'_, F> {
    fn map(&mut self, map: &Map, indent: usize, depth: usize) -> Result<()> {
        for entry in &map.entries {
            let at = entry.key_range.start;
            self.comments(Spot { at, depth, side: Side::Above }, indent)?;
            self.out.push_str(&" ".repeat(indent));
            self.out.push_str(&plain(&entry.key));
            self.out.push(':');
            self.below(&entry.value, indent, depth)?;
        }
        let last = map.entries.last().map(|entry| entry.key_range.start);
        last.map_or(Ok(()), |at| self.comments(Spot { at, depth, side: Side::Below }, indent))
    }

    fn list(&mut self, list: &List, indent: usize, depth: usize) -> Result<()> {
        for item in &list.items {
            self.comments(Spot { at: item.start(), depth, side: Side::Above }, indent)?;
            self.out.push_str(&" ".repeat(indent));
            self.out.push('-');
            self.below(item, indent, depth)?;
        }
        let last = list.items.last().map(Node::start);
        last.map_or(Ok(()), |at| self.comments(Spot { at, depth, side: Side::Below }, indent))
    }

    fn comments(&mut self, spot: Spot, indent: usize) -> Result<()> {
        for line in self.fill.comments(spot)? {
            self.out.push_str(&" ".repeat(indent));
            self.out.push_str(&line);
            self.out.push('\n');
        }
        Ok(())
    }

    fn below(&mut self, node: &Node, indent: usize, depth: usize) -> Result<()> {
        match node {
            Node::Scalar(value) => {
                self.out.push(' ');
                self.out.push_str(&self.fill.scalar(value, indent + STEP)?);
                self.out.push('\n');
            }
            Node::Map(map) if map.entries.is_empty() => self.out.push_str(" {}\n"),
            Node::List(list) if list.items.is_empty() => self.out.push_str(" []\n"),
            Node::Map(map) => {
                self.out.push('\n');
                self.map(map, indent + STEP, depth + 1)?;
            }
            Node::List(list) => {
                self.out.push('\n');
                self.list(list, indent + STEP, depth + 1)?;
            }
        }
        Ok(())
    }
}

/// The members of a JSON object as sops indents them, without the braces around them.
pub(super) fn members(
    map: &Map,
    depth: usize,
    fill: &mut impl Fill,
    out: &mut Zeroizing<String>,
) -> Result<()> {
    for (at, entry) in map.entries.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ",\n" });
        out.push_str(&"\t".repeat(depth));
        out.push_str(&quoted(&entry.key));
        out.push_str(": ");
        json(&entry.value, depth, fill, out)?;
    }
    Ok(())
}

fn json(node: &Node, depth: usize, fill: &mut impl Fill, out: &mut Zeroizing<String>) -> Result<()> {
    match node {
        Node::Scalar(value) => out.push_str(&quoted(&fill.scalar(value, 0)?)),
        Node::Map(map) if map.entries.is_empty() => out.push_str("{}"),
        Node::List(list) if list.items.is_empty() => out.push_str("[]"),
        Node::Map(map) => {
            out.push_str("{\n");
            members(map, depth + 1, fill, out)?;
            out.push_str(&format!("\n{}}}", "\t".repeat(depth)));
        }
        Node::List(list) => {
            out.push('[');
            for (at, item) in list.items.iter().enumerate() {
                out.push_str(if at == 0 { "\n" } else { ",\n" });
                out.push_str(&"\t".repeat(depth + 1));
                json(item, depth + 1, fill, out)?;
            }
            out.push_str(&format!("\n{}]", "\t".repeat(depth)));
        }
    }
    Ok(())
}

/// A ciphertext in the place of a value.
pub(super) fn ciphertext(sealed: &str, layout: Layout) -> String {
    match layout {
        _ if sealed.is_empty() => "\"\"".into(),
        Layout::Block => sealed.to_owned(),
        // Its commas and brackets would end it there.
        Layout::Flow => format!("\"{sealed}\""),
    }
}
