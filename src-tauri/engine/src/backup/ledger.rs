//! The ledger: what became of every snapshot and every removed file of the repository, one record a line,
//! each with the digest of the line before it.
//!
//! A repository cannot tell that a snapshot is missing: its file is simply not there. The ledger can. And it
//! says which files Drydock itself removed, and when: only those are ever removed from the other copies.

use super::snapshot::{CopyName, Reason, SnapshotId, is_digest};
use crate::{
    container::hex,
    error_handling::{Code, Error, IoContext, Result},
    paths::{create_private_dir, write_private},
};
use chrono::{DateTime, Utc};
use drydock_inside::disk;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    /// A repository was begun.
    Begun {
        /// Its id, as its `config` says.
        repository: String,
        /// The digest of its `config`, which has no name of its own content.
        config: String,
    },
    /// A snapshot was taken.
    Made {
        /// Its name.
        snapshot: SnapshotId,
        /// Why.
        reason: Reason,
        /// Whether it can be relied on.
        good: bool,
    },
    /// A snapshot was found that no record tells of.
    Found {
        /// Its name.
        snapshot: SnapshotId,
        /// When it was taken.
        made: DateTime<Utc>,
        /// Whether it says of itself that it can be relied on.
        good: bool,
    },
    /// A snapshot is to be let go.
    Forgotten {
        /// Its name.
        snapshot: SnapshotId,
    },
    /// A file of the repository is to be removed.
    Removed {
        /// Its name below the repository, such as `data/ab/ab…`.
        file: String,
    },
    /// A snapshot in a copy was read back and found whole.
    Verified {
        /// Its name.
        snapshot: SnapshotId,
        /// The copy.
        copy: CopyName,
    },
    /// Data that a snapshot needs is lost in every copy.
    Broken {
        /// Its name.
        snapshot: SnapshotId,
    },
    /// What it needs is there again.
    Mended {
        /// Its name.
        snapshot: SnapshotId,
    },
    /// The user wants to keep a snapshot.
    Pinned {
        /// Its name.
        snapshot: SnapshotId,
    },
    /// The user does not want to keep it any longer.
    Unpinned {
        /// Its name.
        snapshot: SnapshotId,
    },
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    /// Counts from one.
    n: u64,
    /// The digest of the line before, without its end; empty in the first.
    before: String,
    at: DateTime<Utc>,
    #[serde(flatten)]
    event: Event,
}

/// What the ledger says of one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // independent facts of one snapshot
pub(super) struct Known {
    pub(super) made: DateTime<Utc>,
    /// Whether it was whole when it was taken.
    pub(super) good: bool,
    /// Whether data that it needs is lost.
    pub(super) broken: bool,
    pub(super) pinned: bool,
    pub(super) forgotten: bool,
    /// In which copies it was read back, and when last.
    pub(super) verified: BTreeMap<CopyName, DateTime<Utc>>,
}

impl Known {
    /// Whether everything in it can be relied on.
    pub(super) fn is_good(&self) -> bool {
        self.good && !self.broken
    }
}

/// The last line there is: a ledger that was cut ends in another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) n: u64,
    pub(super) digest: String,
}

/// A ledger, read and found whole.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub(super) head: Head,
    pub(super) repository: Option<String>,
    pub(super) config: Option<String>,
    pub(super) snapshots: BTreeMap<SnapshotId, Known>,
    /// Files that were removed, and when.
    pub(super) removed: BTreeMap<String, DateTime<Utc>>,
    /// The digests of all lines, to compare two ledgers by.
    lines: Vec<String>,
    /// Bytes of a last line that was not written to its end.
    torn: u64,
}

impl Ledger {
    /// The ledger of a copy's folder.
    pub(super) fn file(copy: &Path) -> PathBuf {
        copy.join("drydock/ledger.jsonl")
    }

    /// Reads the ledger; one that is not there is empty. A last line that was not written to its end did not
    /// happen.
    ///
    /// # Errors
    /// [`Code::BackupDamaged`] with the line when it is not as it was written.
    pub(super) fn read(file: &Path) -> Result<Self> {
        match fs::read(file) {
            Ok(text) => Self::of(&text).map_err(|line| {
                Error::new(Code::BackupDamaged, format!("the ledger {} is damaged", file.display()))
                    .why(format!("line {line} is not what was written"))
                    .remedy("drydock backup verify --heal")
            }),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(cause) => Err(Error::io("read", file, &cause)),
        }
    }

