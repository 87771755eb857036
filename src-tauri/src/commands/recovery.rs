//! Recovery: the plan first, then one word of the user's.

use super::Shared;
use crate::{
    desk::blocking,
    doing::{Begun, Deed},
};
use chrono::Utc;
use drydock_engine::{
    disaster_recovery::{
        Looked, Past, Plan, RecoveryId, Report, Scope, Source, Undone, Wish, disaster_recovery,
    },
    error_handling::{Code, Error, Result},
};
use std::{sync::PoisonError, time::Instant};
use tauri::AppHandle;

/// What a recovery of all that is damaged would do. Changes nothing.
#[tauri::command]
pub(crate) async fn plan_recovery(app: AppHandle, desk: Shared<'_>) -> Result<Plan> {
    let desk = desk.inner().clone();
    let begun = Begun::of(&app, &desk, Deed::Plan);
    let (sink, began) = (begun.sink(), Instant::now());
    let recovery = desk.drydock()?.recovery();
    let wish = Wish { scope: Scope::Damaged, source: Source::NewestGood };
    let plan = blocking(move || recovery.plan(&wish, Utc::now(), &sink)).await?;
    let looked = Looked { seconds: began.elapsed().as_secs_f64() };
    *desk.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some((plan.clone(), looked));
    Ok(plan)
}

/// Does what the plan of this name says, which the user was shown.
#[tauri::command]
pub(crate) async fn recover(app: AppHandle, desk: Shared<'_>, plan: RecoveryId) -> Result<Report> {
    let desk = desk.inner().clone();
    let shown =
        desk.plan.lock().unwrap_or_else(PoisonError::into_inner).take_if(|(shown, _)| shown.id == plan);
    let (plan, looked) = shown.ok_or_else(|| {
        Error::new(Code::RecoveryUnknown, "this plan is not the one that was shown last").remedy("look again")
    })?;
    let begun = Begun::of(&app, &desk, Deed::Recovery);
    let sink = begun.sink();
    let recovery = desk.drydock()?.recovery();
    blocking(move || {
        let report = disaster_recovery(&recovery, &plan, looked, &sink)?;
        // Somebody has looked.
        recovery.allow_again()?;
        Ok(report)
    })
    .await
}

/// Takes a recovery back.
#[tauri::command]
pub(crate) async fn undo_recovery(desk: Shared<'_>, recovery: RecoveryId) -> Result<Undone> {
    let recoveries = desk.drydock()?.recovery();
    let undone = blocking(move || recoveries.undo(Some(&recovery.to_string()), Utc::now())).await;
    desk.wake.notify_one();
    undone
}

/// The recoveries on record, the oldest first.
#[tauri::command]
pub(crate) async fn recoveries(desk: Shared<'_>) -> Result<Vec<Past>> {
    let recovery = desk.drydock()?.recovery();
    blocking(move || Ok(recovery.history())).await
}
