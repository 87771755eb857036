//! What a check found: how much it matters, where it is, why, and what mends it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; nothing is lost.
    Note,
    /// It works, but something is lost or at risk.
    Warning,
    /// Claude Code does not work with it, or does as if it were new.
    Error,
}

macro_rules! damages {
    ($($name:ident = $word:literal, $doc:literal, $words:literal;)*) => {
        /// What is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
        #[serde(rename_all = "kebab-case")]
        pub enum Damage {
            $(
                #[doc = $doc]
                $name,
            )*
        }

        impl Damage {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word for it.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What is wrong, as a part of a sentence.
            #[must_use]
            pub fn in_words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

damages! {
    Missing = "missing", "It is not there, and should be.", "a file is missing";
    Gone = "gone", "Files or folders are gone that were there at the last backup.",
        "files of the last backup are gone";
    WrongKind = "wrong-kind", "Something else than a file, or than a folder, is in its place.",
        "something else is in a file's place";
    Unreadable = "unreadable", "It cannot be read.", "a file cannot be read";
    Empty = "empty", "It is empty.", "a file is empty";
    ZeroBytes = "zero-bytes", "It holds zero bytes where text should be.", "a file holds zero bytes";
    Encoding = "encoding", "It is no text.", "a file is no text";
    ByteOrderMark = "byte-order-mark", "A byte-order mark is before it.",
        "a file begins with a byte-order mark";
    ConflictMarkers = "conflict-markers", "A merge left its markers in it.",
        "a merge left its markers in a file";
    Syntax = "syntax", "It is no JSON, or ends in the middle.", "a file is no JSON, or ends in the middle";
    WrongType = "wrong-type", "It is JSON of another form than Claude Code needs.",
        "a file has another form than Claude Code needs";
    DuplicateKey = "duplicate-key", "A key is in it twice; the first value is lost.",
        "a key is in a file twice";
    BrokenRecord = "broken-record", "A record of it cannot be read.",
        "a record of a conversation cannot be read";
    TornEnd = "torn-end", "Its last record is not whole.", "the last record of a conversation is not whole";
    Shrunk = "shrunk", "It is shorter than it was, and should only grow.", "a file is shorter than it was";
    Permissions = "permissions", "Others can read it, or its owner cannot.",
        "the permissions of a file are wrong";
    Owner = "owner", "It belongs to somebody else.", "a file belongs to somebody else";
    Login = "login", "The login is blank or missing.", "the login is blank or missing";
    CaseFold = "case-fold", "Two names differ only in case.", "two names differ only in case";
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Place {
    /// Line, from 1.
    pub line: u64,
    /// Column in bytes, from 1.
    pub column: u64,
}

/// What can be done about a finding without a backup and without a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Fix {
    /// The byte-order mark goes.
    DropByteOrderMark,
    /// These permission bits are set.
    SetMode(u32),
}

/// What became of a fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixOutcome {
    /// It is done.
    Done,
    /// The file is not any more what was found; nothing was done.
    Changed,
    /// It could not be done.
    Failed(String),
}

/// A finding that was to be fixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fixed {
    /// The file or folder.
    pub file: PathBuf,
    /// What was to be done.
    pub fix: Fix,
    /// What became of it.
    pub outcome: FixOutcome,
}

/// Something wrong with the host home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong.
    pub damage: Damage,
    /// The file or folder.
    pub file: PathBuf,
    /// Where in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub place: Option<Place>,
    /// What is wrong, in words.
    pub reason: String,
    /// What mends it.
    pub remedy: String,
    /// How it is mended without a backup, where that can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub fix: Option<Fix>,
}

impl Finding {
    /// A finding without a place and a fix.
    pub(crate) fn new(severity: Severity, damage: Damage, file: &Path, reason: impl Into<String>) -> Self {
        Self {
            severity,
            damage,
            file: file.to_path_buf(),
            place: None,
            reason: reason.into(),
            remedy: "drydock recover".to_owned(),
            fix: None,
        }
    }

    /// The place, if there is one, and what is wrong.
    #[must_use]
    pub fn told(&self) -> String {
        match self.place {
            Some(Place { line, column }) => format!("line {line}, column {column}: {}", self.reason),
            None => self.reason.clone(),
        }
    }

    #[must_use]
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    #[must_use]
    pub(crate) fn fixed_by(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self.remedy = "drydock validate --fix".to_owned();
        self
    }
}

/// The host home as it was at a backup, to compare with.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// When that was.
    pub as_of: DateTime<Utc>,
    /// Its files, by their paths in the host home.
    pub files: BTreeMap<PathBuf, EarlierFile>,
}

/// A file as it was at a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlierFile {
    /// Bytes.
    pub len: u64,
    /// When it was written last.
    pub modified: Option<DateTime<Utc>>,
}

/// What was looked at and found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Validation {
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// Files that were looked at.
    pub files: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Records of conversations that were read.
    pub records: u64,
}

impl Validation {
    /// Whether Claude Code works with the host home.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}
