//! The content of one JSON document, or of one text: what is wrong with it, and where.

use super::{
    Damage, Finding, Fix, Place, Severity,
    keys::{first_zero, keys_twice, place_at, place_of, shown},
    remedy::mend_that_place,
    shape::Shape,
};
use crate::{
    claude_home::parse_document,
    keychain::{Credentials, LoginKind},
};
use serde_json::{Map, Value};
use std::path::Path;

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Signs in anew where a login is lost.
pub(super) const SIGN_IN: &str = "claude auth login";

/// All that is wrong with a JSON document.
pub(super) fn check_document(file: &Path, text: &[u8], shape: Shape) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (marked, text) = match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    match read(file, text, shape) {
        Err(finding) => findings.push(finding),
        Ok(document) => {
            if marked {
                let reason = "a byte-order mark is before its text, which not every program can read";
                findings.push(
                    Finding::new(Severity::Warning, Damage::ByteOrderMark, file, reason)
                        .at(Place { line: 1, column: 1 })
                        .fixed_by(Fix::DropByteOrderMark),
                );
            }
            findings.extend(twice(file, text));
            findings.extend(
                document.map(|document| wrong_types(file, text, &document, shape)).into_iter().flatten(),
            );
            findings.extend(lost_login(file, text, shape));
        }
    }
    if marked {
        for place in findings.iter_mut().filter_map(|finding| finding.place.as_mut()) {
            if place.line == 1 && place.column > 1 {
                place.column += BYTE_ORDER_MARK.len() as u64;
            }
        }
    }
    if shape == Shape::Credentials {
        // No snapshot has a login.
        for finding in findings.iter_mut().filter(|finding| finding.fix.is_none()) {
            SIGN_IN.clone_into(&mut finding.remedy);
        }
    }
    findings
}

/// Reads the document; nothing where it may be something else than an object, and is.
///
/// # Errors
/// The one fault for which nothing of it can be read.
fn read(file: &Path, text: &[u8], shape: Shape) -> Result<Option<Map<String, Value>>, Finding> {
    let found = |damage, reason: String| Finding::new(shape.unreadable(), damage, file, reason);
    if text.is_empty() {
        return Err(found(Damage::Empty, "the file is empty".to_owned()));
    }
    if let Some(at) = first_zero(text) {
        if text.iter().all(|byte| *byte == 0) {
            return Err(found(Damage::ZeroBytes, "the file holds only zero bytes".to_owned()));
        }
        let reason = "zero bytes are in it, as a crash of the computer leaves them".to_owned();
        return Err(found(Damage::ZeroBytes, reason).at(place_at(text, at)));
    }
    if let Err(cause) = std::str::from_utf8(text) {
        let place = place_at(text, cause.valid_up_to());
        return Err(found(Damage::Encoding, "it is no text: these bytes are not UTF-8".to_owned()).at(place));
    }
    let fault = match parse_document(text) {
        Ok(document) => return Ok(Some(document)),
        Err(fault) => fault,
    };
    if fault.line == 0 {
        if shape == Shape::Anything {
            return Ok(None);
        }
        return Err(found(Damage::WrongType, fault.reason));
    }
    if let Some(at) = first_marker(text) {
        let reason = "a merge left its conflict markers in it".to_owned();
        return Err(found(Damage::ConflictMarkers, reason).at(place_at(text, at)));
    }
    let place = Place { line: fault.line as u64, column: fault.column as u64 };
    let reason = if is_second_document(text, place) {
        "two documents are in one: something follows the end of the first".to_owned()
    } else {
        fault.reason
    };
    Err(found(Damage::Syntax, reason).at(place))
}

/// Whether what is wrong is that a whole document came before.
fn is_second_document(text: &[u8], place: Place) -> bool {
    let start = line_start(text, place.line);
    let at = start + usize::try_from(place.column).unwrap_or(1) - 1;
    at <= text.len() && serde_json::from_slice::<serde::de::IgnoredAny>(&text[..at]).is_ok()
}

fn line_start(text: &[u8], line: u64) -> usize {
    let before = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let Some(nth) = before.checked_sub(1) else { return 0 };
    memchr::memchr_iter(b'\n', text).nth(nth).map_or(text.len(), |end| end + 1)
}

fn twice(file: &Path, text: &[u8]) -> Option<Finding> {
    let found = keys_twice(text);
    let (key, place) = found.first()?;
    let more = match found.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let reason = format!("`{key}` is in it twice, and only the last is read{more}");
    Some(
        Finding::new(Severity::Warning, Damage::DuplicateKey, file, reason)
            .at(*place)
            .remedy(mend_that_place(file)),
    )
}

