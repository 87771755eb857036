//! Mending the local copy: from another copy where one has what is damaged, else from the host home.

use super::{
    Depth, Fault, Seen,
    local::{Findings, Others, OwnFile},
};
use crate::{
    backup::{
        Backups,
        copies::{FETCHED, LEDGER, MARKER, Marker, misnamed, rank, repository_files},
        ledger::{self, Event, Ledger},
        lock::Lock,
        repository::order::{Reading, Wait, Work},
        sealed,
        snapshot::{CopyName, Reason, SnapshotId},
        state::{State, put_aside},
    },
    container::hex,
    error_handling::{IoContext, Result},
    paths::{create_private_dir, write_private},
    progress::ProgressSink,
};
use chrono::{DateTime, Utc};
use drydock_inside::disk;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs, path::Path};

impl Backups {
    /// Waits until nobody else mends the local copy, and removes what one left that was ended.
    pub(super) fn begin_healing(&self) -> Result<Lock> {
        create_private_dir(&self.root)?;
        let only = Lock::healing(&self.root)?;
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(FETCHED) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(only)
    }

    /// Mends what a look found, and looks again. What is then still wrong stays a fault.
    pub(super) fn heal_local(
        &self,
        found: Findings,
        depth: Depth,
        now: DateTime<Utc>,
        progress: &ProgressSink,
    ) -> Result<Seen> {
        let others = self.others();
        let mut how: BTreeMap<String, String> = BTreeMap::new();
        self.heal_own_files(&found, &others, now, &mut how)?;
        self.heal_from_others(&found, &others, &mut how, progress)?;
        let mut again = self.look_at_local(depth, progress)?;
        if !again.is_whole() {
            self.heal_from_host(&again, progress, &mut how)?;
            again = self.look_at_local(depth, progress)?;
        }
        let broken = self.note_broken(&again)?;
        if !broken.is_empty() {
            again = self.look_at_local(depth, progress)?;
            let what = "files of it are lost in every copy; it goes with the next prune";
            let lost = broken.into_iter().map(|id| Fault::of(format!("snapshot {id}"), what));
            again.seen.faults.extend(lost);
        }
        self.record_found()?;
        let mut seen = again.seen;
        let open: Vec<_> = seen.faults.drain(..).collect();
        for mut fault in found.seen.faults {
            if !open.iter().any(|other| other.file == fault.file) {
                fault.healed =
                    Some(how.get(&fault.file).cloned().unwrap_or_else(|| "by mending the others".into()));
            }
            seen.faults.push(fault);
        }
        let known: Vec<_> = seen.faults.iter().map(|fault| fault.file.clone()).collect();
        seen.faults.extend(open.into_iter().filter(|fault| !known.contains(&fault.file)));
        Ok(seen)
    }

    /// Drydock's own files, which the others can all be made again from.
    fn heal_own_files(
        &self,
        found: &Findings,
        others: &Others,
        now: DateTime<Utc>,
        how: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        if found.own.contains(&OwnFile::SeenList) {
            let file = self.root.join("drydock/seen.json");
            put_aside(&file)?;
            how.insert("drydock/seen.json".into(), "it is made again with the next snapshot".into());
        }
        if found.own.contains(&OwnFile::Ledger) {
            self.heal_ledger(others, now, how)?;
        }
        let ledger = Ledger::read(&Ledger::file(&self.root))?;
        if found.own.contains(&OwnFile::State) {
            self.remember(|_| ())?;
            how.insert(State::file(&self.locations).display().to_string(), "from the ledger".into());
        }
        if found.own.contains(&OwnFile::Marker) && self.remembered().state.repository.is_none() {
            // Nobody knows the repository's id but itself.
            self.opened()?;
            how.insert(MARKER.into(), "made anew".into());
        }
        if found.own.contains(&OwnFile::Marker)
            && let Some(repository) = self.remembered().state.repository.or(ledger.repository)
        {
            sealed::write(&self.root.join(MARKER), &Marker { copy: "local".to_owned(), repository })?;
            how.insert(MARKER.into(), "made anew".into());
        }
        Ok(())
    }

