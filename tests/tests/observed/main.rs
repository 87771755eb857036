//! What is on record of what happened: read by programs that are not ours, and without anything private in it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod records;
mod report;
mod stopped;
mod used;

use opentelemetry_proto::tonic::trace::v1::TracesData;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const SECRET: &str = "sk-ant-api03-FAKEfakeFAKE0123456789";

fn events_file(home: &Path) -> PathBuf {
    home.join(".claude-docker-events.jsonl")
}

/// The lines of a file, as `jq` reads them.
fn lines(file: &Path) -> Vec<Value> {
    let done = Command::new("jq").args(["--compact-output", "."]).arg(file).output().unwrap();
    assert!(done.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&done.stderr));
    let read: Vec<Value> = String::from_utf8(done.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // One object a line.
    assert_eq!(read.len(), fs::read_to_string(file).unwrap().lines().count());
    read
}

/// The spans of a home's traces, as OpenTelemetry's own types read them.
fn spans(home: &Path) -> Vec<opentelemetry_proto::tonic::trace::v1::Span> {
    let mut found = Vec::new();
    for entry in fs::read_dir(home.join(".claude-docker-traces")).unwrap().flatten() {
        for line in fs::read_to_string(entry.path()).unwrap().lines() {
            let data: TracesData =
                serde_json::from_str(line).unwrap_or_else(|cause| panic!("{cause}: {line}"));
            let scopes = data.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            found.extend(scopes.flat_map(|scope| scope.spans));
        }
    }
    found
}
