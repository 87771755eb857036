//! Metrics: measured values, by names that never change. Samples stay as they were measured: on a desktop there
//! are few, and quantiles of them are exact.

use super::event::Value;
use serde::Serialize;

macro_rules! metrics {
    ($($name:ident = $text:literal, $kind:ident, $unit:literal, $doc:literal;)*) => {
        /// What is measured.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum MetricName { $(#[doc = $doc] $name,)* }

        impl MetricName {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name as it stands in the file.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What kind it is.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }

            /// Its unit, as UCUM has it: `s`, `By`, `1`.
            #[must_use]
            pub fn unit(self) -> &'static str {
                match self { $(Self::$name => $unit,)* }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

/// How values of a metric go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// They add up.
    Counter,
    /// Each is one measurement.
    Sample,
}

metrics! {
    Launches = "session.launches", Counter, "1", "Launches, by outcome.";
    LaunchSeconds = "session.launch.duration", Sample, "s", "Seconds from the command to a session that runs.";
    SessionSeconds = "session.duration", Sample, "s", "Seconds from a session's launch to its end, by how it ended.";
    SessionTokens = "session.tokens", Counter, "{token}", "Tokens that sessions used, by kind and model.";
    SessionCost = "session.cost", Counter, "USD", "What sessions cost, as Claude Code counts it.";
    SessionMemory = "session.memory", Sample, "By", "Memory of a running session, without the page cache.";
    SessionProcessor = "session.processor", Counter, "s", "Processor seconds of sessions.";
    SyncSeconds = "sync.duration", Sample, "s", "Seconds of a sync, by direction.";
    SyncFiles = "sync.files", Counter, "1", "Files that a sync changed, by direction.";
    SyncConflicts = "sync.conflicts", Counter, "1", "Conversations that went on on both sides.";
    SyncHeld = "sync.held", Counter, "1", "Changes that wait for the user.";
    SyncFailures = "sync.failures", Counter, "1", "Syncs that did not come to their end.";
    BackupSeconds = "backup.duration", Sample, "s", "Seconds of a snapshot or of a mirror, by copy.";
    BackupBytes = "backup.added", Counter, "By", "Bytes that backups added, by copy.";
    BackupFailures = "backup.failures", Counter, "1", "Backups that failed, by copy.";
    DrillSeconds = "backup.drill.duration", Sample, "s", "Seconds of a proven restore, by copy.";
    RecoverySeconds = "recovery.duration", Sample, "s", "Seconds from damage to proof.";
    RecoveryLoss = "recovery.loss", Sample, "s", "Age of the snapshot that a recovery used.";
    Errors = "errors", Counter, "1", "Errors, by code.";
}

/// One measured value on its way into the file.
#[derive(Debug, Clone, Serialize)]
pub struct Metric {
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    attrs: serde_json::Map<String, serde_json::Value>,
}

impl Metric {
    /// A value.
    #[must_use]
    pub fn new(name: MetricName, value: f64) -> Self {
        Self {
            name: name.as_str(),
            kind: name.kind(),
            unit: name.unit(),
            value,
            session: None,
            attrs: serde_json::Map::new(),
        }
    }

    /// It is about this session. Else it is about that of the trace in which it is measured.
    #[must_use]
    pub fn session(mut self, id: &str) -> Self {
        self.session = Some(id.to_owned());
        self
    }

    /// So many.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of a desktop
    pub fn count(name: MetricName, count: usize) -> Self {
        Self::new(name, count as f64)
    }

    /// An attribute, from a small set of words.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        if let Ok(value) = serde_json::to_value(value.into()) {
            self.attrs.insert(key.to_owned(), value);
        }
        self
    }
}

/// Tells a measured value.
pub fn record_metric(metric: &Metric) {
    if let Ok(payload) = serde_json::to_string(metric) {
        tracing::event!(target: super::layer::METRICS, tracing::Level::INFO, payload = payload.as_str());
    }
}
