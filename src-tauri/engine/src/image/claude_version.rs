//! A version of Claude Code, and in which of two ways it is published.

use super::PINNED_VERSION;
use crate::error_handling::{Code, Error, Result};
use std::{fmt, str::FromStr};

/// A version of Claude Code, such as `2.1.330`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaudeVersion {
    major: u32,
    minor: u32,
    patch: u32,
}

/// How a version is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packaging {
    /// As one program for each platform.
    Native,
    /// As one script for Node.js, with the files beside it.
    Script,
}

impl ClaudeVersion {
    const FIRST_NATIVE: Self = Self { major: 2, minor: 1, patch: 113 };

    /// How this version is published.
    pub(super) fn packaging(self) -> Packaging {
        if self < Self::FIRST_NATIVE { Packaging::Script } else { Packaging::Native }
    }
}

impl Packaging {
    /// The file that holds Claude Code, in the cache and where the image is built.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Native => "claude",
            Self::Script => "claude-code.tgz",
        }
    }
}

impl FromStr for ClaudeVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut numbers = text.split('.').map(number);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) => {
                Ok(Self { major, minor, patch })
            }
            _ => Err(Error::new(Code::Usage, format!("`{text}` is not a version of Claude Code"))
                .why("a version is three numbers, such as 2.1.330")
                .remedy(format!("drydock settings set image.claude_version {PINNED_VERSION}"))),
        }
    }
}

/// A number with one way to write it: versions are compared as text, too.
fn number(text: &str) -> Option<u32> {
    let plain = text == "0" || !text.starts_with(['0', '+']);
    plain.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for ClaudeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    fn packaging(text: &str) -> Packaging {
        text.parse::<ClaudeVersion>().unwrap().packaging()
    }

    #[test]
    fn programs_begin_with_2_1_113() {
        for script in ["0.2.126", "1.0.128", "2.0.50", "2.0.330", "2.1.9", "2.1.112"] {
            assert_eq!(packaging(script), Packaging::Script, "{script}");
        }
        for native in ["2.1.113", PINNED_VERSION, "2.2.0", "2.10.0", "10.0.0"] {
            assert_eq!(packaging(native), Packaging::Native, "{native}");
        }
    }

    #[test]
    fn what_is_not_three_plain_numbers_is_refused() {
        for text in [
            "",
            "2",
            "2.1",
            "2.1.",
            "2.1.330.1",
            "2.1.x",
            "2.1.-3",
            "+2.1.3",
            "02.1.3",
            "2.1.4294967296",
            "latest",
        ] {
            let error = text.parse::<ClaudeVersion>().unwrap_err();
            assert_eq!(error.code(), Code::Usage, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_version_is_written_as_it_was_read(major: u32, minor: u32, patch in any::<u32>()) {
            let text = format!("{major}.{minor}.{patch}");
            assert_eq!(text.parse::<ClaudeVersion>().unwrap().to_string(), text);
        }
    }
}
