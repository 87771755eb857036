//! The one state database: what several processes change together and what must not be half changed.
//!
//! It may always be deleted without losing anything of the user's. On macOS a plain `fsync` does not reach the disk, so
//! `fullfsync` is on; a write begins as `IMMEDIATE`, since a read that becomes a write does not wait for others.

mod migrations;

use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::{Locations, create_private_dir},
};
use chrono::Utc;
use drydock_inside::disk;
use migrations::MIGRATIONS;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Other processes are waited for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The state database, open.
#[derive(Debug)]
pub(crate) struct StateDb {
    connection: Connection,
    file: PathBuf,
}

impl StateDb {
    /// Opens it, and makes it where it is not there.
    pub(crate) fn open(locations: &Locations) -> Result<Self> {
        let file = file(locations);
        create_private_dir(&locations.data_dir)?;
        match Self::open_at(&file) {
            Err(Opening::Damaged(why)) => {
                put_aside(&file, &why)?;
                Self::open_at(&file).map_err(|failure| failure.told(&file))
            }
            opened => opened.map_err(|failure| failure.told(&file)),
        }
    }

    /// Opens it where it is there.
    pub(crate) fn open_if_there(locations: &Locations) -> Result<Option<Self>> {
        if file(locations).exists() { Self::open(locations).map(Some) } else { Ok(None) }
    }

    fn open_at(file: &Path) -> Result<Self, Opening> {
        // Made here for its permissions: those beside it get the same.
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(file)
            .context("open", file)
            .map_err(Opening::Failed)?;
        let mut connection = sound(file)?;
        migrate(&mut connection, file)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(Self { connection, file: file.to_path_buf() })
    }

    /// Looks something up.
    pub(crate) fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        query(&self.connection).map_err(|cause| failed(&self.file, &cause))
    }

    /// Changes something: all of it or nothing, and nobody else in between.
    pub(crate) fn change<T>(
        &mut self,
        deed: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let done = (|| {
            point("begin")?;
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = deed(&transaction)?;
            point("commit")?;
            transaction.commit()?;
            Ok(done)
        })();
        let done = done.map_err(|cause| failed(&self.file, &cause))?;
        point("committed").map_err(|cause| failed(&self.file, &cause))?;
        Ok(done)
    }
}

/// Opens a file that is a database, and whole.
fn sound(file: &Path) -> Result<Connection, Opening> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(PATIENCE)?;
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said == "ok" { Ok(connection) } else { Err(Opening::Damaged(said)) }
}

/// A point at which tests end the process or fail the disk.
pub(crate) fn point(deed: &str) -> rusqlite::Result<()> {
    disk::before(deed).map_err(|cause| rusqlite::Error::ToSqlConversionFailure(Box::new(cause)))
}

/// Where it is.
pub(crate) fn file(locations: &Locations) -> PathBuf {
    locations.data_dir.join("state.db")
}

/// Why it could not be opened.
enum Opening {
    /// It is not what was written, or no database at all.
    Damaged(String),
    Failed(Error),
    Refused(rusqlite::Error),
}

impl From<rusqlite::Error> for Opening {
    fn from(cause: rusqlite::Error) -> Self {
        match cause.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged(cause.to_string()),
            _ => Self::Refused(cause),
        }
    }
}

impl Opening {
    fn told(self, file: &Path) -> Error {
        match self {
            Self::Damaged(why) => trouble(file).why(why),
            Self::Failed(error) => error,
            Self::Refused(cause) => failed(file, &cause),
        }
    }
}

