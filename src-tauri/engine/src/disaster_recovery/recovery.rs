//! A recovery from its plan to its report.

use super::{
    left_behind::clear_left_behind,
    plan::{Chosen, Plan, RecoveryId},
    put::{Put, put},
    record::{Deed, Past, Record, Records, Standing},
    stage::{StagedFiles, restore_from_backup},
    verify::{Verified, verify_recovery},
};
use crate::{
    backup::{Backups, Reason},
    error_handling::{Code, Error, Result},
    observability::{
        Event, EventName, Level, Metric, MetricName, Operation, log_event, record_metric, traced_blocking,
    },
    paths::Locations,
    progress::{Progress, ProgressSink},
    settings::Settings,
    sync::SyncLock,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

/// Recovery of one home.
#[derive(Debug, Clone)]
pub struct Recovery {
    pub(super) locations: Locations,
    pub(super) settings: Settings,
    pub(super) backups: Backups,
}

/// A file that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Left {
    /// The file.
    pub file: PathBuf,
    /// Why.
    pub why: String,
    /// What becomes of it.
    #[serde(flatten)]
    pub then: Then,
}

/// What becomes of a file that a recovery left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case", tag = "then")]
pub enum Then {
    /// Nothing needs to be done.
    Fine,
    /// The user can do something.
    ByHand {
        /// What.
        remedy: String,
    },
    /// It should have been recovered, and could not be.
    Failed {
        /// What may help.
        remedy: String,
    },
}

/// A file that was recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Recovered {
    /// The file.
    pub file: PathBuf,
    /// What it is now, in words.
    pub how: String,
}

/// What a recovery did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Report {
    /// Its name.
    pub id: RecoveryId,
    /// The snapshot that it used.
    pub chosen: Option<Chosen>,
    /// What was recovered.
    pub recovered: Vec<Recovered>,
    /// What was not.
    pub left: Vec<Left>,
    /// The proof.
    pub verified: Verified,
    /// Seconds from the first look at the damage to the proof: the recovery time.
    pub seconds: f64,
    /// Seconds before the damage from which something may be lost: the recovery point. `None` where nothing came
    /// from a snapshot.
    pub lost_seconds: Option<i64>,
    /// Where everything is that was replaced.
    pub quarantine: PathBuf,
    /// Until when it can be undone.
    pub undo_until: DateTime<Utc>,
}

impl Recovery {
    /// The recovery of a home.
    #[must_use]
    pub fn of(locations: &Locations, settings: &Settings) -> Self {
        let backups = Backups::of(locations, settings);
        Self { locations: locations.clone(), settings: settings.clone(), backups }
    }
}

/// Recovers what a plan says: a snapshot of what is there now, everything into staging, checked, exchanged file
/// by file with what was there kept in quarantine, and proven. One at a time; while a sync is at work it waits,
/// and while it is at work no sync is. Ended at any point, every file is old or new, and the next recovery does
/// the rest. Blocking.
///
/// # Errors
/// [`Code::RecoveryRunning`]; [`Code::RecoveryUnproven`] when Claude Code still cannot work with the host home: it
/// can be undone then as well.
pub fn disaster_recovery(
    recovery: &Recovery,
    plan: &Plan,
    looked: Looked,
    progress: &ProgressSink,
) -> Result<Report> {
    traced_blocking(Operation::Recovery, || {
        let done = recover_now(recovery, plan, looked, progress);
        observe(&done);
        done
    })
}

#[allow(clippy::cast_precision_loss)] // a metric
fn observe(done: &Result<Report>) {
    match done {
        Ok(report) => {
            log_event(
                &Event::new(EventName::Recovered)
                    .level(Level::Warn)
                    .with("recovery", report.id.to_string())
                    .with("files", report.recovered.len())
                    .with("left", report.left.len())
                    .with("seconds", report.seconds),
            );
            record_metric(&Metric::new(MetricName::RecoverySeconds, report.seconds));
            if let Some(lost) = report.lost_seconds {
                record_metric(&Metric::new(MetricName::RecoveryLoss, lost as f64));
            }
        }
        Err(error) => log_event(&Event::new(EventName::RecoveryFailed).code(error.code())),
    }
}

fn recover_now(recovery: &Recovery, plan: &Plan, looked: Looked, progress: &ProgressSink) -> Result<Report> {
    let started = Instant::now();
    let records = Records::alone(&recovery.locations)?;
    let _no_sync = SyncLock::acquire_blocking(
        &recovery.locations.sync_lock,
        "recovery",
        recovery.settings.lock_timeout(),
    )?;
    recovery.close_interrupted(&records)?;
    let record = records.of(plan.id);
    let mut past =
        Past { plan: plan.clone(), begun: Utc::now(), standing: Standing::Begun, report: None, error: None };
    crate::paths::create_private_dir(record.folder())?;
    record.write(&past)?;
    let done = recover(recovery, plan, &record, progress);
    record.clean_up();
    clear_left_behind(&recovery.locations, SystemTime::now());
    let done = done.and_then(|(recovered, left)| {
        progress.report(Progress::Step("proving what came back".to_owned()));
        let verified = verify_recovery(recovery, &record.deeds()?)?;
        Ok(Report {
            id: plan.id,
            chosen: plan.chosen.clone(),
            recovered,
            left,
            verified,
            seconds: looked.seconds + started.elapsed().as_secs_f64(),
            lost_seconds: plan.possible_loss().map(|loss| loss.num_seconds().max(0)),
            quarantine: record.quarantine(),
            undo_until: past.begun + super::record::UNDO,
        })
    });
    let done = done.and_then(|report| {
        past.report = Some(report.clone());
        if report.verified.is_good() { Ok(report) } else { Err(unproven(&report)) }
    });
    past.standing = if done.is_ok() { Standing::Done } else { Standing::Failed };
    past.error = done.as_ref().err().cloned();
    record.write(&past)?;
    if done.is_ok()
        && recovery.backups.has_snapshot()
        && let Err(error) = recovery.backups.snapshot(Reason::Change, &ProgressSink::none())
    {
        // The next one comes within the hour.
        tracing::warn!(%error, "no snapshot of what was recovered");
    }
    if let Ok(report) = &done {
        recovery.look_again_after(report.recovered.iter().map(|one| one.file.as_path()));
    }
    done
}

