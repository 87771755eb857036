//! What is kept between two rounds: cursors, figures, and why something waits. One process at a time has it.

use super::{cursor::Cursor, stream::Stream};
use crate::{
    error_handling::{Error, IoContext, Result},
    keychain::Fingerprint,
    paths::{Locations, create_private_dir, write_record},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Why something was not sent, and will not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is torn, or not of this version of Drydock.
    Unreadable,
    /// It is older than the server takes.
    Old,
    /// Its time is yet to come: the clock was set back.
    Ahead,
    /// The server says that it is too large, alone as well.
    TooLarge,
    /// The server says that something is wrong with it.
    Refused,
    /// The server took it and threw it away.
    Rejected,
    /// A file was gone before all of it was sent: a file for each time, since nobody knows how many lines.
    Gone,
}

impl Reason {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Old => "old",
            Self::Ahead => "ahead",
            Self::TooLarge => "too-large",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Gone => "gone",
        }
    }
}

/// How much was dropped, by reason.
pub type Dropped = BTreeMap<Reason, u64>;

/// Why a stream stands still until something is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Since when.
    pub at: DateTime<Utc>,
    /// Why.
    pub why: String,
    /// Under which key and address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Fingerprint>,
}

/// What went wrong last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub what: String,
}

/// What is kept of one stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub(super) cursor: Option<Cursor>,
    pub(super) sent: u64,
    pub(super) dropped: Dropped,
    pub(super) last_sent: Option<DateTime<Utc>>,
    pub(super) trouble: Option<Trouble>,
    pub(super) stopped: Option<Stopped>,
    /// Failures in a row.
    pub(super) failures: u32,
    pub(super) not_before: Option<DateTime<Utc>>,
    /// At most so many lines in the next request, while it is found out which of them is refused.
    pub(super) at_most: Option<usize>,
    /// Lines that were refused one by one, with none taken between them.
    pub(super) refused_in_a_row: u32,
    /// The last second that a counter has a point in.
    pub(super) last_second: Option<i64>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    v: u32,
    /// Makes digests of names this home's own.
    pub(super) salt: String,
    /// By the streams' words, so that those of a newer version stay as they are.
    streams: BTreeMap<String, Kept>,
}

impl State {
    pub(super) fn new() -> Self {
        Self { v: 1, salt: uuid::Uuid::new_v4().to_string(), streams: BTreeMap::new() }
    }

    /// That of a home. One that cannot be read is put aside, and sending begins anew: at the end, so that nothing
    /// is sent twice.
    pub(super) fn load(locations: &Locations) -> Result<Self> {
        let file = state_file(locations);
        let text = match fs::read(&file) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Self::new()),
            read => read.context("read", &file)?,
        };
        if let Ok(state) = serde_json::from_slice(&text) {
            return Ok(state);
        }
        tracing::warn!(file = %file.display(), "what was sent is not known any more; sending begins anew");
        fs::rename(&file, file.with_extension("damaged")).context("put aside", &file)?;
        Ok(Self::new())
    }

    /// Writes it down. Whoever calls this has the lock.
    pub(super) fn save(&self, locations: &Locations) -> Result<()> {
        write_record(&state_file(locations), self)
    }

    pub(super) fn of(&self, stream: Stream) -> Option<&Kept> {
        self.streams.get(stream.word())
    }

    pub(super) fn of_mut(&mut self, stream: Stream) -> &mut Kept {
        self.streams.entry(stream.word().to_owned()).or_default()
    }

    /// Forgets where streams were that are not wanted any more: what is written from now on is not to be sent when
    /// they are wanted again. Whether there was something to forget.
    pub(super) fn forget_all_but(&mut self, wanted: &[Stream]) -> bool {
        let mut forgot = false;
        for (word, kept) in &mut self.streams {
            if kept.cursor.is_some() && !wanted.iter().any(|stream| stream.word() == word) {
                *kept =
                    Kept { sent: kept.sent, dropped: std::mem::take(&mut kept.dropped), ..Kept::default() };
                forgot = true;
            }
        }
        forgot
    }
}

fn folder(locations: &Locations) -> PathBuf {
    locations.data_dir.join("observability")
}

pub(super) fn state_file(locations: &Locations) -> PathBuf {
    folder(locations).join("shipping.json")
}

/// Changes whenever Datadog's key does.
pub(super) fn key_marker(locations: &Locations) -> PathBuf {
    folder(locations).join("datadog-key.changed")
}

/// Held by the one process that sends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it, or waits for whoever has it for so long at most; `None` when they go on. Blocking.
    pub(super) fn take(locations: &Locations, patience: Duration) -> Result<Option<Self>> {
        const BETWEEN: Duration = Duration::from_millis(50);
        let file = open(&folder(locations).join("shipping.lock"))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) if begun.elapsed() < patience => std::thread::sleep(BETWEEN),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(cause)) => {
                    return Err(Error::io("lock", &folder(locations).join("shipping.lock"), &cause));
                }
            }
        }
    }
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        create_private_dir(folder)?;
    }
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).context("open", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_and_a_damaged_one_is_put_aside() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let mut state = State::new();
        state.of_mut(Stream::DatadogEvents).sent = 7;
        state.of_mut(Stream::DatadogEvents).cursor = Some(Cursor::Beginning);
        state.save(&locations).unwrap();
        assert_eq!(State::load(&locations).unwrap(), state);
        assert!(state.forget_all_but(&[]));
        assert_eq!(state.of(Stream::DatadogEvents).map(|kept| (kept.sent, &kept.cursor)), Some((7, &None)));
        fs::write(state_file(&locations), "{").unwrap();
        let anew = State::load(&locations).unwrap();
        assert!(anew.of(Stream::DatadogEvents).is_none() && !state_file(&locations).exists());
    }

    #[test]
    fn one_at_a_time_has_it() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let lock = Lock::take(&locations, Duration::ZERO).unwrap();
        assert!(lock.is_some() && Lock::take(&locations, Duration::ZERO).unwrap().is_none());
        drop(lock);
        assert!(Lock::take(&locations, Duration::ZERO).unwrap().is_some());
    }
}