    /// The longest whole ledger of any copy is taken; without one, the snapshots that are there begin a new one.
    pub(in crate::backup) fn heal_ledger(
        &self,
        others: &Others,
        now: DateTime<Utc>,
        how: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let file = Ledger::file(&self.root);
        let own = fs::read(&file).ok().filter(|text| Ledger::of(text).is_ok());
        let candidates = own.into_iter().map(|text| (None, text)).chain(
            others
                .iter()
                .filter_map(|(copy, place, _)| Some((Some(*copy), place.read(LEDGER).ok().flatten()?))),
        );
        let best = candidates
            .filter_map(|(copy, text)| Some((copy, Ledger::of(&text).ok()?, text)))
            .max_by_key(|(_, ledger, _)| ledger.head.n);
        let _lock = Lock::alone(&self.root)?;
        let what = match best {
            Some((Some(copy), _, text)) => {
                ledger::replace(&file, &text)?;
                format!("from the {copy} copy")
            }
            Some((None, ..)) => "by taking what is left of it; its end is lost".to_owned(),
            None => {
                if file.exists() {
                    put_aside(&file)?;
                }
                let state = self.remembered().state;
                // What is remembered is whole; the file itself may be damaged as well.
                let config =
                    state.config.or_else(|| fs::read(self.root.join("config")).ok()).unwrap_or_default();
                if let Some(repository) = state.repository {
                    let event = Event::Begun { repository, config: hex(&Sha256::digest(&config)) };
                    Ledger::default().add(&file, now, vec![event])?;
                }
                "begun anew from the snapshots that are there".to_owned()
            }
        };
        how.insert(LEDGER.into(), what);
        let head = Ledger::read(&file)?.head;
        self.remember(|state| state.head = head)?;
        drop(_lock);
        self.record_found()
    }

    /// Files of the repository: a file whose digest is its name is the right one, wherever it comes from.
    fn heal_from_others(
        &self,
        found: &Findings,
        others: &Others,
        how: &mut BTreeMap<String, String>,
        progress: &ProgressSink,
    ) -> Result<()> {
        let mut wanted = found.files.clone();
        let ledger = Ledger::read(&Ledger::file(&self.root))?;
        let state = self.remembered().state;
        if wanted.iter().any(|name| name == "config")
            && let Some(config) = state.config.filter(|config| {
                ledger.config.as_ref().is_none_or(|wanted| *wanted == hex(&Sha256::digest(config)))
            })
        {
            write_private(&self.root.join("config"), &config)?;
            how.insert("config".into(), "from the state".into());
            wanted.retain(|name| name != "config");
        }
        // What another copy has, and nobody removed here, is lost here, whether or not somebody misses it.
        let ours = repository_files(&self.root)?;
        for (_, _, files) in others {
            let lost =
                files.keys().filter(|name| !ours.contains_key(*name) && !ledger.removed.contains_key(*name));
            wanted.extend(lost.cloned());
        }
        wanted.sort();
        wanted.dedup();
        let mut has_packs = false;
        for (copy, place, files) in others {
            let names: Vec<_> = wanted.iter().filter(|name| files.contains_key(*name)).cloned().collect();
            if names.is_empty() {
                continue;
            }
            let staging = tempfile::Builder::new()
                .prefix(FETCHED)
                .tempdir_in(&self.root)
                .context("make a folder in", &self.root)?;
            place.fetch(&names, staging.path(), progress)?;
            let bad = misnamed(staging.path(), &names, "reading what was fetched", progress)?;
            let mut good: Vec<_> = names.iter().filter(|name| !bad.contains(name)).collect();
            // What needs another comes after it, and `config`, which makes it a repository, last.
            good.sort_by_key(|name| (*name == "config", rank(name)));
            has_packs |= good.iter().any(|name| name.starts_with("data/"));
            for name in good {
                self.put_in_place(&staging.path().join(name), name)?;
                how.insert(name.clone(), format!("from the {copy} copy"));
                how.insert(self.root.display().to_string(), format!("from the {copy} copy"));
                if name.starts_with("keys/") {
                    how.insert("keys".into(), format!("from the {copy} copy"));
                }
                wanted.retain(|other| other != name);
            }
        }
        // An index that was made without them does not know them. One that no copy has is put aside before
        // another is made, which comes next.
        let lacks_an_index = wanted.iter().any(|name| name.starts_with("index/"));
        if has_packs
            && !lacks_an_index
            && let Ok(key) = self.existing()
        {
            self.work_with::<()>(&key, Work::RepairIndex, progress)?;
        }
        Ok(())
    }

