//! The first run: each thing that a session needs, looked at live, and mended from here.

use super::Shared;
use crate::doing::{Begun, Deed};
use drydock_engine::{
    alerting::channels::{self, Permission, notification_permission},
    error_handling::Result,
    image::{LayerCache, build_image},
    keychain::{WAYS, Way},
    progress::stopped,
    validation::{Check, examine},
};
use std::sync::Arc;
use tauri::AppHandle;
use tokio::sync::Notify;

/// Looks at engine, image, disk, login, configuration and backups. On macOS the Keychain is asked, once.
#[tauri::command]
pub(crate) async fn checks(desk: Shared<'_>) -> Result<Vec<Check>> {
    let drydock = desk.drydock()?;
    Ok(examine(&drydock.locations, &drydock.settings).await)
}

/// The ways in which sessions can log in.
#[tauri::command]
pub(crate) fn login_ways() -> Vec<Way> {
    WAYS.to_vec()
}

/// Whether the system lets Drydock show notifications. Nobody is asked.
#[tauri::command]
pub(crate) async fn notifications_allowed() -> Permission {
    notification_permission().await
}

/// Has the system ask the user.
#[tauri::command]
pub(crate) async fn ask_for_notifications() -> Permission {
    channels::ask_for_notifications().await
}

/// Builds the session image; gives Claude Code's version in it.
#[tauri::command]
pub(crate) async fn build_session_image(app: AppHandle, desk: Shared<'_>) -> Result<String> {
    let begun = Begun::of(&app, desk.inner(), Deed::Image);
    let drydock = desk.drydock()?;
    let engine = drydock.engine().await?;
    let (sink, ended) = (begun.sink(), Arc::new(Notify::new()));
    let end = ended.clone();
    let _hook = sink.when_stopped(move || end.notify_one());
    // An engine gives up a build whose request ends.
    tokio::select! {
        built = build_image(&engine, &drydock.locations, &drydock.settings, LayerCache::Use, &sink) => {
            Ok(built?.version.claude_version)
        }
        () = ended.notified() => Err(stopped()),
    }
}
