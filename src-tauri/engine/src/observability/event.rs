//! Events: what happened, by names that never change.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! names {
    ($($name:ident = $text:literal, $doc:literal;)*) => {
        /// What happened. The names never change; new ones are only added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventName { $(#[doc = $doc] $name,)* }

        impl EventName {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name as it stands in the file.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

names! {
    SessionLaunched = "session.launched", "A session was launched.";
    SessionFailed = "session.failed", "A session could not be launched.";
    SessionEnded = "session.ended", "A session ended and its data is on the host.";
    SyncedIn = "sync.in", "What changed on the host was brought into a session.";
    SyncedOut = "sync.out", "What a session wrote was brought out.";
    SyncFailed = "sync.failed", "A sync did not come to its end.";
    ChangesHeld = "sync.held", "Changes of a session wait for the user.";
    ChangeAlways = "sync.approved", "A change of a session was let through, as the user wants each time.";
    SchedulePaused = "schedule.paused", "The scheduled work rests, for so long.";
    ScheduleResumed = "schedule.resumed", "The scheduled work goes on before the end of its rest.";
    BackupTaken = "backup.taken", "A snapshot was taken.";
    BackupFailed = "backup.failed", "No snapshot could be taken.";
    CopyWritten = "backup.copy.written", "Another copy of the backups was brought up to the local one.";
    CopyFailed = "backup.copy.failed", "Another copy of the backups could not be written.";
    BackupVerified = "backup.verified", "A copy of the backups was read back.";
    DrillDone = "backup.drill", "A snapshot was proven by restoring it.";
    DataLooked = "data.looked", "All of Claude Code's data was looked at; so much of it is damaged or at risk.";
    Recovered = "recovery.done", "What was damaged is back.";
    RecoveryFailed = "recovery.failed", "A recovery did not come to its end.";
    RecoveryUndone = "recovery.undone", "A recovery was taken back.";
    DeploymentNewer = "deployment.newer", "A version of Claude Code came out that is newer than what sessions use.";
    DeploymentBegun = "deployment.begun", "An image version is to be tried out, and is being built.";
    DeploymentBuilt = "deployment.built", "An image version to be tried out is built.";
    DeploymentStage = "deployment.stage", "A share of launches tries an image version.";
    DeploymentPaused = "deployment.paused", "The trial of an image version stands still.";
    DeploymentRollingBack = "deployment.rolling-back", "No launch tries an image version any more.";
    DeploymentRolledBack = "deployment.rolled-back", "An image version was taken back.";
    DeploymentSucceeded = "deployment.succeeded", "An image version that was tried out is what launches use.";
    DeploymentEnded = "deployment.ended", "The trial of an image version was given up.";
    ShippingStopped = "shipping.stopped", "A server refuses what is on record, and nothing more is sent to it.";
    ShippingDropped = "shipping.dropped", "Some of what is on record was not sent, and will not be.";
    AlertFired = "alert.fired", "An alert fires.";
    AlertRose = "alert.rose", "An alert that fires matters more than before.";
    AlertResolved = "alert.resolved", "An alert is over.";
    AlertSent = "alert.sent", "A channel took a message about an alert.";
    AlertChannelFailed = "alert.channel-failed", "A channel did not take a message about an alert.";
    ConfigApplied = "config.applied", "What git says was brought to this computer.";
    ConfigFailed = "config.failed", "A commit could not be brought to this computer; nothing of it was.";
    ConfigRolledBack = "config.rolled-back", "What a commit brought did not pass its check, and was taken back.";
    ConfigHeld = "config.held", "Something of the configuration's repository waits for the user.";
    ConfigDrift = "config.drift", "Something was changed here that git says otherwise.";
    ConfigAdopted = "config.adopted", "What was changed here became a commit.";
    ErrorLogged = "error", "An error was met; the error log has the whole of it.";
    Aborted = "operation.aborted", "The process of an operation ended in the middle of it.";
    Stopped = "process.stopped", "A process was asked to go in the middle of its work.";
    LinesLost = "log.lost", "Lines could not be written, and a file of what happened is without them.";
    Crashed = "crash", "A part of Drydock stopped by a fault of its own.";
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As usual.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Number(u64),
    /// A measured one.
    Float(f64),
    /// A text that was made here, or redacted.
    Text(String),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// One event on its way into the file.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    #[serde(rename = "event", serialize_with = "as_text")]
    name: EventName,
    level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    attrs: serde_json::Map<String, serde_json::Value>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn as_text<S: serde::Serializer>(name: &EventName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}

impl Event {
    /// An event as usual.
    #[must_use]
    pub fn new(name: EventName) -> Self {
        Self { name, level: Level::Info, session: None, code: None, attrs: serde_json::Map::new() }
    }

    /// It matters so much.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// It is about this session. Else it is about that of the trace in which it happens.
    #[must_use]
    pub fn session(mut self, id: &str) -> Self {
        self.session = Some(id.to_owned());
        self
    }

    /// It is an error with this code.
    #[must_use]
    pub fn code(mut self, code: crate::error_handling::Code) -> Self {
        (self.code, self.level) = (Some(code.as_str()), self.level.max(Level::Error));
        self
    }

    /// An attribute. Values are numbers, words of Drydock's own, and digests.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        // Numbers and texts can always be written.
        if let Ok(value) = serde_json::to_value(value.into()) {
            self.attrs.insert(key.to_owned(), value);
        }
        self
    }
}

/// Tells an event.
pub fn log_event(event: &Event) {
    if let Ok(payload) = serde_json::to_string(event) {
        tracing::event!(target: super::layer::EVENTS, tracing::Level::INFO, payload = payload.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Programs and alerts know these names: one that is missing here was renamed.
    #[test]
    fn the_names_stay() {
        let names: Vec<_> = EventName::ALL.iter().map(|name| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "session.launched",
                "session.failed",
                "session.ended",
                "sync.in",
                "sync.out",
                "sync.failed",
                "sync.held",
                "sync.approved",
                "schedule.paused",
                "schedule.resumed",
                "backup.taken",
                "backup.failed",
                "backup.copy.written",
                "backup.copy.failed",
                "backup.verified",
                "backup.drill",
                "data.looked",
                "recovery.done",
                "recovery.failed",
                "recovery.undone",
                "deployment.newer",
                "deployment.begun",
                "deployment.built",
                "deployment.stage",
                "deployment.paused",
                "deployment.rolling-back",
                "deployment.rolled-back",
                "deployment.succeeded",
                "deployment.ended",
                "shipping.stopped",
                "shipping.dropped",
                "alert.fired",
                "alert.rose",
                "alert.resolved",
                "alert.sent",
                "alert.channel-failed",
                "config.applied",
                "config.failed",
                "config.rolled-back",
                "config.held",
                "config.drift",
                "config.adopted",
                "error",
                "operation.aborted",
                "process.stopped",
                "log.lost",
                "crash",
            ]
        );
    }
}
