//! A conversation as Claude Code keeps it: one JSON document a line.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A conversation's file.
#[derive(Debug)]
pub struct Transcript {
    path: PathBuf,
}

impl Transcript {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its id, by which `claude --resume` finds it.
    #[must_use]
    pub fn id(&self) -> &str {
        self.path.file_stem().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Its content, byte for byte.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap_or_else(|cause| panic!("{}: {cause}", self.path.display()))
    }

    /// Cuts it off in the middle of a line, as a crash does, and gives what is there then.
    #[must_use]
    pub fn tear(&self) -> Vec<u8> {
        let mut torn = self.bytes();
        torn.extend_from_slice(br#"{"parentUuid":"abc","type":"assistant","message":{"role":"assis"#);
        fs::write(&self.path, &torn).unwrap();
        torn
    }

    /// Every line. One that does not parse is a failure.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        String::from_utf8(self.bytes())
            .expect("a conversation is text")
            .lines()
            .map(|line| {
                serde_json::from_str(line)
                    .unwrap_or_else(|cause| panic!("{}: {cause}: {line:.200}", self.path.display()))
            })
            .collect()
    }

    /// What the user and Claude said, in order.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        let text = |line: &Value| match &line["message"]["content"] {
            Value::String(text) => Some(text.clone()),
            Value::Array(blocks) => {
                let text: Vec<_> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
                (!text.is_empty()).then(|| text.join("\n"))
            }
            _ => None,
        };
        self.lines()
            .iter()
            .filter(|line| line["type"] == "user" || line["type"] == "assistant")
            .filter_map(text)
            .collect()
    }

    /// Whether somebody said `text`.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.said().iter().any(|said| said.contains(text))
    }
}