    /// Records which snapshots have lost data for good, and which have it again.
    fn note_broken(&self, found: &Findings) -> Result<Vec<SnapshotId>> {
        let Ok(ledger) = self.sound_ledger() else { return Ok(Vec::new()) };
        let known = ledger.broken();
        if (found.structure.is_empty() && known.is_empty()) || self.existing().is_err() {
            return Ok(Vec::new());
        }
        let among = ledger.expected().into_iter().collect();
        let broken: Vec<SnapshotId> = self.work(Work::Broken { among }, &ProgressSink::none())?;
        let new: Vec<_> = broken.iter().filter(|id| !known.contains(id)).cloned().collect();
        let mended = known.into_iter().filter(|id| !broken.contains(id));
        let mut events: Vec<_> = mended.map(|snapshot| Event::Mended { snapshot }).collect();
        events.extend(new.iter().map(|snapshot| Event::Broken { snapshot: snapshot.clone() }));
        if !events.is_empty() {
            self.record(events)?;
        }
        Ok(new)
    }

    /// Puts a whole file in the place of a damaged one, which goes into quarantine.
    fn put_in_place(&self, from: &Path, name: &str) -> Result<()> {
        let target = self.root.join(name);
        let folder = target.parent().unwrap_or(&self.root);
        create_private_dir(folder)?;
        self.quarantine(name)?;
        disk::rename(from, &target).and_then(|()| disk::sync_folder(folder)).context("write", &target)
    }

    fn quarantine(&self, name: &str) -> Result<()> {
        let path = self.root.join(name);
        if !path.exists() {
            return Ok(());
        }
        let folder = self.root.join("drydock/quarantine");
        create_private_dir(&folder)?;
        let aside =
            folder.join(format!("{}-{}", Utc::now().format("%Y%m%dT%H%M%S%3f"), name.replace('/', "-")));
        disk::rename(&path, &aside).context("put aside", &path)
    }

    /// What no copy has: damaged files are put aside, the index is made from the packs that are there, and
    /// everything in the host home is read again.
    fn heal_from_host(
        &self,
        found: &Findings,
        progress: &ProgressSink,
        how: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        if found.files.iter().any(|name| name == "config") {
            // Without it nothing can be opened, and nothing else has it.
            return Ok(());
        }
        let key = self.existing()?;
        let keys_gone = found.files.iter().any(|name| name == "keys" || name.starts_with("keys/"));
        {
            let _lock = Lock::alone(&self.root)?;
            for name in found.files.iter().filter(|name| name.contains('/')) {
                self.quarantine(name)?;
            }
        }
        if keys_gone {
            let work = Work::AddKey { code: key.code.reveal().to_owned() };
            self.work_with::<()>(&key, work, progress)?;
            for name in found.files.iter().filter(|name| name.starts_with("keys")) {
                how.insert(name.clone(), "made anew from the key in the keyring".into());
            }
        }
        let lost = found.files.iter().filter(|name| name.starts_with("snapshots/"));
        let forgotten: Vec<_> = lost
            .filter_map(|name| name.strip_prefix("snapshots/")?.parse().ok())
            .map(|snapshot| Event::Forgotten { snapshot })
            .collect();
        let only_keys = found.files.iter().all(|name| name.starts_with("keys")) && found.structure.is_empty();
        if only_keys {
            return Ok(());
        }
        self.work_with::<()>(&key, Work::RepairIndex, progress)?;
        self.take(Reason::Manual, Reading::Everything, Wait::Long, progress)?;
        for name in &found.files {
            how.entry(name.clone()).or_insert_with(|| "by reading the host home again".into());
        }
        if !forgotten.is_empty() {
            for event in &forgotten {
                if let Event::Forgotten { snapshot } = event {
                    let name = format!("snapshots/{}", snapshot.as_str());
                    how.insert(name, "it is lost; the newest snapshot was taken again".into());
                }
            }
            self.record(forgotten)?;
        }
        Ok(())
    }
}

/// The fault of a copy that is not the local one.
pub(super) fn mended_from(copy: CopyName, name: &str, what: &str) -> Fault {
    Fault { healed: Some(format!("from the {copy} copy")), ..Fault::of(name, what) }
}
