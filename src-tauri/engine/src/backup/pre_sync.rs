//! What is kept of the host home just before a sync changes it.

use super::{
    Backups,
    repository::order::{Reading, Wait},
    snapshot::{Reason, SnapshotId},
};
use crate::{
    error_handling::{Error, IoContext, Result},
    paths::create_private_dir,
    progress::ProgressSink,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How many plain copies are kept.
const KEPT: usize = 20;

/// Where what a sync changes is kept.
#[derive(Debug, Clone)]
pub enum BeforeSync {
    /// In a snapshot; as plain copies where none can be taken now.
    Snapshot(Box<Backups>),
    /// As plain copies in this folder.
    Files(PathBuf),
}

/// What was kept.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kept")]
pub enum PreSyncBackup {
    /// The whole host home, in a snapshot of the local copy.
    Snapshot {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// The files that were about to change.
    Files {
        /// The folder with the files, by their names below the home.
        folder: PathBuf,
        /// How many files it holds.
        files: usize,
    },
}

/// Keeps the host home, or at least `files` of it (names below `home`), as they are before a sync changes
/// them: flushed to disk and in place before it returns. `None` when none of the files is there.
///
/// A snapshot is taken once there is a first one: that one takes long, and is not for a sync to wait for.
/// Where none can be taken, the files are copied into `<backups>/pre-sync/<time>-<session>/`.
///
/// # Errors
/// When a file cannot be kept either way: then the sync must not go on.
pub fn pre_sync_backup(
    before: &BeforeSync,
    home: &Path,
    session: &str,
    files: &[PathBuf],
    now: DateTime<Utc>,
) -> Result<Option<PreSyncBackup>> {
    let there: Vec<_> = files.iter().filter(|name| home.join(name).is_file()).collect();
    if there.is_empty() {
        return Ok(None);
    }
    let folder = match before {
        BeforeSync::Files(folder) => folder,
        BeforeSync::Snapshot(backups) => {
            if backups.has_snapshot() {
                let nobody = ProgressSink::none();
                match backups.take(Reason::PreSync, Reading::Changed, Wait::Short, &nobody) {
                    Ok(taken) => return Ok(Some(PreSyncBackup::Snapshot { snapshot: taken.id().clone() })),
                    Err(error) => tracing::warn!(%error, "no snapshot before this sync; files are copied"),
                }
            }
            backups.root()
        }
    };
    copy_files(folder, home, session, &there, now).map(Some)
}

/// Where the file system can, a copy is a clone and takes no space (`fs::copy` uses it).
fn copy_files(
    backups: &Path,
    home: &Path,
    session: &str,
    there: &[&PathBuf],
    now: DateTime<Utc>,
) -> Result<PreSyncBackup> {
    let all = backups.join("pre-sync");
    create_private_dir(&all)?;
    let staged =
        tempfile::Builder::new().prefix(".new-").tempdir_in(&all).context("make a folder in", &all)?;
    for name in there {
        let target = staged.path().join(name);
        if let Some(dir) = target.parent() {
            create_private_dir(dir)?;
        }
        fs::copy(home.join(name), &target).context("copy", &home.join(name))?;
        fs::File::open(&target).and_then(|file| file.sync_all()).context("flush", &target)?;
    }
    let folder = all.join(format!("{}-{session}", now.format("%Y-%m-%dT%H-%M-%S%.3fZ")));
    let staged = staged.keep();
    fs::rename(&staged, &folder).context("name", &folder)?;
    fs::File::open(&all).and_then(|dir| dir.sync_all()).context("flush", &all)?;
    forget_old(&all)?;
    Ok(PreSyncBackup::Files { folder, files: there.len() })
}

fn forget_old(all: &Path) -> Result<()> {
    let mut names: Vec<_> = fs::read_dir(all)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()
        })
        .context("list", all)?;
    names.retain(|name| !name.to_string_lossy().starts_with('.'));
    names.sort();
    let spare = names.len().saturating_sub(KEPT);
    for name in names.into_iter().take(spare) {
        let folder = all.join(name);
        match fs::remove_dir_all(&folder) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &folder, &cause));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn files_are_copied_by_name_and_old_copies_go() {
        let home = tempfile::tempdir().unwrap();
        let backups = home.path().join(".claude-backups");
        fs::create_dir_all(home.path().join(".claude/projects/p")).unwrap();
        fs::write(home.path().join(".claude/projects/p/a.jsonl"), "one").unwrap();
        let files = [PathBuf::from(".claude/projects/p/a.jsonl"), PathBuf::from(".claude/new.jsonl")];
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        for second in 0..25 {
            let now = start + TimeDelta::seconds(second);
            let before = BeforeSync::Files(backups.clone());
            let made = pre_sync_backup(&before, home.path(), "s", &files, now).unwrap().unwrap();
            let PreSyncBackup::Files { folder, files: 1 } = made else { panic!("not one file") };
            assert_eq!(fs::read_to_string(folder.join(".claude/projects/p/a.jsonl")).unwrap(), "one");
        }
        assert_eq!(fs::read_dir(backups.join("pre-sync")).unwrap().count(), KEPT);
    }

    #[test]
    fn nothing_to_change_makes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let backups = home.path().join("b");
        assert!(
            pre_sync_backup(&BeforeSync::Files(backups.clone()), home.path(), "s", &["x".into()], Utc::now())
                .unwrap()
                .is_none()
        );
        assert!(!backups.exists());
    }
}
