//! What the backups have to tell alerting.

use super::{NoData, Reading, Seen};
use crate::{
    backup::{BackupStatus, CopyName},
    error_handling::Result,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

type Status = Result<BackupStatus>;

fn known(status: &Status) -> std::result::Result<&BackupStatus, NoData> {
    status.as_ref().map_err(|error| NoData(error.message().to_owned()))
}

/// How old the local copy is; where there is none and one cannot be made, since when.
pub(super) fn age(status: &Status, now: DateTime<Utc>) -> Seen {
    let local = known(status)?.copies.iter().find(|copy| copy.copy == CopyName::Local);
    let since = local.and_then(|copy| copy.as_of.or(copy.failure.as_ref().map(|failure| failure.since)));
    let Some(since) = since else { return Err(NoData("there is no backup yet".to_owned())) };
    let words = format!("What changed in the last {} is in no backup.", long(now - since));
    Ok(vec![Reading::new("", seconds(now - since), words)])
}

/// How old the other copies are that are set up.
pub(super) fn copies_age(status: &Status, now: DateTime<Utc>) -> Seen {
    let others = known(status)?.copies.iter().filter(|copy| copy.copy != CopyName::Local && copy.set_up);
    let aged = others.filter_map(|copy| {
        let age = now - copy.as_of?;
        let words = format!("What changed in the last {} is not in the {} copy.", long(age), copy.copy);
        Some(Reading::new(copy.copy.word(), seconds(age), words))
    });
    Ok(aged.collect())
}

/// The copies whose last drill failed.
pub(super) fn drills_failed(copies: &BTreeSet<String>) -> Vec<Reading> {
    let failed = copies.iter().map(|copy| {
        let words = format!("The newest snapshot in the {copy} copy could not be proven by a restore.");
        Reading::new(copy, 1.0, words).remedy(format!("drydock backup drill --copy {copy}"))
    });
    failed.collect()
}

/// Whether the recovery sheet is still to be saved.
pub(super) fn sheet_unsaved(status: &Status) -> Seen {
    let wanted = known(status)?.sheet_wanted;
    let words = "Without it the backups are lost with this computer.";
    Ok(wanted.then(|| Reading::new("", 1.0, words)).into_iter().collect())
}

/// The copies that are damaged, and what is remembered of them where that is.
pub(super) fn damage(status: &Status, copies: &BTreeSet<String>) -> Vec<Reading> {
    let heal = "drydock backup verify --heal";
    let damaged = copies.iter().map(|copy| {
        let words = format!("Files of the {copy} copy of the backups are not what was written.");
        Reading::new(format!("{copy} copy"), 1.0, words).remedy(heal)
    });
    let unreadable = status.is_err().then(|| {
        let words = "What is remembered of the backups cannot be read.";
        Reading::new("backups", 1.0, words).remedy(heal)
    });
    damaged.chain(unreadable).collect()
}

#[allow(clippy::cast_precision_loss)] // ages
fn seconds(age: chrono::TimeDelta) -> f64 {
    age.num_seconds() as f64
}

fn long(age: chrono::TimeDelta) -> String {
    match age.num_hours() {
        ..2 => format!("{} minutes", age.num_minutes()),
        2..48 => format!("{} hours", age.num_hours()),
        _ => format!("{} days", age.num_days()),
    }
}
