//! Gathering it.

use super::anonymous::Anonymous;
use crate::{
    Drydock,
    error_handling::{Code, Error, Result},
    observability::{EventLine, Files, Filter, collect_metrics, read_errors, read_events, read_spans},
    settings::Source,
    validation::{Check, examine},
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeSet, fs, path::Path};

/// So far back.
const WINDOW: TimeDelta = TimeDelta::days(7);
/// The newest of each kind of line.
const MOST_LINES: usize = 2_000;
/// The newest reports of faults of Drydock's own.
const MOST_CRASHES: usize = 5;

/// A report that is not written yet: named texts.
#[derive(Debug)]
pub struct Report {
    pub(super) at: DateTime<Utc>,
    pub(super) parts: Vec<(String, String)>,
}

/// Gathers what helps to find a fault.
///
/// # Errors
/// [`Code::Internal`] when a background task stopped. What cannot be read is left out.
pub async fn gather(drydock: &Drydock, now: DateTime<Utc>) -> Result<Report> {
    let checks = examine(&drydock.locations, &drydock.settings).await;
    let drydock = drydock.clone();
    tokio::task::spawn_blocking(move || gather_now(&drydock, &checks, now))
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))
}

fn gather_now(drydock: &Drydock, checks: &[Check], now: DateTime<Utc>) -> Report {
    let files = Files::of(&drydock.locations);
    let recent = Filter { since: Some(now - WINDOW), ..Filter::default() };
    let events = newest(read_events(&files, &recent));
    let errors = newest(read_errors(&files, &recent));
    let spans = newest(read_spans(&files, &recent));
    let sessions: BTreeSet<String> = events
        .iter()
        .chain(&errors)
        .filter_map(|line: &EventLine| line.session.clone())
        .chain(spans.iter().filter_map(|span| span.session.clone()))
        .collect();
    let anonymous = Anonymous::of(&drydock.locations, sessions);
    let mut parts = Parts { anonymous, parts: Vec::new() };
    parts.document("about.json", &about(now));
    parts.document("checks.json", &checks);
    parts.document("settings.json", &settings(drydock));
    if let Ok(status) = drydock.backups().status() {
        parts.document("backups.json", &status);
    }
    parts.document("recoveries.json", &drydock.recovery().history());
    parts.document("metrics.json", &collect_metrics(&drydock.locations, &drydock.settings, WINDOW, now));
    parts.lines("events.jsonl", &events);
    parts.lines("errors.jsonl", &errors);
    parts.lines("traces.jsonl", &spans);
    for (name, text) in crashes(&drydock.locations.data_dir.join("crashes")) {
        parts.text(&format!("crashes/{name}"), &text);
    }
    Report { at: now, parts: parts.parts }
}

fn newest<T>(mut lines: Vec<T>) -> Vec<T> {
    lines.drain(..lines.len().saturating_sub(MOST_LINES));
    lines
}

fn about(now: DateTime<Utc>) -> serde_json::Value {
    json!({
        "version": crate::VERSION,
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "at": now.to_rfc3339_opts(SecondsFormat::Secs, true),
        "days": WINDOW.num_days(),
    })
}

/// Those that were set; the others have their defaults.
fn settings(drydock: &Drydock) -> serde_json::Value {
    let set = drydock.settings.all().filter(|(_, _, source)| !matches!(source, Source::Default));
    set.map(|(key, value, _)| (key.name.to_owned(), value.into())).collect::<serde_json::Map<_, _>>().into()
}

/// The newest reports of faults of Drydock's own.
fn crashes(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    // Their names begin with the time.
    names.sort();
    names.drain(..names.len().saturating_sub(MOST_CRASHES));
    names
        .into_iter()
        .filter_map(|name| Some((name.clone(), fs::read_to_string(folder.join(name)).ok()?)))
        .collect()
}

/// The texts so far; each is without names when it is in here.
struct Parts {
    anonymous: Anonymous,
    parts: Vec<(String, String)>,
}

impl Parts {
    fn text(&mut self, name: &str, text: &str) {
        self.parts.push((name.to_owned(), self.anonymous.text(text)));
    }

    fn document(&mut self, name: &str, value: &impl Serialize) {
        // What can be serialised here has only texts as keys.
        if let Ok(text) = serde_json::to_string_pretty(value) {
            self.text(name, &(text + "\n"));
        }
    }

    fn lines<T: Serialize>(&mut self, name: &str, lines: &[T]) {
        let lines = lines.iter().filter_map(|line| serde_json::to_string(line).ok());
        let text: String = lines.map(|line| line + "\n").collect();
        self.text(name, &text);
    }
}
