//! What is said of an incident, in no channel's form yet.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much an alert matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// To be known some time.
    Low,
    /// To be looked at today.
    Medium,
    /// To be looked at now.
    High,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The name of an incident: a series of firings of one rule about one thing, until it is resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub(super) String);

impl IncidentId {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// It fires.
    Firing,
    /// It fires still, and nobody took it on.
    Escalated,
    /// It is over.
    Resolved,
    /// A channel is tried.
    Test,
}

/// The page of the app where the thing can be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Page {
    /// The first page.
    Home,
    /// Sessions.
    Sessions,
    /// Changes that wait for the user.
    Held,
    /// Backups.
    Backups,
    /// Recovery.
    Recovery,
    /// What happened.
    Activity,
    /// Versions of the image.
    Deployment,
    /// Configuration from git.
    Configuration,
    /// Settings.
    Settings,
}

impl Page {
    /// The word for it, also in `drydock://` links.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Sessions => "sessions",
            Self::Held => "held",
            Self::Backups => "backups",
            Self::Recovery => "recovery",
            Self::Activity => "activity",
            Self::Deployment => "deployment",
            Self::Configuration => "configuration",
            Self::Settings => "settings",
        }
    }
}

/// What is said. The texts stand alone, hold no secret and no path, and fit a lock screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// About which incident; none when a channel is tried.
    pub incident: Option<IncidentId>,
    /// Why it is said.
    pub occasion: Occasion,
    /// How much it matters.
    pub severity: Severity,
    /// One line: what is the matter.
    pub title: String,
    /// One or two sentences: why, with figures.
    pub text: String,
    /// The command that mends it or shows more.
    pub remedy: Option<String>,
    /// Where it can be mended in the app.
    pub page: Page,
    /// Since when it fires.
    pub since: DateTime<Utc>,
    /// When this is said.
    pub at: DateTime<Utc>,
    /// How often it fired since the last time that something was said of it here.
    pub held_back: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_more_is_greater() {
        assert!(Severity::High > Severity::Medium && Severity::Medium > Severity::Low);
    }
}
