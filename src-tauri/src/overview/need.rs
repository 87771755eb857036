//! What wants the user, and what that comes to: plain functions of the facts.

use crate::windows::Page;
use chrono::{DateTime, Utc};
use drydock_engine::{
    alerting::{AlertState, Incident, Severity},
    backup::{BackupStatus, CopyName, CopyStatus, RECOVERY_POINT},
    error_handling::Code,
};
use serde::Serialize;
use ts_rs::TS;

/// One thing that wants the user. The page and the menu have words and a deed for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub(crate) enum Need {
    /// Claude Code cannot work with some of its files.
    Damaged {
        /// So many.
        count: usize,
    },
    /// The last recovery did not come to a good end.
    RecoveryFailed,
    /// No backup was taken for longer than promised.
    BackupOld {
        /// The last one.
        as_of: DateTime<Utc>,
    },
    /// No snapshot can be taken.
    BackupFailing,
    /// Changes of sessions wait.
    Held {
        /// So many.
        count: usize,
    },
    /// Changes of the configuration from git wait.
    ConfigurationHeld {
        /// So many.
        count: usize,
    },
    /// Sessions ended and their data is still inside.
    DataInside {
        /// So many.
        count: usize,
    },
    /// No container engine answers.
    EngineMissing,
    /// Nobody said how sessions log in.
    LoginUndecided,
    /// There is no backup yet.
    NoBackup,
    /// Another copy cannot be written.
    CopyFailing {
        /// Which.
        copy: CopyName,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// All backups are on one disk.
    OneDisk,
    /// The recovery sheet is not saved.
    SheetUnsaved,
    /// An alert fires about something else.
    Alert {
        /// What is the matter, in the engine's words.
        title: String,
        /// How long it can wait.
        urgency: Urgency,
        /// Where more is shown.
        page: Page,
    },
}

/// How long something can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Urgency {
    /// It is to be looked at now.
    Now,
    /// It can be done at leisure.
    Later,
}

/// Rules whose matter is among the needs already.
const COVERED: [&str; 6] = ["damage", "backup-old", "copy-old", "held", "orphaned", "sheet-unsaved"];

/// The alerts that nobody took on or silenced, but for those that the other needs say.
pub(crate) fn alerts(state: &AlertState, now: DateTime<Utc>) -> Vec<Need> {
    let open = |one: &&Incident| {
        !one.is_acknowledged(now) && !state.is_muted(one) && !COVERED.contains(&one.rule.as_str())
    };
    let need = |one: &Incident| Need::Alert {
        title: one.title.clone(),
        urgency: if one.severity == Severity::High { Urgency::Now } else { Urgency::Later },
        page: one.page.into(),
    };
    state.firing().filter(open).map(need).collect()
}

/// All of it in one word: the shape of the icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Nothing runs, and nothing is wrong.
    Idle,
    /// Sessions run.
    Working,
    /// Something waits for the user.
    NeedsYou,
    /// Something is damaged or not protected.
    Problem,
    /// No container engine answers.
    Offline,
}

/// What is known.
pub(crate) struct Facts<'a> {
    pub(crate) damaged: usize,
    pub(crate) recovery_failed: bool,
    pub(crate) backups: Option<&'a BackupStatus>,
    pub(crate) held: usize,
    pub(crate) unapproved: usize,
    pub(crate) ended: usize,
    pub(crate) engine_missing: bool,
    pub(crate) login_undecided: bool,
    pub(crate) alerts: Vec<Need>,
    pub(crate) now: DateTime<Utc>,
}

/// What wants the user, the most urgent first.
pub(crate) fn needs(facts: &Facts<'_>) -> Vec<Need> {
    let mut needs = Vec::new();
    if facts.damaged > 0 {
        needs.push(Need::Damaged { count: facts.damaged });
        if facts.recovery_failed {
            needs.push(Need::RecoveryFailed);
        }
    }
    let copies = facts.backups.map(|status| status.copies.as_slice()).unwrap_or_default();
    let local = copies.iter().find(|copy| copy.copy == CopyName::Local);
    let as_of = local.and_then(|copy| copy.as_of);
    if local.is_some_and(|copy| copy.failure.is_some()) || facts.backups.is_none() {
        needs.push(Need::BackupFailing);
    } else if let Some(as_of) = as_of.filter(|as_of| facts.now - *as_of > RECOVERY_POINT * 2) {
        needs.push(Need::BackupOld { as_of });
    }
    let (now, later): (Vec<_>, Vec<_>) = facts
        .alerts
        .iter()
        .cloned()
        .partition(|need| matches!(need, Need::Alert { urgency: Urgency::Now, .. }));
    needs.extend(now);
    if facts.held > 0 {
        needs.push(Need::Held { count: facts.held });
    }
    if facts.unapproved > 0 {
        needs.push(Need::ConfigurationHeld { count: facts.unapproved });
    }
    if facts.ended > 0 {
        needs.push(Need::DataInside { count: facts.ended });
    }
    if facts.engine_missing {
        needs.push(Need::EngineMissing);
    }
    if facts.login_undecided {
        needs.push(Need::LoginUndecided);
    }
    needs.extend(later);
    let Some(local) = local.filter(|copy| copy.failure.is_none()) else { return needs };
    if local.as_of.is_none() {
        needs.push(Need::NoBackup);
        return needs;
    }
    let others: Vec<_> = copies.iter().filter(|copy| copy.copy != CopyName::Local).collect();
    needs.extend(others.iter().filter_map(|copy| failing(copy, facts.now)));
    if !others.iter().any(|copy| copy.set_up) {
        needs.push(Need::OneDisk);
    }
    if facts.backups.is_some_and(|status| status.sheet_wanted) {
        needs.push(Need::SheetUnsaved);
    }
    needs
}