/// How long the looking took, before somebody decided.
#[derive(Debug, Clone, Copy, Default)]
pub struct Looked {
    /// Seconds.
    pub seconds: f64,
}

impl Recovery {
    /// Closes the records of recoveries whose processes were ended: the next one does what is left.
    fn close_interrupted(&self, records: &Records) -> Result<()> {
        for mut past in records.all().into_iter().filter(|past| past.standing == Standing::Begun) {
            let record = records.of(past.id());
            record.clean_up();
            // Staged files that never got to their places; no sync has any now.
            for folder in past.plan.items.iter().filter_map(|item| item.file.parent()) {
                sweep(folder);
            }
            self.backups.sweep_fetched();
            past.standing = Standing::Interrupted;
            record.write(&past)?;
        }
        Ok(())
    }

    /// As [`Recovery::close_interrupted`], unless a recovery or a sync is at work.
    pub(super) fn tidy(&self) -> Result<()> {
        let begun = |past: &Past| past.standing == Standing::Begun;
        if !Records::seen(&self.locations).all().iter().any(begun) {
            return Ok(());
        }
        let records = match Records::alone(&self.locations) {
            Err(error) if error.code() == Code::RecoveryRunning => return Ok(()),
            records => records?,
        };
        let timeout = self.settings.lock_timeout();
        let _no_sync = SyncLock::acquire_blocking(&self.locations.sync_lock, "recovery", timeout)?;
        self.close_interrupted(&records)
    }
}

/// Removes staged files from a folder.
pub(super) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let hex = name.strip_prefix(".drydock-").and_then(|rest| rest.strip_suffix(".tmp"));
        if hex.is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn recover(
    recovery: &Recovery,
    plan: &Plan,
    record: &Record,
    progress: &ProgressSink,
) -> Result<(Vec<Recovered>, Vec<Left>)> {
    progress.report(Progress::Step("taking a snapshot of what is there".to_owned()));
    if recovery.backups.has_snapshot()
        && let Err(error) = recovery.backups.snapshot(Reason::PreRecovery, progress)
        && error.code() != Code::BackupNothing
    {
        // Everything that is replaced goes into quarantine as well.
        tracing::warn!(%error, "no snapshot before this recovery");
    }
    progress.report(Progress::Step("bringing it out of the backups".to_owned()));
    // Its folders go when this ends.
    let mut staged: StagedFiles = restore_from_backup(recovery, plan, progress)?;
    let (ready, mut left) = (std::mem::take(&mut staged.ready), std::mem::take(&mut staged.left));
    let mut recovered = Vec::new();
    let total = Some(ready.len() as u64);
    for (number, ready) in ready.iter().enumerate() {
        progress.report(Progress::Count {
            what: "putting files in their places".to_owned(),
            done: number as u64,
            total,
        });
        let file = ready.item.file.clone();
        match put(recovery, ready, record) {
            Ok(Put::Done { how }) => recovered.push(Recovered { file, how }),
            Ok(Put::Nothing { why }) => left.push(Left { file, why, then: Then::Fine }),
            // Nothing else would fit either.
            Err(error) if error.code() == Code::DiskFull => return Err(error),
            Err(error) => left.push(Left {
                file,
                why: error.to_string(),
                then: Then::Failed {
                    remedy: error.remedies().first().cloned().unwrap_or_else(|| "drydock recover".to_owned()),
                },
            }),
        }
    }
    for folder in recovered
        .iter()
        .filter_map(|one: &Recovered| one.file.parent())
        .collect::<std::collections::BTreeSet<_>>()
    {
        drydock_inside::disk::sync_folder(folder).map_err(|cause| Error::io("flush", folder, &cause))?;
    }
    Ok((recovered, left))
}

fn unproven(report: &Report) -> Error {
    let mut error = Error::new(Code::RecoveryUnproven, "what came back did not pass its check");
    for finding in report.verified.findings.iter().take(3) {
        error = error.why(format!("{}: {}", finding.file.display(), finding.reason));
    }
    if report.verified.claude == super::verify::ClaudeSays::Refuses {
        error = error.why("Claude Code on this computer cannot read it");
    }
    error
        .remedy(format!("drydock recover --undo {}", report.id))
        .remedy("drydock recover --from SNAPSHOT, with an older one: drydock backup list")
}

/// The deeds of a recovery, for whoever wants to see them.
impl Recovery {
    /// What a recovery changed.
    ///
    /// # Errors
    /// When its record cannot be read.
    pub fn deeds(&self, id: RecoveryId) -> Result<Vec<Deed>> {
        Records::seen(&self.locations).of(id).deeds()
    }
}
