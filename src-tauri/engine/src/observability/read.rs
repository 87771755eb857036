//! Reading the files again: by time, session and level, and going on as they grow.

use super::{Files, Level, line_log::files_of};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Seek, SeekFrom},
    marker::PhantomData,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Not older than this.
    pub since: Option<DateTime<Utc>>,
    /// About this session.
    pub session: Option<String>,
    /// At least so important.
    pub level: Option<Level>,
    /// Of this trace, or one that begins so.
    pub trace: Option<String>,
}

/// A line of the events or of the errors. Fields that this version does not know are in `rest`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct EventLine {
    /// When.
    pub ts: DateTime<Utc>,
    /// What happened.
    #[serde(default)]
    pub event: String,
    /// How much it matters.
    pub level: Level,
    /// About which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub session: Option<String>,
    /// In which trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub trace_id: Option<String>,
    /// The code of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub code: Option<String>,
    /// What belongs to it.
    #[serde(default)]
    #[cfg_attr(feature = "typescript", ts(type = "Record<string, unknown>"))]
    pub attrs: Map<String, Value>,
    /// The others.
    #[serde(flatten)]
    #[cfg_attr(feature = "typescript", ts(skip))]
    pub rest: Map<String, Value>,
}

/// A line of the metrics.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MetricLine {
    /// When.
    pub ts: DateTime<Utc>,
    /// What was measured.
    pub name: String,
    /// The value, in `unit`.
    pub value: f64,
    /// Its unit.
    #[serde(default)]
    pub unit: String,
    /// In which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What belongs to it.
    #[serde(default)]
    pub attrs: Map<String, Value>,
}

/// A span of a trace.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SpanLine {
    /// The trace.
    pub trace: String,
    /// The span.
    pub span: String,
    /// The one that it is a part of.
    pub parent: Option<String>,
    /// The operation.
    pub name: String,
    /// About which session.
    pub session: Option<String>,
    /// When it began.
    pub began: DateTime<Utc>,
    /// Seconds that it took.
    pub seconds: f64,
    /// The code of the error, if it failed.
    pub code: Option<String>,
}

/// The events that are wanted, the oldest first. A line that cannot be read is passed over.
#[must_use]
pub fn read_events(files: &Files, filter: &Filter) -> Vec<EventLine> {
    lines::<EventLine>(&files.events).filter(|line| filter.takes(line)).collect()
}

/// The errors that are wanted, the oldest first.
#[must_use]
pub fn read_errors(files: &Files, filter: &Filter) -> Vec<EventLine> {
    lines::<EventLine>(&files.errors).filter(|line| filter.takes(line)).collect()
}

/// The metrics since a time, the oldest first.
#[must_use]
pub fn read_metrics(files: &Files, since: Option<DateTime<Utc>>) -> Vec<MetricLine> {
    let wanted = |line: &MetricLine| since.is_none_or(|since| line.ts >= since);
    lines(&files.metrics).filter(wanted).collect()
}

/// The spans that are wanted, by when they began.
#[must_use]
pub fn read_spans(files: &Files, filter: &Filter) -> Vec<SpanLine> {
    let mut days: Vec<_> = fs::read_dir(&files.traces)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    days.sort();
    let mut spans: Vec<_> = days
        .iter()
        .flat_map(|day| lines::<Value>(day))
        .filter_map(|line| span_of(&line))
        .filter(|span| {
            filter.since.is_none_or(|since| span.began >= since)
                && filter.session.as_ref().is_none_or(|wanted| span.session.as_ref() == Some(wanted))
                && filter.trace.as_ref().is_none_or(|wanted| span.trace.starts_with(wanted.as_str()))
        })
        .collect();
    spans.sort_by_key(|span| span.began);
    spans
}

