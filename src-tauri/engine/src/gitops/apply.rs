//! Changing several files as one: all of them become new, or all of them stay as they were, wherever the process is
//! ended.
//!
//! The new files are staged beside their places and written down in a journal; then each is exchanged with what is
//! there, which waits beside it; the whole is proven, and the record of it is the end: with that the new state holds and
//! the old files go, without it the next start takes all of it back. What another program wrote meanwhile stays in
//! either case. Nothing is copied elsewhere: secrets may be in these files.

use crate::{
    claude_home::FolderLock,
    error_handling::{Code, Error, IoContext, Result},
    paths::{create_private_dir, write_private},
};
use drydock_inside::{Before, Mark, Placed, Staged, digest::mark_of, disk, place};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// A file as it is to be.
#[derive(Debug)]
pub(super) struct NewFile {
    pub(super) target: PathBuf,
    /// What was read there; `None` is nothing.
    pub(super) before: Option<Mark>,
    /// `None` removes it.
    pub(super) after: Option<Vec<u8>>,
    /// Permission bits.
    pub(super) mode: u32,
    pub(super) lock: Lock,
}

/// Whether Claude Code has a lock for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Lock {
    ClaudeCodes,
    None,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Applied {
    /// All files are new.
    Done,
    /// Another program wrote one of them meanwhile; all others are as they were.
    Moved(PathBuf),
    /// It did not pass its check; all files are as they were.
    Unproven(Error),
}

#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    id: Uuid,
    deeds: Vec<Deed>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Deed {
    target: PathBuf,
    before: Option<Mark>,
    after: Option<Mark>,
    /// The new file until it is in its place, and then the old one.
    beside: PathBuf,
    lock: Lock,
}

/// Changes the files. `record` writes down that the transaction of this id holds.
///
/// # Errors
/// When a file cannot be read or written; all files are then as they were, or the next start makes them so.
pub(super) fn apply(
    folder: &Path,
    files: Vec<NewFile>,
    verify: impl FnOnce() -> Result<()>,
    record: impl FnOnce(Uuid) -> Result<Recorded>,
) -> Result<Applied> {
    create_private_dir(folder)?;
    let id = Uuid::new_v4();
    let mut staged = Vec::new();
    for file in files {
        staged.push(stage(file)?);
    }
    let journal = Journal { id, deeds: staged.iter().map(|(deed, _)| deed.clone()).collect() };
    let text = serde_json::to_vec(&journal)
        .map_err(|cause| Error::new(Code::Internal, "a journal could not be written down").why(cause))?;
    write_private(&journal_file(folder), &text)?;
    // From here on the next start takes back what is not recorded.
    let done = deeds(staged);
    let outcome = match done {
        Ok(None) => match verify() {
            Ok(()) => match record(id) {
                Ok(Recorded::Yes) => {
                    clear(folder, &journal.deeds)?;
                    return Ok(Applied::Done);
                }
                Ok(Recorded::No(error)) | Err(error) => Err(error),
            },
            // What another program wrote in this moment is not the commit's fault.
            Err(error) => {
                moved(&journal.deeds).map(|moved| moved.map_or(Applied::Unproven(error), Applied::Moved))
            }
        },
        Ok(Some(moved)) => Ok(Applied::Moved(moved)),
        Err(error) => Err(error),
    };
    take_back(&journal.deeds)?;
    clear(folder, &journal.deeds)?;
    outcome
}

/// Whether the record is there.
#[derive(Debug)]
pub(super) enum Recorded {
    Yes,
    /// It is not, for this reason.
    No(Error),
}

/// Whether an ended process was in the middle of a transaction.
pub(super) fn is_begun(folder: &Path) -> bool {
    journal_file(folder).is_file()
}

/// Finishes or takes back what an ended process was at. The caller holds the sync lock. `holds` says whether the transaction of an id is recorded.
///
/// # Errors
/// When a file cannot be read or written; it is tried again at the next start.
pub(super) fn recover(folder: &Path, holds: impl FnOnce(Uuid) -> bool) -> Result<()> {
    let file = journal_file(folder);
    let journal: Option<Journal> = match fs::read(&file) {
        Ok(text) => Some(serde_json::from_slice(&text).map_err(|cause| {
            Error::new(Code::GitopsState, format!("Drydock's journal {} is damaged", file.display()))
                .why(cause)
        })?),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
        Err(cause) => return Err(cause).context("read", &file),
    };
    let Some(journal) = journal else { return Ok(()) };
    if !holds(journal.id) {
        take_back(&journal.deeds)?;
    }
    clear(folder, &journal.deeds)
}

fn journal_file(folder: &Path) -> PathBuf {
    folder.join("journal.json")
}

