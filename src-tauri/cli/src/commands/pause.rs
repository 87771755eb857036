//! `drydock pause`: a rest from scheduled backups.

use crate::{Context, render};
use chrono::{DateTime, Local, TimeDelta, Utc};
use drydock_engine::{
    error_handling::Result,
    scheduler::{self, Pause},
};
use serde_json::json;
use std::process::ExitCode;

pub(super) fn pause(context: &Context, length: TimeDelta) -> Result<ExitCode> {
    let pause = scheduler::pause(&context.drydock.locations, length, Utc::now())?;
    render::answer(context.format, &json!({ "paused": pause }), || {
        let words = in_words(&pause, Utc::now());
        format!(
            "{words}\nrecovery, alerts and the snapshot before each sync go on\nend it: drydock pause --end\n"
        )
    });
    Ok(ExitCode::SUCCESS)
}

pub(super) fn end(context: &Context) -> Result<ExitCode> {
    let ended = scheduler::unpause(&context.drydock.locations, Utc::now())?;
    render::answer(context.format, &json!({ "paused": null }), || {
        if ended { "scheduled backups go on\n" } else { "scheduled backups were not paused\n" }.to_owned()
    });
    Ok(ExitCode::SUCCESS)
}

/// Until when, with the day where that is not today.
pub(super) fn in_words(pause: &Pause, now: DateTime<Utc>) -> String {
    let (until, today) = (pause.until.with_timezone(&Local), now.with_timezone(&Local).date_naive());
    let form = if until.date_naive() == today { "%H:%M" } else { "%a %-d %b %H:%M" };
    format!("scheduled backups are paused until {}", until.format(form))
}
