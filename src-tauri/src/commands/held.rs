//! Held changes: looked at, and decided one by one.

use super::Shared;
use crate::desk::blocking;
use chrono::Utc;
use drydock_engine::{
    Drydock,
    error_handling::{Code, Error, Result},
    sync::{Always, Decided, Held, HeldId, SyncLock, acquire_sync_lock, diff},
};

/// All on record, the newest first: those that wait, and those decided lately.
#[tauri::command]
pub(crate) async fn held_changes(desk: Shared<'_>) -> Result<Vec<Held>> {
    let held = desk.drydock()?.held();
    blocking(move || held.all(Utc::now())).await
}

/// The host's side against the session's.
#[tauri::command]
pub(crate) async fn held_diff(desk: Shared<'_>, id: String) -> Result<String> {
    let (store, id) = (desk.drydock()?.held(), named(&id)?);
    blocking(move || {
        let held = store.find(&id)?.ok_or_else(|| unknown(id.as_str()))?;
        diff(&store, &held)
    })
    .await
}

/// Lets a change onto this computer.
#[tauri::command]
pub(crate) async fn approve_held(desk: Shared<'_>, id: String) -> Result<Decided> {
    let drydock = desk.drydock()?;
    let id = named(&id)?;
    let lock = lock(&drydock, "approve a held change").await?;
    let decided = blocking(move || drydock.held().approve(&id, &lock, Utc::now())).await;
    desk.wake.notify_one();
    decided
}

/// Lets a change onto this computer, and exactly the same one each time that a session of its project makes it.
#[tauri::command]
pub(crate) async fn approve_held_always(desk: Shared<'_>, id: String) -> Result<Decided> {
    let drydock = desk.drydock()?;
    let id = named(&id)?;
    let lock = lock(&drydock, "approve a held change").await?;
    let decided = blocking(move || drydock.held().approve_always(&id, &lock, Utc::now())).await;
    desk.wake.notify_one();
    decided
}

/// What is let through each time, the newest first.
#[tauri::command]
pub(crate) async fn held_always(desk: Shared<'_>) -> Result<Vec<Always>> {
    let held = desk.drydock()?.held();
    blocking(move || held.always()).await
}

/// Lets nothing more through by a rule.
#[tauri::command]
pub(crate) async fn forget_held_always(desk: Shared<'_>, rule: String) -> Result<Vec<Always>> {
    let drydock = desk.drydock()?;
    let rule = named(&rule)?;
    let lock = lock(&drydock, "forget a rule").await?;
    blocking(move || {
        let held = drydock.held();
        held.forget_always(&rule, &lock)?;
        held.always()
    })
    .await
}

/// Leaves this computer as it is.
#[tauri::command]
pub(crate) async fn reject_held(desk: Shared<'_>, id: String) -> Result<Decided> {
    let (held, id) = (desk.drydock()?.held(), named(&id)?);
    let decided = blocking(move || held.reject(&id, Utc::now())).await;
    desk.wake.notify_one();
    decided
}

/// Takes a decision back.
#[tauri::command]
pub(crate) async fn undo_held(desk: Shared<'_>, id: String) -> Result<Decided> {
    let drydock = desk.drydock()?;
    let id = named(&id)?;
    let lock = lock(&drydock, "undo a decision").await?;
    let decided = blocking(move || drydock.held().undo(&id, &lock, Utc::now())).await;
    desk.wake.notify_one();
    decided
}

async fn lock(drydock: &Drydock, purpose: &str) -> Result<SyncLock> {
    acquire_sync_lock(&drydock.locations.sync_lock, purpose, drydock.settings.lock_timeout()).await
}

/// What a page sends is a text, and a name is part of a path.
fn named(text: &str) -> Result<HeldId> {
    HeldId::parse(text).ok_or_else(|| unknown(text))
}

fn unknown(text: &str) -> Error {
    Error::new(Code::HeldUnknown, format!("there is no held change {text}")).remedy("drydock held list")
}
