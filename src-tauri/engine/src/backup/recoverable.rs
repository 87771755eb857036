//! What a recovery asks of the backups: which snapshots there are, what is in them, and files of them.

use super::{
    Backups, Depth, Fault, Heal, Verdict,
    repository::{FailedFile, Listed, order::Work},
    restore::Staging,
    snapshot::{CopyName, Reason, SnapshotId},
    snapshots::ListedSnapshot,
};
use crate::{
    error_handling::{Code, Result},
    paths::Locations,
    progress::{Progress, ProgressSink},
    validation::{Earlier, EarlierFile},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// Files of a snapshot, in a folder that goes with this value.
pub(crate) struct Fetched {
    staging: Staging,
    /// Those that could not be had.
    pub(crate) failed: Vec<FailedFile>,
}

impl Fetched {
    /// Where a file of the snapshot is.
    pub(crate) fn path(&self, name: &Path) -> PathBuf {
        self.staging.path.join(name)
    }
}

impl Backups {
    /// The snapshots, the newest first, and in words what had to be mended to read them: where the local
    /// copy is gone or damaged, it is brought back from the others.
    ///
    /// # Errors
    /// [`Code::BackupNone`] when there is no backup, [`Code::BackupKey`] when nothing opens it.
    pub(crate) fn recoverable(
        &self,
        now: DateTime<Utc>,
        progress: &ProgressSink,
    ) -> Result<(Vec<ListedSnapshot>, Vec<String>)> {
        let mut mended = Vec::new();
        let listed = match self.list() {
            Ok(listed) if self.has_all_expected(&listed) => Ok(listed),
            Err(error) if matches!(error.code(), Code::BackupKey | Code::KeychainLocked) => Err(error),
            other => {
                progress.report(Progress::Step("bringing the local copy of the backups back".to_owned()));
                if let Err(error) = &other {
                    mended.push(format!("the local copy could not be read: {}", error.message()));
                }
                mended.extend(self.mend(now, progress)?);
                self.list().or(other)
            }
        };
        let mut listed = listed?;
        listed.sort_by_key(|one| std::cmp::Reverse(one.snapshot.time));
        Ok((listed, mended))
    }

    /// Whether each snapshot is there that the ledger tells of.
    fn has_all_expected(&self, listed: &[ListedSnapshot]) -> bool {
        let Ok(ledger) = self.sound_ledger() else { return false };
        !listed.is_empty()
            && ledger.expected().iter().all(|id| listed.iter().any(|one| one.snapshot.id == *id))
    }

    /// Mends the local copy, and says what was done.
    pub(crate) fn mend(&self, now: DateTime<Utc>, progress: &ProgressSink) -> Result<Vec<String>> {
        let mut words = Vec::new();
        for verified in self.verify_backup(&[CopyName::Local], Depth::Part, Heal::Yes, now, progress)? {
            let said = |fault: &Fault| match &fault.healed {
                Some(how) => format!("{}: {}; mended: {how}", fault.file, fault.what),
                None => format!("{}: {}", fault.file, fault.what),
            };
            match verified.verdict {
                Verdict::Whole(_) | Verdict::NotSetUp => {}
                Verdict::Healed(seen) | Verdict::Damaged(seen) => words.extend(seen.faults.iter().map(said)),
                Verdict::Unseen { error } => return Err(error),
            }
        }
        Ok(words)
    }

    /// All files of these snapshots, by their names in them. One that cannot be read has none.
    pub(crate) fn files_of(&self, snapshots: &[SnapshotId]) -> Result<Vec<Vec<Listed>>> {
        let read = |snapshots: &[SnapshotId]| {
            self.work(Work::Files { snapshots: snapshots.to_vec() }, &ProgressSink::none())
        };
        let first = match read(snapshots) {
            Err(error) if error.code() != Code::BackupKey => error,
            read => return read,
        };
        // Something of the local copy is missing or damaged; another copy may have it.
        self.mend(Utc::now(), &ProgressSink::none())?;
        read(snapshots).or_else(|_| {
            let each = snapshots.iter().map(|id| read(std::slice::from_ref(id)).ok());
            let each: Vec<Option<Vec<Vec<Listed>>>> = each.collect();
            if each.iter().all(Option::is_none) {
                return Err(first);
            }
            Ok(each.into_iter().map(|files| files.into_iter().flatten().flatten().collect()).collect())
        })
    }

    /// Files of a snapshot, compared with what it says of them, in a folder beside where they belong. What
    /// is damaged in the local copy is mended from the others first.
    pub(crate) fn fetch(
        &self,
        snapshot: &SnapshotId,
        names: &[PathBuf],
        progress: &ProgressSink,
    ) -> Result<Fetched> {
        let first = self.fetch_once(snapshot, names, progress);
        if first.as_ref().is_ok_and(|fetched| fetched.failed.is_empty())
            || first.as_ref().is_err_and(|error| error.code() == Code::DiskFull)
        {
            return first;
        }
        match self.mend(Utc::now(), progress) {
            Ok(_) => self.fetch_once(snapshot, names, progress),
            Err(error) => {
                tracing::warn!(%error, "the local copy could not be mended");
                first
            }
        }
    }

    /// Removes what an interrupted recovery had fetched.
    pub(crate) fn sweep_fetched(&self) {
        Staging::sweep(&self.locations.claude_dir);
        Staging::sweep(&self.locations.home);
    }

    fn fetch_once(
        &self,
        snapshot: &SnapshotId,
        names: &[PathBuf],
        progress: &ProgressSink,
    ) -> Result<Fetched> {
        let key = self.existing()?;
        // Where they belong: only there is it the same volume for certain.
        let Locations { claude_dir, home, .. } = &self.locations;
        let staging = Staging::beside(if claude_dir.is_dir() { claude_dir } else { home })?;
        let restored = self.restore_into(&self.root, &key, snapshot, names, &staging.path, progress)?;
        Ok(Fetched { staging, failed: restored.failed })
    }

    /// The host home as these snapshots (the newest first) have it, the newest one's word on each file, but the
    /// longest of each conversation. What is gone is rarely noticed before the next snapshot is taken without it:
    /// so one of a day ago has a say as well. Of a file that was `settled` only what was taken since then counts.
    pub(crate) fn earlier_of(
        &self,
        listed: &[ListedSnapshot],
        settled: &HashMap<PathBuf, DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Option<Earlier>> {
        let not_of_damage = |one: &&ListedSnapshot| one.snapshot.reason != Reason::PreRecovery;
        let older = |hours| move |one: &&ListedSnapshot| now - one.snapshot.time > TimeDelta::hours(hours);
        let mut usable = listed.iter().filter(not_of_damage);
        let wanted = [
            usable.clone().next().or(listed.first()),
            usable.clone().find(older(1)),
            usable.clone().find(older(24)).or(usable.next_back()),
        ];
        let mut snapshots: Vec<&ListedSnapshot> = Vec::new();
        for one in wanted.into_iter().flatten() {
            if !snapshots.iter().any(|other| other.snapshot.id == one.snapshot.id) {
                snapshots.push(one);
            }
        }
        let Some(newest) = listed.first() else { return Ok(None) };
        let ids: Vec<_> = snapshots.iter().map(|one| one.snapshot.id.clone()).collect();
        let found = self.files_of(&ids)?;
        let mut earlier = Earlier { as_of: newest.snapshot.time, ..Earlier::default() };
        for (one, files) in snapshots.iter().zip(found) {
            for file in files {
                let Some(place) = self.place_of(&file.path) else { continue };
                let counts = settled.get(&place).is_none_or(|since| one.snapshot.time > *since);
                if file.path.starts_with("archive") || place == self.locations.claude_dir || !counts {
                    continue;
                }
                let known = EarlierFile { len: file.size, modified: file.modified };
                let grows = file.path.extension().is_some_and(|ending| ending == "jsonl");
                earlier
                    .files
                    .entry(place)
                    .and_modify(|newer| newer.len = if grows { newer.len.max(known.len) } else { newer.len })
                    .or_insert(known);
            }
        }
        Ok(Some(earlier))
    }

    /// The name in a snapshot of a file of the host home.
    pub(crate) fn name_of(&self, file: &Path) -> Option<PathBuf> {
        if file == self.locations.claude_json {
            return Some(PathBuf::from(".claude.json"));
        }
        file.strip_prefix(&self.locations.claude_dir).ok().map(|below| Path::new(".claude").join(below))
    }

    /// Where a file of a snapshot belongs in the host home.
    pub(crate) fn place_of(&self, name: &Path) -> Option<PathBuf> {
        if name == Path::new(".claude.json") {
            return Some(self.locations.claude_json.clone());
        }
        let below = name.strip_prefix(".claude").or_else(|_| name.strip_prefix("archive")).ok()?;
        Some(self.locations.claude_dir.join(below))
    }
}
