//! Notes of what is being put into a session's home, so that what a killed process left is finished by
//! the next.

use crate::{Mark, disk, recover};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where they are, below the root: Drydock's own folder in a session's home.
const FOLDER: &str = ".drydock";

/// One file on its way to its place.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Its place, below the root.
    pub(crate) name: String,
    /// The staged file's own name, in the same folder.
    pub(crate) staged: String,
    /// What is in the place.
    pub(crate) before: Option<Mark>,
    /// What will be.
    pub(crate) after: Mark,
}

impl Note {
    /// Writes it down, flushed; gives back its file.
    pub(crate) fn write(&self, root: &Path) -> io::Result<PathBuf> {
        let folder = root.join(FOLDER);
        if !folder.is_dir() {
            disk::create_folder(&folder)?;
        }
        let file = folder.join(format!("put-{}", self.staged));
        let bytes = postcard::to_allocvec(self).map_err(io::Error::other)?;
        let mut out = disk::create(&file, 0o600)?;
        disk::write(&mut out, &bytes).and_then(|()| disk::sync(&out))?;
        disk::sync_folder(&folder)?;
        Ok(file)
    }
}

/// Finishes what killed processes left. The caller knows that no living one is at work.
///
/// Versions of the session's own that it has replaced itself are removed: nobody but the session knows
/// of them, and it does no more.
pub(crate) fn recover_all(root: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(FOLDER)) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(cause),
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(|name| name.starts_with("put-")) {
            continue;
        }
        // One cut short was written before anything was done.
        if let Ok(note) = postcard::from_bytes::<Note>(&fs::read(entry.path())?) {
            let plain =
                |text: &str| !text.is_empty() && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
            if plain(&note.name) && plain(&note.staged) && !note.staged.contains('/') {
                let target = root.join(&note.name);
                let staged = target.with_file_name(&note.staged);
                for old in recover(&staged, &target, note.before, note.after)? {
                    disk::remove_file(&old)?;
                }
            }
        }
        disk::remove_file(&entry.path())?;
    }
    Ok(())
}
