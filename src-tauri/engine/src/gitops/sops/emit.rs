//! Writing YAML that go-yaml and every other parser read as it was meant.

use super::{
    value::{Dialect, Value},
    yaml::{Entry, Layout, Node, Scalar},
};
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

/// Entries as sops indents them; what each scalar becomes is the caller's.
pub(super) fn entries<E>(
    entries: &[Entry],
    indent: usize,
    out: &mut Zeroizing<String>,
    scalar: &mut impl FnMut(&Scalar, usize) -> Result<Zeroizing<String>, E>,
) -> Result<(), E> {
    for entry in entries {
        out.push_str(&" ".repeat(indent));
        out.push_str(&plain(&entry.key));
        out.push(':');
        below(&entry.value, indent, out, scalar)?;
    }
    Ok(())
}

fn below<E>(
    node: &Node,
    indent: usize,
    out: &mut Zeroizing<String>,
    scalar: &mut impl FnMut(&Scalar, usize) -> Result<Zeroizing<String>, E>,
) -> Result<(), E> {
    const STEP: usize = 4;
    match node {
        Node::Scalar(value) => {
            out.push(' ');
            out.push_str(&scalar(value, indent + STEP)?);
            out.push('\n');
        }
        Node::Map(map) if map.entries.is_empty() => out.push_str(" {}\n"),
        Node::List(list) if list.items.is_empty() => out.push_str(" []\n"),
        Node::Map(map) => {
            out.push('\n');
            entries(&map.entries, indent + STEP, out, scalar)?;
        }
        Node::List(list) => {
            out.push('\n');
            for item in &list.items {
                out.push_str(&" ".repeat(indent + STEP));
                out.push('-');
                below(item, indent + STEP, out, scalar)?;
            }
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