fn stage(file: NewFile) -> Result<(Deed, Option<Staged>)> {
    let NewFile { target, before, after, mode, lock } = file;
    let parent = target.parent().unwrap_or(Path::new("/")).to_path_buf();
    if !parent.is_dir() {
        disk::create_folder(&parent).context("make the folder", &parent)?;
    }
    let staged = match &after {
        Some(text) => Some(Staged::write(&parent, mode, &mut &text[..]).context("write", &target)?),
        None => None,
    };
    let beside = match &staged {
        Some(staged) => staged.path().to_path_buf(),
        None => parent.join(format!(".drydock-{}.tmp", Uuid::new_v4().simple())),
    };
    let after = staged.as_ref().map(Staged::mark);
    Ok((Deed { target, before, after, beside, lock }, staged))
}

/// Does the deeds; the first place where another program was quicker, if any.
fn deeds(staged: Vec<(Deed, Option<Staged>)>) -> Result<Option<PathBuf>> {
    for (deed, staged) in staged {
        let _lock = (deed.lock == Lock::ClaudeCodes).then(|| FolderLock::on_state(&deed.target)).flatten();
        let is_done = match staged {
            Some(staged) => put(staged, &deed)?,
            None => set_aside(&deed)?,
        };
        if !is_done {
            return Ok(Some(deed.target));
        }
    }
    Ok(None)
}

/// The first place that does not hold any more what was put there, if any.
fn moved(deeds: &[Deed]) -> Result<Option<PathBuf>> {
    for deed in deeds {
        if mark_if_there(&deed.target)? != deed.after {
            return Ok(Some(deed.target.clone()));
        }
    }
    Ok(None)
}

fn put(staged: Staged, deed: &Deed) -> Result<bool> {
    let before = deed.before.map_or(Before::Nothing, Before::Holds);
    match place(staged, &deed.target, before).context("write", &deed.target)? {
        Placed::Done { displaced, .. } => {
            // Only a file system that cannot exchange puts it under another name.
            if let Some(old) = displaced.filter(|old| *old != deed.beside) {
                disk::rename(&old, &deed.beside).context("keep", &old)?;
            }
            Ok(true)
        }
        Placed::Surprise { kept } => {
            kept.iter().try_for_each(|old| disk::remove_file(old).context("remove", old))?;
            Ok(false)
        }
    }
}

/// Moves a file that is to go beside its place, if it is what it should be.
fn set_aside(deed: &Deed) -> Result<bool> {
    match disk::rename_no_replace(&deed.target, &deed.beside) {
        Ok(()) => {}
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(cause) => return Err(cause).context("remove", &deed.target),
    }
    let out = mark_of(&deed.beside).context("read", &deed.beside)?;
    if Some(out) == deed.before {
        return Ok(true);
    }
    bring_back(&deed.beside, &deed.target)?;
    Ok(false)
}

/// Gives a file its place back, unless something is there again.
fn bring_back(beside: &Path, target: &Path) -> Result<()> {
    match disk::rename_no_replace(beside, target) {
        Ok(()) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            disk::remove_file(beside).context("remove", beside)
        }
        Err(cause) => Err(cause).context("bring back", target),
    }
}

/// Makes all files what they were. What is not ours any more stays as it is.
fn take_back(deeds: &[Deed]) -> Result<()> {
    for deed in deeds.iter().rev() {
        let _lock = (deed.lock == Lock::ClaudeCodes).then(|| FolderLock::on_state(&deed.target)).flatten();
        let Some(after) = deed.after else {
            if deed.beside.exists() {
                bring_back(&deed.beside, &deed.target)?;
            }
            continue;
        };
        match mark_if_there(&deed.beside)? {
            // Nothing was there before: what is there is ours, or somebody's who wrote it since.
            None if deed.before.is_none() && mark_if_there(&deed.target)? == Some(after) => {
                let ours = Deed { before: Some(after), ..deed.clone() };
                if set_aside(&ours)? {
                    disk::remove_file(&deed.beside).context("remove", &deed.beside)?;
                }
            }
            None => {}
            // It was not put in its place.
            Some(out) if out == after => {
                disk::remove_file(&deed.beside).context("remove", &deed.beside)?;
            }
            Some(out) if Some(out) == deed.before => {
                let old = Staged::adopt(&deed.beside).context("read", &deed.beside)?;
                match place(old, &deed.target, Before::Holds(after)).context("take back", &deed.target)? {
                    Placed::Done { displaced, .. } => {
                        displaced
                            .iter()
                            .try_for_each(|ours| disk::remove_file(ours).context("remove", ours))?;
                    }
                    Placed::Surprise { kept } => {
                        kept.iter().try_for_each(|old| disk::remove_file(old).context("remove", old))?;
                    }
                }
            }
            // An exchange was in its middle, and another program's version came out.
            Some(_) => {
                let others = drydock_inside::recover(&deed.beside, &deed.target, deed.before, after)
                    .context("take back", &deed.target)?;
                others.iter().try_for_each(|old| disk::remove_file(old).context("remove", old))?;
            }
        }
    }
    Ok(())
}

