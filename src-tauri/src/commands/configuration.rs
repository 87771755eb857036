//! Configuration from git: what is in force, what waits, what differs here, and the user's hand on it.

use super::Shared;
use crate::{
    desk::{Desk, blocking},
    doing::{Begun, Deed},
};
use chrono::Utc;
use drydock_engine::{
    error_handling::{Code, Error, Result},
    gitops::{
        Actor, Adopted, AuditLine, Below, Cause, DriftLine, Force, Gitops, GitopsStatus, Judged, Outcome,
        Pushed, Report, Which, Wish, detect_drift, reconcile_config,
    },
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tauri::{AppHandle, Emitter as _};
use ts_rs::TS;

/// What windows hear when it may stand otherwise.
const EVENT: &str = "configuration";

/// What is not as git says, compared now.
#[derive(Debug, Clone, Serialize, TS)]
pub(crate) struct Differing {
    /// What was changed here.
    drift: Vec<DriftLine>,
    /// What waits for secrets that are not in the repository.
    missing: Vec<MissingSecrets>,
}

/// A place whose secrets are not there.
#[derive(Debug, Clone, Serialize, TS)]
pub(crate) struct MissingSecrets {
    place: String,
    /// Their names.
    secrets: Vec<String>,
}

/// What the user wants of the repository.
#[derive(Debug, Clone, Copy, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ConfigDeed {
    /// What it says comes here now.
    BringHere,
    /// Also a commit that failed before, and a history that was rewritten.
    BringAnyway,
    /// The commit before comes back, and nothing newer.
    GoBack,
    /// New commits are taken again.
    TakeNew,
}

/// What the user wants where this computer differs.
#[derive(Debug, Clone, Copy, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DriftDeed {
    /// What git says comes back.
    Revert,
    /// What stands here becomes a commit.
    Adopt,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, TS)]
