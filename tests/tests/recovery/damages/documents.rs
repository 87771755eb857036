//! Damage to the two documents without which Claude Code starts as if new.

use super::{
    super::person::{Person, SETTINGS, STATE},
    Kind, PLACES,
    bytes::{and, garbage_block, tenths, zero_block, zero_tail},
};
use serde_json::{Value, json};
use std::fs;

/// What becomes of a document, from what it is and what it was.
type Strike = fn(&[u8], &[u8]) -> Vec<u8>;

const CONTENTS: &[(&str, Strike)] = &[
    ("cut after a tenth", |now, _| tenths(now, 1)),
    ("cut in the middle", |now, _| tenths(now, 5)),
    ("cut near its end", |now, _| tenths(now, 9)),
    ("without its last byte", |now, _| now[..now.len() - 1].to_vec()),
    ("emptied", |_, _| Vec::new()),
    ("white space alone", |_, _| b"\n\n  \n".to_vec()),
    ("zero bytes alone", |now, _| vec![0; now.len()]),
    ("with a block of zero bytes", |now, _| zero_block(now)),
    ("with zero bytes for its second half", |now, _| zero_tail(now)),
    ("with zero bytes behind it", |now, _| and(now, &[0; 300])),
    ("two documents in one", |now, then| and(now, then)),
    ("two halves of two documents", |now, then| and(&tenths(now, 5), &then[then.len() / 3..])),
    ("the end of a longer one behind it", |now, _| and(now, b"\n  }\n}\n")),
    ("a list", |_, _| b"[1, 2]\n".to_vec()),
    ("a text", |_, _| b"\"hello\"\n".to_vec()),
    ("null", |_, _| b"null\n".to_vec()),
    ("with a byte-order mark", |now, _| and(b"\xef\xbb\xbf", now)),
    ("in UTF-16", |now, _| {
        let text = String::from_utf8(now.to_vec()).unwrap();
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    }),
    ("with conflict markers", |now, then| {
        let ours = tenths(now, 5);
        let parts: [&[u8]; 5] = [&ours, b"\n<<<<<<< HEAD\n", &now[ours.len()..], b"\n=======\n", then];
        and(&parts.concat(), b"\n>>>>>>> theirs\n")
    }),
    ("with garbage in it", |now, _| garbage_block(now)),
    ("garbage alone", |now, _| garbage_block(&[b'x'; 100]).into_iter().cycle().take(now.len()).collect()),
    ("the page of a proxy", |_, _| b"<html><body>Sign in to the network</body></html>\n".to_vec()),
];

/// What has another type than Claude Code needs, by where it is.
type Wrong = (&'static str, &'static str, fn() -> Value);

const WRONG_IN_STATE: &[Wrong] = &[
    ("a list of servers", "/mcpServers", || json!([{ "command": "npx" }])),
    ("projects that are a text", "/projects", || json!("/home/ann")),
    ("projects that are a list", "/projects", || json!(["/home/ann/shop"])),
    ("an account that is a text", "/oauthAccount", || json!("ann@example.com")),
    ("a project that is a number", "/projects/~1home~1ann~1shop", || json!(5)),
    ("a server that is a text", "/mcpServers/files", || json!("npx")),
    ("allowed tools that are a text", "/projects/~1home~1ann~1shop/allowedTools", || json!("Read")),
];

const WRONG_IN_SETTINGS: &[Wrong] = &[
    ("a list of hooks", "/hooks", || json!([])),
    ("permissions that are a text", "/permissions", || json!("all")),
    ("allowed tools that are a text", "/permissions/allow", || json!("Bash")),
    ("hooks of one event that are a text", "/hooks/Stop", || json!("bell.sh")),
    ("variables that are a list", "/env", || json!(["EDITOR=vi"])),
    ("a model that is a number", "/model", || json!(4)),
];

pub(crate) fn of_state() -> Vec<Kind> {
    of(STATE, WRONG_IN_STATE)
}

pub(crate) fn of_settings() -> Vec<Kind> {
    of(SETTINGS, WRONG_IN_SETTINGS)
}

fn of(name: &'static str, wrong: &'static [Wrong]) -> Vec<Kind> {
    let contents = CONTENTS.iter().map(|(what, strike)| {
        Kind::new(format!("{name}, {what}"), name, move |person| write(person, name, strike))
    });
    let wrong = wrong.iter().map(|(what, at, value)| {
        Kind::new(format!("{name}, {what}"), name, move |person| {
            let mut document: Value = serde_json::from_slice(person.now(name)).unwrap();
            *document.pointer_mut(at).unwrap_or_else(|| panic!("no {at}")) = value();
            fs::write(person.file(name), serde_json::to_string_pretty(&document).unwrap()).unwrap();
        })
    });
    let places = PLACES.iter().map(|(what, strike)| {
        Kind::new(format!("{name}, {what}"), name, move |person| strike(&person.file(name)))
    });
    contents.chain(wrong).chain(places).collect()
}

fn write(person: &Person, name: &str, strike: &Strike) {
    fs::write(person.file(name), strike(person.now(name), person.then(name))).unwrap();
}
