//! What about the backups wants the user's attention.

use super::{
    Backups,
    snapshot::CopyName,
    status::{BackupStatus, CopyStatus},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// The loss that the user is promised not to have: data is never older than this without a backup.
pub const RECOVERY_POINT: TimeDelta = TimeDelta::hours(1);
/// The time in which the user is promised to be back at work.
pub const RECOVERY_TIME: TimeDelta = TimeDelta::minutes(5);

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Something is to be done, at leisure.
    Note,
    /// The backups do not protect as they should.
    Exposed,
}

/// One thing that wants attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// How much it matters.
    pub weight: Weight,
    /// What it is, in one sentence.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Backups {
    /// What wants attention.
    #[must_use]
    pub fn concerns(&self, now: DateTime<Utc>) -> Vec<Concern> {
        match self.status() {
            Ok(status) => concerns(&status, now),
            Err(error) => vec![Concern {
                weight: Weight::Exposed,
                what: error.message().to_owned(),
                remedy: "drydock backup verify --heal".to_owned(),
            }],
        }
    }
}

fn concerns(status: &BackupStatus, now: DateTime<Utc>) -> Vec<Concern> {
    let mut concerns = Vec::new();
    let mut add = |weight, what: String, remedy: &str| {
        concerns.push(Concern { weight, what, remedy: remedy.to_owned() });
    };
    let Some(local) = status.copies.iter().find(|copy| copy.copy == CopyName::Local) else { return concerns };
    let Some(as_of) = local.as_of else {
        add(Weight::Note, "there is no backup of your Claude data yet".into(), "drydock backup now");
        return concerns;
    };
    if local.failure.is_none() && now - as_of > RECOVERY_POINT * 2 {
        let hours = (now - as_of).num_hours();
        let what = format!("the last backup is {hours} hours old: nobody does the scheduled work");
        add(Weight::Exposed, what, "start Drydock in the menu bar, or: drydock daemon");
    }
    for copy in &status.copies {
        if let Some(concern) = failing(copy, now) {
            concerns.push(concern);
        }
    }
    let mut add = |weight, what: String, remedy: &str| {
        concerns.push(Concern { weight, what, remedy: remedy.to_owned() });
    };
    if !status.copies.iter().any(|copy| copy.copy != CopyName::Local && copy.set_up) {
        add(
            Weight::Note,
            "the only backup is on this computer's own disk".into(),
            "drydock settings set backup.external.path FOLDER, or backup.cloud.remote REMOTE:FOLDER",
        );
    }
    if status.sheet_wanted {
        add(
            Weight::Note,
            "the recovery sheet is not saved: the backups are lost with this computer".into(),
            "drydock backup key export --to FILE, then: drydock backup key confirm",
        );
    }
    concerns
}

/// An unplugged disk is no fault before it is too old.
fn failing(copy: &CopyStatus, now: DateTime<Utc>) -> Option<Concern> {
    use crate::error_handling::Code;
    let failure = copy.failure.as_ref()?;
    let days = (now - failure.since).num_days();
    let is_absent = failure.error.code() == Code::CopyAbsent;
    if is_absent && days < 7 {
        return None;
    }
    let remedy = failure.error.remedies().first().cloned().unwrap_or_else(|| "drydock backup copies".into());
    let what = if is_absent {
        format!("the {} copy has not been reached for {days} days", copy.copy)
    } else {
        format!("the {} copy fails: {}", copy.copy, failure.error.message())
    };
    let weight = if copy.copy == CopyName::Local { Weight::Exposed } else { Weight::Note };
    Some(Concern { weight, what, remedy })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backup::Failure,
        error_handling::{Code, Error},
    };

    fn status(now: DateTime<Utc>) -> BackupStatus {
        let copy = |copy| CopyStatus {
            copy,
            place: None,
            set_up: true,
            newest: None,
            as_of: Some(now),
            verified: None,
            drill: None,
            failure: None,
            files: 0,
            bytes: 0,
        };
        BackupStatus { copies: CopyName::ALL.map(copy).into(), sheet_wanted: false, missed: Vec::new() }
    }

    #[test]
    fn all_well_says_nothing_and_an_old_backup_does() {
        let now = Utc::now();
        assert!(concerns(&status(now), now).is_empty());
        let later = concerns(&status(now), now + TimeDelta::hours(5));
        assert!(later[0].what.contains("5 hours old") && later[0].weight == Weight::Exposed);
        let mut none = status(now);
        none.copies[0].as_of = None;
        assert_eq!(concerns(&none, now)[0].remedy, "drydock backup now");
    }

    #[test]
    fn an_unplugged_disk_is_mentioned_after_a_week_and_a_fault_at_once() {
        let now = Utc::now();
        let mut away = status(now);
        let failing = |code| Failure { since: now, at: now, times: 3, error: Error::new(code, "words") };
        away.copies[1].failure = Some(failing(Code::CopyAbsent));
        assert!(concerns(&away, now + TimeDelta::hours(1)).is_empty());
        away.copies[0].as_of = Some(now + TimeDelta::days(8));
        assert!(concerns(&away, now + TimeDelta::days(8))[0].what.contains("for 8 days"));
        away.copies[1].failure = Some(failing(Code::CopyFailed));
        assert!(concerns(&away, now)[0].what.contains("words"));
    }
}
