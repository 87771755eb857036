//! The three copies of one home, and what can be done with them.

use super::{
    copies::{Cloud, Marker, MirrorReport, Place, Volume, mirror},
    key::RepositoryKey,
    ledger::{Event, Ledger},
    lock::Lock,
    observed::{observe_mirror, observe_taken},
    remembered::Remembered,
    repository::{
        Origin, Pruned, Restored, Taken,
        order::{Order, PruneDeed, Reading, Take, Wait, Work},
        run,
    },
    retention::Retention,
    snapshot::{CopyName, Reason, SnapshotId},
    state::CopyState,
};
use crate::{
    container::hex,
    error_handling::{Code, Error, Result},
    observability::{Operation, traced_blocking},
    paths::Locations,
    progress::ProgressSink,
    settings::Settings,
};
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

/// The backups of one home. All its methods block.
#[derive(Debug, Clone)]
pub struct Backups {
    pub(super) locations: Locations,
    pub(super) settings: Settings,
    /// The local copy.
    pub(super) root: PathBuf,
}

/// Whether a copy belongs to a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// All that are set up.
    All,
    /// One.
    Only(CopyName),
}

/// What became of one copy in a backup.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum CopyOutcome {
    /// It has the snapshot.
    Written {
        /// The copy.
        copy: CopyName,
        /// What was copied.
        report: MirrorReport,
    },
    /// Nobody set it up, or its volume was never here.
    NotSetUp {
        /// The copy.
        copy: CopyName,
    },
    /// Another process is writing it right now.
    Busy {
        /// The copy.
        copy: CopyName,
    },
    /// It does not have it yet, and catches up later.
    Failed {
        /// The copy.
        copy: CopyName,
        /// Why.
        error: Error,
    },
}

/// What a backup did.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct BackupReport {
    /// The snapshot in the local copy.
    pub taken: Taken,
    /// The other copies.
    pub copies: Vec<CopyOutcome>,
}

impl Backups {
    /// The backups of a home.
    #[must_use]
    pub fn of(locations: &Locations, settings: &Settings) -> Self {
        let root = settings.backups_dir(&locations.home);
        Self { locations: locations.clone(), settings: settings.clone(), root }
    }

    /// The local copy's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes a snapshot of the host home and brings the other copies up to it, each on its own.
    ///
    /// # Errors
    /// When no snapshot can be taken. What becomes of the other copies is in the report.
    pub fn backup_claude_data(
        &self,
        reason: Reason,
        copies: Copies,
        now: DateTime<Utc>,
        progress: &ProgressSink,
    ) -> Result<BackupReport> {
        let taken = self.take(reason, Reading::Changed, Wait::Long, progress)?;
        let wanted = [CopyName::External, CopyName::Cloud].into_iter().filter(|copy| match copies {
            Copies::All => true,
            Copies::Only(only) => only == *copy,
        });
        let copies = wanted.map(|copy| self.outcome(copy, now, progress)).collect();
        Ok(BackupReport { taken, copies })
    }

