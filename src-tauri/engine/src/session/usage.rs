//! What a session used: tokens by model and what they cost, told when it ends.
//!
//! Tokens are read from the conversations that it wrote. The cost is the sum that Claude Code itself leaves in its
//! state at an orderly end; there are no prices here, which change.

use super::record::{Record, read, write};
use crate::{
    claude_home::{Tokens, Usage, parse_document},
    error_handling::Result,
    observability::{Metric, MetricName, record_metric},
    paths::Locations,
    sync::OutReport,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fs::File};

const FILE: &str = "conversations.json";

/// The conversations that a session wrote, and up to when their figures have been told.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Conversations {
    /// By name below the home.
    names: BTreeSet<String>,
    #[serde(default)]
    told: Option<DateTime<Utc>>,
}

/// Notes the conversations that a sync brought out.
pub(super) fn note_conversations(locations: &Locations, record: &Record, out: &OutReport) -> Result<()> {
    let written = out.created.iter().chain(&out.updated).filter(|name| name.ends_with(".jsonl"));
    let written: BTreeSet<_> = written.filter(|name| name.contains("/projects/")).cloned().collect();
    if written.is_empty() {
        return Ok(());
    }
    let dir = locations.session_dir(record.id.as_str());
    let mut known: Conversations = read(&dir.join(FILE))?.unwrap_or_default();
    if written.is_subset(&known.names) {
        return Ok(());
    }
    known.names.extend(written);
    write(&dir, FILE, &known)
}

/// Tells what the session used since that was last told. `state` is its `.claude.json`, as it was in the end.
pub(super) fn tell_usage(locations: &Locations, record: &Record, state: Option<&[u8]>) -> Result<()> {
    let dir = locations.session_dir(record.id.as_str());
    let mut known: Conversations = read(&dir.join(FILE))?.unwrap_or_default();
    let since = known.told.unwrap_or(record.created);
    let mut usage = Usage::default();
    for name in &known.names {
        // One that is gone since has nothing to tell.
        if let Ok(file) = File::open(locations.home.join(name)) {
            usage.add(file, since);
        }
    }
    known.told = Some(Utc::now());
    // First: told twice is worse than not told.
    write(&dir, FILE, &known)?;
    for (model, tokens) in &usage.models {
        tell_tokens(record, model, *tokens);
    }
    if let Some(cost) = state.and_then(|state| cost(state, record)) {
        record_metric(&Metric::new(MetricName::SessionCost, cost).session(record.id.as_str()));
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // tokens of a desktop
fn tell_tokens(record: &Record, model: &str, tokens: Tokens) {
    let kinds = [
        ("input", tokens.input),
        ("output", tokens.output),
        ("cache-read", tokens.cache_read),
        ("cache-write", tokens.cache_write),
    ];
    for (kind, count) in kinds.into_iter().filter(|(_, count)| *count > 0) {
        let metric = Metric::new(MetricName::SessionTokens, count as f64).session(record.id.as_str());
        record_metric(&metric.with("kind", kind).with("model", model));
    }
}

/// `projects.PATH.lastCost`, in US dollars. A session begins without it, so it is the session's own.
fn cost(state: &[u8], record: &Record) -> Option<f64> {
    let document = parse_document(state).ok()?;
    let project = record.map.inside(&record.project.root);
    let cost = document.get("projects")?.get(project.to_str()?)?.get("lastCost")?.as_f64()?;
    (cost.is_finite() && cost > 0.0).then_some(cost)
}
