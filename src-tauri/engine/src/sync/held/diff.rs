//! A held change as a person reads it: a diff in text, with nothing in it that a terminal would obey.

use super::{Held, HeldChanges, Part};
use crate::error_handling::{IoContext, Result};
use similar::TextDiff;
use std::{fs, path::Path};

/// The largest file whose lines are compared.
const LARGEST: u64 = 4 << 20;

/// The host's side against the session's, in unified form.
///
/// What a session wrote is a stranger's: control characters and text that changes its own direction
/// are shown as escapes, so that the diff cannot hide a line of itself.
///
/// # Errors
/// When the change's files cannot be read.
pub fn diff(store: &HeldChanges, held: &Held) -> Result<String> {
    let mut text = String::new();
    for (index, part) in held.parts.iter().enumerate() {
        match part {
            Part::File { name, host, session, mode } => {
                text.push_str(&format!("{}{}\n", visible(name), executable(*mode)));
                let new = read(&store.session_content(held, index), session.len)?;
                let old = match host {
                    Some(mark) => read(&store.host_content(held, index), mark.len)?,
                    None => Some(String::new()),
                };
                match (old, new) {
                    (Some(old), Some(new)) => text.push_str(&unified(&old, &new)),
                    _ => text.push_str(&format!(
                        "  not text, or too long to compare: {} bytes here, {} in the session\n",
                        host.map_or(0, |mark| mark.len),
                        session.len
                    )),
                }
            }
            Part::Key { document, change } => {
                text.push_str(&format!("{} {}\n", visible(document), visible(&change.pointer)));
                let old = change.host.as_deref().map(pretty).unwrap_or_default();
                let new = change.session.as_deref().map(pretty).unwrap_or_default();
                text.push_str(&unified(&old, &new));
            }
        }
    }
    Ok(text)
}

fn executable(mode: u32) -> &'static str {
    if mode & 0o100 == 0 { "" } else { "  (a program)" }
}

fn read(path: &Path, len: u64) -> Result<Option<String>> {
    if len > LARGEST {
        return Ok(None);
    }
    Ok(String::from_utf8(fs::read(path).context("read", path)?).ok())
}

/// The text of a JSON value in lines; as it is where it is none.
pub(crate) fn pretty(raw: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(raw).ok();
    let text = parsed.and_then(|value| serde_json::to_string_pretty(&value).ok());
    text.unwrap_or_else(|| raw.to_owned()) + "\n"
}

/// One text against another, with nothing in it that a terminal would obey.
pub(crate) fn unified(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(3).to_string();
    visible_lines(&text)
}

fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let hidden = matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        if hidden || (character.is_control() && character != '\t') {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_cannot_hide_lines_of_itself() {
        let text = unified("a\n", "a\n\u{1b}[2Jgone\r\u{202e}txt\n");
        assert!(!text.contains('\u{1b}') && !text.contains('\r') && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains("+\\u{1b}[2Jgone"), "{text}");
    }

    #[test]
    fn keys_are_compared_line_by_line() {
        let text = unified(&pretty(r#"{"command":"a"}"#), &pretty(r#"{"command":"b"}"#));
        assert!(text.contains("-  \"command\": \"a\"") && text.contains("+  \"command\": \"b\""), "{text}");
    }
}