    /// Takes a ledger's text apart, or says in which line it is damaged.
    pub(super) fn of(text: &[u8]) -> Result<Self, u64> {
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut ledger = Self { torn: (text.len() - whole) as u64, ..Self::default() };
        for line in text[..whole].split_inclusive(|byte| *byte == b'\n') {
            let (n, line) = (ledger.head.n + 1, &line[..line.len() - 1]);
            let read: Line = serde_json::from_slice(line).map_err(|_| n)?;
            if read.n != n || read.before != ledger.head.digest {
                return Err(n);
            }
            ledger.head = Head { n, digest: hex(&Sha256::digest(line)) };
            ledger.lines.push(ledger.head.digest.clone());
            ledger.take(read.at, read.event);
        }
        Ok(ledger)
    }

    fn take(&mut self, at: DateTime<Utc>, event: Event) {
        let known = |good| Known { made: at, good, ..Known::default() };
        match event {
            Event::Begun { repository, config } => {
                *self = Self {
                    repository: Some(repository),
                    config: Some(config),
                    head: self.head.clone(),
                    lines: std::mem::take(&mut self.lines),
                    torn: self.torn,
                    ..Self::default()
                };
            }
            Event::Made { snapshot, good, .. } => {
                self.snapshots.insert(snapshot, known(good));
            }
            Event::Found { snapshot, made, good } => {
                let found = Known { made, ..known(good) };
                self.snapshots.entry(snapshot).or_insert(found).forgotten = false;
            }
            Event::Forgotten { snapshot } => self.change(&snapshot, |known| known.forgotten = true),
            Event::Removed { file } => {
                self.removed.insert(file, at);
            }
            Event::Verified { snapshot, copy } => self.change(&snapshot, |known| {
                known.verified.insert(copy, at);
            }),
            Event::Broken { snapshot } => self.change(&snapshot, |known| known.broken = true),
            Event::Mended { snapshot } => self.change(&snapshot, |known| known.broken = false),
            Event::Pinned { snapshot } => self.change(&snapshot, |known| known.pinned = true),
            Event::Unpinned { snapshot } => self.change(&snapshot, |known| known.pinned = false),
        }
    }

    fn change(&mut self, snapshot: &SnapshotId, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.snapshots.get_mut(snapshot) {
            change(known);
        }
    }

    /// Adds records, flushed to the disk before it returns. The caller holds the copy's lock.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn add(&mut self, file: &Path, at: DateTime<Utc>, events: Vec<Event>) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        create_private_dir(folder)?;
        let is_new = !file.exists();
        let mut open =
            OpenOptions::new().append(true).create(true).mode(0o600).open(file).context("open", file)?;
        let whole = open.metadata().context("read", file)?.len() - self.torn;
        if self.torn > 0 {
            disk::set_len(&open, whole).context("mend", file)?;
            self.torn = 0;
        }
        // On a copy: what cannot be written did not happen.
        let mut next = self.clone();
        let mut text = Vec::new();
        for event in events {
            let line = Line { n: next.head.n + 1, before: next.head.digest.clone(), at, event };
            let written = serde_json::to_vec(&line).map_err(|cause| {
                Error::new(Code::Internal, "a record could not be written down").why(cause)
            })?;
            next.head = Head { n: line.n, digest: hex(&Sha256::digest(&written)) };
            next.lines.push(next.head.digest.clone());
            next.take(at, line.event);
            text.extend(written);
            text.push(b'\n');
        }
        if let Err(cause) = disk::write(&mut open, &text).and_then(|()| disk::sync(&open)) {
            // What there is of it is taken back now, or before the next record.
            self.torn = open.metadata().map_or(0, |data| data.len() - whole);
            if open.set_len(whole).is_ok() {
                self.torn = 0;
            }
            return Err(cause).context("write", file);
        }
        *self = next;
        if is_new {
            disk::sync_folder(folder).context("write", folder)?;
        }
        Ok(())
    }

    /// Whether this ledger goes on where the other ends, or is the same.
    pub(super) fn continues(&self, other: &Self) -> bool {
        self.lines.starts_with(&other.lines)
    }

    /// Whether the line that a head names is in this ledger.
    pub(super) fn has(&self, head: &Head) -> bool {
        head.n == 0
            || usize::try_from(head.n - 1)
                .is_ok_and(|at| self.lines.get(at).is_some_and(|digest| *digest == head.digest))
    }

    /// The newest snapshot that should be there.
    pub(super) fn newest(&self) -> Option<&SnapshotId> {
        let there = self.snapshots.iter().filter(|(_, known)| !known.forgotten);
        there.max_by_key(|(_, known)| known.made).map(|(id, _)| id)
    }

    /// The newest snapshot that counts as good.
    pub(super) fn newest_good(&self) -> Option<&SnapshotId> {
        let there = self.snapshots.iter().filter(|(_, known)| known.is_good() && !known.forgotten);
        there.max_by_key(|(_, known)| known.made).map(|(id, _)| id)
    }

    /// Snapshots that are there and have lost data.
    pub(super) fn broken(&self) -> Vec<SnapshotId> {
        let broken = self.snapshots.iter().filter(|(_, known)| known.broken && !known.forgotten);
        broken.map(|(id, _)| id.clone()).collect()
    }

    /// The snapshots that should be there.
    pub(super) fn expected(&self) -> BTreeSet<SnapshotId> {
        self.snapshots.iter().filter(|(_, known)| !known.forgotten).map(|(id, _)| id.clone()).collect()
    }
}