    /// Whether there is a first snapshot.
    pub(crate) fn has_snapshot(&self) -> bool {
        std::fs::read_dir(self.root.join("snapshots")).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Takes a snapshot into the local copy.
    pub(super) fn take(
        &self,
        reason: Reason,
        reading: Reading,
        wait: Wait,
        progress: &ProgressSink,
    ) -> Result<Taken> {
        let began = Instant::now();
        traced_blocking(Operation::Backup, || {
            let taken = self.take_now(reason, reading, wait, progress);
            observe_taken(&taken, began.elapsed());
            taken
        })
    }

    fn take_now(
        &self,
        reason: Reason,
        reading: Reading,
        wait: Wait,
        progress: &ProgressSink,
    ) -> Result<Taken> {
        self.refuse_nothing()?;
        let key = self.opened()?;
        if self.sound_ledger().is_err() {
            // A snapshot must not wait for somebody to look; what is lost is told by the next verification.
            self.heal_ledger(&self.others(), Utc::now(), &mut BTreeMap::new())?;
        }
        let begun = Utc::now();
        let origin = Origin {
            claude_dir: self.locations.claude_dir.clone(),
            claude_json: self.locations.claude_json.clone(),
        };
        let archive = self.settings.archive_size();
        let taken: Result<Taken> =
            self.work_with(&key, Work::Take(Take { origin, reason, archive, reading, wait }), progress);
        let ledger = Ledger::read(&Ledger::file(&self.root)).unwrap_or_default();
        self.remember(|state| {
            let copy = state.copies.entry(CopyName::Local).or_default();
            match &taken {
                Ok(taken) => {
                    copy.succeeded();
                    copy.written = Some(begun);
                    copy.newest = Some((taken.id().clone(), begun));
                    state.saved_as_of = Some(begun);
                    state.head = ledger.head.clone();
                }
                Err(error) => copy.failed(error, begun),
            }
        })?;
        taken
    }

    /// A home without Claude Code's data is none to take a snapshot of: it would pass for the newest state.
    fn refuse_nothing(&self) -> Result<()> {
        let Locations { claude_dir, claude_json, .. } = &self.locations;
        if claude_dir.exists() || claude_json.exists() {
            return Ok(());
        }
        let error = Error::new(Code::BackupNothing, "there is no Claude data to back up").why(format!(
            "neither {} nor {} is there",
            claude_dir.display(),
            claude_json.display()
        ));
        Err(if self.has_snapshot() {
            error.remedy("drydock restore latest --to FOLDER, if it was lost")
        } else {
            error.remedy("use Claude Code once; backups begin then")
        })
    }

    fn outcome(&self, copy: CopyName, now: DateTime<Utc>, progress: &ProgressSink) -> CopyOutcome {
        match self.mirror(copy, now, progress) {
            Ok(Some(report)) => CopyOutcome::Written { copy, report },
            Ok(None) => CopyOutcome::NotSetUp { copy },
            Err(error) if error.code() == Code::BackupBusy => CopyOutcome::Busy { copy },
            Err(error) => CopyOutcome::Failed { copy, error },
        }
    }

    /// Brings another copy up to the local one. `None` when it is not set up.
    ///
    /// # Errors
    /// When it is set up and cannot be written; that is remembered.
    pub fn mirror(
        &self,
        copy: CopyName,
        now: DateTime<Utc>,
        progress: &ProgressSink,
    ) -> Result<Option<MirrorReport>> {
        self.mirror_after(copy, Wait::Short, now, progress)
    }

    /// The same, once nobody else is writing that copy.
    pub(super) fn mirror_after(
        &self,
        copy: CopyName,
        wait: Wait,
        now: DateTime<Utc>,
        progress: &ProgressSink,
    ) -> Result<Option<MirrorReport>> {
        let began = Instant::now();
        traced_blocking(Operation::Mirror, || {
            let done = self.mirror_now(copy, wait, now, progress);
            observe_mirror(copy, &done, began.elapsed());
            done
        })
    }

    fn mirror_now(
        &self,
        copy: CopyName,
        wait: Wait,
        now: DateTime<Utc>,
        progress: &ProgressSink,
    ) -> Result<Option<MirrorReport>> {
        // By the clock of the files, and before they are listed.
        let listed = Utc::now();
        let done = self.place(copy).and_then(|place| match place {
            Some(place) => {
                let _only = Lock::copy(&self.root, copy, wait)?;
                mirror(&self.root, &*place, self.settings.quarantine(), now, progress).map(Some)
            }
            None => Ok(None),
        });
        // Who writes it remembers how that ended.
        if done.as_ref().is_err_and(|error| error.code() == Code::BackupBusy) {
            return done;
        }
        self.remember(|state| {
            let state = state.copies.entry(copy).or_default();
            match &done {
                Ok(Some(report)) => {
                    state.succeeded();
                    state.written = Some(now);
                    state.listed = Some(listed);
                    state.newest = report.newest.clone();
                    (state.files, state.bytes) = (report.files, report.size);
                }
                Ok(None) => {}
                Err(error) => state.failed(error, now),
            }
        })?;
        done
    }

    /// Where another copy is now; `None` when it is not set up.
    pub(super) fn place(&self, copy: CopyName) -> Result<Option<Box<dyn Place>>> {
        match copy {
            CopyName::Local => Ok(None),
            CopyName::External => Ok(self.volume()?.map(|volume| Box::new(volume) as Box<dyn Place>)),
            CopyName::Cloud => Ok(self.cloud()?.map(|cloud| Box::new(cloud) as Box<dyn Place>)),
        }
    }

    /// The folder of the external copy, if its volume is here.
    pub(super) fn volume(&self) -> Result<Option<Volume>> {
        let Some(wanted) = self.settings.external_copy(&self.locations.home) else { return Ok(None) };
        let Remembered { state, damage } = self.remembered();
        let known = state.copy(CopyName::External);
        if known.id.is_some() {
            let found = Volume::find(&wanted, &known);
            if !matches!(found, Ok(Some(_)))
                && let (Some(copy), Some(repository), Some(config)) =
                    (&known.id, &state.repository, &state.config)
            {
                let marker = Marker { copy: copy.clone(), repository: repository.clone() };
                let config = hex(&Sha256::digest(config));
                if let Some(volume) = Volume::marked_again(&wanted, &marker, &config)? {
                    return Ok(Some(volume));
                }
            }
            return found?.map(Some).ok_or_else(|| {
                Error::new(Code::CopyAbsent, "the volume of the external copy is not there")
                    .why(format!("{} is not mounted, or its folder was removed", wanted.display()))
                    .remedy("plug it in; the copy then catches up by itself")
                    .remedy("drydock backup copies forget external, if it is gone for good")
            });
        }
        let Some(repository) = state.repository else { return Ok(None) };
        // By one process at a time: two would each give the folder a name of its own.
        let _beginning = Lock::beginning(&self.root)?;
        let known = self.remembered().state.copy(CopyName::External);
        if known.id.is_some() {
            return Volume::find(&wanted, &known);
        }
        let Some((volume, begun)) = Volume::begin(&wanted, &repository)? else { return Ok(None) };
        // What is damaged stays as it is until it was named.
        if damage.is_none() {
            self.remember(|state| state.copies.insert(CopyName::External, begun))?;
        }
        Ok(Some(volume))
    }

    fn cloud(&self) -> Result<Option<Cloud>> {
        let Some(remote) = self.settings.cloud_copy() else { return Ok(None) };
        let cloud = Cloud::at(&remote, &self.locations);
        let Remembered { state, damage } = self.remembered();
        let Some(repository) = state.repository.clone() else { return Ok(None) };
        if state.copy(CopyName::Cloud).id.as_deref() == Some(remote.as_str()) {
            return Ok(Some(cloud));
        }
        // By one process at a time: a file that is being written can look strange to another.
        let _beginning = Lock::beginning(&self.root)?;
        if self.remembered().state.copy(CopyName::Cloud).id.as_deref() == Some(remote.as_str()) {
            return Ok(Some(cloud));
        }
        super::adopt::claim(&cloud, &repository)?;
        if damage.is_none() {
            let begun = CopyState { id: Some(remote), ..CopyState::default() };
            self.remember(|state| state.copies.insert(CopyName::Cloud, begun))?;
        }
        Ok(Some(cloud))
    }

    /// Forgets where another copy was; nothing of it is removed.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn forget_copy(&self, copy: CopyName) -> Result<()> {
        self.remember(|state| drop(state.copies.remove(&copy)))
    }

