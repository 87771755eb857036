//! Bringing another copy up to the local one.
//!
//! Files go in the order in which they need each other, so that at every moment, and also when this is ended in
//! the middle, whatever snapshots the copy has are whole. What is missing in the local copy is removed from the
//! other one only if a prune of Drydock's removed it, and days later: neither a fault nor malice in one copy
//! reaches the other.

use super::{
    LEDGER, Place,
    files::{in_order, repository_files},
    rank,
};
use crate::{
    backup::{
        ledger::{Ledger, is_repository_file},
        lock::Lock,
        snapshot::SnapshotId,
    },
    error_handling::{Code, Error, Result},
    progress::ProgressSink,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::{collections::BTreeMap, fs, path::Path};

/// What a mirroring did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct MirrorReport {
    /// Files copied.
    pub copied: u64,
    /// Bytes copied.
    pub bytes: u64,
    /// Files removed, days after a prune had removed them from the local copy.
    pub removed: u64,
    /// Files in the copy now.
    pub files: u64,
    /// Bytes in the copy now.
    pub size: u64,
    /// The newest snapshot in the copy.
    pub newest: Option<(SnapshotId, DateTime<Utc>)>,
}

/// Brings a copy up to the local one in `root`. Blocking.
///
/// # Errors
/// When something cannot be copied: what has been copied stays and is whole.
pub(in crate::backup) fn mirror(
    root: &Path,
    place: &dyn Place,
    quarantine: TimeDelta,
    now: DateTime<Utc>,
    progress: &ProgressSink,
) -> Result<MirrorReport> {
    // Nothing may be pruned meanwhile.
    let _lock = Lock::shared(root)?;
    place.sweep();
    let ledger = Ledger::read(&Ledger::file(root))?;
    refuse_another_story(place, &ledger)?;
    // Snapshots are listed before what they need: whatever comes meanwhile is left for the next time.
    let ours = listed(root)?;
    let theirs = place.list()?;
    let mut report = MirrorReport::default();
    let wanted: Vec<_> = ours
        .iter()
        .filter(|(name, size)| theirs.get(*name) != Some(size))
        .map(|(name, _)| name.clone())
        .collect();
    report.copied = wanted.len() as u64;
    report.bytes = wanted.iter().filter_map(|name| ours.get(name)).sum();
    for step in 0..4 {
        progress.go_on()?;
        let names: Vec<_> = wanted.iter().filter(|name| rank(name) == step).cloned().collect();
        if step == 3 && !names.is_empty() && report.copied > names.len() as u64 {
            refuse_missing(place, &ours)?;
        }
        if !names.is_empty() {
            place.put(root, &names, progress)?;
        }
    }
    let gone = removable(&theirs, &ours, &ledger, quarantine, now);
    report.removed = gone.len() as u64;
    if !gone.is_empty() {
        place.remove(&gone)?;
    }
    if let Ok(text) = fs::read(Ledger::file(root)) {
        // Up to what was read: a record may have come since.
        place.write(LEDGER, &text)?;
    }
    let there: BTreeMap<_, _> =
        theirs.iter().filter(|(name, _)| !gone.contains(name)).chain(ours.iter()).collect();
    report.files = there.len() as u64;
    report.size = there.values().copied().sum();
    let known =
        ledger.snapshots.iter().filter(|(id, _)| ours.contains_key(&format!("snapshots/{}", id.as_str())));
    report.newest = known.max_by_key(|(_, known)| known.made).map(|(id, known)| (id.clone(), known.made));
    Ok(report)
}

fn listed(root: &Path) -> Result<BTreeMap<String, u64>> {
    let first = names_in(root, "snapshots")?;
    let mut all = repository_files(root)?;
    all.retain(|name, _| !name.starts_with("snapshots/") || first.contains(name));
    Ok(all)
}

fn names_in(root: &Path, folder: &str) -> Result<Vec<String>> {
    let path = root.join(folder);
    match fs::read_dir(&path) {
        Ok(entries) => Ok(entries
            .flatten()
            .map(|entry| format!("{folder}/{}", entry.file_name().to_string_lossy()))
            .filter(|name| is_repository_file(name))
            .collect()),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(Error::io("list", &path, &cause)),
    }
}

/// A snapshot must not come to a copy before what it needs: some remotes say that they have taken what they
/// have not.
fn refuse_missing(place: &dyn Place, ours: &BTreeMap<String, u64>) -> Result<()> {
    let there = place.list()?;
    let missing = ours.iter().filter(|(name, size)| rank(name) < 3 && there.get(*name) != Some(size)).count();
    if missing == 0 {
        return Ok(());
    }
    Err(Error::new(Code::CopyFailed, format!("{} does not have what was copied to it", place.name()))
        .why(format!("{missing} files are missing there or have another size"))
        .remedy("drydock backup now"))
}

/// The other copy's ledger has to be the beginning of ours: else one of the two was changed or set back, and
/// nothing may be written over.
fn refuse_another_story(place: &dyn Place, ours: &Ledger) -> Result<()> {
    let Some(text) = place.read(LEDGER)? else { return Ok(()) };
    // One that is damaged, or was not written to its end, is replaced.
    let Ok(theirs) = Ledger::of(&text) else { return Ok(()) };
    if ours.continues(&theirs) {
        return Ok(());
    }
    Err(Error::new(
        Code::CopyDiverged,
        format!("the ledger in {} tells another story than the local one", place.name()),
    )
    .why(if theirs.continues(ours) {
        "it goes on where the local one ends: the local copy was set back"
    } else {
        "one of them was changed"
    })
    .remedy("drydock backup verify --heal"))
}

/// What may be removed from the other copy, in the order that keeps it whole.
fn removable(
    theirs: &BTreeMap<String, u64>,
    ours: &BTreeMap<String, u64>,
    ledger: &Ledger,
    quarantine: TimeDelta,
    now: DateTime<Utc>,
) -> Vec<String> {
    let long_ago = |name: &str| ledger.removed.get(name).is_some_and(|at| now - *at >= quarantine);
    let names = theirs.keys().filter(|name| !ours.contains_key(*name) && rank(name) > 0 && long_ago(name));
    let mut gone = in_order(names.cloned().collect());
    gone.reverse();
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::ledger::Event;

    #[test]
    fn only_what_a_prune_removed_goes_days_later_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let name = |folder: &str, letter: char| format!("{folder}/{}", letter.to_string().repeat(64));
        let pack = format!("data/aa/{}", "a".repeat(64));
        let (index, snapshot, lost) = (name("index", 'b'), name("snapshots", 'c'), name("snapshots", 'd'));
        let removed = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut ledger = Ledger::default();
        let events = [&pack, &index, &snapshot].map(|file| Event::Removed { file: file.clone() }).to_vec();
        ledger.add(&dir.path().join("l"), removed, events).unwrap();
        let theirs = [&pack, &index, &snapshot, &lost].map(|name| (name.clone(), 1)).into();
        let gone = |days, ours: &BTreeMap<_, _>| {
            removable(&theirs, ours, &ledger, TimeDelta::days(7), removed + TimeDelta::days(days))
        };
        assert!(gone(6, &BTreeMap::new()).is_empty());
        assert_eq!(gone(7, &BTreeMap::new()), [snapshot, index, pack.clone()]);
        // A prune that was ended in the middle may have recorded what it did not do.
        assert_eq!(gone(7, &[(pack, 1)].into()).len(), 2);
    }
}
