//! The content of one file, looked at as what its name says it is.

use super::{
    Damage, Finding, Severity,
    document::{check_document, check_text},
    records::{Records, check_records},
    shape::Shape,
};
use crate::{
    claude_home::{Class, class_of},
    paths::Locations,
};
use std::{fs, io, path::Path, thread, time::Duration};

/// What is in a file, as far as Drydock reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Document(Shape),
    /// A conversation.
    Records,
    /// What was typed; there may be nothing of it yet.
    Prompts,
    /// What a person writes.
    Text,
    /// Its content is nobody's business.
    Opaque,
}

impl Form {
    /// By `.claude.json`, or a name relative to Claude Code's folder.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "settings.local.json" => return Self::Document(Shape::LocalSettings),
            "plugins/installed_plugins.json" => return Self::Document(Shape::Plugins),
            "plugins/known_marketplaces.json" => return Self::Document(Shape::Marketplaces),
            _ => {}
        }
        match class_of(name) {
            Class::State => Self::Document(Shape::State),
            Class::Settings => Self::Document(Shape::Settings),
            Class::Credentials => Self::Document(Shape::Credentials),
            Class::PluginRegistry => Self::Document(Shape::AnyObject),
            Class::ConversationFile if name.starts_with("todos/") => Self::Document(Shape::Anything),
            Class::Transcript => Self::Records,
            Class::PromptHistory => Self::Prompts,
            Class::Authored | Class::Notes if name.ends_with(".md") => Self::Text,
            _ => Self::Opaque,
        }
    }

    /// Whether it is looked at although its name is a link: people keep such files elsewhere.
    pub(super) fn may_be_linked(self) -> bool {
        matches!(self, Self::Document(Shape::State | Shape::Settings | Shape::LocalSettings))
    }
}

/// Whether somebody may be writing the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// What looks torn is read again.
    Perhaps,
    Nobody,
}

/// Checks a document's text by its name, `.claude.json` or one relative to Claude Code's folder; `file` is what the
/// findings call it. A text that is no document has none.
pub(crate) fn validate_text(file: &Path, text: &[u8], as_name: &str) -> Vec<Finding> {
    match Form::of(as_name) {
        Form::Document(shape) => check_document(file, text, shape),
        _ => Vec::new(),
    }
}

/// Checks the content of one file by its class. `as_name` is `.claude.json`, or a name relative to Claude Code's
/// folder; the file may be elsewhere, and nothing beside it is looked at.
#[must_use]
pub fn validate_file(locations: &Locations, file: &Path, as_name: &str) -> Vec<Finding> {
    let live = file.starts_with(&locations.claude_dir) || file == locations.claude_json;
    let writer = if live { Writer::Perhaps } else { Writer::Nobody };
    let mut looked = look(file, Form::of(as_name), writer);
    if let Some(end) = looked.open_end {
        if writer == Writer::Perhaps {
            thread::sleep(PAUSE_OF_RECORDS);
        }
        looked.findings.extend(end.look_again());
    }
    looked.findings
}

/// Within this time, a record that is being written gets its end.
pub(super) const PAUSE_OF_RECORDS: Duration = Duration::from_millis(100);

/// Reads one file. What is gone meanwhile has no findings.
pub(super) fn look(file: &Path, form: Form, writer: Writer) -> Records {
    let read = match form {
        Form::Opaque => return Records::default(),
        Form::Records => check_records(file),
        Form::Prompts => check_records(file).map(|mut read| {
            read.findings.retain(|finding| finding.damage != Damage::Empty);
            read
        }),
        Form::Document(shape) => settled(file, shape, writer),
        Form::Text => fs::read(file).map(|text| Records {
            findings: check_text(file, &text).into_iter().collect(),
            bytes: text.len() as u64,
            ..Records::default()
        }),
    };
    match read {
        Ok(read) => read,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Records::default(),
        Err(cause) => {
            let severity = match form {
                Form::Document(shape) => shape.unreadable(),
                _ => Severity::Warning,
            };
            let finding =
                Finding::new(severity, Damage::Unreadable, file, format!("it cannot be read: {cause}"));
            Records { findings: vec![finding], ..Records::default() }
        }
    }
}

/// Claude Code replaces its documents by rename, but older versions and other programs write in place: what looks
/// torn is read again before it is called damaged.
fn settled(file: &Path, shape: Shape, writer: Writer) -> io::Result<Records> {
    const LOOKS: usize = 3;
    const PAUSE: Duration = Duration::from_millis(30);
    let mut looks = if writer == Writer::Perhaps { LOOKS } else { 1 };
    loop {
        let text = fs::read(file)?;
        let findings = check_document(file, &text, shape);
        looks -= 1;
        let torn = |finding: &Finding| {
            matches!(finding.damage, Damage::Empty | Damage::ZeroBytes | Damage::Encoding | Damage::Syntax)
        };
        if looks == 0 || !findings.iter().any(torn) {
            return Ok(Records { findings, bytes: text.len() as u64, ..Records::default() });
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_in_a_file() {
        for (name, form) in [
            (".claude.json", Form::Document(Shape::State)),
            ("settings.json", Form::Document(Shape::Settings)),
            (".credentials.json", Form::Document(Shape::Credentials)),
            ("plugins/blocklist.json", Form::Document(Shape::AnyObject)),
            ("todos/1-agent-1.json", Form::Document(Shape::Anything)),
            ("projects/-p/1.jsonl", Form::Records),
            ("projects/-p/1/subagents/agent-1.jsonl", Form::Records),
            ("history.jsonl", Form::Prompts),
            ("CLAUDE.md", Form::Text),
            ("projects/-p/memory/MEMORY.md", Form::Text),
            ("hooks/x.sh", Form::Opaque),
            ("file-history/1/x@v1", Form::Opaque),
            ("plugins/marketplaces/m/README.md", Form::Opaque),
        ] {
            assert_eq!(Form::of(name), form, "{name}");
        }
    }

    #[test]
    fn a_staged_file_is_what_its_name_will_be() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let staged = home.path().join("staged");
        for (text, name, damage) in [
            ("{\"a\":1}", ".claude.json", None),
            ("{\"a\":", ".claude.json", Some(Damage::Syntax)),
            ("{\"hooks\":[]}", "settings.json", Some(Damage::WrongType)),
            ("", "history.jsonl", None),
            ("", "projects/-p/1.jsonl", Some(Damage::Empty)),
            ("{}\n{", "projects/-p/1.jsonl", Some(Damage::TornEnd)),
            ("{}\nx\n", "history.jsonl", Some(Damage::BrokenRecord)),
            ("{", "plans/x.md", None),
        ] {
            fs::write(&staged, text).unwrap();
            let found: Vec<_> =
                validate_file(&locations, &staged, name).into_iter().map(|finding| finding.damage).collect();
            assert_eq!(found, Vec::from_iter(damage), "{name}");
        }
    }
}
