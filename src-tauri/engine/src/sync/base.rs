//! The base: what both sides agreed on at their last sync, on record for one session.
//!
//! A small database, so that a cycle which changes one file writes one row, and a process killed
//! while it writes leaves the row as it was.

use crate::{
    error_handling::{Code, Error, Result},
    paths::create_private_dir,
};
use chrono::{DateTime, Utc};
use drydock_inside::{Digest, Mark, Sign};
use rusqlite::{Connection, OptionalExtension, params};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The base's file in a session's folder of records.
pub(crate) const BASE_FILE: &str = "base.db";

const VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS file (
        name TEXT PRIMARY KEY,
        len INTEGER NOT NULL,
        digest BLOB,
        settled BLOB,
        fork TEXT,
        host BLOB,
        session BLOB,
        packed INTEGER,
        translated BLOB
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE IF NOT EXISTS document (
        name TEXT PRIMARY KEY,
        host BLOB NOT NULL,
        session BLOB NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE IF NOT EXISTS replica (only INTEGER PRIMARY KEY CHECK (only = 1), marker TEXT NOT NULL) STRICT;
";

/// What is known of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// How many bytes both have in common.
    pub(crate) len: u64,
    /// The digest of what both have; `None` where they never had the same, or where it grew since and
    /// only its length is known.
    pub(crate) digest: Option<Digest>,
    /// The session's content that was dealt with in another way: held, or refused by the user.
    pub(crate) settled: Option<Digest>,
    /// The conversation that the session's way on became on the host.
    pub(crate) fork: Option<String>,
    /// The host's file when they last agreed.
    pub(crate) host: Option<Sign>,
    /// The session's file when it was last looked at.
    pub(crate) session: Option<Sign>,
    /// The time, in seconds, that the file was packed with: its sign in the session until it is seen.
    pub(crate) packed: Option<i64>,
    /// The session's form of the content, where its paths are translated.
    pub(crate) translated: Option<Mark>,
}

impl Agreed {
    /// How long the session's form of it is.
    pub(crate) fn session_len(&self) -> u64 {
        self.translated.map_or(self.len, |mark| mark.len)
    }

    /// Whether this is the session's form of what both agreed on.
    pub(crate) fn is_session_form(&self, mark: &Mark) -> bool {
        match &self.translated {
            Some(translated) => translated == mark,
            None => self.len == mark.len && self.digest == Some(mark.sha256),
        }
    }

    /// Whether a file with this sign is what was seen in the session last.
    pub(crate) fn is_unchanged_in_session(&self, now: &Sign) -> bool {
        match (&self.session, self.packed) {
            (Some(seen), _) => seen == now,
            (None, Some(packed)) => {
                now.len == self.session_len() && now.mtime_ns.div_euclid(1_000_000_000) == packed
            }
            (None, None) => false,
        }
    }
}

/// A document's text on both sides when they last agreed: the session's is a form made for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgreedDocument {
    pub(crate) host: Vec<u8>,
    pub(crate) session: Vec<u8>,
}

/// The base of one session.
pub(crate) struct Base {
    connection: Connection,
    file: PathBuf,
}

impl Base {
    /// Opens the base in a session's folder of records, or makes it.
    pub(crate) fn open(session_dir: &Path) -> Result<Self> {
        create_private_dir(session_dir)?;
        let file = session_dir.join(BASE_FILE);
        let opened = (|| {
            let connection = Connection::open(&file)?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            // A row that was written is on the disk, on macOS past the drive's own cache as well. With a
            // plain rollback journal, reading needs no room on the disk.
            connection.pragma_update(None, "journal_mode", "delete")?;
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "fullfsync", true)?;
            let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if version < VERSION {
                connection.execute_batch(SCHEMA)?;
                connection.pragma_update(None, "user_version", VERSION)?;
            }
            Ok(connection)
        })();
        let connection = opened.map_err(|cause| failed(&file, &cause))?;
        Ok(Self { connection, file })
    }

    /// Every file on record, by name.
    pub(crate) fn files(&self) -> Result<HashMap<String, Agreed>> {
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT name, len, digest, settled, fork, host, session, packed, translated FROM file",
            )?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, agreed(row)?)))?;
            rows.collect()
        })
    }

    /// A document's text on both sides.
    pub(crate) fn document(&self, name: &str) -> Result<Option<AgreedDocument>> {
        self.read(|connection| {
            connection
                .query_row("SELECT host, session FROM document WHERE name = ?1", [name], |row| {
                    Ok(AgreedDocument { host: row.get(0)?, session: row.get(1)? })
                })
                .optional()
        })
    }

    /// The marker of the session's home, by which another volume of its name is told from it.
    pub(crate) fn replica(&self) -> Result<Option<String>> {
        self.read(|connection| {
            connection.query_row("SELECT marker FROM replica", [], |row| row.get(0)).optional()
        })
    }

    /// Writes down what was agreed on, all of it or nothing.
    pub(crate) fn record(&mut self, news: &News) -> Result<()> {
        let written = (|| {
            let transaction = self.connection.transaction()?;
            {
                let mut put = transaction.prepare(
                    "INSERT OR REPLACE INTO file (name, len, digest, settled, fork, host, session, packed, translated)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?;
                for (name, agreed) in &news.files {
                    put.execute(params![
                        name,
                        i64::try_from(agreed.len).unwrap_or(i64::MAX),
                        agreed.digest.as_ref().map(|digest| digest.as_bytes().to_vec()),
                        agreed.settled.as_ref().map(|digest| digest.as_bytes().to_vec()),
                        agreed.fork,
                        agreed.host.as_ref().map(pack),
                        agreed.session.as_ref().map(pack),
                        agreed.packed,
                        agreed.translated.as_ref().map(pack_mark),
                    ])?;
                }
                for (name, document) in &news.documents {
                    transaction.execute(
                        "INSERT OR REPLACE INTO document (name, host, session) VALUES (?1, ?2, ?3)",
                        params![name, document.host, document.session],
                    )?;
                }
                if let Some(marker) = &news.replica {
                    transaction
                        .execute("INSERT OR REPLACE INTO replica (only, marker) VALUES (1, ?1)", [marker])?;
                }
            }
            transaction.commit()
        })();
        written.map_err(|cause| failed(&self.file, &cause))
    }

    /// When something was last written down.
    pub(crate) fn written(&self) -> Option<DateTime<Utc>> {
        self.file.metadata().and_then(|data| data.modified()).ok().map(DateTime::from)
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        query(&self.connection).map_err(|cause| failed(&self.file, &cause))
    }
}

