//! Looking at Claude Code's documents whenever they change, and having them recovered when they are damaged.

use super::watch::Watch;
use crate::{
    disaster_recovery::{Recovery, Report, is_of_data},
    error_handling::{Error, Result},
    paths::Locations,
    progress::ProgressSink,
    settings::Settings,
    validation::{Finding, Severity, validate_documents},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Whoever writes a document in place is given so long to come to the end.
const SETTLE: Duration = Duration::from_millis(400);
/// Without a sign of a change it is looked so often.
const TICK: Duration = Duration::from_secs(15);
/// So often all data is looked at, not the documents alone.
const WHOLE: TimeDelta = TimeDelta::days(1);
/// So often where the last look found something: then it is soon seen that it was mended.
const WHOLE_AGAIN: TimeDelta = TimeDelta::hours(1);

/// What the guard has to tell.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "guard")]
pub enum GuardReport {
    /// Something is damaged, and the user has to say what is done.
    Damaged {
        /// When it was seen.
        at: DateTime<Utc>,
        /// What.
        findings: Vec<Finding>,
    },
    /// It was recovered.
    Recovered {
        /// When it was seen.
        at: DateTime<Utc>,
        /// What was done.
        report: Box<Report>,
    },
    /// It is damaged, and could not be recovered.
    Failed {
        /// When it was seen.
        at: DateTime<Utc>,
        /// Why.
        error: Error,
    },
}

/// Guards the documents of one home.
pub(super) struct Guard {
    pub(super) locations: Locations,
    pub(super) settings_file: PathBuf,
    /// What the user was told last: each damage is told once.
    told: Mutex<Vec<Finding>>,
    /// What the last look at all data found.
    of_all: Mutex<Vec<Finding>>,
}

impl Guard {
    pub(super) fn of(locations: &Locations) -> Self {
        Self {
            locations: locations.clone(),
            settings_file: locations.settings_file.clone(),
            told: Mutex::default(),
            of_all: Mutex::default(),
        }
    }

    /// Guards for ever.
    pub(super) async fn run(
        self: Arc<Self>,
        watch: Arc<Watch>,
        report: Arc<dyn Fn(GuardReport) + Send + Sync>,
    ) {
        let mut whole: Option<DateTime<Utc>> = None;
        loop {
            let (guard, now) = (self.clone(), Utc::now());
            let every = if guard.of_all().is_empty() { WHOLE } else { WHOLE_AGAIN };
            let wants_whole = whole.is_none_or(|last| (now - last).abs() >= every);
            if wants_whole {
                whole = Some(now);
            }
            let look = move || {
                let told = guard.look();
                if told.is_none() && wants_whole { guard.look_at_all(now) } else { told }
            };
            match tokio::task::spawn_blocking(look).await {
                Ok(Some(told)) => report(told),
                Ok(None) => {}
                Err(cause) => tracing::warn!(%cause, "a look at the data stopped"),
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = watch.documents_changed() => {}
            }
        }
    }

    /// Looks once, and does what is to be done. Blocking.
    fn look(&self) -> Option<GuardReport> {
        let mut findings = self.errors();
        if findings.is_empty() {
            self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
            return None;
        }
        std::thread::sleep(SETTLE);
        findings = self.errors();
        if findings.is_empty() {
            return None;
        }
        let at = Utc::now();
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if *told == findings {
                return None;
            }
            told.clone_from(&findings);
        }
        match self.act() {
            Ok(None) => Some(GuardReport::Damaged { at, findings }),
            Ok(Some(report)) => Some(GuardReport::Recovered { at, report: Box::new(report) }),
            Err(error) => Some(GuardReport::Failed { at, error }),
        }
    }

    fn of_all(&self) -> MutexGuard<'_, Vec<Finding>> {
        self.of_all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at all data, beside what it was lately, and lets go of recoveries that can no longer be undone. What
    /// was found before is told once. Blocking.
    fn look_at_all(&self, now: DateTime<Utc>) -> Option<GuardReport> {
        let settings = Settings::load(&self.settings_file).ok()?;
        let recovery = Recovery::of(&self.locations, &settings);
        if let Err(error) = recovery.forget_old(now) {
            tracing::warn!(%error, "old recoveries are still kept");
        }
        let mut findings = recovery.look_on_record(now).findings;
        findings.retain(|finding| is_of_data(&self.locations, finding));
        let before = std::mem::replace(&mut *self.of_all(), findings.clone());
        (!findings.is_empty() && findings != before).then_some(GuardReport::Damaged { at: now, findings })
    }

    /// Recovers, where that needs no word of the user.
    fn act(&self) -> Result<Option<Report>> {
        let settings = Settings::load(&self.settings_file)?;
        Recovery::of(&self.locations, &settings).recover_if_allowed(&ProgressSink::none())
    }

    fn errors(&self) -> Vec<Finding> {
        let mut findings = validate_documents(&self.locations);
        findings.retain(|finding| finding.severity == Severity::Error);
        findings
    }
}
