//! What a setting's value can be, and how that is said.

use super::{
    MemoryLimit,
    values::{remote, size, stretch},
};
use crate::alerting::{ChannelName, QuietHours, time_of_day};
use serde::Serialize;

/// What a setting's value must be.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "SettingKind"))]
#[serde(rename_all = "kebab-case", tag = "is", content = "of")]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// Text that may be empty.
    OptionalText,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number in a range, both ends included.
    Integer(i64, i64),
    /// `auto`, or a size such as `8g`.
    Memory,
    /// A size such as `4g`.
    Size,
    /// Empty, or a place as rclone names it, such as `remote:folder`.
    Remote,
    /// Names or patterns of files, separated by spaces.
    Patterns,
    /// `auto`, or a number of CPUs such as `2` or `1.5`.
    Cpus,
    /// A version such as `2.1.330`.
    Version,
    /// Debian package names, separated by spaces.
    Packages,
    /// Empty, or the address of a server: https, or http on this computer.
    Server,
    /// Any number.
    Number,
    /// A stretch of time such as `10m`, `2h` or `7d`.
    Stretch,
    /// Empty, or a time of the day such as `09:00`.
    TimeOfDay,
    /// Empty, or hours of the day such as `22:00-07:00`.
    Hours,
    /// Names of channels, separated by spaces.
    Channels,
    /// Empty, or the address of a web page.
    Address,
    /// What a rule for alerts can look at.
    Measure,
    /// Empty, or one address of mail.
    MailAddress,
    /// Empty, or addresses of mail, separated by commas or spaces.
    MailAddresses,
    /// Empty, or the name or address of a computer.
    Host,
    /// Shares that rise to 1, separated by spaces.
    Weights,
    /// Whole numbers that rise, separated by spaces.
    Counts,
    /// A number from 0 to 1.
    Fraction,
    /// Empty, or where a git repository is.
    Repository,
    /// The name of a branch.
    Branch,
    /// Empty, or the name of one folder.
    Machine,
    /// Empty, or an age recipient: the public half of a key.
    Recipient,
}
impl Kind {
    /// Says what is wrong with `value`, or nothing.
    pub(super) fn fault(self, value: &str) -> Option<String> {
        let good = match self {
            Self::Text => !value.trim().is_empty(),
            Self::OptionalText => true,
            Self::Choice(words) => words.contains(&value),
            Self::Integer(low, high) => value.parse::<i64>().is_ok_and(|n| (low..=high).contains(&n)),
            Self::Memory => MemoryLimit::parse(value).is_some(),
            Self::Size => size(value).is_some_and(|bytes| bytes >= 1 << 20),
            Self::Remote => value.is_empty() || remote(value).is_some(),
            Self::Patterns => value.split_whitespace().all(is_pattern),
            Self::Cpus => {
                value == "auto"
                    || value.parse::<f64>().is_ok_and(|n| n.is_finite() && (0.1..=1024.0).contains(&n))
            }
            Self::Version => is_version(value),
            Self::Packages => value.split_whitespace().all(is_package_name),
            Self::Server => value.is_empty() || crate::observability::Server::parse(value).is_some(),
            Self::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Stretch => stretch(value).is_some(),
            Self::TimeOfDay => value.is_empty() || time_of_day(value).is_some(),
            Self::Hours => value.is_empty() || QuietHours::parse(value).is_some(),
            Self::Channels => value.split_whitespace().all(|word| ChannelName::from_word(word).is_some()),
            Self::Address => {
                value.is_empty() || value.starts_with("https://") || value.starts_with("http://")
            }
            Self::Measure => super::rules::measures().any(|word| word == value),
            Self::MailAddress => super::mail::addresses(value).is_some_and(|all| all.len() <= 1),
            Self::MailAddresses => super::mail::addresses(value).is_some(),
            Self::Host => value.is_empty() || super::mail::is_host(value),
            Self::Weights => super::stages::weights(value).is_some(),
            Self::Counts => super::stages::counts(value).is_some(),
            Self::Fraction => crate::deployment::Weight::parse(value).is_some(),
            Self::Repository => value.is_empty() || crate::gitops::is_repository(value),
            Self::Branch => is_branch(value),
            Self::Machine => {
                value.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                    && !value.starts_with('.')
            }
            Self::Recipient => value.is_empty() || crate::gitops::sops::Recipient::read(value).is_ok(),
        };
        (!good).then(|| format!("it must be {}", self.wanted()))
    }