/// Puts a whole ledger in the place of a damaged one.
///
/// # Errors
/// When it cannot be written.
pub(super) fn replace(file: &Path, text: &[u8]) -> Result<()> {
    write_private(file, text)
}

/// Whether a name is one of the repository's own files, below the repository.
pub(super) fn is_repository_file(name: &str) -> bool {
    let parts: Vec<_> = name.split('/').collect();
    match parts.as_slice() {
        ["config"] => true,
        ["keys" | "snapshots" | "index", id] => is_digest(id),
        ["data", folder, id] => is_digest(id) && id.starts_with(folder) && folder.len() == 2,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(letter: char) -> SnapshotId {
        letter.to_string().repeat(64).parse().unwrap()
    }

    fn filled(file: &Path) -> Ledger {
        let mut ledger = Ledger::read(file).unwrap();
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let made = |letter| Event::Made { snapshot: id(letter), reason: Reason::Manual, good: true };
        ledger.add(file, at, vec![made('a'), made('b')]).unwrap();
        ledger.add(file, at, vec![Event::Forgotten { snapshot: id('a') }]).unwrap();
        ledger
    }

    #[test]
    fn it_says_what_should_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ledger.jsonl");
        let written = filled(&file);
        let read = Ledger::read(&file).unwrap();
        assert_eq!(read.head, written.head);
        assert_eq!(read.expected().into_iter().collect::<Vec<_>>(), [id('b')]);
        assert!(written.continues(&Ledger::default()) && written.has(&Head::default()));
    }

    #[test]
    fn a_changed_byte_and_a_missing_line_are_found_and_a_torn_end_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ledger.jsonl");
        let ledger = filled(&file);
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() - 1 {
            let mut other = whole.clone();
            other[at] ^= 1;
            let cut = Ledger::of(&other);
            // A change in the last line shows in the head alone.
            assert!(cut.is_err() || cut.unwrap().head != ledger.head, "byte {at}");
        }
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        assert_eq!(Ledger::of(&whole[first..]).unwrap_err(), 1);
        let cut = Ledger::of(&whole[..first]).unwrap();
        assert!(!cut.has(&ledger.head) && ledger.continues(&cut) && ledger.has(&cut.head));

        fs::write(&file, &whole[..whole.len() - 5]).unwrap();
        let mut torn = Ledger::read(&file).unwrap();
        assert_eq!(torn.head.n, 2);
        torn.add(&file, Utc::now(), vec![Event::Pinned { snapshot: id('b') }]).unwrap();
        assert!(Ledger::read(&file).unwrap().snapshots[&id('b')].pinned);
    }

    #[test]
    fn only_names_of_the_repository_are_its_files() {
        let digest = "ab".repeat(32);
        assert!(is_repository_file("config") && is_repository_file(&format!("data/ab/{digest}")));
        for other in ["", "data/ab/../x", "drydock/ledger.jsonl", "keys/x", &format!("data/cd/{digest}")] {
            assert!(!is_repository_file(other), "{other}");
        }
    }
}
