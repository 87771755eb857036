//! Looking over the local copy.

use super::{Depth, Fault, Heal, SMALL, Seen, belongs_to};
use crate::{
    backup::{
        Backups,
        copies::{MARKER, Marker, Place, misnamed, repository_files, sweep},
        ledger::{Event, Ledger},
        lock::Lock,
        remembered::Remembered,
        repository::{
            SeenOfHome,
            order::{Checked, Documents, ReadBack, Work},
        },
        sealed,
        snapshot::{CopyName, Snapshot, SnapshotId},
        state::State,
    },
    container::hex,
    error_handling::{Code, Result},
    progress::ProgressSink,
};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::SystemTime,
};

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) seen: Seen,
    /// Files that are missing or are not what their names say.
    pub(super) files: Vec<String>,
    /// Whether the rest cannot be told before those are mended.
    pub(super) structure: Vec<String>,
    /// Drydock's own files that are damaged.
    pub(super) own: BTreeSet<OwnFile>,
}

/// A file of Drydock's own that belongs to the local copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OwnFile {
    State,
    Ledger,
    Marker,
    SeenList,
}

impl Findings {
    pub(super) fn is_whole(&self) -> bool {
        self.seen.faults.is_empty()
    }
}

impl Backups {
    pub(super) fn verify_local(
        &self,
        depth: Depth,
        heal: Heal,
        now: DateTime<Utc>,
        progress: &ProgressSink,
    ) -> Result<Seen> {
        self.refuse_unbegun()?;
        let _only = match heal {
            Heal::Yes => Some(self.begin_healing()?),
            Heal::No => None,
        };
        let found = self.look_at_local(depth, progress)?;
        if found.is_whole() {
            // A process may have been ended between a snapshot and its record.
            if let Err(error) = self.record_found() {
                tracing::warn!(%error, "found snapshots are not recorded");
            }
        }
        if found.is_whole() || heal == Heal::No {
            return Ok(found.seen);
        }
        self.heal_local(found, depth, now, progress)
    }

    /// Where no backups were begun there is nothing to look at, and nothing to make.
    fn refuse_unbegun(&self) -> Result<()> {
        let Err(error) = self.existing() else { return Ok(()) };
        let begun = self.remembered().state.repository.is_some() || self.root.join("config").exists();
        // Without a key nothing can be told, and nothing is damaged by that.
        if is_about_key(error.code()) || !begun { Err(error) } else { Ok(()) }
    }

    /// Looks at everything; what is wrong is a finding and no error.
    pub(super) fn look_at_local(&self, depth: Depth, progress: &ProgressSink) -> Result<Findings> {
        let mut found = Findings::default();
        let Remembered { state, damage } = self.remembered();
        if let Some(damage) = damage {
            found.own.insert(OwnFile::State);
            let file = State::file(&self.locations).display().to_string();
            found.seen.faults.push(Fault::of(file, damage));
        }
        self.refuse_unbegun()?;
        if let Some(_alone) = Lock::alone_now(&self.root)? {
            sweep(&self.root);
        }
        if !self.root.join("config").exists() && repository_files(&self.root)?.is_empty() {
            let root = self.root.display().to_string();
            found.seen.faults.push(Fault::of(root, "the local copy is not there any more"));
            found.files.push("config".to_owned());
            found.own.extend([OwnFile::Ledger, OwnFile::Marker]);
            return Ok(found);
        }
        let ledger = self.look_at_ledger(&state, &mut found);
        self.look_at_own_files(&state, &ledger, &mut found);
        self.look_at_names(&state, &ledger, depth, &mut found, progress)?;
        self.look_at_structure(&ledger, depth, &mut found, progress)?;
        Ok(found)
    }

