//! What the user does not want to hear of, with an end.

use super::Incident;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// What it is about.
    pub what: Silenced,
    /// When it was made.
    pub made: DateTime<Utc>,
    /// When it ends.
    pub until: DateTime<Utc>,
}

/// What is silenced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silenced {
    /// Everything.
    All,
    /// A rule, by its name.
    Rule(super::RuleId),
    /// One thing of a rule: that of an incident, and of those to come.
    Alert(super::Fingerprint),
}

impl Silence {
    /// Whether it is about an incident.
    #[must_use]
    pub fn covers(&self, incident: &Incident) -> bool {
        match &self.what {
            Silenced::All => true,
            Silenced::Rule(rule) => *rule == incident.rule,
            Silenced::Alert(fingerprint) => *fingerprint == incident.fingerprint,
        }
    }
}
