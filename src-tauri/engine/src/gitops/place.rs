//! Places on this computer that can come from git: a key of a document, or a whole file. A document is never
//! owned as a whole, since Claude Code writes into it as well.

use crate::claude_home::{Class, KeyPolicy, KeyTable, class_of};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// What a place is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Drydock's own `settings.toml`.
    Drydock,
    /// Claude Code's `settings.json`.
    Settings,
    /// `.claude.json`.
    State,
    /// A file of this name below Claude Code's folder.
    File(String),
}

const DRYDOCK: &str = "drydock/settings.toml";
const SETTINGS: &str = "claude/settings.json";
const STATE: &str = "claude.json";
const FILES: &str = "claude/";

/// A key of a document, or a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// What it is in.
    pub target: Target,
    /// The keys from the document's root; none for a file.
    pub keys: Vec<String>,
}

/// Whether a value from git may arrive by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrives {
    /// It runs nothing and allows nothing.
    ByItself,
    /// The user says so first, as for what a session changed.
    OnceApproved,
}

/// Settings of Drydock's own that run nothing, send nothing elsewhere and weaken nothing.
const HARMLESS: &[&str] = &[
    "alerts.digest_at",
    "alerts.escalation_minutes",
    "alerts.quiet_hours",
    "alerts.throttle_minutes",
    "backup.interval_minutes",
    "container.cpus",
    "container.memory",
    "container.pids",
    "session.history",
    "sync.interval_seconds",
    "sync.lock_timeout_seconds",
];
const HARMLESS_PREFIX: &str = "alerts.rules.";

impl Place {
    pub(super) fn key(target: Target, keys: &[&str]) -> Self {
        Self { target, keys: keys.iter().map(|key| (*key).to_owned()).collect() }
    }

    pub(super) fn file(name: &str) -> Self {
        Self { target: Target::File(name.to_owned()), keys: Vec::new() }
    }

    /// The keys as the settings of Drydock have them.
    pub(super) fn dotted(&self) -> String {
        self.keys.join(".")
    }

    /// The keys as a JSON pointer (RFC 6901).
    pub(super) fn pointer(&self) -> String {
        self.keys.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect()
    }

    /// Whether what git says of it may arrive by itself. The classes are those of sync.
    #[must_use]
    pub fn arrives(&self) -> Arrives {
        let keys: Vec<_> = self.keys.iter().map(String::as_str).collect();
        let is_harmless = match &self.target {
            Target::Settings => KeyTable::Settings.policy(&keys) == KeyPolicy::Share,
            Target::State => KeyTable::State.policy(&keys) == KeyPolicy::Share,
            Target::Drydock => {
                let name = self.dotted();
                HARMLESS.contains(&name.as_str()) || name.starts_with(HARMLESS_PREFIX)
            }
            // The host runs some of them, and reads the others as orders.
            Target::File(_) => false,
        };
        if is_harmless { Arrives::ByItself } else { Arrives::OnceApproved }
    }

    /// Why git cannot have a say in it, if so.
    pub(super) fn refused(&self) -> Option<&'static str> {
        let keys: Vec<_> = self.keys.iter().map(String::as_str).collect();
        match &self.target {
            Target::Drydock if keys.first() == Some(&"gitops") => {
                Some("which repository is followed, and how, is set on each computer itself")
            }
            Target::Drydock | Target::Settings => None,
            Target::State => (KeyTable::State.policy(&keys) == KeyPolicy::Stay)
                .then_some("Claude Code keeps this for one computer alone"),
            Target::File(name) => (class_of(name) != Class::Authored)
                .then_some("only what people write for Claude Code comes from git: CLAUDE.md, agents, commands, skills, hooks and their like"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Drydock => write!(f, "{DRYDOCK}#{}", self.pointer()),
            Target::Settings => write!(f, "{SETTINGS}#{}", self.pointer()),
            Target::State => write!(f, "{STATE}#{}", self.pointer()),
            Target::File(name) => write!(f, "{FILES}{name}"),
        }
    }
}

