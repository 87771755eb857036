//! Notes of what is being put into a session's home, so that what a killed process left is finished by
//! the next.

use crate::{
    Mark, disk, recover,
    root::{Folder, Missing, Root},
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
};

/// Where they are, below the root: Drydock's own folder in a session's home.
const FOLDER: &str = ".drydock";
/// What a note's file name begins with.
const PREFIX: &str = "put-";
/// A note is a name and a few digests.
const LARGEST: u64 = 64 << 10;

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

/// A note that is written down.
pub(crate) struct Written {
    /// Held open: the path goes through it.
    _folder: Folder,
    path: PathBuf,
}

impl Written {
    /// Removes it, when what it says is done.
    pub(crate) fn remove(self) -> io::Result<()> {
        disk::remove_file(&self.path)
    }
}

impl Note {
    /// Writes it down, flushed.
    pub(crate) fn write(&self, root: &Root) -> io::Result<Written> {
        let folder = root.folder(&[FOLDER], Missing::Make)?;
        let path = folder.path().join(format!("{PREFIX}{}", self.staged));
        let bytes = postcard::to_allocvec(self).map_err(io::Error::other)?;
        let mut out = disk::create(&path, 0o600)?;
        disk::write(&mut out, &bytes).and_then(|()| disk::sync(&out))?;
        disk::sync_folder(&folder.path())?;
        Ok(Written { _folder: folder, path })
    }
}

/// Finishes what killed processes left. The caller knows that no living one is at work.
///
/// The session can write here as well: what is no note of ours, or says what no note of ours says, is
/// removed or passed over, and never keeps the others from being finished. Versions of the session's
/// own that it has replaced itself are removed: nobody but the session knows of them, and it does no
/// more.
pub(crate) fn recover_all(root: &Root) -> io::Result<()> {
    let folder = match root.folder(&[FOLDER], Missing::Fail) {
        Ok(folder) => folder,
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => {
            return Ok(());
        }
        Err(cause) => return Err(cause),
    };
    for entry in fs::read_dir(folder.path())?.flatten() {
        let file_name = entry.file_name();
        let Some(name) = file_name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        // One cut short was written before anything was done.
        if let Some(note) = read(root, name) {
            match finish(root, &note) {
                Err(cause)
                    if !matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) =>
                {
                    return Err(cause);
                }
                _ => {}
            }
        }
        disk::remove_file(&entry.path())?;
    }
    Ok(())
}

fn read(root: &Root, name: &str) -> Option<Note> {
    let mut bytes = Vec::new();
    root.open(&format!("{FOLDER}/{name}")).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
    postcard::from_bytes(&bytes).ok()
}

fn finish(root: &Root, note: &Note) -> io::Result<()> {
    let own = note.staged.starts_with(".drydock-") && note.staged.ends_with(".tmp");
    if !own || note.staged.contains('/') {
        return Ok(());
    }
    let (folder, target) = root.target(&note.name, Missing::Fail)?;
    let staged = folder.path().join(&note.staged);
    recover(&staged, &target, note.before, note.after)?.iter().try_for_each(|old| disk::remove_file(old))
}
