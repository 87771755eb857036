//! Looking over the external and the cloud copy.

use super::{Depth, Fault, Heal, PARTS, SMALL, Seen, belongs_to, heal::mended_from};
use crate::{
    backup::{
        Backups,
        copies::{LEDGER, Place, rank, repository_files},
        key::RepositoryKey,
        ledger::Ledger,
        lock::Lock,
        repository::order::{Checked, ReadBack, Wait, Work},
        snapshot::CopyName,
    },
    container::hex,
    error_handling::Result,
    progress::ProgressSink,
};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
};

impl Backups {
    /// Looks at another copy's files, each against its own name and the local one's. `None` when the copy is
    /// not set up.
    pub(super) fn verify_elsewhere(
        &self,
        copy: CopyName,
        depth: Depth,
        heal: Heal,
        now: DateTime<Utc>,
        progress: &ProgressSink,
    ) -> Result<Option<Seen>> {
        let Some(place) = self.place(copy)? else { return Ok(None) };
        if let Ok(_only) = Lock::copy(&self.root, copy, Wait::Short) {
            place.sweep();
        }
        let mut seen = self.look_elsewhere(copy, &*place, depth, progress)?;
        if seen.faults.is_empty() || heal == Heal::No {
            return Ok(Some(seen));
        }
        // From the local copy, whose files are compared with their names on the way.
        let ours = repository_files(&self.root)?;
        let mut names: Vec<_> = seen
            .faults
            .iter()
            .map(|fault| fault.file.clone())
            .filter(|name| ours.contains_key(name))
            .collect();
        names.sort_by_key(|name| rank(name));
        {
            // Whoever brings the copy up to date meanwhile takes what is half written for rubbish.
            let _only = Lock::copy(&self.root, copy, Wait::Long)?;
            place.put(&self.root, &names, progress)?;
        }
        self.mirror_after(copy, Wait::Long, now, progress)?;
        let again = self.look_elsewhere(copy, &*place, depth, progress)?;
        let open: BTreeSet<_> = again.faults.iter().map(|fault| fault.file.clone()).collect();
        for fault in &mut seen.faults {
            if !open.contains(&fault.file) {
                *fault = mended_from(CopyName::Local, &fault.file, &fault.what);
            }
        }
        let known: BTreeSet<_> = seen.faults.iter().map(|fault| fault.file.clone()).collect();
        let new = again.faults.into_iter().filter(|fault| !known.contains(&fault.file));
        Ok(Some(Seen {
            faults: seen.faults.into_iter().chain(new).collect(),
            ..again_without(seen.newest, again.files, again.bytes)
        }))
    }

    fn look_elsewhere(
        &self,
        copy: CopyName,
        place: &dyn Place,
        depth: Depth,
        progress: &ProgressSink,
    ) -> Result<Seen> {
        let state = self.remembered().state.copy(copy);
        let ours = repository_files(&self.root)?;
        let theirs = place.list()?;
        let small = copy == CopyName::External && theirs.values().sum::<u64>() < SMALL;
        let everything = depth == Depth::Everything || small;
        let part = state.part % PARTS;
        let names: Vec<_> = theirs
            .keys()
            .filter(|name| everything || !name.starts_with("data/") || belongs_to(name, part))
            .cloned()
            .collect();
        let mut seen = Seen { newest: state.newest.clone().map(|(id, _)| id), ..Seen::default() };
        seen.files = names.len() as u64;
        seen.bytes = names.iter().filter_map(|name| theirs.get(name)).sum();
        let known = self.remembered().state.config.map(|config| hex(&Sha256::digest(config)));
        let has_config = names.iter().any(|name| name == "config");
        if let (true, Some(known)) = (has_config, known)
            && place.read("config")?.map(|config| hex(&Sha256::digest(config))) != Some(known)
        {
            seen.faults.push(Fault::of("config", "it is not what was written"));
        }
        let names: Vec<_> = names.into_iter().filter(|name| name != "config").collect();
        for name in place.damaged(&self.root, &names, progress)? {
            seen.faults.push(Fault::of(name, "its content is not what it should be"));
        }
        if state.listed.is_some() {
            let ledger = place.read(LEDGER)?.and_then(|text| Ledger::of(&text).ok());
            if ledger.is_none_or(|ledger| ledger.head.n == 0) {
                seen.faults.push(Fault::of(LEDGER, "it is missing or damaged"));
            }
        }
        if let Some(listed) = state.listed {
            self.look_for_missing(listed, &ours, &theirs, &mut seen);
        }
        if copy == CopyName::External {
            self.look_at_structure_of(place, &mut seen, progress)?;
        }
        Ok(seen)
    }

    /// A copy has to have what was in the local one when it was last brought up to it.
    fn look_for_missing(
        &self,
        listed: DateTime<Utc>,
        ours: &BTreeMap<String, u64>,
        theirs: &BTreeMap<String, u64>,
        seen: &mut Seen,
    ) {
        for name in ours.keys().filter(|name| !theirs.contains_key(*name)) {
            // The time of its last change of any kind, its name included.
            let there_since =
                fs::metadata(self.root.join(name)).map(|data| (data.ctime(), data.ctime_nsec()));
            let was_listed = there_since.is_ok_and(|(seconds, nanoseconds)| {
                (seconds, nanoseconds) < (listed.timestamp(), i64::from(listed.timestamp_subsec_nanos()))
            });
            if was_listed {
                seen.faults.push(Fault::of(name, "it is missing"));
            }
        }
    }

    fn look_at_structure_of(
        &self,
        place: &dyn Place,
        seen: &mut Seen,
        progress: &ProgressSink,
    ) -> Result<()> {
        let Some(volume) = self.volume()? else { return Ok(()) };
        debug_assert_eq!(place.name(), volume.name());
        let Some(key) = RepositoryKey::load(&self.locations)? else { return Ok(()) };
        let except = Ledger::read(&Ledger::file(volume.folder())).unwrap_or_default().broken();
        let work = Work::Check { read: ReadBack::Structure, except };
        match self.work_in::<Checked>(volume.folder(), &key, work, progress) {
            Ok(checked) => {
                for name in checked.missing {
                    if !seen.faults.iter().any(|fault| fault.file == name) {
                        seen.faults.push(Fault::of(name, "the pack is missing"));
                    }
                }
                if seen.faults.is_empty() {
                    seen.faults
                        .extend(checked.faults.into_iter().map(|fault| Fault::of("repository", fault)));
                }
            }
            Err(error) if seen.faults.is_empty() => {
                seen.faults.push(Fault::of("repository", error.to_string()));
            }
            Err(_) => {}
        }
        Ok(())
    }
}

fn again_without(newest: Option<crate::backup::SnapshotId>, files: u64, bytes: u64) -> Seen {
    Seen { newest, files, bytes, ..Seen::default() }
}
