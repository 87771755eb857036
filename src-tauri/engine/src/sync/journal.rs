//! The journal of deeds on the host home: written before the first of them, so that the next start
//! can finish what a killed process began.
//!
//! What each step has come to is read from the files themselves: a staged file that still holds the
//! new content was not exchanged; one that holds the old was; one that holds anything else was
//! exchanged under the hands of another program, which then gets its file back.

use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::create_private_dir,
};
use drydock_inside::{Mark, disk};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// One deed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "deed")]
pub(crate) enum Deed {
    /// A staged file takes a place that is empty, or that holds `before`.
    Place { staged: PathBuf, target: PathBuf, before: Option<Mark>, after: Mark },
    /// What is in `tail`, past its first `skip` bytes, follows the first `at` bytes of the target.
    Append { target: PathBuf, at: u64, tail: PathBuf, skip: u64 },
}

/// The journal of one run of deeds; removed when all are done.
#[derive(Debug)]
pub(crate) struct Journal {
    file: PathBuf,
}

impl Journal {
    /// Writes the deeds down. Nothing was done before this returns.
    pub(crate) fn begin(data_dir: &Path, deeds: &[Deed]) -> Result<Self> {
        let dir = folder(data_dir);
        create_private_dir(&dir)?;
        let name = uuid::Uuid::new_v4().to_string();
        let (file, staged) = (dir.join(format!("{name}.json")), dir.join(format!("{name}.new")));
        let text = serde_json::to_vec(deeds)
            .map_err(|cause| Error::new(Code::Internal, "the journal cannot be written").why(cause))?;
        let mut out = disk::create(&staged, 0o600).context("write", &staged)?;
        let written = disk::write(&mut out, &text).and_then(|()| disk::sync(&out));
        if let Err(cause) = written.and_then(|()| disk::rename(&staged, &file)) {
            let _ = fs::remove_file(&staged);
            return Err(Error::io("write", &file, &cause));
        }
        disk::sync_folder(&dir).context("flush", &dir)?;
        Ok(Self { file })
    }

    /// Ends the journal when all is done. After a failure it stays: the next sync finishes from it.
    pub(crate) fn finish<T>(self, done: Result<T>) -> Result<T> {
        let done = done?;
        disk::remove_file(&self.file).context("remove", &self.file)?;
        Ok(done)
    }
}

/// Finishes or undoes what killed processes left. The caller holds the sync lock, so no living
/// process is at work on any journal.
pub(crate) fn recover_journals(data_dir: &Path) -> Result<()> {
    let dir = folder(data_dir);
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(Error::io("read", &dir, &cause)),
    };
    for entry in entries {
        let path = entry.context("read", &dir)?.path();
        if path.extension().is_none_or(|kind| kind != "json") {
            // A journal that was not yet one: none of its deeds was begun.
            disk::remove_file(&path).context("remove", &path)?;
            continue;
        }
        let text = fs::read(&path).context("read", &path)?;
        let deeds: Vec<Deed> = serde_json::from_slice(&text).map_err(|cause| {
            Error::new(Code::Internal, format!("Drydock's journal {} is damaged", path.display())).why(cause)
        })?;
        for deed in &deeds {
            recover(&data_dir.join("rescued"), deed)?;
        }
        disk::remove_file(&path).context("remove", &path)?;
    }
    Ok(())
}

fn recover(rescued: &Path, deed: &Deed) -> Result<()> {
    match deed {
        Deed::Place { staged, target, before, after } => {
            let kept = drydock_inside::recover(staged, target, *before, *after).context("finish", target)?;
            kept.iter().try_for_each(|path| rescue(rescued, path))
        }
        Deed::Append { target, at, tail, skip } => recover_append(target, *at, tail, *skip),
    }
}

/// Keeps a version that another program wrote and then replaced itself while Drydock was at the file.
pub(crate) fn rescue(rescued: &Path, path: &Path) -> Result<()> {
    create_private_dir(rescued)?;
    let to = rescued.join(uuid::Uuid::new_v4().to_string());
    match disk::rename(path, &to) {
        Ok(()) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::CrossesDevices => {
            super::held::copy(path, &to)?;
            disk::remove_file(path).context("remove", path)
        }
        Err(cause) => Err(Error::io("keep", path, &cause)),
    }
}

/// Finishes an append that stands there in part. Anything else behind `at` is another program's.
fn recover_append(target: &Path, at: u64, tail: &Path, skip: u64) -> Result<()> {
    let (Ok(mut source), Ok(now)) = (File::open(tail), fs::metadata(target)) else { return Ok(()) };
    source.seek(SeekFrom::Start(skip)).context("read", tail)?;
    let mut there = File::open(target).context("read", target)?;
    there.seek(SeekFrom::Start(at)).context("read", target)?;
    let mut done = there.take(now.len().saturating_sub(at));
    if now.len() <= at || !starts_with(&mut source, &mut done).context("compare", target)? {
        return Ok(());
    }
    let mut out = fs::OpenOptions::new().append(true).open(target).context("write", target)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match source.read(&mut buffer).context("read", tail)? {
            0 => return disk::sync(&out).context("flush", target),
            count => disk::write(&mut out, &buffer[..count]).context("write", target)?,
        }
    }
}

/// Whether the one begins with all of the other; both are then read as far.
fn starts_with(whole: &mut File, part: &mut impl Read) -> io::Result<bool> {
    let (mut ours, mut theirs) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = part.read(&mut theirs)?;
        if count == 0 {
            return Ok(true);
        }
        match whole.read_exact(&mut ours[..count]) {
            Ok(()) if ours[..count] == theirs[..count] => {}
            Ok(()) => return Ok(false),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(cause) => return Err(cause),
        }
    }
}

/// Removes what a process left in a folder that was killed while it staged. The caller holds the sync
/// lock and has recovered the journals: no living process, and no journal, knows of such a file.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(is_staged) {
            let _ = disk::remove_file(&entry.path());
        }
    }
}

fn is_staged(name: &str) -> bool {
    name.starts_with(".drydock-") && name.ends_with(".tmp")
}

fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}