/// What a sync has to write down.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) files: Vec<(String, Agreed)>,
    pub(crate) documents: Vec<(String, AgreedDocument)>,
    pub(crate) replica: Option<String>,
}

fn failed(file: &Path, cause: &rusqlite::Error) -> Error {
    let full = matches!(cause.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    let code = if full { Code::DiskFull } else { Code::SyncBase };
    let error = Error::new(code, format!("the record of the last sync, {}, cannot be used", file.display()))
        .why(cause);
    if full {
        error.remedy("free some space, then run the command again")
    } else {
        error.remedy("run the command again").remedy("drydock doctor")
    }
}

fn agreed(row: &rusqlite::Row<'_>) -> rusqlite::Result<Agreed> {
    Ok(Agreed {
        len: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
        digest: row.get::<_, Option<Vec<u8>>>(2)?.and_then(digest),
        settled: row.get::<_, Option<Vec<u8>>>(3)?.and_then(digest),
        fork: row.get(4)?,
        host: row.get::<_, Option<Vec<u8>>>(5)?.and_then(|bytes| unpack(&bytes)),
        session: row.get::<_, Option<Vec<u8>>>(6)?.and_then(|bytes| unpack(&bytes)),
        packed: row.get(7)?,
        translated: row.get::<_, Option<Vec<u8>>>(8)?.and_then(|bytes| unpack_mark(&bytes)),
    })
}

fn digest(bytes: Vec<u8>) -> Option<Digest> {
    Some(Digest::from(<[u8; 32]>::try_from(bytes).ok()?))
}

/// A mark as 40 bytes: its length, little-endian, and its digest.
fn pack_mark(mark: &Mark) -> Vec<u8> {
    let mut bytes = mark.len.to_le_bytes().to_vec();
    bytes.extend(mark.sha256.as_bytes());
    bytes
}

fn unpack_mark(bytes: &[u8]) -> Option<Mark> {
    let len = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    Some(Mark { len, sha256: digest(bytes.get(8..)?.to_vec())? })
}

/// A sign as 36 bytes, little-endian.
fn pack(sign: &Sign) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(36);
    bytes.extend(sign.len.to_le_bytes());
    bytes.extend(sign.mtime_ns.to_le_bytes());
    bytes.extend(sign.ctime_ns.to_le_bytes());
    bytes.extend(sign.inode.to_le_bytes());
    bytes.extend(sign.mode.to_le_bytes());
    bytes
}

/// A sign that cannot be read is no sign: the file is then looked at again.
fn unpack(bytes: &[u8]) -> Option<Sign> {
    let word = |at: usize| bytes.get(at..at + 8)?.try_into().ok();
    Some(Sign {
        len: u64::from_le_bytes(word(0)?),
        mtime_ns: i64::from_le_bytes(word(8)?),
        ctime_ns: i64::from_le_bytes(word(16)?),
        inode: u64::from_le_bytes(word(24)?),
        mode: u32::from_le_bytes(bytes.get(32..36)?.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_agreed_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let sign = Sign { len: 7, mtime_ns: -5, ctime_ns: 9, inode: u64::MAX, mode: 0o100_600 };
        let agreed = Agreed {
            len: 7,
            digest: Some(Digest::from([1; 32])),
            settled: None,
            fork: Some("f".into()),
            host: Some(sign),
            session: None,
            packed: Some(3),
            translated: Some(Mark { len: 9, sha256: Digest::from([2; 32]) }),
        };
        let document = AgreedDocument { host: b"{}".to_vec(), session: b"{\"a\":1}".to_vec() };
        let news = News {
            files: vec![("a".into(), agreed.clone())],
            documents: vec![("d".into(), document.clone())],
            replica: Some("m".into()),
        };
        Base::open(dir.path()).unwrap().record(&news).unwrap();
        let base = Base::open(dir.path()).unwrap();
        assert_eq!(base.files().unwrap(), HashMap::from([("a".into(), agreed)]));
        assert_eq!(base.document("d").unwrap(), Some(document));
        assert_eq!(base.replica().unwrap().as_deref(), Some("m"));
    }

    #[test]
    fn a_packed_file_is_unchanged_until_its_length_or_second_differs() {
        let agreed = Agreed { len: 3, packed: Some(10), ..Agreed::default() };
        let sign = |len, seconds: i64| Sign {
            len,
            mtime_ns: seconds * 1_000_000_000 + 5,
            ctime_ns: 0,
            inode: 1,
            mode: 0,
        };
        assert!(agreed.is_unchanged_in_session(&sign(3, 10)));
        assert!(!agreed.is_unchanged_in_session(&sign(4, 10)));
        assert!(!agreed.is_unchanged_in_session(&sign(3, 11)));
    }
}