/// Brings an older one up to what this Drydock knows, under a lock, with a copy of the older one beside it.
fn migrate(connection: &mut Connection, file: &Path) -> Result<(), Opening> {
    let newest = MIGRATIONS.len();
    let version = |connection: &Connection| -> rusqlite::Result<u32> {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0))
    };
    let is_newest = |from: u32| usize::try_from(from) == Ok(newest);
    if is_newest(version(connection)?) {
        return Ok(());
    }
    let _lock = locked(file).map_err(Opening::Failed)?;
    let from = version(connection)?;
    let Some(lacking) = usize::try_from(from).ok().and_then(|from| MIGRATIONS.get(from..)) else {
        let error = trouble(file).why("a newer Drydock made it").remedy("update Drydock");
        return Err(Opening::Failed(error));
    };
    if from == 0 {
        // It stays so in the file from now on.
        connection.pragma_update(None, "journal_mode", "WAL")?;
    } else if !lacking.is_empty() {
        let copy = file.with_extension(format!("db.version-{from}"));
        if !copy.exists() {
            connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
        }
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (step, migration) in (from + 1..).zip(lacking) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", step)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Damaged state is kept for who wants to look, and begun anew.
fn put_aside(file: &Path, why: &str) -> Result<()> {
    let _lock = locked(file)?;
    // Another process may have been quicker.
    if sound(file).is_ok() {
        return Ok(());
    }
    let aside = file.with_extension(format!("db.damaged-{}", Utc::now().format("%Y%m%dT%H%M%S%3f")));
    tracing::warn!(file = %file.display(), why, "the state database is damaged; it is begun anew");
    for ending in ["-wal", "-shm"] {
        let beside = PathBuf::from(format!("{}{ending}", file.display()));
        let kept = PathBuf::from(format!("{}{ending}", aside.display()));
        if beside.exists() {
            fs::rename(&beside, &kept).context("put aside", &beside)?;
        }
    }
    fs::rename(file, &aside).context("put aside", file)
}

fn locked(file: &Path) -> Result<File> {
    let path = file.with_extension("lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .context("open", &path)?;
    lock.lock().context("lock", &path)?;
    Ok(lock)
}

fn trouble(file: &Path) -> Error {
    Error::new(Code::StateDatabase, format!("the state database, {}, cannot be used", file.display()))
}

fn failed(file: &Path, cause: &rusqlite::Error) -> Error {
    let io_full = std::error::Error::source(cause)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|source| source.kind() == std::io::ErrorKind::StorageFull);
    if io_full || matches!(cause.sqlite_error_code(), Some(ErrorCode::DiskFull)) {
        return Error::new(Code::DiskFull, format!("could not write {}", file.display()))
            .why(cause)
            .remedy("free some space, then run the command again");
    }
    trouble(file).why(cause).remedy("run the command again").remedy("drydock doctor")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn home() -> (tempfile::TempDir, Locations) {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        (home, locations)
    }

    fn count(db: &StateDb) -> i64 {
        db.read(|connection| connection.query_row("SELECT count(*) FROM denied", [], |row| row.get(0)))
            .unwrap()
    }

    fn add(db: &mut StateDb, digest: &str) {
        db.change(|transaction| {
            transaction
                .execute("INSERT INTO denied (digest, identity, at, why) VALUES (?1, '', '', '')", [digest])
        })
        .unwrap();
    }

    #[test]
    fn it_is_for_the_user_alone_and_every_process_finds_it_as_it_is_set_up() {
        let (_home, locations) = home();
        assert!(StateDb::open_if_there(&locations).unwrap().is_none());
        let mut db = StateDb::open(&locations).unwrap();
        add(&mut db, "a");
        for name in ["state.db", "state.db-wal"] {
            let mode = locations.data_dir.join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let other = StateDb::open_if_there(&locations).unwrap().unwrap();
        assert_eq!(count(&other), 1);
        for (pragma, value) in [
            ("synchronous", 2),
            ("fullfsync", 1),
            ("checkpoint_fullfsync", 1),
            ("foreign_keys", 1),
            ("trusted_schema", 0),
        ] {
            let found: i64 =
                other.connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
            assert_eq!(found, value, "{pragma}");
        }
        let journal: String =
            other.connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(journal, "wal");
    }

    #[test]
    fn what_is_damaged_is_put_aside_and_begun_anew() {
        let (_home, locations) = home();
        add(&mut StateDb::open(&locations).unwrap(), "a");
        fs::write(file(&locations), "no database at all, but long enough to be looked at ".repeat(90))
            .unwrap();
        let db = StateDb::open(&locations).unwrap();
        assert_eq!(count(&db), 0);
        let names = fs::read_dir(&locations.data_dir).unwrap().flatten();
        let aside =
            names.filter(|entry| entry.file_name().to_string_lossy().starts_with("state.db.damaged-"));
        assert!(aside.count() >= 1);
    }

    #[test]
    fn one_of_a_newer_drydock_is_left_alone() {
        let (_home, locations) = home();
        let db = StateDb::open(&locations).unwrap();
        db.connection.pragma_update(None, "user_version", 999).unwrap();
        drop(db);
        let error = StateDb::open(&locations).unwrap_err();
        assert_eq!(error.code(), Code::StateDatabase);
        assert!(error.causes().iter().any(|why| why.contains("newer")), "{error}");
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let (_home, locations) = home();
        let mut db = StateDb::open(&locations).unwrap();
        let failed = db.change(|transaction| {
            transaction
                .execute("INSERT INTO denied (digest, identity, at, why) VALUES ('a', '', '', '')", [])?;
            transaction.execute("INSERT INTO denied (digest) VALUES ('b')", [])
        });
        assert!(failed.is_err());
        assert_eq!(count(&db), 0);
    }
}