/// A text that names no place.
#[derive(Debug, PartialEq, Eq)]
pub struct NoPlace;

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a place is written like {SETTINGS}#/model or claude/agents/reviewer.md")
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let Some((document, pointer)) = text.split_once('#') else {
            let name = text.strip_prefix(FILES).filter(|name| !name.is_empty()).ok_or(NoPlace)?;
            return if text == SETTINGS { Err(NoPlace) } else { Ok(Self::file(name)) };
        };
        let target = match document {
            DRYDOCK => Target::Drydock,
            SETTINGS => Target::Settings,
            STATE => Target::State,
            _ => return Err(NoPlace),
        };
        let keys = pointer.strip_prefix('/').ok_or(NoPlace)?;
        let keys = keys.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { target, keys })
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|wrong: NoPlace| de::Error::custom(wrong))
    }
}

/// Places with all that is below them: `claude/settings.json#/env` covers each of its variables,
/// `claude/skills/` each file of the folder, and `claude/settings.json#/` the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below(String);

impl FromStr for Below {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let is_whole = [DRYDOCK, SETTINGS, STATE].iter().any(|document| text == format!("{document}#/"));
        let is_folder = text.ends_with('/') && text.starts_with(FILES);
        if is_whole || is_folder {
            return Ok(Self(text.to_owned()));
        }
        text.parse::<Place>().map(|place| Self(place.to_string()))
    }
}

impl Below {
    /// Whether it covers the place.
    #[must_use]
    pub fn covers(&self, place: &Place) -> bool {
        let text = place.to_string();
        match text.strip_prefix(&self.0) {
            Some(rest) => rest.is_empty() || self.0.ends_with('/') || rest.starts_with('/'),
            None => false,
        }
    }

    /// How much it says: the longest one that covers a place counts.
    pub(super) fn weight(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for text in [
            "claude/settings.json#/env/A~1B",
            "claude.json#/mcpServers/x",
            "drydock/settings.toml#/image/packages",
            "claude/agents/a.md",
        ] {
            assert_eq!(place(text).to_string(), text);
        }
        for wrong in ["", "claude/", "claude/settings.json", "other.json#/a", "claude.json#a"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_that_runs_or_allows_arrives_by_itself() {
        for text in [
            "claude/settings.json#/hooks/PreToolUse",
            "claude/settings.json#/statusLine",
            "claude/settings.json#/apiKeyHelper",
            "claude/settings.json#/permissions/allow",
            "claude/settings.json#/env/PATH",
            "claude/settings.json#/cleanupPeriodDays",
            "claude/settings.json#/aKeyOfTomorrow",
            "claude.json#/mcpServers/x",
            "claude.json#/projects/~1p/mcpServers/x",
            "drydock/settings.toml#/session/terminal",
            "drydock/settings.toml#/observability/otlp/endpoint",
            "claude/CLAUDE.md",
            "claude/hooks/x.sh",
        ] {
            assert_eq!(place(text).arrives(), Arrives::OnceApproved, "{text}");
        }
        for text in ["claude/settings.json#/model", "drydock/settings.toml#/alerts/rules/mine/above"] {
            assert_eq!(place(text).arrives(), Arrives::ByItself, "{text}");
        }
    }

    #[test]
    fn what_is_one_computers_alone_is_refused() {
        for text in [
            "claude.json#/oauthAccount",
            "claude.json#/projects/~1p/hasTrustDialogAccepted",
            "claude/.credentials.json",
            "claude/history.jsonl",
            "claude/plugins/installed_plugins.json",
            "drydock/settings.toml#/gitops/require_signed",
        ] {
            assert!(place(text).refused().is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_below_a_place_is_covered_and_what_only_begins_like_it_is_not() {
        let covers = |below: &str, text: &str| below.parse::<Below>().unwrap().covers(&place(text));
        assert!(covers("claude/settings.json#/env", "claude/settings.json#/env/A"));
        assert!(!covers("claude/settings.json#/env", "claude/settings.json#/environment"));
        assert!(covers("claude/settings.json#/", "claude/settings.json#/env/A"));
        assert!(covers("claude/skills/", "claude/skills/a/SKILL.md"));
        assert!(!covers("claude/skills/", "claude/skillsets/a.md"));
    }
}
