//! What was seen at one look, by rule: values, or why there are none. Nothing is made up.

use super::RuleId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What it is about: a session, a copy, a disk; empty where there is but one.
    pub about: String,
    /// The value.
    pub value: f64,
    /// Of so many samples.
    pub samples: usize,
    /// So many of them are bad.
    pub cases: usize,
    /// The value in one or two sentences. No path and no secret.
    pub words: String,
    /// What to do, where it is another thing than what the rule says.
    pub remedy: Option<String>,
}

impl Reading {
    /// A value that counts as it is.
    #[must_use]
    pub fn new(about: impl Into<String>, value: f64, words: impl Into<String>) -> Self {
        Self { about: about.into(), value, samples: 1, cases: 1, words: words.into(), remedy: None }
    }

    #[must_use]
    pub(super) fn of(mut self, samples: usize, cases: usize) -> Self {
        (self.samples, self.cases) = (samples, cases);
        self
    }

    #[must_use]
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoData(pub String);

/// The values that one rule looks at. Where something is well, it need not have one.
pub type Seen = Result<Vec<Reading>, NoData>;

/// What was seen at one look.
#[derive(Debug, Clone, Default)]
pub struct Readings(BTreeMap<RuleId, Seen>);

impl Readings {
    /// Adds what one rule looks at.
    pub fn put(&mut self, rule: RuleId, seen: Seen) {
        self.0.insert(rule, seen);
    }

    /// What a rule looks at.
    pub fn of(&self, rule: &RuleId) -> Seen {
        self.0.get(rule).cloned().unwrap_or_else(|| Err(NoData("it was not looked at".to_owned())))
    }
}