#[allow(clippy::cast_precision_loss)] // seconds for a person's eyes
fn span_of(line: &Value) -> Option<SpanLine> {
    let span = line.pointer("/resourceSpans/0/scopeSpans/0/spans/0")?;
    let text = |key: &str| span[key].as_str().map(str::to_owned);
    let time = |key: &str| span[key].as_str()?.parse::<i64>().ok();
    let attribute = |wanted: &str| {
        let found = span["attributes"].as_array()?.iter().find(|one| one["key"] == wanted)?;
        found["value"]["stringValue"].as_str().map(str::to_owned)
    };
    let (began, ended) = (time("startTimeUnixNano")?, time("endTimeUnixNano")?);
    Some(SpanLine {
        trace: text("traceId")?,
        span: text("spanId")?,
        parent: text("parentSpanId"),
        name: text("name")?,
        session: attribute("session.id"),
        began: DateTime::from_timestamp_nanos(began),
        seconds: (ended - began).max(0) as f64 / 1e9,
        code: attribute("error.type"),
    })
}

impl Filter {
    /// Whether a line is wanted.
    #[must_use]
    pub fn takes(&self, line: &EventLine) -> bool {
        self.since.is_none_or(|since| line.ts >= since)
            && self.session.as_ref().is_none_or(|wanted| line.session.as_ref() == Some(wanted))
            && self.level.is_none_or(|level| line.level >= level)
            && self.trace.as_ref().is_none_or(|wanted| {
                line.trace_id.as_ref().is_some_and(|trace| trace.starts_with(wanted.as_str()))
            })
    }
}

fn lines<T: for<'de> Deserialize<'de>>(path: &Path) -> impl Iterator<Item = T> + use<T> {
    files_of(path).into_iter().flat_map(|file| lines_in(&file))
}

fn lines_in<T: for<'de> Deserialize<'de>>(file: &Path) -> impl Iterator<Item = T> + use<T> {
    File::open(file)
        .into_iter()
        .flat_map(|file| BufReader::new(file).lines().map_while(Result::ok))
        .filter_map(|line| serde_json::from_str(&line).ok())
}

/// Follows a file as it grows.
#[derive(Debug)]
pub struct Follow<T = EventLine> {
    path: PathBuf,
    at: u64,
    inode: u64,
    lines: PhantomData<T>,
}

/// Where following begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// With what comes from now on.
    ForNew,
}

impl Follow<EventLine> {
    /// Begins to follow the events.
    #[must_use]
    pub fn events(files: &Files, _from: Wait) -> Self {
        let data = fs::metadata(&files.events).ok();
        Self {
            path: files.events.clone(),
            at: data.as_ref().map_or(0, fs::Metadata::len),
            inode: data.map_or(0, |data| data.ino()),
            lines: PhantomData,
        }
    }
}

impl<T: for<'de> Deserialize<'de>> Follow<T> {
    /// What is in a log so far, and what comes from there on, without a gap.
    pub(crate) fn with_past(path: &Path) -> (Vec<T>, Self) {
        let old = files_of(path).into_iter().filter(|file| file != path);
        let mut past: Vec<T> = old.flat_map(|file| lines_in(&file)).collect();
        let inode = fs::metadata(path).map_or(0, |data| data.ino());
        let mut follow = Self { path: path.to_path_buf(), at: 0, inode, lines: PhantomData };
        past.extend(follow.more());
        (past, follow)
    }

    /// The lines that have come since the last call.
    pub fn more(&mut self) -> Vec<T> {
        let mut found = Vec::new();
        let Ok(data) = fs::metadata(&self.path) else { return found };
        if data.ino() != self.inode {
            // It was put aside, and another one begun.
            let aside = files_of(&self.path).into_iter().find(|old| {
                *old != self.path && fs::metadata(old).is_ok_and(|data| data.ino() == self.inode)
            });
            if let Some(aside) = aside {
                self.read_on(&aside, &mut found);
            }
            (self.inode, self.at) = (data.ino(), 0);
        }
        let path = self.path.clone();
        self.read_on(&path, &mut found);
        found
    }

    fn read_on(&mut self, path: &Path, found: &mut Vec<T>) {
        let Ok(mut file) = File::open(path) else { return };
        if file.seek(SeekFrom::Start(self.at)).is_err() {
            return;
        }
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            if line.last() != Some(&b'\n') {
                // It is not written to its end.
                break;
            }
            self.at += line.len() as u64;
            found.extend(serde_json::from_slice(&line).ok());
            line.clear();
        }
    }
}