    /// Lets go of snapshots that need not stay. With [`PrunePlan::Show`] only says which.
    ///
    /// # Errors
    /// [`Code::BackupUnverified`] when the newest snapshot is not proven.
    pub fn prune(&self, plan: PrunePlan, now: DateTime<Utc>, progress: &ProgressSink) -> Result<Pruned> {
        let (days, hourly) = self.settings.retention();
        let deed = match plan {
            PrunePlan::Show => PruneDeed::Plan,
            PrunePlan::Do => PruneDeed::Do,
        };
        let retention = Retention { hourly, days };
        let ledger = self.sound_ledger()?;
        // What only they need would pass for needed by nobody.
        let there = self.list()?;
        let missing = ledger.expected().into_iter().find(|id| there.iter().all(|one| one.snapshot.id != *id));
        if let Some(missing) = missing {
            return Err(Error::new(
                Code::BackupDamaged,
                "nothing was removed, since the local copy is damaged",
            )
            .why(format!("the snapshot {missing} is missing"))
            .remedy("drydock backup verify --heal"));
        }
        let pruned = self.work(Work::Prune { retention, now, deed }, progress)?;
        self.remember_head()?;
        Ok(pruned)
    }

    pub(super) fn record(&self, events: Vec<Event>) -> Result<()> {
        {
            // A prune writes into the ledger as well, and holds the repository alone.
            let _shared = Lock::shared(&self.root)?;
            let _ledger = Lock::ledger(&self.root)?;
            self.sound_ledger()?.add(&Ledger::file(&self.root), Utc::now(), events)?;
        }
        self.remember_head()
    }

    pub(super) fn remember_head(&self) -> Result<()> {
        let ledger = Ledger::read(&Ledger::file(&self.root))?;
        self.remember(|state| state.head = ledger.head.clone())
    }

    pub(super) fn work<T: DeserializeOwned>(&self, work: Work, progress: &ProgressSink) -> Result<T> {
        self.work_with(&self.existing()?, work, progress)
    }

    pub(super) fn work_with<T: DeserializeOwned>(
        &self,
        key: &RepositoryKey,
        work: Work,
        progress: &ProgressSink,
    ) -> Result<T> {
        self.work_in(&self.root, key, work, progress)
    }

    /// Work on any of the copies.
    pub(super) fn work_in<T: DeserializeOwned>(
        &self,
        root: &Path,
        key: &RepositoryKey,
        work: Work,
        progress: &ProgressSink,
    ) -> Result<T> {
        let master = key.master.as_ref().map(|master| master.reveal().clone());
        run(&Order { root: root.to_path_buf(), master, work }, progress)
    }

    pub(super) fn restore_into(
        &self,
        root: &Path,
        key: &RepositoryKey,
        snapshot: &SnapshotId,
        paths: &[PathBuf],
        to: &Path,
        progress: &ProgressSink,
    ) -> Result<Restored> {
        let work = Work::Restore { snapshot: snapshot.clone(), paths: paths.to_vec(), to: to.to_path_buf() };
        self.work_in(root, key, work, progress)
    }
}

/// Whether a prune is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrunePlan {
    /// Only shown.
    Show,
    /// Done.
    Do,
}
