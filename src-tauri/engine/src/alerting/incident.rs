//! An incident: a rule that fires about one thing, from when it began to fire until everybody who was told knows
//! that it is over.

use super::{Awake, ChannelName, IncidentId, Page, RuleId, Severity};
use crate::container::hex;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What tells one alert from another: the rule, and what it is about. The value is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// That of a rule about something.
    #[must_use]
    pub fn of(rule: &RuleId, about: &str) -> Self {
        Self(digest(&[rule.as_str(), about], 8))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is held of somebody's having taken it on.
const ACKNOWLEDGED_FOR: TimeDelta = TimeDelta::hours(24);

/// What was said of an incident in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When.
    pub at: DateTime<Utc>,
    /// As mattering so much.
    pub severity: Severity,
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// What it has in common with earlier ones of its kind.
    pub fingerprint: Fingerprint,
    /// The rule.
    pub rule: RuleId,
    /// What it is about.
    pub about: String,
    /// How much it matters.
    pub severity: Severity,
    /// What is the matter, in one line.
    pub title: String,
    /// Why, with figures.
    pub text: String,
    /// What to do.
    pub remedy: Option<String>,
    /// Where it can be mended in the app.
    pub page: Page,
    /// Since when it fires.
    pub since: DateTime<Utc>,
    /// Since when it is over.
    pub ended: Option<DateTime<Utc>>,
    /// When somebody took it on.
    pub acknowledged: Option<DateTime<Utc>>,
    /// Time awake since it was first said, and once it is over, since it is.
    pub(super) awake: Awake,
    /// So many steps of the escalation are done.
    pub(super) climbed: u32,
    /// Who knows of it.
    pub told: BTreeMap<ChannelName, Told>,
    /// Where it was held back, and counted for the next message.
    pub(super) held_in: BTreeSet<ChannelName>,
}

impl Incident {
    /// The name of one that begins now.
    pub(super) fn name(fingerprint: &Fingerprint, since: DateTime<Utc>) -> IncidentId {
        IncidentId(digest(&[fingerprint.as_str(), &since.to_rfc3339()], 4))
    }

    /// Whether it fires.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether somebody took it on, not too long ago.
    #[must_use]
    pub fn is_acknowledged(&self, now: DateTime<Utc>) -> bool {
        self.acknowledged.is_some_and(|at| now - at < ACKNOWLEDGED_FOR)
    }

    /// It matters more than before: it is said again, from the beginning.
    pub(super) fn rise(&mut self, severity: Severity) {
        self.severity = severity;
        (self.climbed, self.awake, self.acknowledged) = (0, Awake::default(), None);
    }
}

fn digest(parts: &[&str], bytes: usize) -> String {
    let digest = Sha256::digest(parts.join("\0"));
    hex(&digest[..bytes])
}
