//! The texts of a message as every channel may show them: redacted, without anything that a terminal, a mail or a
//! markup could take for an order, and not longer than they may be.

use crate::{
    alerting::{Message, Occasion},
    observability::redacted,
};

/// Longer than any that Drydock makes.
const TITLE: usize = 140;
const TEXT: usize = 2000;
const REMEDY: usize = 300;

/// What is said, in plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// One line.
    pub(super) title: String,
    /// Lines.
    pub(super) text: String,
    /// One line.
    pub(super) remedy: Option<String>,
    /// How often it fired meanwhile; empty if it did not.
    pub(super) again: String,
}

impl Said {
    /// What a message says, with `~` for the home.
    pub(super) fn of(message: &Message, home: &str) -> Self {
        let before = match message.occasion {
            Occasion::Firing | Occasion::Test => "",
            Occasion::Escalated => "Still: ",
            Occasion::Resolved => "Over: ",
        };
        Self {
            title: cut(&line(&redacted(&format!("{before}{}", message.title), home)), TITLE),
            text: cut(&plain(&redacted(&message.text, home)), TEXT),
            remedy: message.remedy.as_ref().map(|remedy| cut(&line(&redacted(remedy, home)), REMEDY)),
            again: match message.held_back {
                0 => String::new(),
                1 => "once more since the last message".to_owned(),
                times => format!("{times} times more since the last message"),
            },
        }
    }
}

/// A word for people at the beginning of a line.
pub(super) fn severity(message: &Message) -> &'static str {
    use crate::alerting::Severity;
    match message.severity {
        Severity::High => "High",
        Severity::Medium => "Medium",
        Severity::Low => "Low",
    }
}

/// What another program or server answered, fit to be shown in the middle of a sentence.
pub(super) fn quoted(answer: &str, home: &str) -> String {
    cut(&line(&redacted(answer.trim(), home)), 200)
}

/// One line without control characters.
fn line(text: &str) -> String {
    plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines without control characters, and without those that turn the direction of writing and so show other words
/// than are there (Unicode TR36).
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect()
}

/// At most so many characters, the last an ellipsis where something is left out.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::channels::samples;

    #[test]
    fn secrets_and_the_home_are_said_to_nobody() {
        let mut message = samples::firing();
        message.text = "the key sk-ant-api03-FAKEfakeFAKE01 in /home/ann/.claude.json".into();
        message.remedy = Some("use https://hooks.slack.com/services/T0/B0/FAKE".into());
        let said = Said::of(&message, "/home/ann");
        assert_eq!(said.text, "the key [hidden] in ~/.claude.json");
        assert_eq!(said.remedy.unwrap(), "use [hidden]");
    }

    #[test]
    fn a_title_is_one_line_whatever_is_in_it() {
        let mut message = samples::firing();
        message.title = "one\r\nBcc: all@example.org\u{202e}\u{1b}[31m two".into();
        assert_eq!(Said::of(&message, "/x").title, "one Bcc: all@example.org [31m two");
    }

    #[test]
    fn what_is_too_long_ends_in_an_ellipsis() {
        assert_eq!(cut("päckchen", 5), "päck…");
        assert_eq!(cut("kurz", 4), "kurz");
    }

    #[test]
    fn an_incident_that_is_over_says_so_first() {
        let mut message = samples::firing();
        message.occasion = Occasion::Resolved;
        assert!(Said::of(&message, "/x").title.starts_with("Over: "));
    }
}