fn wrong_types(file: &Path, text: &[u8], document: &Map<String, Value>, shape: Shape) -> Vec<Finding> {
    let finding = |misfit: super::shape::Misfit| {
        let reason = format!("`{}` {}", shown(&misfit.path), misfit.words);
        let mut finding = Finding::new(misfit.severity, Damage::WrongType, file, reason);
        finding.place = place_of(text, &misfit.path);
        if misfit.severity == Severity::Error { finding } else { finding.remedy(mend_that_place(file)) }
    };
    shape.misfits(document).into_iter().map(finding).collect()
}

fn lost_login(file: &Path, text: &[u8], shape: Shape) -> Option<Finding> {
    let login = (shape == Shape::Credentials).then(|| Credentials::parse(text).ok())??;
    let is_text = |key: &str| {
        let document = parse_document(text).ok()?;
        Some(document.get("claudeAiOauth")?.get(key).is_none_or(|token| token.is_string() || token.is_null()))
    };
    // A token of another type is told already.
    if login.kind() != Some(LoginKind::Tombstone) || is_text("accessToken") != Some(true) {
        return None;
    }
    let reason = "the login in it is blank: Anthropic refused to renew it, and Claude Code is signed out";
    Some(Finding::new(Severity::Warning, Damage::Login, file, reason))
}

/// What is wrong with a text that a person wrote.
pub(super) fn check_text(file: &Path, text: &[u8]) -> Option<Finding> {
    if !text.is_empty() && text.iter().all(|byte| *byte == 0) {
        return Some(Finding::new(
            Severity::Warning,
            Damage::ZeroBytes,
            file,
            "the file holds only zero bytes",
        ));
    }
    let at = conflict(text)?;
    let reason = "a merge left its conflict markers in it";
    Some(
        Finding::new(Severity::Warning, Damage::ConflictMarkers, file, reason)
            .at(place_at(text, at))
            .remedy(mend_that_place(file)),
    )
}

fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    text.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_ascii_end())
    })
}

/// The first line that a merge writes around what it could not decide. JSON has no such lines.
fn first_marker(text: &[u8]) -> Option<usize> {
    lines(text)
        .find(|(_, line)| is_opening(line) || *line == b"=======" || is_closing(line))
        .map(|(at, _)| at)
}

fn is_opening(line: &[u8]) -> bool {
    line.starts_with(b"<<<<<<< ")
}

fn is_closing(line: &[u8]) -> bool {
    line.starts_with(b">>>>>>> ")
}