/// Removes what waits beside the places, and then the journal.
fn clear(folder: &Path, deeds: &[Deed]) -> Result<()> {
    let journal = journal_file(folder);
    for path in deeds.iter().map(|deed| &deed.beside).chain([&journal]) {
        match disk::remove_file(path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(cause).context("remove", path);
            }
            _ => {}
        }
    }
    Ok(())
}

fn mark_if_there(path: &Path) -> Result<Option<Mark>> {
    match mark_of(path) {
        Ok(mark) => Ok(Some(mark)),
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(cause) => Err(cause).context("read", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            fs::write(folder.path("a"), "old a").unwrap();
            fs::write(folder.path("gone"), "old gone").unwrap();
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn read(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.path(name)).ok()
        }

        fn file(&self, name: &str, after: Option<&str>) -> NewFile {
            let target = self.path(name);
            let before = mark_if_there(&target).unwrap();
            let after = after.map(|text| text.as_bytes().to_vec());
            NewFile { target, before, after, mode: 0o600, lock: Lock::None }
        }

        fn files(&self) -> Vec<NewFile> {
            vec![self.file("a", Some("new a")), self.file("new", Some("new")), self.file("gone", None)]
        }

        fn apply(&self, files: Vec<NewFile>, verify: impl FnOnce() -> Result<()>) -> Applied {
            apply(&self.path("transaction"), files, verify, |_| Ok(Recorded::Yes)).unwrap()
        }

        fn assert_old(&self) {
            assert_eq!(self.read("a").as_deref(), Some("old a"));
            assert_eq!(self.read("new"), None);
            assert_eq!(self.read("gone").as_deref(), Some("old gone"));
            self.assert_clear();
        }

        fn assert_clear(&self) {
            let left: Vec<_> = walkdir::WalkDir::new(self.0.path())
                .into_iter()
                .flatten()
                .filter(|entry| entry.file_type().is_file())
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .filter(|name| !["a", "new", "gone"].contains(&name.as_str()))
                .collect();
            assert_eq!(left, [""; 0]);
        }
    }

    #[test]
    fn all_files_become_new_together() {
        let folder = Folder::new();
        assert!(matches!(folder.apply(folder.files(), || Ok(())), Applied::Done));
        assert_eq!(folder.read("a").as_deref(), Some("new a"));
        assert_eq!(folder.read("new").as_deref(), Some("new"));
        assert_eq!(folder.read("gone"), None);
        folder.assert_clear();
    }

    #[test]
    fn what_does_not_pass_its_check_is_taken_back() {
        let folder = Folder::new();
        let applied = folder
            .apply(folder.files(), || Err(Error::new(Code::GitopsUnproven, "it is not what it should be")));
        assert!(matches!(applied, Applied::Unproven(_)));
        folder.assert_old();
    }

    #[test]
    fn what_another_program_wrote_meanwhile_stays_and_the_rest_is_as_it_was() {
        let folder = Folder::new();
        let mut files = folder.files();
        // It was read before the other program wrote it.
        files[2].before = files[0].before;
        assert!(matches!(folder.apply(files, || Ok(())), Applied::Moved(_)));
        folder.assert_old();

        let files = folder.files();
        let applied = apply(
            &folder.path("transaction"),
            files,
            || {
                fs::write(folder.path("a"), "somebody's").unwrap();
                Err(Error::new(Code::GitopsUnproven, "no"))
            },
            |_| Ok(Recorded::Yes),
        );
        assert!(matches!(applied.unwrap(), Applied::Moved(_)));
        assert_eq!(folder.read("a").as_deref(), Some("somebody's"));
        assert_eq!((folder.read("new"), folder.read("gone").as_deref()), (None, Some("old gone")));
        folder.assert_clear();
    }

    #[test]
    fn what_could_not_be_recorded_is_taken_back() {
        let folder = Folder::new();
        let full = || Error::new(Code::DiskFull, "full");
        let done =
            apply(&folder.path("transaction"), folder.files(), || Ok(()), |_| Ok(Recorded::No(full())));
        assert_eq!(done.unwrap_err().code(), Code::DiskFull);
        folder.assert_old();
    }
}
