//! Held changes: what a session changed that does not reach the host home by itself.
//!
//! Each waits outside the host home, with the session's content and the host's as it was then, until
//! the user approves or rejects it. What was decided can be undone for thirty days.

mod always;
mod decide;
mod diff;
mod store;

pub use always::Always;
pub use decide::Decided;
pub use diff::diff;
pub(crate) use diff::{pretty, unified};
pub use store::HeldChanges;
pub(crate) use store::{Finding, FoundPart, copy};

use crate::claude_home::KeyChange;
use chrono::{DateTime, Utc};
use drydock_inside::{Digest, Mark};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{fmt, path::PathBuf};

/// The name of a held change: short, and the same each time the same thing is changed again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct HeldId(String);

impl HeldId {
    pub(crate) fn of(session: &str, subject: &str) -> Self {
        let digest = Sha256::digest(format!("{session}\0{subject}"));
        Self(digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect())
    }

    /// One as a person typed it, if it can be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        plain.then(|| Self(text.to_owned()))
    }

    /// As it is typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a change does not reach the host home by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "HeldReason"))]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Claude Code on the host would run it, or read it as an order.
    Acts,
    /// It changed on the host as well, in another way.
    BothChanged,
    /// Drydock does not know what it is.
    Unknown,
    /// It belongs to a project that is not this session's.
    OtherProject,
    /// It lost what it had: it shrank, or its beginning is another.
    Shrank,
    /// It cannot be read as what it should be.
    Unreadable,
    /// The host has a folder or a link of that name.
    NameTaken,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Acts => "Claude Code on this computer would act on it",
            Self::BothChanged => "it changed here as well",
            Self::Unknown => "Drydock does not know what it is",
            Self::OtherProject => "it belongs to another project",
            Self::Shrank => "it lost what it had",
            Self::Unreadable => "it cannot be read",
            Self::NameTaken => "something else has this name here",
        })
    }
}

/// Where a held change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "HeldState"))]
#[serde(rename_all = "kebab-case", tag = "state", content = "at")]
pub enum State {
    /// It waits for the user.
    Waiting,
    /// The user let it onto the host.
    Approved(DateTime<Utc>),
    /// The user did not want it.
    Rejected(DateTime<Utc>),
}

/// A held change.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Held {
    /// Its name.
    pub id: HeldId,
    /// The session that made it.
    pub session: String,
    /// The session's project.
    #[serde(default)]
    pub project: Option<PathBuf>,
    /// What it is about: a file, a folder of files, or a key of a document.
    pub subject: String,
    /// Why it waits.
    pub reason: Reason,
    /// When it was seen last.
    pub seen: DateTime<Utc>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// What it consists of.
    pub parts: Vec<Part>,
}

impl Held {
    /// Whether the user has to look at it.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }
}

/// One file, or one key of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Part {
    /// A file.
    File {
        /// Its name below the home.
        name: String,
        /// The host's file when the change was seen; `None` if it had none.
        #[cfg_attr(feature = "typescript", ts(type = "{ len: number, sha256: string } | null"))]
        host: Option<Mark>,
        /// The session's file.
        #[cfg_attr(feature = "typescript", ts(type = "{ len: number, sha256: string }"))]
        session: Mark,
        /// Permission bits to give it.
        mode: u32,
    },
    /// A key of a JSON document.
    Key {
        /// The document's name below the home.
        document: String,
        /// The key and its values.
        change: KeyChange,
    },
}

impl Part {
    /// Whether both are about the same file or key.
    fn is_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { name, .. }, Self::File { name: other, .. }) => name == other,
            (Self::Key { document, change }, Self::Key { document: other, change: theirs }) => {
                document == other && change.pointer == theirs.pointer
            }
            _ => false,
        }
    }

    /// What tells one content of the same part from another.
    fn digest(&self) -> Digest {
        match self {
            Self::File { session, .. } => session.sha256,
            Self::Key { change, .. } => {
                let text = format!("{}\0{:?}", change.pointer, change.session);
                Digest::from(<[u8; 32]>::from(Sha256::digest(text)))
            }
        }
    }
}
