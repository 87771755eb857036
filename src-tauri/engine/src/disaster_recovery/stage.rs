//! Bringing what a plan needs out of the backups: into a folder beside the host home, checked there.

use super::{
    Recovery,
    find::{GoodBackups, find_good_backup},
    plan::{Act, Item, Plan, Source},
    recovery::{Left, Then},
};
use crate::{
    backup::{Fetched, Listed, SnapshotId},
    claude_home::{Class, class_of},
    error_handling::{Code, Error, Result},
    progress::ProgressSink,
    validation::{Fix, Severity, validate_file},
};
use chrono::Utc;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What a file is made of.
#[derive(Debug)]
pub(super) enum Content {
    /// A file of a snapshot, as it is.
    Restored(PathBuf),
    /// Records of backups, the oldest first, and the intact ones of the damaged file.
    Records(Vec<PathBuf>),
    /// A document of a backup, and the whole members of the damaged one.
    Document(Option<PathBuf>),
    /// The present content, with this change.
    Fixed(Fix),
}

/// A file that is ready to be put in its place.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) item: Item,
    pub(super) content: Content,
}

/// Files out of the backups, in folders that go with this value.
#[derive(Default)]
pub struct StagedFiles {
    pub(super) ready: Vec<Ready>,
    /// What cannot be recovered, and why.
    pub left: Vec<Left>,
    fetched: Vec<Fetched>,
}

impl std::fmt::Debug for StagedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StagedFiles")
            .field("ready", &self.ready)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl StagedFiles {
    /// How many files are ready.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ready.len()
    }
}

/// Restores what a plan needs into staging folders on the volume of the host home, and checks it there: each
/// piece against the snapshot, each file by its form. What is damaged in one snapshot comes from the next that
/// has it whole. The host home is not changed. Blocking.
///
/// # Errors
/// When the disk is full, or the backups cannot be read.
pub fn restore_from_backup(recovery: &Recovery, plan: &Plan, progress: &ProgressSink) -> Result<StagedFiles> {
    let mut staged = StagedFiles::default();
    let mut wanted: BTreeMap<&SnapshotId, Vec<&Item>> = BTreeMap::new();
    for item in &plan.items {
        match &item.act {
            Act::Fix { fix } => {
                staged.ready.push(Ready { item: item.clone(), content: Content::Fixed(*fix) });
            }
            Act::ByHand { remedy } => {
                let then = Then::ByHand { remedy: remedy.clone() };
                staged.left.push(Left { file: item.file.clone(), why: item.why.clone(), then });
            }
            Act::FromClaudeCode { file } => {
                let content = Content::Document(Some(file.clone()));
                staged.ready.push(Ready { item: item.clone(), content });
            }
            Act::KeepWhatIsWhole => {
                let content =
                    if is_records(item) { Content::Records(Vec::new()) } else { Content::Document(None) };
                staged.ready.push(Ready { item: item.clone(), content });
            }
            Act::BringBack { snapshot } | Act::Merge { snapshot } | Act::Replace { snapshot } => {
                wanted.entry(snapshot).or_default().push(item);
            }
        }
    }
    let mut look = None;
    for (snapshot, items) in wanted {
        let names: Vec<_> = items.iter().map(|item| item.name.clone()).collect();
        let fetched = match recovery.backups.fetch(snapshot, &names, progress) {
            Ok(fetched) => Some(fetched),
            Err(error) if error.code() == Code::DiskFull => return Err(error),
            Err(error) => {
                tracing::warn!(%snapshot, %error, "a snapshot could not be read; older ones are tried");
                None
            }
        };
        for item in items {
            let first = fetched.as_ref().map(|fetched| fetched.path(&item.name));
            let first = first.filter(|path| path.symlink_metadata().is_ok());
            add(recovery, &mut staged, item, snapshot, first, &mut look)?;
        }
        staged.fetched.extend(fetched);
    }
    Ok(staged)
}