    /// The words that it can be, where they are few.
    pub(super) fn words(self) -> Vec<&'static str> {
        match self {
            Self::Choice(words) => words.to_vec(),
            Self::Measure => super::rules::measures().collect(),
            _ => Vec::new(),
        }
    }

    fn wanted(self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::OptionalText => "a text, or empty".into(),
            Self::Choice(words) => format!("one of: {}", words.join(", ")),
            Self::Integer(low, high) => format!("a whole number from {low} to {high}"),
            Self::Memory => "\"auto\" or a size of at least 512m, such as 8g".into(),
            Self::Size => "a size of at least 1m, such as 4g".into(),
            Self::Remote => {
                "empty, or a remote of rclone's with a folder, such as remote:claude-backups".into()
            }
            Self::Patterns => "names or patterns separated by spaces, such as notes/ or *.bak".into(),
            Self::Cpus => "\"auto\" or a number such as 2 or 1.5".into(),
            Self::Version => "a version such as 2.1.330".into(),
            Self::Packages => "Debian package names separated by spaces".into(),
            Self::Server => {
                "empty, or an address that begins with https://, or http:// on this computer, without a login in it"
                    .into()
            }
            Self::Number => "a number".into(),
            Self::Stretch => "a stretch of time of at most 7 days, such as 10m, 2h or 7d".into(),
            Self::TimeOfDay => "empty, or a time such as 09:00".into(),
            Self::Hours => "empty, or hours such as 22:00-07:00".into(),
            Self::Channels => format!(
                "some of {}, separated by spaces",
                ChannelName::ALL.iter().map(|name| name.word()).collect::<Vec<_>>().join(", ")
            ),
            Self::Address => "empty, or an address that begins with https://".into(),
            Self::Measure => {
                format!("one of: {}", super::rules::measures().collect::<Vec<_>>().join(", "))
            }
            Self::MailAddress => "empty, or an address such as me@example.org".into(),
            Self::MailAddresses => "empty, or addresses such as me@example.org, separated by commas".into(),
            Self::Host => "empty, or the name of a computer such as mail.example.org".into(),
            Self::Weights => "shares that rise to 1.0, separated by spaces, such as 0.1 0.5 1.0".into(),
            Self::Counts => "whole numbers that rise, separated by spaces, such as 5 15 30".into(),
            Self::Fraction => "a number from 0.0 to 1.0".into(),
            Self::Repository => {
                "empty, or a folder, or an address such as https://example.org/me/configuration.git or me@example.org:configuration.git, without a password in it".into()
            }
            Self::Branch => "the name of a branch such as main".into(),
            Self::Machine => "empty, or a name of letters, digits, dots, hyphens and underscores".into(),
            Self::Recipient => {
                "empty, or an age recipient: the public half of a key, age1 and 58 letters and digits, as `drydock gitops key show-recipient` prints it on another computer, or age-keygen -y".into()
            }
        }
    }
}

/// Source: `git help check-ref-format`; more is refused than git does.
fn is_branch(text: &str) -> bool {
    let good = |part: &str| {
        !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with(".lock") && !part.ends_with('.')
    };
    text.split('/').all(good)
        && !text.contains("..")
        && text.chars().all(|c| c.is_alphanumeric() || "._-/+".contains(c))
}

fn is_version(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// A name below Claude Code's folder, with `*` for any text within one part.
fn is_pattern(text: &str) -> bool {
    !text.starts_with('/') && text.split('/').all(|part| part != "..")
}

/// Debian policy §5.6.7. Checked because the names stand in the image's recipe.
fn is_package_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}
