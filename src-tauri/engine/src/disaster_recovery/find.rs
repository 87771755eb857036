//! The newest snapshot that is good, over all three copies, and the newest that has a given file whole.

use super::plan::{Chosen, Skipped, Source};
use crate::{
    backup::{Backups, Listed, ListedKind, ListedSnapshot, Reason, SnapshotId},
    error_handling::{Code, Error, Result},
    progress::ProgressSink,
};
use chrono::{DateTime, Utc};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    rc::Rc,
};

/// So many of the newest snapshots are looked through for a file that the newest does not have whole.
const NEWEST: usize = 8;
/// And so many of the older ones.
const OLDER: usize = 4;

/// What a look for a good snapshot found.
#[derive(Debug, Default)]
pub struct GoodBackups {
    /// The newest in which everything is whole.
    pub best: Option<Chosen>,
    /// Newer ones in which something is not, and what.
    pub skipped: Vec<Skipped>,
    /// What had to be mended in the backups to read them.
    pub mended: Vec<String>,
    /// All that may be used, the newest first: where one document of a snapshot is damaged, its other files are
    /// as good as any.
    snapshots: Vec<ListedSnapshot>,
    files: HashMap<SnapshotId, Files>,
}

/// The files of a snapshot, by their names in it.
type Files = Rc<HashMap<PathBuf, Listed>>;

/// Finds the newest snapshot that verifies and validates. A copy that is gone or damaged is mended from the
/// others on the way; which snapshots were passed over, and why, is in the answer. Blocking.
///
/// # Errors
/// [`Code::BackupNone`] when there is no backup at all, [`Code::BackupKey`] when nothing opens it,
/// [`Code::SnapshotUnknown`] when the one that is wanted is not there.
pub fn find_good_backup(
    backups: &Backups,
    source: &Source,
    now: DateTime<Utc>,
    progress: &ProgressSink,
) -> Result<GoodBackups> {
    let (mut snapshots, mended) = backups.recoverable(now, progress)?;
    if let Source::Snapshot(wanted) = source {
        snapshots.retain(|one| one.snapshot.id == *wanted);
        if snapshots.is_empty() {
            return Err(Error::new(Code::SnapshotUnknown, format!("there is no snapshot {wanted}"))
                .remedy("drydock backup list"));
        }
    }
    let mut found = GoodBackups { mended, ..GoodBackups::default() };
    // What was there just before a recovery is the damage itself, as far as a document can show it or not.
    let (before_recoveries, usual): (Vec<_>, Vec<_>) =
        snapshots.iter().partition(|one| one.snapshot.reason == Reason::PreRecovery);
    for one in usual.into_iter().chain(before_recoveries) {
        let (id, taken) = (one.snapshot.id.clone(), one.snapshot.time);
        match fault(one) {
            Some(why) => found.skipped.push(Skipped { id, taken, why }),
            None => {
                found.best = Some(Chosen { id, taken });
                break;
            }
        }
    }
    if matches!(source, Source::Snapshot(_)) {
        // Who names one wants that one.
        found.best =
            snapshots.first().map(|one| Chosen { id: one.snapshot.id.clone(), taken: one.snapshot.time });
        found.skipped.clear();
    }
    found.snapshots = snapshots;
    Ok(found)
}

/// Why a snapshot is not good.
fn fault(one: &ListedSnapshot) -> Option<String> {
    if let Some(damaged) = one.snapshot.damaged.first() {
        return Some(format!("its {} is damaged: {}", damaged.name, damaged.fault));
    }
    if let Some(name) = one.snapshot.unread.first() {
        return Some(format!("it is without {name}, which could not be read"));
    }
    if one.broken {
        return Some("it has lost data".to_owned());
    }
    (!one.good).then(|| "the ledger does not vouch for it".to_owned())
}

impl GoodBackups {
    /// Where there is no backup that could be used, and why.
    pub(super) fn none(why: &Error) -> Self {
        Self {
            mended: vec![format!("there is no backup to recover from: {}", why.message())],
            ..Self::default()
        }
    }

