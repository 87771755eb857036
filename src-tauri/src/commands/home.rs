//! How everything stands, and which window shows what.

use super::Shared;
use crate::{
    doing::{Deed, Doing},
    overview::Overview,
    popover,
    windows::{self, Page},
};
use drydock_engine::error_handling::{Code, Error, Result};
use std::sync::PoisonError;
use tauri::AppHandle;

/// How everything stood at the last look; nothing before the first. What changes is told by the event `overview`.
#[tauri::command]
pub(crate) fn overview(desk: Shared<'_>) -> Option<Overview> {
    desk.latest.get().map(|overview| (*overview).clone())
}

/// Long work on its way. What changes is told by the event `doing`.
#[tauri::command]
pub(crate) fn doings(desk: Shared<'_>) -> Vec<Doing> {
    desk.doings.all()
}

/// Stops long work. It says `stopped` to whoever began it, and leaves nothing half-done.
#[tauri::command]
pub(crate) fn stop_doing(desk: Shared<'_>, deed: Deed) {
    desk.doings.stop(deed);
}

/// Looks again, and for an engine as well.
#[tauri::command]
pub(crate) fn look_again(desk: Shared<'_>) {
    desk.ask_engine.notify_one();
    desk.wake.notify_one();
}

/// What failed outside the windows and was not shown yet: only once. That there is one is told by the event `failed`.
#[tauri::command]
pub(crate) fn failure(desk: Shared<'_>) -> Option<Error> {
    desk.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Shows a page in the main window, instead of the popover.
#[tauri::command]
pub(crate) async fn open_page(app: AppHandle, page: Page) -> Result<()> {
    popover::hide(&app)
        .and_then(|()| windows::open(&app, page))
        .map_err(|cause| Error::new(Code::Internal, "the window could not be opened").why(cause))
}

/// Puts the popover away.
#[tauri::command]
pub(crate) async fn close_popover(app: AppHandle) -> Result<()> {
    popover::hide(&app)
        .map_err(|cause| Error::new(Code::Internal, "the popover could not be put away").why(cause))
}
