//! How everything stands, as one value: what the popover shows, what the menu says, what the icon is.

mod need;
mod watch;

#[cfg(test)]
pub(crate) use need::Urgency;
pub(crate) use need::{Need, State};
use need::{needs, state};
pub(crate) use watch::{Changed, Latest, watch};

use chrono::Utc;
use drydock_engine::{
    Drydock,
    backup::{BackupStatus, RECOVERY_POINT, RECOVERY_TIME},
    disaster_recovery::Standing,
    error_handling::{Code, Error},
    scheduler::{Holder, Pause, Scheduler, paused},
    session::{ListedSession, SessionState, recent_projects},
    settings::LoginMode,
    validation::{Finding, Severity, validate_documents},
};
use serde::Serialize;
use std::path::PathBuf;
use ts_rs::TS;

/// So many projects are offered for a launch.
const PROJECTS: usize = 6;

/// How everything stands.
#[derive(Debug, Clone, Serialize, TS)]
pub(crate) struct Overview {
    /// All of it in one word.
    pub(crate) state: State,
    /// What wants the user, the most urgent first.
    pub(crate) needs: Vec<Need>,
    /// The sessions; nothing while no engine answers.
    pub(crate) sessions: Vec<ListedSession>,
    /// Why no engine answers.
    pub(crate) engine_error: Option<Error>,
    /// The three copies.
    pub(crate) backups: Option<BackupStatus>,
    /// Changes of sessions that wait.
    pub(crate) held: usize,
    /// Configuration from git; nothing where it is not set up.
    pub(crate) configuration: Option<Configured>,
    /// A newer Claude Code that can be tried now.
    pub(crate) newer: Option<String>,
    /// What is damaged.
    pub(crate) damage: Vec<Finding>,
    /// What was promised, and what the last recovery took.
    pub(crate) promised: Promised,
    /// Who does the scheduled work.
    pub(crate) scheduler: Option<Holder>,
    /// The rest that the user gave it.
    pub(crate) paused: Option<Pause>,
    /// Projects that were worked on last.
    pub(crate) projects: Vec<PathBuf>,
    /// The user's home, so that paths can be shown from it.
    pub(crate) home: PathBuf,
}

/// How configuration from git stands, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub(crate) struct Configured {
    /// The commit in force.
    pub(crate) in_force: Option<String>,
    /// What waits for the user: changes, and a commit as a whole.
    pub(crate) waiting: usize,
    /// How many places are not as git says.
    pub(crate) differing: usize,
    /// Whether a commit could not be brought here.
    pub(crate) failed: bool,
}

/// What the user is promised, in seconds.
#[derive(Debug, Clone, Copy, Serialize, TS)]
pub(crate) struct Promised {
    /// At most so long ago data has no backup.
    pub(crate) loss_seconds: i64,
    /// In so long everything is back.
    pub(crate) back_seconds: i64,
    /// What the last recovery or drill took.
    pub(crate) back_measured: Option<f64>,
}

/// The sessions as the engine told of them last.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeenSessions {
    pub(crate) sessions: Vec<ListedSession>,
    pub(crate) error: Option<Error>,
}

impl Overview {
    /// Looks at everything but the container engine, whose answer is given. Blocking; asks no keyring and no network.
    pub(crate) fn look(drydock: &Drydock, seen: &SeenSessions) -> Self {
        let now = Utc::now();
        let mut damage = validate_documents(&drydock.locations);
        damage.retain(|finding| finding.severity == Severity::Error);
        let backups = drydock.backups().status();
        let backups =
            backups.inspect_err(|error| tracing::warn!(%error, "how the backups stand is unknown")).ok();
        let held = drydock.held().waiting(now);
        let held = held.inspect_err(|error| tracing::warn!(%error, "held changes cannot be read"));
        let held = held.map_or(0, |held| held.len());
        let configuration = configured(drydock);
        let newer = drydock.deployments().offered();
        let newer = newer.inspect_err(|error| tracing::warn!(%error, "new versions cannot be told of"));
        let scheduler = Scheduler::holder(&drydock.locations);
        let last = drydock.recovery().history().pop();
        let facts = need::Facts {
            damaged: damage.len(),
            recovery_failed: last.as_ref().is_some_and(|past| past.standing == Standing::Failed),
            backups: backups.as_ref(),
            held,
            unapproved: configuration.as_ref().map_or(0, |configured| configured.waiting),
            ended: seen.sessions.iter().filter(|one| is_left(one)).count(),
            engine_missing: seen.error.is_some(),
            login_undecided: drydock.settings.login_mode() == LoginMode::Ask,
            alerts: drydock.alerts().state().map(|state| need::alerts(&state, now)).unwrap_or_default(),
            now,
        };
        let needs = needs(&facts);
        let running = seen.sessions.iter().any(|one| one.state == SessionState::Running);
        let drills =
            backups.iter().flat_map(|backups| &backups.copies).filter_map(|copy| copy.drill.as_ref());
        let drill = drills.max_by_key(|drill| drill.at);
        let recovered = last.as_ref().filter(|past| past.standing == Standing::Done);
        let recovered = recovered.and_then(|past| Some((past.begun, past.report.as_ref()?.seconds)));
        let measured = [drill.map(|drill| (drill.at, drill.seconds)), recovered].into_iter().flatten();
        Self {
            state: state(&needs, running),
            needs,
            sessions: seen.sessions.clone(),
            engine_error: seen.error.clone(),
            held,
            configuration,
            newer: newer.ok().flatten().map(|version| version.to_string()),
            damage,
            promised: Promised {
                loss_seconds: RECOVERY_POINT.num_seconds(),
                back_seconds: RECOVERY_TIME.num_seconds(),
                back_measured: measured.max_by_key(|(at, _)| *at).map(|(_, seconds)| seconds),
            },
            backups,
            scheduler,
            paused: paused(&drydock.locations, now),
            projects: recent_projects(&drydock.locations, PROJECTS),
            home: drydock.locations.home.clone(),
        }
    }

    /// As it is compared with an earlier one.
    fn fingerprint(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

fn configured(drydock: &Drydock) -> Option<Configured> {
    let status = match drydock.gitops().status() {
        Ok(status) => status,
        Err(error) if error.code() == Code::GitopsOff => return None,
        Err(error) => {
            tracing::warn!(%error, "how the configuration stands is unknown");
            return None;
        }
    };
    Some(Configured {
        in_force: status.in_force.map(|now| now.commit.short().to_owned()),
        waiting: status.held.len() + usize::from(status.held_commit.is_some()),
        differing: status.drift.len(),
        failed: status.failed.is_some(),
    })
}

/// A session that ended and whose data could not come out yet.
fn is_left(session: &ListedSession) -> bool {
    session.state == SessionState::Finished && !session.attached
}