/// A disk that is not plugged in is no fault within a week.
fn failing(copy: &CopyStatus, now: DateTime<Utc>) -> Option<Need> {
    const AWAY_DAYS: i64 = 7;
    let failure = copy.failure.as_ref()?;
    let is_away = failure.error.code() == Code::CopyAbsent && (now - failure.since).num_days() < AWAY_DAYS;
    (!is_away).then_some(Need::CopyFailing { copy: copy.copy, since: failure.since })
}

/// What the needs come to.
pub(crate) fn state(needs: &[Need], running: bool) -> State {
    let weight = |need: &Need| match need {
        Need::Damaged { .. } | Need::RecoveryFailed | Need::BackupOld { .. } | Need::BackupFailing => {
            Some(State::Problem)
        }
        Need::Held { .. }
        | Need::ConfigurationHeld { .. }
        | Need::DataInside { .. }
        | Need::Alert { urgency: Urgency::Now, .. } => Some(State::NeedsYou),
        Need::EngineMissing => Some(State::Offline),
        // To be done at leisure.
        Need::LoginUndecided
        | Need::NoBackup
        | Need::CopyFailing { .. }
        | Need::OneDisk
        | Need::SheetUnsaved
        | Need::Alert { urgency: Urgency::Later, .. } => None,
    };
    let worst = needs.iter().find_map(weight);
    worst.unwrap_or(if running { State::Working } else { State::Idle })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use drydock_engine::{backup::Failure, error_handling::Error};

    fn healthy(now: DateTime<Utc>) -> BackupStatus {
        let copies = CopyName::ALL.map(|copy| CopyStatus {
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
        });
        BackupStatus { copies: copies.into(), sheet_wanted: false, missed: Vec::new() }
    }

    fn facts(status: &BackupStatus, now: DateTime<Utc>) -> Facts<'_> {
        Facts {
            damaged: 0,
            recovery_failed: false,
            backups: Some(status),
            held: 0,
            unapproved: 0,
            ended: 0,
            engine_missing: false,
            login_undecided: false,
            alerts: Vec::new(),
            now,
        }
    }

    #[test]
    fn a_healthy_computer_wants_nothing() {
        let now = Utc::now();
        let status = healthy(now);
        let needs = needs(&facts(&status, now));
        assert!(needs.is_empty(), "{needs:?}");
        assert_eq!((state(&needs, false), state(&needs, true)), (State::Idle, State::Working));
    }

    #[test]
    fn damage_comes_before_all_else_and_an_engine_after_what_waits() {
        let now = Utc::now();
        let status = healthy(now);
        let all = Facts {
            damaged: 2,
            held: 1,
            unapproved: 1,
            ended: 1,
            engine_missing: true,
            ..facts(&status, now)
        };
        let found = needs(&all);
        assert_eq!(found[0], Need::Damaged { count: 2 });
        assert_eq!(found[1..3], [Need::Held { count: 1 }, Need::ConfigurationHeld { count: 1 }]);
        assert_eq!(state(&found[2..3], true), State::NeedsYou);
        assert_eq!(state(&found, true), State::Problem);
        assert_eq!(state(&found[1..], true), State::NeedsYou);
        assert_eq!(state(&[Need::EngineMissing], false), State::Offline);
    }

    #[test]
    fn an_old_backup_is_a_problem_and_an_unplugged_disk_is_none_for_a_week() {
        let now = Utc::now();
        let mut status = healthy(now);
        let away = Error::new(Code::CopyAbsent, "away");
        status.copies[1].failure = Some(Failure { since: now, at: now, times: 1, error: away });
        assert!(needs(&facts(&status, now)).is_empty());
        let later = now + TimeDelta::days(8);
        let found = needs(&facts(&status, later));
        assert_eq!(found[0], Need::BackupOld { as_of: now });
        assert_eq!(found[1], Need::CopyFailing { copy: CopyName::External, since: now });
        assert_eq!(state(&found, false), State::Problem);
    }

    #[test]
    fn an_alert_that_cannot_wait_wants_the_user_and_others_come_last() {
        let now = Utc::now();
        let status = healthy(now);
        let alert =
            |title: &str, urgency| Need::Alert { title: title.to_owned(), urgency, page: Page::Activity };
        let alerts = vec![alert("slow", Urgency::Later), alert("failing", Urgency::Now)];
        let found = needs(&Facts { held: 1, alerts, ..facts(&status, now) });
        assert_eq!(
            found,
            [alert("failing", Urgency::Now), Need::Held { count: 1 }, alert("slow", Urgency::Later)]
        );
        assert_eq!(state(&found[..1], false), State::NeedsYou);
        assert_eq!(state(&found[2..], false), State::Idle);
    }

    #[test]
    fn before_the_first_backup_only_that_is_said_of_backups() {
        let now = Utc::now();
        let mut status = healthy(now);
        for copy in &mut status.copies {
            (copy.as_of, copy.set_up) = (None, false);
        }
        status.sheet_wanted = true;
        assert_eq!(needs(&facts(&status, now)), [Need::NoBackup]);
        status.copies[0].as_of = Some(now);
        assert_eq!(needs(&facts(&status, now)), [Need::OneDisk, Need::SheetUnsaved]);
    }
}
