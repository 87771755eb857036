//! The files of a record in the order in which they were written.

use super::super::line_log::numbered_files;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A day's file may still get a line by a process that read the clock just before midnight.
const STRAGGLERS: TimeDelta = TimeDelta::minutes(1);

/// What is read: a file of lines with those that were put aside, or a folder with such a file for each day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chain {
    File(PathBuf),
    Days(PathBuf),
}

/// One file of it, as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    path: PathBuf,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) length: u64,
}

impl Part {
    fn at(path: PathBuf) -> Option<Self> {
        let data = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        Some(Self { path, device: data.dev(), inode: data.ino(), length: data.len() })
    }

    /// Opens it; `None` when another file has its name by now.
    pub(super) fn open(&self) -> io::Result<Option<File>> {
        let file = match File::open(&self.path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let data = file.metadata()?;
        Ok(((data.dev(), data.ino()) == (self.device, self.inode)).then_some(file))
    }
}

impl Chain {
    /// Its files, the oldest first. Only the last one still grows.
    pub(super) fn parts(&self, now: DateTime<Utc>) -> Vec<Part> {
        let files = match self {
            Self::File(path) => numbered_files(path),
            Self::Days(folder) => days(folder, now).iter().flat_map(|day| numbered_files(day)).collect(),
        };
        // From the newest back: files move away from it while they are put aside, so none is passed over, and
        // one that is met twice is the same.
        let mut parts: Vec<Part> = Vec::new();
        for part in files.into_iter().rev().filter_map(Part::at) {
            if !parts.iter().any(|known| (known.device, known.inode) == (part.device, part.inode)) {
                parts.push(part);
            }
        }
        parts.reverse();
        parts
    }

    /// Whether there are as many files as there ever are: then another may have been there before them.
    pub(super) fn is_full(&self, parts: &[Part]) -> bool {
        match self {
            Self::File(path) => parts.len() == numbered_files(path).len(),
            Self::Days(_) => false,
        }
    }
}

fn days(folder: &Path, now: DateTime<Utc>) -> Vec<PathBuf> {
    let day_of = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_prefix("traces-")?.strip_suffix(".jsonl")?;
        NaiveDate::parse_from_str(name, "%Y%m%d").ok()
    };
    let has_begun = |day: NaiveDate| {
        day.and_hms_opt(0, 0, 0).is_some_and(|midnight| now >= midnight.and_utc() + STRAGGLERS)
    };
    let mut days: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter_map(|path| day_of(&path).map(|day| (day, path)))
        .filter(|(day, _)| has_begun(*day))
        .collect();
    days.sort();
    days.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_left_for_the_next_a_minute_after_midnight() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["traces-20260102.jsonl", "traces-20260101.jsonl", "traces-20260101.jsonl.1", "notes"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let chain = Chain::Days(folder.path().to_path_buf());
        let names = |at: &str| -> Vec<_> {
            let parts = chain.parts(at.parse().unwrap());
            parts.into_iter().map(|part| part.path.file_name().unwrap().to_owned()).collect()
        };
        assert_eq!(names("2026-01-02T00:00:30Z"), ["traces-20260101.jsonl.1", "traces-20260101.jsonl"]);
        assert_eq!(names("2026-01-02T00:01:00Z").len(), 3);
    }
}