/// Where a whole conflict begins: all three markers in their order. A line of `=` alone underlines a title, and
/// between fences stands what somebody shows.
fn conflict(text: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, b"<<<<<<< ")?;
    let (mut opened, mut divided, mut fenced) = (None, false, false);
    for (at, line) in lines(text) {
        if line.trim_ascii_start().starts_with(b"```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        if is_opening(line) {
            (opened, divided) = (Some(at), false);
        } else if opened.is_some() && line == b"=======" {
            divided = true;
        } else if divided && is_closing(line) {
            return opened;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &[u8], shape: Shape) -> (Severity, Damage, Option<(u64, u64)>, String) {
        let findings = check_document(Path::new("/h/x.json"), text, shape);
        assert_eq!(findings.len(), 1, "{findings:?}");
        let finding = &findings[0];
        (
            finding.severity,
            finding.damage,
            finding.place.map(|at| (at.line, at.column)),
            finding.reason.clone(),
        )
    }

    #[test]
    fn every_damage_has_its_kind_its_place_and_its_words() {
        use Damage::*;
        for (text, damage, place, words) in [
            (&b""[..], Empty, None, "empty"),
            (&[0; 20], ZeroBytes, None, "only zero bytes"),
            (b"{\"a\":1}\n\0\0\0", ZeroBytes, Some((2, 1)), "zero bytes are in it"),
            (b"{\"a\":\n \"\xff\"}", Encoding, Some((2, 3)), "not UTF-8"),
            (
                b"{\n<<<<<<< HEAD\n\"a\":1\n=======\n\"a\":2\n>>>>>>> x\n}",
                ConflictMarkers,
                Some((2, 1)),
                "merge",
            ),
            (b"{\"a\":1}{\"b\":2}", Syntax, Some((1, 8)), "two documents"),
            (b"{\"a\":1}\n}", Syntax, Some((2, 1)), "two documents"),
            (b"{\"a\": {\n\"b\": 1", Syntax, Some((2, 6)), "ends in the middle"),
            (b"{\"a\" 1}", Syntax, Some((1, 6)), "expected"),
            (b"[1]", WrongType, None, "not a JSON object"),
            (b"{\"projects\":[]}", WrongType, Some((1, 2)), "`projects` is a list, and must be an object"),
        ] {
            let found = one(text, Shape::State);
            assert_eq!((found.0, found.1, found.2), (Severity::Error, damage, place), "{text:?}");
            assert!(found.3.contains(words), "{}", found.3);
        }
        for (text, damage, place, words) in [
            (&b"\xef\xbb\xbf{}"[..], ByteOrderMark, Some((1, 1)), "byte-order mark"),
            (b"{\"a\":{\"k\":1,\n\"k\":2}}", DuplicateKey, Some((2, 1)), "`a.k` is in it twice"),
        ] {
            let found = one(text, Shape::State);
            assert_eq!((found.0, found.1, found.2), (Severity::Warning, damage, place), "{text:?}");
            assert!(found.3.contains(words), "{}", found.3);
        }
        assert_eq!(one(b"\xef\xbb\xbf{\"a\" 1}", Shape::State).2, Some((1, 9)), "columns are the file's");
        assert_eq!(one(b"[1", Shape::Anything).0, Severity::Warning);
        assert!(check_document(Path::new("/x"), b"[1]", Shape::Anything).is_empty());
    }

    #[test]
    fn a_login_is_told_by_its_kind_and_never_by_its_value() {
        let blank = br#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0}}"#;
        let found = check_document(Path::new("/x"), blank, Shape::Credentials);
        assert_eq!((found[0].severity, found[0].damage), (Severity::Warning, Damage::Login));
        assert_eq!(found[0].remedy, SIGN_IN);
        for text in [
            &br#"{"claudeAiOauth":{"accessToken":["sk-FAKE"],"refreshToken":"sk-FAKE"}}"#[..],
            br#"{"claudeAiOauth":{"accessToken":"sk-FAKE","scopes":"sk-FAKE"}}"#,
            br#"{"claudeAiOauth":{"accessToken":"sk-FAKE""#,
            br#"{"claudeAiOauth":{"accessToken":"sk-FAKE","accessToken":"sk-FAKE"}}"#,
        ] {
            let found = check_document(Path::new("/x"), text, Shape::Credentials);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(!format!("{found:?}").contains("FAKE"));
        }
    }

    #[test]
    fn conflicts_in_texts_are_whole_ones() {
        let at = |text: &str| {
            check_text(Path::new("/x.md"), text.as_bytes()).and_then(|found| found.place).map(|at| at.line)
        };
        assert_eq!(at("a\n<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> b\n"), Some(2));
        assert_eq!(at("Title\n=======\n"), None);
        assert_eq!(at("```\n<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> b\n```\n"), None);
        assert_eq!(at("<<<<<<< only one\n"), None);
        assert_eq!(check_text(Path::new("/x"), &[0; 9]).unwrap().damage, Damage::ZeroBytes);
    }

    const WHOLE: &str = r#"{"projects":{"/a b":{"allowedTools":["x","é"],"n":1.5e3}},"mcpServers":{"s":{"command":"npx"}},"t":[true,null,"\u00e9\n"]}"#;

    proptest! {
        #[test]
        fn a_document_that_was_cut_is_found_out(cut in 0..WHOLE.len()) {
            let found = check_document(Path::new("/x"), &WHOLE.as_bytes()[..cut], Shape::State);
            prop_assert!(found.iter().any(|finding| finding.severity == Severity::Error), "{found:?}");
        }

        #[test]
        fn no_bytes_make_it_stumble(text in any::<Vec<u8>>()) {
            for shape in [Shape::State, Shape::Settings, Shape::Credentials, Shape::Anything] {
                check_document(Path::new("/x"), &text, shape);
            }
            check_text(Path::new("/x"), &text);
        }

        #[test]
        fn no_changed_byte_makes_it_stumble(at in 0..WHOLE.len(), byte in any::<u8>()) {
            let mut text = WHOLE.as_bytes().to_vec();
            text[at] = byte;
            let found = check_document(Path::new("/x"), &text, Shape::State);
            let parses = parse_document(&text).is_ok();
            prop_assert_eq!(parses, !found.iter().any(|one| one.damage != Damage::WrongType && one.damage != Damage::DuplicateKey));
        }
    }

    #[test]
    fn the_whole_document_is_sound() {
        assert!(check_document(Path::new("/x"), WHOLE.as_bytes(), Shape::State).is_empty());
    }
}
