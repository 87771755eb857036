//! What happened, how long it took, and what failed.

use super::Shared;
use crate::desk::blocking;
use chrono::{TimeDelta, Utc};
use drydock_engine::{
    error_handling::Result,
    observability::{
        EventLine, Files, Filter, Metrics, SpanLine, collect_metrics, read_errors, read_events, read_spans,
    },
};

/// So many of the newest events are shown.
const MOST: usize = 10_000;

/// The newest events, the newest last.
#[tauri::command]
pub(crate) async fn events(desk: Shared<'_>) -> Result<Vec<EventLine>> {
    newest(&desk, read_events).await
}

/// The newest errors, the newest last.
#[tauri::command]
pub(crate) async fn errors(desk: Shared<'_>) -> Result<Vec<EventLine>> {
    newest(&desk, read_errors).await
}

async fn newest(desk: &Shared<'_>, read: fn(&Files, &Filter) -> Vec<EventLine>) -> Result<Vec<EventLine>> {
    let files = Files::of(&desk.drydock()?.locations);
    blocking(move || {
        let mut all = read(&files, &Filter::default());
        let spare = all.len().saturating_sub(MOST);
        Ok(all.split_off(spare))
    })
    .await
}

/// The spans of one trace, or of the last week.
#[tauri::command]
pub(crate) async fn spans(desk: Shared<'_>, trace: Option<String>) -> Result<Vec<SpanLine>> {
    let files = Files::of(&desk.drydock()?.locations);
    let since = if trace.is_some() { None } else { Some(Utc::now() - TimeDelta::days(7)) };
    blocking(move || Ok(read_spans(&files, &Filter { trace, since, ..Filter::default() }))).await
}

/// What was measured in the last week.
#[tauri::command]
pub(crate) async fn metrics(desk: Shared<'_>) -> Result<Metrics> {
    let drydock = desk.drydock()?;
    blocking(move || {
        Ok(collect_metrics(&drydock.locations, &drydock.settings, TimeDelta::days(7), Utc::now()))
    })
    .await
}