    fn look_at_ledger(&self, state: &State, found: &mut Findings) -> Ledger {
        let file = Ledger::file(&self.root);
        let fault = match Ledger::read(&file) {
            Ok(ledger) if ledger.has(&state.head) => return ledger,
            Ok(_) => "records at its end are missing".to_owned(),
            Err(error) => error.causes().join("; "),
        };
        found.own.insert(OwnFile::Ledger);
        found.seen.faults.push(Fault::of("drydock/ledger.jsonl", fault));
        Ledger::default()
    }

    fn look_at_own_files(&self, state: &State, ledger: &Ledger, found: &mut Findings) {
        if !sealed::read::<Marker>(&self.root.join(MARKER)).is_ok_and(|marker| marker.is_some()) {
            found.own.insert(OwnFile::Marker);
            found.seen.faults.push(Fault::of(MARKER, "it is missing or damaged"));
        }
        // A list that is not there is made again; one that is wrong would be believed.
        if sealed::read::<SeenOfHome>(&self.root.join("drydock/seen.json")).is_err() {
            found.own.insert(OwnFile::SeenList);
            found.seen.faults.push(Fault::of("drydock/seen.json", "it is damaged"));
        }
        let known = state.config.as_ref().map(|config| hex(&Sha256::digest(config)));
        if let Some(wanted) = ledger.config.clone().or(known)
            && sealed::digest_of(&self.root.join("config")).ok().flatten().as_ref() != Some(&wanted)
        {
            found.files.push("config".to_owned());
            found.seen.faults.push(Fault::of("config", "it is missing or not what was written"));
        }
    }

    /// Reads files back and compares them with their names, which are their digests.
    fn look_at_names(
        &self,
        state: &State,
        ledger: &Ledger,
        depth: Depth,
        found: &mut Findings,
        progress: &ProgressSink,
    ) -> Result<()> {
        let _lock = Lock::shared(&self.root)?;
        let all = repository_files(&self.root)?;
        let local = state.copy(CopyName::Local);
        let since = local.verified.map(|verified| SystemTime::from(verified.at));
        let everything = depth == Depth::Everything || all.values().sum::<u64>() < SMALL;
        let is_new = |name: &str| {
            let written = fs::metadata(self.root.join(name)).and_then(|data| data.modified());
            since.is_none_or(|since| written.is_ok_and(|written| written >= since))
        };
        let names: Vec<_> = all
            .keys()
            .filter(|name| {
                everything || !name.starts_with("data/") || belongs_to(name, local.part) || is_new(name)
            })
            .cloned()
            .collect();
        found.seen.files = names.len() as u64;
        found.seen.bytes = names.iter().filter_map(|name| all.get(name)).sum();
        for name in misnamed(&self.root, &names, "reading the local copy", progress)? {
            found.seen.faults.push(Fault::of(&name, "its content is not what its name says"));
            found.files.push(name);
        }
        for id in ledger.expected() {
            let name = format!("snapshots/{}", id.as_str());
            if !all.contains_key(&name) {
                found.seen.faults.push(Fault::of(&name, "the snapshot is missing"));
                found.files.push(name);
            }
        }
        if !all.keys().any(|name| name.starts_with("keys/")) {
            found.seen.faults.push(Fault::of("keys", "the key file for the recovery code is missing"));
            found.files.push("keys".to_owned());
        }
        Ok(())
    }