    /// All that may be used, the newest first.
    pub(super) fn snapshots(&self) -> &[ListedSnapshot] {
        &self.snapshots
    }

    /// All of them, the newest first.
    pub(super) fn all(&self) -> Vec<Chosen> {
        let chosen = |one: &ListedSnapshot| Chosen { id: one.snapshot.id.clone(), taken: one.snapshot.time };
        self.snapshots.iter().map(chosen).collect()
    }

    /// The files of a snapshot.
    pub(super) fn files(&mut self, backups: &Backups, snapshot: &SnapshotId) -> Result<Files> {
        if let Some(files) = self.files.get(snapshot) {
            return Ok(files.clone());
        }
        let mut wanted = self.looked_through();
        if !wanted.contains(snapshot) {
            wanted = vec![snapshot.clone()];
        }
        // All at once: each look opens the repository.
        for (id, files) in wanted.iter().zip(backups.files_of(&wanted)?) {
            let files = files.into_iter().map(|file| (file.path.clone(), file)).collect();
            self.files.insert(id.clone(), Rc::new(files));
        }
        Ok(self.files.get(snapshot).cloned().unwrap_or_default())
    }

    /// The snapshots that are looked through: the newest, and some of the others.
    fn looked_through(&self) -> Vec<SnapshotId> {
        let ids: Vec<_> = self.snapshots.iter().map(|one| one.snapshot.id.clone()).collect();
        let (newest, rest) = ids.split_at(ids.len().min(NEWEST));
        let step = rest.len().div_ceil(OLDER).max(1);
        newest.iter().chain(rest.iter().skip(step - 1).step_by(step)).cloned().collect()
    }

    /// The snapshots after `after` that have a file and say nothing bad of it, the newest first, and the file in
    /// them.
    pub(super) fn all_with(
        &mut self,
        backups: &Backups,
        name: &Path,
        after: Option<&SnapshotId>,
    ) -> Vec<(Chosen, Listed)> {
        let text = name.to_string_lossy().into_owned();
        let mut ids = self.looked_through();
        if let Some(at) = after.and_then(|after| ids.iter().position(|id| id == after)) {
            ids.drain(..=at);
        }
        let mut found = Vec::new();
        for id in ids {
            let Some(one) = self.snapshots.iter().find(|one| one.snapshot.id == id) else { continue };
            if one.snapshot.damaged.iter().any(|damaged| damaged.name == text) {
                continue;
            }
            let chosen = Chosen { id: id.clone(), taken: one.snapshot.time };
            let files = match self.files(backups, &id) {
                Ok(files) => files,
                Err(error) => {
                    tracing::warn!(%error, "a snapshot cannot be looked into");
                    continue;
                }
            };
            let file = files.get(name).or_else(|| files.get(&archived(name)?));
            found.extend(file.map(|file| (chosen, file.clone())));
        }
        found
    }

    /// The newest of them.
    pub(super) fn next_with(
        &mut self,
        backups: &Backups,
        name: &Path,
        after: Option<&SnapshotId>,
    ) -> Option<(Chosen, Listed)> {
        self.all_with(backups, name, after).into_iter().next()
    }

    /// The one in which a file that only grows is longest, and all newer ones in which it is another, the newest
    /// first: each of them may have records that no other has.
    pub(super) fn versions(&mut self, backups: &Backups, name: &Path) -> Vec<(Chosen, Listed)> {
        let mut all = self.all_with(backups, name, None);
        all.retain(|(_, file)| file.kind == ListedKind::File);
        // Of equals the newest.
        let longest = all.iter().map(|(_, file)| file.size).max().unwrap_or_default();
        let end = all.iter().position(|(_, file)| file.size == longest).map_or(0, |at| at + 1);
        all.truncate(end);
        all.dedup_by(|a, b| (a.1.size, a.1.modified) == (b.1.size, b.1.modified));
        all
    }
}

/// The name of a conversation that was gone when the snapshot was taken.
fn archived(name: &Path) -> Option<PathBuf> {
    name.strip_prefix(".claude").ok().map(|below| Path::new("archive").join(below))
}
