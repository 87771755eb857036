//! What is told, in the form that every OpenTelemetry collector takes: OTLP over HTTP, as JSON.
//!
//! Source: the OpenTelemetry protocol's specification and its `.proto` files; names of attributes by its semantic
//! conventions.

use super::{
    super::Level,
    allowed::{Measured, Spanned, Told, adds_up},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Each request has what was measured since the one before.
const DELTA: u8 = 1;
/// `Span.kind`: internal.
const INTERNAL: u8 = 1;
/// `Status.code`.
const OK: u8 = 1;
const FAILED: u8 = 2;
/// Bounds of the buckets: from a tenth of a second to an hour, for seconds are what samples are of.
const BOUNDS: &[f64] =
    &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// 64-bit numbers are texts.
fn nanoseconds(at: DateTime<Utc>) -> String {
    at.timestamp_nanos_opt().unwrap_or_default().to_string()
}

fn resource(version: &str, host: &str) -> Value {
    json!({ "attributes": [
        text("service.name", "drydock"),
        text("service.version", version),
        text("host.name", host),
        text("deployment.environment.name", "desktop"),
    ] })
}

fn scope() -> Value {
    json!({ "name": "drydock" })
}

/// What is said of each version that wrote some of the lines: after an update there are two.
fn by_version<T>(
    lines: &[T],
    version: impl Fn(&T) -> &str,
    host: &str,
    name: &str,
    of: impl Fn(&[T]) -> Value,
) -> Value {
    lines
        .chunk_by(|one, next| version(one) == version(next))
        .map(|lines| {
            let mut said = json!({ "resource": resource(version(&lines[0]), host) });
            said[name] = of(lines);
            said
        })
        .collect()
}

/// Events or errors as log records.
pub(super) fn logs(told: &[Told], host: &str) -> Value {
    let records = |told: &[Told]| json!([{ "scope": scope(), "logRecords": told.iter().map(log_record).collect::<Value>() }]);
    json!({ "resourceLogs": by_version(told, |told| &told.version, host, "scopeLogs", records) })
}

fn log_record(told: &Told) -> Value {
    let (number, word) = match told.level {
        Level::Info => (9, "INFO"),
        Level::Warn => (13, "WARN"),
        Level::Error => (17, "ERROR"),
    };
    let mut attributes =
        vec![text("log.record.uid", &told.id.to_string()), text("event.name", told.event.as_str())];
    attributes.extend(told.session.as_deref().map(|session| text("session.id", session)));
    attributes.extend(told.code.map(|code| text("error.type", code.as_str())));
    attributes.extend(told.attrs.iter().map(|(key, value)| attribute(key, value)));
    if let Some(error) = &told.error {
        attributes.push(text("drydock.doing", &error.doing));
        let list = |texts: &[String]| -> Value {
            let values: Value = texts.iter().map(|text| json!({ "stringValue": text })).collect();
            json!({ "arrayValue": { "values": values } })
        };
        attributes.push(json!({ "key": "drydock.causes", "value": list(&error.causes) }));
        attributes.push(json!({ "key": "drydock.remedies", "value": list(&error.remedies) }));
    }
    let mut record = json!({
        "timeUnixNano": nanoseconds(told.at),
        "observedTimeUnixNano": nanoseconds(told.at),
        "severityNumber": number,
        "severityText": word,
        "eventName": told.event.as_str(),
        "body": { "stringValue": told.error.as_ref().map_or(told.event.as_str(), |error| &error.message) },
        "attributes": attributes,
    });
    if let (Some(trace), Some(span)) = (&told.trace, &told.span) {
        record["traceId"] = trace.clone().into();
        record["spanId"] = span.clone().into();
    }
    record
}

fn attribute(key: &str, value: &Value) -> Value {
    let value = match value {
        Value::String(text) => json!({ "stringValue": text }),
        number => match number.as_i64() {
            Some(whole) => json!({ "intValue": whole.to_string() }),
            None => json!({ "doubleValue": number.as_f64().unwrap_or_default() }),
        },
    };
    json!({ "key": format!("drydock.{key}"), "value": value })
}

/// Counters as sums, samples as histograms with each value as an exemplar.
pub(super) fn metrics(measured: &[Measured], host: &str) -> Value {
    let of = |lines: &[Measured]| json!([{ "scope": scope(), "metrics": metrics_of(lines) }]);
    json!({ "resourceMetrics": by_version(measured, |one| &one.version, host, "scopeMetrics", of) })
}

fn metrics_of(lines: &[Measured]) -> Value {
    let mut found: BTreeMap<&str, BTreeMap<&BTreeMap<&'static str, String>, Vec<&Measured>>> =
        BTreeMap::new();
    for line in lines {
        found.entry(line.metric.as_str()).or_default().entry(&line.attrs).or_default().push(line);
    }
    found
        .into_iter()
        .map(|(name, series)| {
            let first = series.values().flatten().next().map(|line| line.metric);
            let unit = first.map_or("1", |metric| metric.unit());
            let mut metric = json!({ "name": format!("drydock.{name}"), "unit": unit });
            if first.is_some_and(adds_up) {
                metric["sum"] = json!({
                    "aggregationTemporality": DELTA,
                    "isMonotonic": true,
                    "dataPoints": series.values().map(|lines| sum(lines)).collect::<Value>(),
                });
            } else {
                metric["histogram"] = json!({
                    "aggregationTemporality": DELTA,
                    "dataPoints": series.values().map(|lines| histogram(lines)).collect::<Value>(),
                });
            }
            metric
        })
        .collect()
}

/// A point of a series: its attributes, and the time that it is of.
fn point(lines: &[&Measured]) -> Value {
    let first = lines.iter().map(|line| line.at).min().unwrap_or_default();
    let last = lines.iter().map(|line| line.at).max().unwrap_or_default();
    let attributes = lines.first().into_iter().flat_map(|line| &line.attrs);
    json!({
        "attributes": attributes.map(|(key, value)| text(&format!("drydock.{key}"), value)).collect::<Value>(),
        // The beginning is not part of it.
        "startTimeUnixNano": nanoseconds(first - chrono::TimeDelta::milliseconds(1)),
        "timeUnixNano": nanoseconds(last),
    })
}

fn sum(lines: &[&Measured]) -> Value {
    let mut point = point(lines);
    point["asDouble"] = lines.iter().map(|line| line.value).sum::<f64>().into();
    point
}

fn histogram(lines: &[&Measured]) -> Value {
    let values = || lines.iter().map(|line| line.value);
    let mut buckets = vec![0_u64; BOUNDS.len() + 1];
    for value in values() {
        buckets[BOUNDS.partition_point(|bound| *bound < value)] += 1;
    }
    let mut point = point(lines);
    point["count"] = lines.len().to_string().into();
    point["sum"] = values().sum::<f64>().into();
    point["min"] = values().fold(f64::INFINITY, f64::min).into();
    point["max"] = values().fold(f64::NEG_INFINITY, f64::max).into();
    point["explicitBounds"] = BOUNDS.into();
    point["bucketCounts"] = buckets.iter().map(u64::to_string).collect();
    point["exemplars"] = lines.iter().map(|line| exemplar(line)).collect();
    point
}

fn exemplar(line: &Measured) -> Value {
    let mut exemplar = json!({ "timeUnixNano": nanoseconds(line.at), "asDouble": line.value });
    if let (Some(trace), Some(span)) = (&line.trace, &line.span) {
        exemplar["traceId"] = trace.clone().into();
        exemplar["spanId"] = span.clone().into();
    }
    exemplar
}

/// Spans.
pub(super) fn traces(spans: &[Spanned], host: &str) -> Value {
    let of =
        |spans: &[Spanned]| json!([{ "scope": scope(), "spans": spans.iter().map(span).collect::<Value>() }]);
    json!({ "resourceSpans": by_version(spans, |span| &span.version, host, "scopeSpans", of) })
}

fn span(span: &Spanned) -> Value {
    let mut attributes = Vec::new();
    attributes.extend(span.session.as_deref().map(|session| text("session.id", session)));
    attributes.extend(span.code.map(|code| text("error.type", code.as_str())));
    let mut said = json!({
        "traceId": span.trace,
        "spanId": span.span,
        "name": span.operation.as_str(),
        "kind": INTERNAL,
        "startTimeUnixNano": span.began.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
        "attributes": attributes,
        "status": match span.code {
            Some(code) => json!({ "code": FAILED, "message": code.as_str() }),
            None => json!({ "code": OK }),
        },
    });
    if let Some(parent) = &span.parent {
        said["parentSpanId"] = parent.clone().into();
    }
    said
}
