//! Records of conversations, as Claude Code writes them.

use serde_json::{Value, json};
use std::{fs, path::Path};

/// A whole record of a conversation, with its end.
#[must_use]
pub fn record(conversation: &str, text: &str) -> String {
    let name = Path::new(conversation);
    let stem = |path: &Path| path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let folder = name.parent().map(stem).unwrap_or_default();
    let record = json!({
        "parentUuid": super::super::conversation_id(),
        "isSidechain": false,
        "userType": "external",
        "cwd": folder.replace('-', "/"),
        "sessionId": stem(name),
        "version": super::super::CLAUDE_VERSION,
        "gitBranch": "main",
        "type": "user",
        "message": { "role": "user", "content": text },
        "uuid": super::super::conversation_id(),
        "timestamp": "2026-11-20T10:00:00.000Z",
    });
    format!("{record}\n")
}

/// A whole record with so many bytes that no compression makes much smaller.
#[must_use]
pub fn noise(conversation: &str, bytes: usize) -> String {
    let mut text = String::new();
    while text.len() < bytes {
        text.push_str(&super::super::conversation_id());
    }
    record(conversation, &text)
}

/// Fails unless a file holds whole records and nothing else. Gives how many.
pub fn assert_whole_records(file: &Path) -> usize {
    let text = fs::read_to_string(file).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
    assert!(text.ends_with('\n'), "{} ends in the middle of a record", file.display());
    for (n, line) in text.lines().enumerate() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{}, record {}: {line:.200}", file.display(), n + 1);
    }
    text.lines().count()
}
