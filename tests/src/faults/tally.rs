//! When kills came, counted by what they left.

use crate::rig::log;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};
use walkdir::WalkDir;

/// How many kills came before, in and after the work.
#[derive(Debug, Default)]
pub struct Tally {
    before: usize,
    during: usize,
    /// Those of them that left half-written files.
    torn: usize,
    after: usize,
}

/// The files below a folder, as far as a change of them shows.
#[derive(PartialEq, Eq)]
pub struct Trace(BTreeMap<PathBuf, (u64, SystemTime)>);

impl Trace {
    /// That of a folder as it is now.
    pub fn of(folder: &Path) -> Self {
        let files = WalkDir::new(folder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
        let known = files.filter_map(|entry| {
            let data = fs::metadata(entry.path()).ok()?;
            Some((entry.into_path(), (data.len(), data.modified().ok()?)))
        });
        Self(known.collect())
    }
}

impl Tally {
    /// Counts a kill by what it left of a folder.
    pub fn count(&mut self, had_ended: bool, before: &Trace, folder: &Path) {
        if had_ended {
            self.after += 1;
        } else if *before == Trace::of(folder) {
            self.before += 1;
        } else {
            self.during += 1;
            self.torn += usize::from(!unfinished(folder).is_empty());
        }
    }

    /// Says it in the log of the run.
    pub fn tell(&self, what: &str) {
        let Self { before, during, torn, after } = self;
        log(&format!(
            "{what}: {} kills: {before} before anything was written, {during} during ({torn} left half a file), {after} after the end",
            before + during + after
        ));
    }
}

/// What processes leave that are ended in the middle of a write.
pub fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let is_unfinished = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(".drydock-") && name.ends_with(".tmp") || name.starts_with(".drydock-heal-")
    };
    WalkDir::new(folder)
        .into_iter()
        .flatten()
        .map(walkdir::DirEntry::into_path)
        .filter(is_unfinished)
        .collect()
}
