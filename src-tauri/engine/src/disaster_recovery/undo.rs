//! Taking a recovery back: what was in quarantine is put in its place again.

use super::{
    Recovery,
    put::sync_parent,
    record::{Deed, Past, Record, Records, Standing},
    recovery::sweep,
};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::create_private_dir,
    sync::SyncLock,
};
use chrono::{DateTime, Utc};
use drydock_inside::{Before, Placed, Staged, digest::mark_of, disk, place};
use serde::Serialize;
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// What an undo did.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Undone {
    /// Files that are as they were before the recovery.
    pub back: Vec<PathBuf>,
    /// Files that stay as they are, since they were written since.
    pub stay: Vec<PathBuf>,
}

impl Recovery {
    /// Takes a recovery back: the newest, or the one that `named` is the beginning of the name of. What it had
    /// brought back is kept beside its record. A file that was written since stays as it is. Blocking.
    ///
    /// # Errors
    /// [`Code::RecoveryUnknown`] when there is none, or it was too long ago.
    pub fn undo(&self, named: Option<&str>, now: DateTime<Utc>) -> Result<Undone> {
        let records = Records::alone(&self.locations)?;
        let timeout = self.settings.lock_timeout();
        let _no_sync = SyncLock::acquire_blocking(&self.locations.sync_lock, "undo", timeout)?;
        let past =
            records.all().into_iter().rev().find(|past| {
                past.can_be_undone(now) && named.is_none_or(|named| past.id().is_meant_by(named))
            });
        let Some(mut past) = past else { return Err(unknown(named)) };
        let record = records.of(past.id());
        let mut undone = Undone::default();
        let deeds = record.deeds()?;
        // What an undo that was ended had staged.
        deeds.iter().filter_map(|deed| deed.file.parent()).for_each(sweep);
        // The last deed first.
        for deed in deeds.iter().rev() {
            if undo_one(deed, &record)? {
                undone.back.push(deed.file.clone());
            } else if !undone.back.contains(&deed.file) {
                undone.stay.push(deed.file.clone());
            }
        }
        undone.stay.retain(|file| !undone.back.contains(file));
        past.standing = Standing::Undone;
        record.write(&past)?;
        Ok(undone)
    }

    /// All recoveries that are on record, the oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<Past> {
        Records::seen(&self.locations).all()
    }

    /// Removes the records and the quarantine of recoveries that can no longer be undone.
    ///
    /// # Errors
    /// When one cannot be removed, or a recovery is at work.
    pub fn forget_old(&self, now: DateTime<Utc>) -> Result<usize> {
        let records = Records::alone(&self.locations)?;
        let old: Vec<_> =
            records.all().into_iter().filter(|past| now - past.begun >= super::record::UNDO).collect();
        old.iter().try_for_each(|past| records.of(past.id()).forget())?;
        Ok(old.len())
    }
}

fn unknown(named: Option<&str>) -> Error {
    let what = match named {
        Some(named) => format!("there is no recovery {named} that could be undone"),
        None => "there is no recovery that could be undone".to_owned(),
    };
    Error::new(Code::RecoveryUnknown, what)
        .why("a recovery can be undone once, for 30 days")
        .remedy("drydock recover --history")
}

/// Undoes one deed; whether the place holds what it held before it.
fn undo_one(deed: &Deed, record: &Record) -> Result<bool> {
    let file = &deed.file;
    if is_undone(deed)? {
        return Ok(true);
    }
    let there = fs::symlink_metadata(file);
    match (&deed.before, deed.after) {
        // A file that replaced another.
        (Some(before), Some(after)) => {
            if !there.is_ok_and(|data| data.is_file()) || mark_of(file).context("read", file)? != after {
                return Ok(false);
            }
            let folder = file.parent().unwrap_or(Path::new("/"));
            let mode = fs::metadata(before).context("read", before)?.permissions().mode() & 0o777;
            let mut content = File::open(before).context("read", before)?;
            let staged = Staged::write(folder, mode, &mut content).context("write", file)?;
            match place(staged, file, Before::Holds(after)).context("write", file)? {
                Placed::Done { displaced, .. } => {
                    if let Some(displaced) = displaced {
                        move_away(&displaced, record)?;
                    }
                    Ok(true)
                }
                Placed::Surprise { kept } => {
                    kept.iter().try_for_each(|version| move_away(version, record))?;
                    Ok(false)
                }
            }
        }
        // A file that came where nothing was.
        (None, Some(after)) => {
            if !there.is_ok_and(|data| data.is_file()) || mark_of(file).context("read", file)? != after {
                return Ok(false);
            }
            move_away(file, record).map(|()| true)
        }
        // A link that came where nothing was.
        (None, None) => {
            if !there.is_ok_and(|data| data.is_symlink()) {
                return Ok(false);
            }
            fs::remove_file(file).context("remove", file).map(|()| true)
        }
        // What was set aside as it was: a folder, a link, a file that could not be read.
        (Some(before), None) => {
            if before.symlink_metadata().is_err() {
                return Ok(false);
            }
            if there.is_ok_and(|data| data.is_dir()) {
                // A folder that was made in its place, if nothing is in it any more.
                remove_empty(file);
            }
            if file.symlink_metadata().is_ok() {
                return Ok(false);
            }
            disk::rename(before, file).context("put back", file)?;
            sync_parent(file).map(|()| true)
        }
    }
}

/// Whether an undo that was ended had come so far, or the deed was never done.
fn is_undone(deed: &Deed) -> Result<bool> {
    let there = deed.file.symlink_metadata();
    Ok(match (&deed.before, deed.after) {
        (Some(before), Some(_)) => {
            there.is_ok_and(|data| data.is_file())
                && mark_of(&deed.file).context("read", &deed.file)?
                    == mark_of(before).context("read", before)?
        }
        (None, _) => there.is_err(),
        (Some(before), None) => there.is_ok() && before.symlink_metadata().is_err(),
    })
}

fn move_away(file: &Path, record: &Record) -> Result<()> {
    let folder = record.undone();
    create_private_dir(&folder)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let to = folder.join(format!("{}-{name}", uuid::Uuid::new_v4().simple()));
    match disk::rename(file, &to) {
        Ok(()) => Ok(()),
        Err(cause) if cause.kind() == std::io::ErrorKind::CrossesDevices => {
            fs::copy(file, &to).context("keep", file)?;
            disk::remove_file(file).context("remove", file)
        }
        Err(cause) => Err(cause).context("keep", file),
    }
}

/// Removes a folder and the folders in it, as far as there are no files.
fn remove_empty(folder: &Path) {
    for entry in walkdir::WalkDir::new(folder).contents_first(true).into_iter().flatten() {
        if entry.file_type().is_dir() {
            // One with something in it stays.
            let _ = fs::remove_dir(entry.path());
        }
    }
}
