//! A span as OTLP/JSON has it: a line of a file of `TracesData`.
//!
//! Source: the OpenTelemetry specification, "OTLP/JSON" and "File exporter": ids in hexadecimal digits, 64-bit
//! numbers as texts, one document a line.

use serde_json::{Value, json};

/// A finished span.
#[derive(Debug, Clone)]
pub(super) struct FinishedSpan {
    pub(super) trace: String,
    pub(super) span: String,
    pub(super) parent: Option<String>,
    pub(super) name: String,
    pub(super) session: Option<String>,
    /// Nanoseconds since 1970.
    pub(super) began: u64,
    pub(super) ended: u64,
    /// The code of the error, where it failed.
    pub(super) code: Option<String>,
    /// The process that did it.
    pub(super) pid: u32,
}

/// `Status.code` of OTLP.
const OK: u8 = 1;
const ERROR: u8 = 2;
/// `Span.kind`: internal.
const INTERNAL: u8 = 1;

pub(super) fn line(span: &FinishedSpan) -> String {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let mut attributes = Vec::new();
    attributes.extend(span.session.as_deref().map(|session| text("session.id", session)));
    attributes.extend(span.code.as_deref().map(|code| text("error.type", code)));
    let mut written = json!({
        "traceId": span.trace,
        "spanId": span.span,
        "name": span.name,
        "kind": INTERNAL,
        "startTimeUnixNano": span.began.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
        "attributes": attributes,
        "status": match &span.code {
            Some(code) => json!({ "code": ERROR, "message": code }),
            None => json!({ "code": OK }),
        },
    });
    if let (Some(parent), Value::Object(fields)) = (&span.parent, &mut written) {
        fields.insert("parentSpanId".into(), parent.clone().into());
    }
    json!({
        "resourceSpans": [{
            "resource": { "attributes": [
                text("service.name", "drydock"),
                text("service.version", crate::VERSION),
                json!({ "key": "process.pid", "value": { "intValue": span.pid.to_string() } }),
            ] },
            "scopeSpans": [{ "scope": { "name": "drydock", "version": crate::VERSION }, "spans": [written] }],
        }]
    })
    .to_string()
}