pub(crate) struct ConfigReport {
    /// How it ended.
    ending: ConfigEnding,
    /// Why a commit was not brought here, or taken back.
    error: Option<Error>,
    /// Why the repository cannot be reached, in git's words.
    unreachable: Option<String>,
    /// What was written.
    changed: Vec<ChangedPlace>,
    /// What git says nothing of any more, and was changed here: it is the user's.
    released: Vec<String>,
    /// What became a commit.
    adopted: Option<AdoptedPlaces>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ConfigEnding {
    Done,
    Held,
    Failed,
    TakenBack,
    Suspended,
    NothingFetched,
}

/// A place that was written.
#[derive(Debug, Clone, Serialize, TS)]
pub(crate) struct ChangedPlace {
    place: String,
    cause: Cause,
    /// What is there now, as it may be shown.
    to: Option<String>,
}

/// What became a commit.
#[derive(Debug, Clone, Serialize, TS)]
pub(crate) struct AdoptedPlaces {
    /// The commit; none where nothing could be taken.
    commit: Option<String>,
    /// The branch that has it, to be merged by hand, where the repository's own could not be written.
    branch: Option<String>,
    places: Vec<String>,
    /// What is for a person to do.
    left: Vec<LeftPlace>,
}

/// What did not become a commit.
#[derive(Debug, Clone, Serialize, TS)]
pub(crate) struct LeftPlace {
    place: String,
    why: String,
}

/// How it stands; nothing where no repository is set up.
#[tauri::command]
pub(crate) async fn configuration(desk: Shared<'_>) -> Result<Option<GitopsStatus>> {
    let gitops = desk.drydock()?.gitops();
    blocking(move || match gitops.status() {
        Ok(status) => Ok(Some(status)),
        Err(error) if error.code() == Code::GitopsOff => Ok(None),
        Err(error) => Err(error),
    })
    .await
}

/// What is not as git says, compared now.
#[tauri::command]
pub(crate) async fn configuration_differing(desk: Shared<'_>) -> Result<Differing> {
    let gitops = desk.drydock()?.gitops();
    let report = blocking(move || detect_drift(&gitops, Utc::now())).await?;
    let missing = report.missing.into_iter().map(|(place, secrets)| MissingSecrets {
        place: place.to_string(),
        secrets: secrets.into_iter().collect(),
    });
    Ok(Differing { drift: report.drift, missing: missing.collect() })
}

/// All of a change that waits.
#[tauri::command]
pub(crate) async fn judge_configuration(desk: Shared<'_>, id: String) -> Result<Judged> {
    let gitops = desk.drydock()?.gitops();
    blocking(move || gitops.judge(&id, Utc::now())).await
}

/// Lets a change that waits happen.
#[tauri::command]
pub(crate) async fn approve_configuration(
    app: AppHandle,
    desk: Shared<'_>,
    id: String,
) -> Result<ConfigReport> {
    work(&app, desk.inner(), move |gitops| {
        gitops.approve(&Which::These(vec![id]), Utc::now()).map(ConfigReport::of)
    })
    .await
}

/// Does something with the repository.
#[tauri::command]
pub(crate) async fn steer_configuration(
    app: AppHandle,
    desk: Shared<'_>,
    deed: ConfigDeed,
) -> Result<ConfigReport> {
    work(&app, desk.inner(), move |gitops| {
        let now = Utc::now();
        let report = match deed {
            ConfigDeed::BringHere => reconcile_config(gitops, &Wish::of_user(), now),
            ConfigDeed::BringAnyway => {
                reconcile_config(gitops, &Wish { force: Force::Yes, ..Wish::of_user() }, now)
            }
            ConfigDeed::GoBack => gitops.rollback(None, now),
            ConfigDeed::TakeNew => gitops.resume(now),
        };
        report.map(ConfigReport::of)
    })
    .await
}

/// Does something about a place that differs.
#[tauri::command]
pub(crate) async fn settle_drift(
    app: AppHandle,
    desk: Shared<'_>,
    place: String,
    deed: DriftDeed,
) -> Result<ConfigReport> {
    let below: Below = place.parse().map_err(|wrong| {
        Error::new(Code::GitopsPlace, format!("`{place}` is no place"))
            .why(wrong)
            .remedy("drydock gitops drift")
    })?;
    work(&app, desk.inner(), move |gitops| match deed {
        DriftDeed::Revert => {
            let wish = Wish { revert: vec![below], ..Wish::of_user() };
            reconcile_config(gitops, &wish, Utc::now()).map(ConfigReport::of)
        }
        DriftDeed::Adopt => adopt(gitops, below),
    })
    .await
}

/// The log of changes, the newest first.
#[tauri::command]
pub(crate) async fn configuration_log(desk: Shared<'_>) -> Result<Vec<AuditLine>> {
    let gitops = desk.drydock()?.gitops();
    blocking(move || {
        let mut lines = gitops.audit()?;
        lines.reverse();
        Ok(lines)
    })
    .await
}

/// Proves that the log is what was written; how many lines it has.
#[tauri::command]
pub(crate) async fn prove_configuration_log(desk: Shared<'_>) -> Result<u64> {
    let gitops = desk.drydock()?.gitops();
    blocking(move || gitops.verify_audit()).await
}

/// Tells windows that it may stand otherwise.
pub(crate) fn tell(app: &AppHandle) {
    if let Err(error) = app.emit(EVENT, ()) {
        tracing::warn!(%error, "windows cannot be told of the configuration");
    }
}

async fn work(
    app: &AppHandle,
    desk: &Arc<Desk>,
    deed: impl FnOnce(&Gitops) -> Result<ConfigReport> + Send + 'static,
) -> Result<ConfigReport> {
    let gitops = desk.drydock()?.gitops();
    let begun = Begun::of(app, desk, Deed::Configuration);
    let report = blocking(move || deed(&gitops)).await;
    drop(begun);
    tell(app);
    report
}

/// What is a commit now is no drift any more: it is looked at once more.
fn adopt(gitops: &Gitops, below: Below) -> Result<ConfigReport> {
    let adopted = gitops.adopt(&[below], Actor::User, Utc::now())?;
    let report = reconcile_config(gitops, &Wish::of_user(), Utc::now())?;
    Ok(ConfigReport { adopted: Some(AdoptedPlaces::of(adopted)), ..ConfigReport::of(report) })
}

impl ConfigReport {
    fn of(report: Report) -> Self {
        let (ending, error) = match report.outcome {
            Outcome::Synced => (ConfigEnding::Done, None),
            Outcome::Held { .. } => (ConfigEnding::Held, None),
            Outcome::Failed { error, .. } => (ConfigEnding::Failed, Some(error)),
            Outcome::RolledBack { error, .. } => (ConfigEnding::TakenBack, Some(error)),
            Outcome::Suspended { .. } => (ConfigEnding::Suspended, None),
            Outcome::NothingFetched => (ConfigEnding::NothingFetched, None),
        };
        let changed = report.changed.into_iter().map(|one| ChangedPlace {
            place: one.place.to_string(),
            cause: one.cause,
            to: one.to,
        });
        Self {
            ending,
            error,
            unreachable: report.unreachable.map(|gone| gone.why),
            changed: changed.collect(),
            released: report.released.iter().map(ToString::to_string).collect(),
            adopted: report.adopted.map(AdoptedPlaces::of),
        }
    }
}

impl AdoptedPlaces {
    fn of(adopted: Adopted) -> Self {
        let left = adopted.left.into_iter();
        Self {
            commit: adopted.commit.map(|commit| commit.short().to_owned()),
            branch: match adopted.pushed {
                Some(Pushed::Beside { branch, .. }) => Some(branch),
                _ => None,
            },
            places: adopted.places.iter().map(ToString::to_string).collect(),
            left: left.map(|(place, why)| LeftPlace { place: place.to_string(), why }).collect(),
        }
    }
}