    /// Whether everything is there that the snapshots need, and whether the newest one's documents parse.
    fn look_at_structure(
        &self,
        ledger: &Ledger,
        depth: Depth,
        found: &mut Findings,
        progress: &ProgressSink,
    ) -> Result<()> {
        let read = match depth {
            Depth::Everything => ReadBack::Everything,
            Depth::Part => ReadBack::Structure,
        };
        let except = ledger.broken();
        found.seen.broken.clone_from(&except);
        let checked: Checked = match self.work(Work::Check { read, except }, progress) {
            Ok(checked) => checked,
            // The process, the key or the disk: nothing that the copy could help.
            Err(error) if !is_about_copy(error.code()) => return Err(error),
            Err(error) => {
                found.structure.push(error.to_string());
                // What is behind it is named already, in most cases.
                if found.is_whole() {
                    found.seen.faults.push(Fault::of("repository", error.to_string()));
                }
                return Ok(());
            }
        };
        for name in &checked.missing {
            if !found.files.contains(name) {
                found.files.push(name.clone());
                found.seen.faults.push(Fault::of(name, "the pack is missing"));
            }
        }
        let explained = !found.files.is_empty();
        for fault in checked.faults {
            if !explained {
                found.seen.faults.push(Fault::of("repository", &fault));
            }
            found.structure.push(fault);
        }
        let there: BTreeSet<_> = checked.snapshots.iter().cloned().collect();
        found.seen.newest = newest(ledger, &there).or(checked.snapshots.last().cloned());
        let Some(newest) = found.seen.newest.clone() else { return Ok(()) };
        match self.work::<Documents>(Work::Documents { snapshot: newest.clone() }, progress) {
            Ok(documents) => {
                found.seen.documents = documents.parsed;
                // Damaged already when it was taken: the snapshot is whole, and never counts as good.
                found.seen.damaged_documents = documents.damaged;
            }
            Err(error) if !is_about_copy(error.code()) => return Err(error),
            Err(error) if found.is_whole() => {
                found.seen.faults.push(Fault::of(format!("snapshot {newest}"), error.to_string()));
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// Records snapshots that are there and that the ledger does not know.
    pub(in crate::backup) fn record_found(&self) -> Result<()> {
        let ledger = Ledger::read(&Ledger::file(&self.root))?;
        let is_known = |id: &SnapshotId| ledger.snapshots.get(id).is_some_and(|known| !known.forgotten);
        let is_new = |name: &str| name.parse().is_ok_and(|id| !is_known(&id));
        let names = fs::read_dir(self.root.join("snapshots")).into_iter().flatten().flatten();
        if !names.into_iter().any(|entry| is_new(&entry.file_name().to_string_lossy())) {
            return Ok(());
        }
        let there: Vec<Snapshot> = self.work(Work::List, &ProgressSink::none())?;
        let new = there.into_iter().filter(|snapshot| !is_known(&snapshot.id));
        let found = new.map(|snapshot| Event::Found {
            made: snapshot.time,
            good: snapshot.is_good(),
            snapshot: snapshot.id,
        });
        self.record(found.collect())
    }
}

fn is_about_copy(code: Code) -> bool {
    matches!(code, Code::BackupRepository | Code::BackupDamaged | Code::BackupNone | Code::SnapshotPath)
}

fn is_about_key(code: Code) -> bool {
    matches!(code, Code::BackupKey | Code::KeychainLocked | Code::KeychainRefused | Code::KeyringNone)
}

fn newest(ledger: &Ledger, there: &BTreeSet<SnapshotId>) -> Option<SnapshotId> {
    let known = ledger
        .snapshots
        .iter()
        .filter(|(id, known)| !known.forgotten && !known.broken && there.contains(*id));
    known.max_by_key(|(_, known)| known.made).map(|(id, _)| id.clone())
}

/// The other copies that are here now, with their files.
pub(in crate::backup) type Others = Vec<(CopyName, Box<dyn Place>, BTreeMap<String, u64>)>;

impl Backups {
    /// The other copies that can be reached.
    pub(in crate::backup) fn others(&self) -> Others {
        let mut others = Others::new();
        for copy in [CopyName::External, CopyName::Cloud] {
            match self.place(copy) {
                Ok(Some(place)) => match place.list() {
                    Ok(files) => others.push((copy, place, files)),
                    Err(error) => tracing::info!(%copy, %error, "a copy cannot help"),
                },
                Ok(None) => {}
                Err(error) if error.code() == Code::CopyAbsent => {}
                Err(error) => tracing::info!(%copy, %error, "a copy cannot help"),
            }
        }
        others
    }
}
