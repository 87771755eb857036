//! How answers, errors and progress look.

mod progress;

pub(crate) use progress::Progress;

use chrono::{DateTime, Utc};
use drydock_engine::{
    error_handling::Error,
    keychain::Notice,
    session::{Finished, FinishedSession},
    sync::OutReport,
};
use serde::Serialize;
use std::io::{self, Write};

/// For whom output is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A person.
    Human,
    /// A program.
    Json,
}

/// Prints an answer: the text for people, the value for programs.
pub(crate) fn answer(format: Format, value: &impl Serialize, text: impl FnOnce() -> String) {
    let text = match format {
        Format::Human => text(),
        Format::Json => match serde_json::to_string_pretty(value) {
            Ok(json) => json + "\n",
            Err(cause) => {
                eprintln!("error: the answer cannot be written as JSON\n  why: {cause}");
                return;
            }
        },
    };
    // A closed pipe is the reader's choice.
    let _ = io::stdout().write_all(text.as_bytes());
    flush();
}

pub(crate) fn flush() {
    let _ = io::stdout().flush();
}

/// Prints an error with its causes and remedies.
pub(crate) fn error(error: &Error, format: Format) {
    if format == Format::Json {
        answer(format, &serde_json::json!({ "error": error }), String::new);
        return;
    }
    eprint!("{}", described("error", error));
}

/// Prints an error that does not end the command.
pub(crate) fn warning(error: &Error) {
    eprint!("{}", described("warning", error));
}

fn described(kind: &str, error: &Error) -> String {
    format!("{kind}: {}", explained(error))
}

/// An error in the middle of a sentence, and its causes and remedies below.
pub(crate) fn explained(error: &Error) -> String {
    let mut text = format!("{} [{}]\n", error.message(), error.code());
    for cause in error.causes() {
        text.push_str(&format!("  why: {}\n", indented(cause)));
    }
    for remedy in error.remedies() {
        text.push_str(&format!("  try: {remedy}\n"));
    }
    text
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n       ")
}

/// What came out of a session, in lines for a person.
pub(crate) fn report(out: &OutReport) -> String {
    let mut parts = Vec::new();
    if !out.created.is_empty() {
        parts.push(format!("{} new", files(out.created.len())));
    }
    if !out.updated.is_empty() {
        parts.push(format!("{} updated", files(out.updated.len())));
    }
    if !out.merged.is_empty() {
        parts.push(format!("{} merged", counted(out.merged.len(), "setting")));
    }
    let mut text = match parts.as_slice() {
        [] if out.is_empty() => "nothing new to bring out\n".to_owned(),
        [] => String::new(),
        parts => format!("brought out: {}\n", parts.join(", ")),
    };
    text.push_str(&notable(out));
    text
}

fn files(count: usize) -> String {
    counted(count, "file")
}

/// A count with its noun.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A count with a comma before each three digits.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a person should know of what came out; nothing when all went as usual.
pub(crate) fn notable(out: &OutReport) -> String {
    let mut text = String::new();
    for fork in &out.forks {
        text.push_str(&format!(
            "drydock: conversation {} went on here and in the session; the session's way on is now {}\n",
            fork.conversation, fork.fork
        ));
    }
    for approved in &out.approved {
        text.push_str(&format!(
            "drydock: {} was let through, as you want each time: drydock held always\n",
            approved.subject
        ));
    }
    if !out.held.is_empty() {
        let waits = if out.held.len() == 1 { "waits" } else { "wait" };
        text.push_str(&format!(
            "drydock: {} of the session {waits} for you:\n",
            counted(out.held.len(), "change")
        ));
        for held in &out.held {
            text.push_str(&format!("  {}  {} ({})\n", held.id, held.subject, held.reason));
        }
        text.push_str("  look: drydock held show CHANGE   then: drydock held approve|reject CHANGE\n");
    }
    for refused in &out.refused {
        text.push_str(&format!("drydock: refused {} from the session: {}\n", refused.name, refused.reason));
    }
    text
}

/// What the user should know of a session's login.
pub(crate) fn login_notice(session: &str, notice: Notice) -> String {
    match notice {
        Notice::Ended => {
            "drydock: the login of sessions has ended: Anthropic refused to renew it. Sign in again.\n  \
                          look: drydock credentials status\n"
                .to_owned()
        }
        Notice::OtherAccount => format!(
            "drydock: {session} signed in with another account; the login that was there stays.\n  \
             use the new one: drydock credentials adopt {session}\n  forget it:       drydock credentials drop {session}\n"
        ),
    }
}

/// Says that an ended session's data came out.
pub(crate) fn finished(finished: &FinishedSession) {
    let state = match finished.state {
        Finished::Done => "had ended",
        Finished::Interrupted => "was interrupted",
    };
    eprint!(
        "drydock: {} {state}; its history is on this computer now\n{}",
        finished.id,
        notable(&finished.out)
    );
    if let Some(notice) = finished.login {
        eprint!("{}", login_notice(&finished.id.to_string(), notice));
    }
}

/// A table with columns as wide as they must be.
pub(crate) fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut all: Vec<Vec<String>> = vec![head.iter().map(|cell| (*cell).to_owned()).collect()];
    all.extend(rows);
    let widths: Vec<usize> = (0..head.len())
        .map(|column| all.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for row in all {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A size as people read it.
#[allow(clippy::cast_precision_loss)] // for a person's eyes
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000_000 => format!("{} kB", count.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{} MB", count / 1_000_000),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// How long ago something was.
pub(crate) fn ago(time: DateTime<Utc>) -> String {
    let seconds = (Utc::now() - time).num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// A text in lines of a terminal's width, those after the first indented.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    const WIDTH: usize = 96;
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if indent + line.chars().count() + word.chars().count() < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{:indent$}", ""))
}

/// How long it is until something.
pub(crate) fn until(time: DateTime<Utc>) -> String {
    let seconds = (time - Utc::now()).num_seconds().max(0);
    match seconds {
        0..60 => format!("in {seconds} s"),
        60..3600 => format!("in {} min", seconds / 60),
        3600..172_800 => format!("in {} h", seconds / 3600),
        _ => format!("in {} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drydock_engine::error_handling::Code;

    #[test]
    fn an_error_reads_as_what_why_and_try() {
        let error = Error::new(Code::EngineNone, "no engine answers").why("a\nb").remedy("start one");
        assert_eq!(
            described("error", &error),
            "error: no engine answers [engine.none]\n  why: a\n       b\n  try: start one\n"
        );
    }

    #[test]
    fn a_long_text_is_broken_between_words() {
        let text = "word ".repeat(40);
        let lines: Vec<_> = wrapped(&text, 4).lines().map(str::to_owned).collect();
        assert!(lines.len() > 1 && lines.iter().all(|line| line.chars().count() <= 96), "{lines:?}");
        assert!(lines[1..].iter().all(|line| line.starts_with("    word")));
        assert_eq!(wrapped("", 4), "");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn columns_line_up_by_characters() {
        let text = table(
            &["A", "B"],
            [vec!["длинное".into(), "x".into()], vec!["s".into(), "y".into()]].into_iter(),
        );
        assert_eq!(text, "A        B\nдлинное  x\ns        y\n");
    }
}
