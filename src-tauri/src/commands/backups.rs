//! Backups: taken, looked into, searched, proven, and brought back from.

use super::Shared;
use crate::{
    desk::{Desk, blocking},
    doing::{Begun, Deed},
};
use chrono::{TimeDelta, Utc};
use drydock_engine::{
    backup::{
        BackupReport, Backups, BroughtBack, Copies, CopyName, Drill, Hit, Listed, ListedSnapshot, Reason,
        SnapshotId,
    },
    error_handling::{Code, Result},
    progress::ProgressSink,
    scheduler,
};
use std::{path::PathBuf, sync::Arc};
use tauri::AppHandle;

/// Takes a snapshot and brings the other copies up to it.
#[tauri::command]
pub(crate) async fn back_up_now(app: AppHandle, desk: Shared<'_>) -> Result<BackupReport> {
    back_up(&app, desk.inner()).await
}

pub(crate) async fn back_up(app: &AppHandle, desk: &Arc<Desk>) -> Result<BackupReport> {
    at_work(app, desk, Deed::Backup, |backups, sink| {
        backups.backup_claude_data(Reason::Manual, Copies::All, Utc::now(), sink)
    })
    .await
}

/// All snapshots, the oldest first; none before the first one.
#[tauri::command]
pub(crate) async fn snapshots(desk: Shared<'_>) -> Result<Vec<ListedSnapshot>> {
    let backups = desk.drydock()?.backups();
    blocking(move || match backups.list() {
        Err(error) if error.code() == Code::BackupNone => Ok(Vec::new()),
        listed => listed,
    })
    .await
}

/// What is in a folder of a snapshot.
#[tauri::command]
pub(crate) async fn browse_snapshot(
    desk: Shared<'_>,
    snapshot: SnapshotId,
    folder: PathBuf,
) -> Result<Vec<Listed>> {
    let backups = desk.drydock()?.backups();
    blocking(move || backups.browse(&snapshot, &folder)).await
}

/// The old conversations in which a text stands.
#[tauri::command]
pub(crate) async fn find_conversations(app: AppHandle, desk: Shared<'_>, text: String) -> Result<Vec<Hit>> {
    at_work(&app, desk.inner(), Deed::Search, move |backups, sink| backups.find_text(&text, sink)).await
}

/// Brings files of a snapshot back to where they were, where nothing is there now.
#[tauri::command]
pub(crate) async fn bring_back(
    app: AppHandle,
    desk: Shared<'_>,
    snapshot: SnapshotId,
    paths: Vec<PathBuf>,
) -> Result<BroughtBack> {
    at_work(&app, desk.inner(), Deed::BringBack, move |backups, sink| {
        backups.bring_back(&snapshot, &paths, sink)
    })
    .await
}

/// Restores a copy into a scratch folder, and times it.
#[tauri::command]
pub(crate) async fn prove_copy(app: AppHandle, desk: Shared<'_>, copy: CopyName) -> Result<Drill> {
    at_work(&app, desk.inner(), Deed::Drill, move |backups, sink| backups.drill(copy, Utc::now(), sink)).await
}

/// Lets scheduled backups rest for so many hours.
#[tauri::command]
pub(crate) async fn pause_backups(desk: Shared<'_>, hours: u32) -> Result<()> {
    rest(desk.inner(), hours).await
}

/// Ends their rest.
#[tauri::command]
pub(crate) async fn resume_backups(desk: Shared<'_>) -> Result<()> {
    go_on(desk.inner()).await
}

pub(crate) async fn rest(desk: &Arc<Desk>, hours: u32) -> Result<()> {
    let locations = desk.drydock()?.locations;
    blocking(move || scheduler::pause(&locations, TimeDelta::hours(hours.into()), Utc::now())).await?;
    desk.wake.notify_one();
    Ok(())
}

pub(crate) async fn go_on(desk: &Arc<Desk>) -> Result<()> {
    let locations = desk.drydock()?.locations;
    blocking(move || scheduler::unpause(&locations, Utc::now())).await?;
    desk.wake.notify_one();
    Ok(())
}

async fn at_work<T: Send + 'static>(
    app: &AppHandle,
    desk: &Arc<Desk>,
    deed: Deed,
    work: impl FnOnce(&Backups, &ProgressSink) -> Result<T> + Send + 'static,
) -> Result<T> {
    let begun = Begun::of(app, desk, deed);
    let sink = begun.sink();
    let backups = desk.drydock()?.backups();
    blocking(move || work(&backups, &sink)).await
}
