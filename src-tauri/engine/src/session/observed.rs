//! What is told of launches and syncs: counts, times and codes, no names of files and nothing of their content.

use super::{Attached, Finished, FinishedSession, InReport, SessionId, record::Record};
use crate::{
    error_handling::{Error, Result},
    observability::{Event, EventName, Level, Metric, MetricName, log_event, record_metric},
    sync::OutReport,
};
use chrono::Utc;
use std::time::Duration;

pub(super) fn observe_launch(launched: &Result<Attached>, took: Duration) {
    let seconds = took.as_secs_f64();
    let outcome = match launched {
        Ok(attached) => {
            let event = Event::new(EventName::SessionLaunched).session(attached.id.as_str());
            log_event(&event.with("seconds", seconds));
            record_metric(&Metric::new(MetricName::LaunchSeconds, seconds));
            "done"
        }
        Err(error) => {
            log_event(&Event::new(EventName::SessionFailed).code(error.code()).with("seconds", seconds));
            "failed"
        }
    };
    record_metric(&Metric::count(MetricName::Launches, 1).with("outcome", outcome));
}

pub(super) fn observe_in(id: &SessionId, brought: &Result<InReport>, took: Duration) {
    match brought {
        Ok(report) => {
            let event = Event::new(EventName::SyncedIn).session(id.as_str());
            log_event(&event.with("files", report.brought.len()).with("differ", report.differs.len()));
            synced("in", report.brought.len(), took);
        }
        Err(error) => failed(id, "in", error),
    }
}

/// A sync that brought nothing out is no event: there is one each half a minute.
pub(super) fn observe_out(id: &SessionId, out: &Result<OutReport>, took: Duration) {
    let report = match out {
        Ok(report) if report.is_empty() => return,
        Ok(report) => report,
        Err(error) => return failed(id, "out", error),
    };
    let files = report.created.len() + report.updated.len();
    log_event(
        &Event::new(EventName::SyncedOut)
            .session(id.as_str())
            .with("created", report.created.len())
            .with("updated", report.updated.len())
            .with("settings", report.merged.len())
            .with("conflicts", report.forks.len())
            .with("refused", report.refused.len()),
    );
    synced("out", files, took);
    if !report.held.is_empty() {
        let event = Event::new(EventName::ChangesHeld).level(Level::Warn).session(id.as_str());
        log_event(&event.with("count", report.held.len()));
        record_metric(&Metric::count(MetricName::SyncHeld, report.held.len()));
    }
    if !report.forks.is_empty() {
        record_metric(&Metric::count(MetricName::SyncConflicts, report.forks.len()));
    }
}

/// Its data is on the host. What Claude Code's own exit code means is left to who reads it.
pub(super) fn observe_end(record: &Record, finished: &FinishedSession) {
    let seconds = (Utc::now() - record.created).to_std().unwrap_or_default().as_secs_f64();
    let outcome = match finished.state {
        _ if finished.out_of_memory => "out-of-memory",
        Finished::Interrupted => "interrupted",
        Finished::Done => "done",
    };
    let event = Event::new(EventName::SessionEnded).session(record.id.as_str());
    let mut event = event.with("outcome", outcome).with("seconds", seconds);
    if let Some(code) = finished.exit_code.and_then(|code| u64::try_from(code).ok()) {
        event = event.with("exit_code", code);
    }
    log_event(&if outcome == "done" { event } else { event.level(Level::Warn) });
    let metric = Metric::new(MetricName::SessionSeconds, seconds).session(record.id.as_str());
    record_metric(&metric.with("outcome", outcome));
}

fn synced(direction: &'static str, files: usize, took: Duration) {
    record_metric(&Metric::new(MetricName::SyncSeconds, took.as_secs_f64()).with("direction", direction));
    record_metric(&Metric::count(MetricName::SyncFiles, files).with("direction", direction));
}

fn failed(id: &SessionId, direction: &'static str, error: &Error) {
    let event = Event::new(EventName::SyncFailed).session(id.as_str()).code(error.code());
    log_event(&event.with("direction", direction));
    record_metric(&Metric::count(MetricName::SyncFailures, 1).with("direction", direction));
}