/// Adds one file, from its snapshot or, where that has it damaged or not at all, from older ones. Of records
/// every newer version is added as well: each may have some that no other has.
fn add(
    recovery: &Recovery,
    staged: &mut StagedFiles,
    item: &Item,
    snapshot: &SnapshotId,
    first: Option<PathBuf>,
    look: &mut Option<GoodBackups>,
) -> Result<()> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut is_good = false;
    if let Some(path) = first {
        is_good = is_whole(recovery, &path, item);
        found.push(path);
    }
    let nobody = ProgressSink::none();
    let name = recovery.backups.name_of(&item.file).unwrap_or_else(|| item.name.clone());
    if look.is_none() && (!is_good || is_records(item)) {
        *look = Some(find_good_backup(&recovery.backups, &Source::NewestGood, Utc::now(), &nobody)?);
    }
    let mut why = "no snapshot has it whole".to_owned();
    let mut fetch = |chosen: &SnapshotId, listed: &Listed, staged: &mut StagedFiles| match recovery
        .backups
        .fetch(chosen, std::slice::from_ref(&listed.path), &nobody)
    {
        Ok(fetched) => {
            let path = Some(fetched.path(&listed.path)).filter(|path| path.symlink_metadata().is_ok());
            staged.fetched.push(fetched);
            Ok(path)
        }
        Err(error) if error.code() == Code::DiskFull => Err(error),
        Err(error) => {
            tracing::warn!(snapshot = %chosen, %error, "a snapshot could not be read");
            why = error.to_string();
            Ok(None)
        }
    };
    if let Some(look) = look.as_mut() {
        let mut after = snapshot.clone();
        while !is_good {
            let Some((next, listed)) = look.next_with(&recovery.backups, &name, Some(&after)) else { break };
            after = next.id.clone();
            if let Some(path) = fetch(&next.id, &listed, staged)? {
                is_good = is_whole(recovery, &path, item);
                found.push(path);
            }
        }
        // The oldest first.
        found.reverse();
        if is_records(item) {
            let newer = look.versions(&recovery.backups, &name).into_iter();
            let newer: Vec<_> = newer.take_while(|(chosen, _)| chosen.id != *snapshot).collect();
            for (chosen, listed) in newer.into_iter().rev() {
                found.extend(fetch(&chosen.id, &listed, staged)?);
            }
        }
    }
    // For anything but records the last one tried is the good one, if there is any.
    let content = if is_records(item) && !found.is_empty() {
        Content::Records(found)
    } else {
        match (is_good, found.into_iter().next(), &item.act) {
            (true, Some(path), Act::Merge { .. }) => Content::Document(Some(path)),
            (true, Some(path), _) => Content::Restored(path),
            (false, _, Act::Merge { .. }) => Content::Document(None),
            (_, _, _) => {
                staged.left.push(Left {
                    file: item.file.clone(),
                    why,
                    then: Then::Failed { remedy: "drydock backup verify --all --heal".to_owned() },
                });
                return Ok(());
            }
        }
    };
    staged.ready.push(Ready { item: item.clone(), content });
    Ok(())
}

/// Whether a staged file is one that Claude Code can work with.
fn is_whole(recovery: &Recovery, path: &Path, item: &Item) -> bool {
    if path.is_symlink() {
        return true;
    }
    let found = validate_file(&recovery.locations, path, &below(item));
    found.iter().all(|finding| finding.severity == Severity::Note || finding.fix.is_some())
}

/// Its name in Claude Code's folder.
pub(super) fn below(item: &Item) -> String {
    let name = item.name.strip_prefix(".claude").or_else(|_| item.name.strip_prefix("archive"));
    name.unwrap_or(&item.name).to_string_lossy().into_owned()
}

pub(super) fn is_records(item: &Item) -> bool {
    matches!(class_of(&below(item)), Class::Transcript | Class::PromptHistory)
}

/// An error of a step in which nothing was changed.
pub(super) fn unproven(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(Code::RecoveryUnproven, format!("{} could not be made whole", file.display())).why(why)
}
