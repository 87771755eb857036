//! A rule: what is measured, where it goes over, how long before it counts, and what is said.

use super::{Awake, Page, Severity};
use crate::observability::MetricName;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// The name of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(Cow<'static, str>);

impl RuleId {
    /// One of Drydock's own.
    pub(super) const fn own(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// One of the settings.
    pub(super) fn of(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! quantities {
    ($($name:ident = $text:literal, $doc:literal;)*) => {
        /// How something stands now.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Quantity { $(#[doc = $doc] $name,)* }

        impl Quantity {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word for it.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it is, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

quantities! {
    ErrorRate = "session.error-rate", "The share of launches that failed, but for those that lacked something of the user's.";
    Orphans = "session.orphaned", "Containers that ended and hold data that is not on this computer, each by itself.";
    Damage = "data.damage", "Places that are damaged: Claude data, and each copy of the backups.";
    DataAtRisk = "data.at-risk", "Whether something of Claude's data beside the documents is at risk (1) or damaged (2).";
    DiskUsed = "disk.used", "The share of a disk that is used: your home's, the external copy's, the engine's.";
    SyncFailing = "sync.failing", "Syncs of a session that failed one after the other.";
    BackupAge = "backup.age", "Seconds since everything was in the local copy.";
    CopyAge = "backup.copy-age", "Seconds since everything was in another copy, each by itself.";
    DrillFailed = "backup.drill-failed", "Copies whose last drill failed, each by itself.";
    SheetUnsaved = "backup.sheet-unsaved", "Whether the recovery sheet is still to be saved.";
    Held = "sync.waiting", "Changes of sessions that wait for you.";
    LoginDays = "login.days-left", "Days until the login of sessions ends for good.";
    Drift = "config.drift", "Settings that are not what git says.";
    CommitFailed = "config.commit-failed", "Commits that could not be brought here, or wait as a whole, each by itself.";
    RolledBack = "deployment.rolled-back", "Image versions that were taken back.";
    ChannelFailing = "alerts.channel-failing", "Channels that do not take messages, each by itself.";
    RuleRefused = "alerts.rule-refused", "Rules in the settings that cannot be used.";
}

/// What of a metric's values counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// All of them together.
    Total,
    /// Nineteen of twenty are not greater.
    P95,
    /// The greatest.
    Max,
}

impl Aggregate {
    /// Their words, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["total", "p95", "max"];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::P95 => "p95",
            Self::Max => "max",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Total, Self::P95, Self::Max].into_iter().find(|one| one.word() == word)
    }
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// How something stands.
    Standing(Quantity),
    /// What was measured lately.
    Metric(MetricName, Aggregate),
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standing(quantity) => f.write_str(quantity.word()),
            Self::Metric(name, how) => write!(f, "{} ({})", name.as_str(), how.word()),
        }
    }
}

/// On which side of the threshold it is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Above it.
    Above,
    /// Below it.
    Below,
}

/// From here on it matters so much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Level {
    /// The threshold.
    pub threshold: f64,
    /// How much it matters beyond it.
    pub severity: Severity,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub id: RuleId,
    /// What it looks at.
    pub measure: Measure,
    /// How far back.
    pub window: TimeDelta,
    /// At most so many of the newest values.
    pub newest: usize,
    /// With fewer values it says nothing.
    pub samples: usize,
    /// With fewer cases of the bad it says nothing.
    pub cases: usize,
    /// On which side of its levels it is too much.
    pub side: Side,
    /// Its levels, the mildest first; never empty.
    pub levels: Vec<Level>,
    /// It is over when it is at this multiple of the mildest threshold, or better.
    pub ease: f64,
    /// It has to last so long before it counts.
    pub hold: Awake,
    /// It has to be well so long before it is over.
    pub keep: Awake,
    /// So long after a gap nothing is concluded: work that was missed is made up for.
    pub grace: Awake,
    /// What is said, in one line.
    pub title: Cow<'static, str>,
    /// What to do.
    pub remedy: Option<&'static str>,
    /// Where it can be mended in the app.
    pub page: Page,
}

/// What a rule says of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is too much, and matters so much.
    Over(Severity),
    /// It is not well yet, and not too much.
    Between,
    /// It is well.
    Well,
}

impl Rule {
    /// What it says of a value.
    #[must_use]
    pub fn verdict(&self, reading: &super::Reading) -> Verdict {
        if reading.samples < self.samples || reading.cases < self.cases {
            return Verdict::Well;
        }
        let beyond = |threshold: f64| match self.side {
            Side::Above => reading.value > threshold,
            Side::Below => reading.value < threshold,
        };
        let reached = self.levels.iter().rev().find(|level| beyond(level.threshold));
        match (reached, self.levels.first()) {
            (Some(level), _) => Verdict::Over(level.severity),
            (None, Some(level)) if beyond(level.threshold * self.ease) => Verdict::Between,
            (None, _) => Verdict::Well,
        }
    }

    /// The mildest severity that it can have.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.levels.first().map_or(Severity::Low, |level| level.severity)
    }
}
