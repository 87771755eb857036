//! What of a line may leave this computer: a list, field by field. What is not on it stays.

use super::{
    super::{EventName, Kind, Level, MetricName, Operation, redact::redacted},
    stream::Stream,
};
use crate::{claude_home::is_model_name, error_handling::Code, validation::Damage};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Whether names are sent as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Of this computer and of sessions, as the user allowed.
    Allowed,
    /// Digests in their place.
    Hidden,
}

/// What may be told, and of whom.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    names: Names,
    /// Makes the digests of this home others than those of the same names elsewhere.
    salt: String,
    home: String,
    host: String,
}

/// What a value of an attribute may be.
enum Shape {
    /// A number.
    Number,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Hexadecimal digits and dashes: the name of a snapshot or of a recovery.
    Id,
    /// An error's code.
    Code,
    /// An operation's name.
    Operation,
    /// The name of a model of Claude.
    Model,
    /// The version of a program.
    Version,
    /// The word for a damage.
    Damage,
}

const OUTCOMES: Shape = Shape::Word(&["done", "failed", "interrupted", "out-of-memory"]);

const COPIES: Shape = Shape::Word(&["local", "external", "cloud"]);

/// Of copies of the backups, and of deployments.
const STATES: Shape = Shape::Word(&[
    "whole",
    "healed",
    "damaged",
    "building",
    "smoke",
    "stage",
    "paused",
    "rolling-back",
    "rolled-back",
    "succeeded",
    "aborted",
    "superseded",
]);

/// Of backups, and of deployments that are taken back or stand still.
const REASONS: Shape = Shape::Word(&[
    "manual",
    "scheduled",
    "change",
    "pre-sync",
    "pre-recovery",
    "errors",
    "in-a-row",
    "slow",
    "unverified",
    "smoke",
    "user",
    "inconclusive",
    "environment",
]);

/// The attributes of events that are sent.
const OF_EVENTS: &[(&str, Shape)] = &[
    ("added", Shape::Number),
    ("before", STATES),
    ("bytes", Shape::Number),
    ("changed", Shape::Number),
    ("claude", Shape::Version),
    ("conflicts", Shape::Number),
    ("commit", Shape::Id),
    ("copied", Shape::Number),
    ("copy", COPIES),
    ("count", Shape::Number),
    ("created", Shape::Number),
    ("damaged", Shape::Number),
    ("deployment", Shape::Id),
    ("differ", Shape::Number),
    ("direction", Shape::Word(&["in", "out"])),
    ("errors", Shape::Number),
    ("exit_code", Shape::Number),
    ("faults", Shape::Number),
    ("files", Shape::Number),
    ("launches", Shape::Number),
    ("left", Shape::Number),
    ("lines", Shape::Number),
    ("name", Shape::Operation),
    ("new", Shape::Number),
    ("outcome", OUTCOMES),
    ("reason", REASONS),
    ("recovery", Shape::Id),
    ("refused", Shape::Number),
    ("removed", Shape::Number),
    ("seconds", Shape::Number),
    ("settings", Shape::Number),
    ("signal", Shape::Word(&["hangup", "interrupt", "terminate"])),
    ("snapshot", Shape::Id),
    ("stage", Shape::Number),
    ("state", STATES),
    ("status", Shape::Number),
    ("stream", Shape::Word(Stream::WORDS)),
    ("updated", Shape::Number),
    ("warnings", Shape::Number),
    ("worst", Shape::Damage),
];

/// The attributes of metrics that are sent.
const OF_METRICS: &[(&str, Shape)] = &[
    ("code", Shape::Code),
    ("copy", COPIES),
    ("direction", Shape::Word(&["in", "out"])),
    ("kind", Shape::Word(&["input", "output", "cache-read", "cache-write"])),
    ("model", Shape::Model),
    ("outcome", OUTCOMES),
];

/// What is told of an event or an error.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) at: DateTime<Utc>,
    pub(super) id: Uuid,
    pub(super) version: String,
    pub(super) event: EventName,
    pub(super) level: Level,
    pub(super) session: Option<String>,
    pub(super) code: Option<Code>,
    pub(super) trace: Option<String>,
    pub(super) span: Option<String>,
    pub(super) attrs: Map<String, Value>,
    /// Of an error: what was being done, what happened, why, and what mends it.
    pub(super) error: Option<ToldError>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToldError {
    pub(super) doing: String,
    pub(super) message: String,
    pub(super) causes: Vec<String>,
    pub(super) remedies: Vec<String>,
}

/// What is told of a measured value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) at: DateTime<Utc>,
    pub(super) version: String,
    pub(super) metric: MetricName,
    pub(super) value: f64,
    pub(super) attrs: BTreeMap<&'static str, String>,
    pub(super) trace: Option<String>,
    pub(super) span: Option<String>,
}

/// What is told of a span.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spanned {
    pub(super) version: String,
    pub(super) trace: String,
    pub(super) span: String,
    pub(super) parent: Option<String>,
    pub(super) operation: Operation,
    pub(super) session: Option<String>,
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) code: Option<Code>,
}

#[derive(Deserialize)]
struct LogLine {
    ts: DateTime<Utc>,
    id: Uuid,
    event: String,
    level: Level,
    version: Option<String>,
    session: Option<String>,
    code: Option<String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    #[serde(default)]
    attrs: Map<String, Value>,
    #[serde(default)]
    doing: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    causes: Vec<String>,
    #[serde(default)]
    remedies: Vec<String>,
}

#[derive(Deserialize)]
struct MeasuredLine {
    ts: DateTime<Utc>,
    name: String,
    value: f64,
    version: Option<String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    #[serde(default)]
    attrs: Map<String, Value>,
}

impl Allowed {
    /// For a home, whose salt this is.
    pub(super) fn new(names: Names, salt: &str, home: &str) -> Self {
        let host = match names {
            Names::Allowed => rustix::system::uname().nodename().to_string_lossy().into_owned(),
            Names::Hidden => format!("drydock-{}", digest(salt, "this computer")),
        };
        Self { names, salt: salt.to_owned(), home: home.to_owned(), host }
    }

    /// What this computer is called.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// What is told of a line of the events. `None`: it is none that this version knows.
    pub(super) fn event(&self, line: &[u8]) -> Option<Told> {
        let line: LogLine = serde_json::from_slice(line).ok()?;
        self.told(&line, None)
    }

    /// What is told of a line of the error log, where the user allows it.
    pub(super) fn error(&self, line: &[u8]) -> Option<Told> {
        let line: LogLine = serde_json::from_slice(line).ok()?;
        let text = |text: &String| redacted(text, &self.home);
        let error = ToldError {
            doing: text(&line.doing),
            message: text(&line.message),
            causes: line.causes.iter().map(text).collect(),
            remedies: line.remedies.iter().map(text).collect(),
        };
        self.told(&line, Some(error))
    }

    fn told(&self, line: &LogLine, error: Option<ToldError>) -> Option<Told> {
        let event = EventName::ALL.iter().copied().find(|name| name.as_str() == line.event)?;
        let attrs = OF_EVENTS
            .iter()
            .filter_map(|(name, shape)| Some(((*name).to_owned(), shape.take(line.attrs.get(*name)?)?)))
            .collect();
        Some(Told {
            at: line.ts,
            id: line.id,
            version: version(line.version.as_deref()),
            event,
            level: line.level,
            session: line.session.as_deref().map(|name| self.session(name)),
            code: line.code.as_deref().and_then(code),
            trace: hex(line.trace_id.as_deref(), 32),
            span: hex(line.span_id.as_deref(), 16),
            attrs,
            error,
        })
    }

    /// What is told of a measured value.
    pub(super) fn measured(line: &[u8]) -> Option<Measured> {
        let line: MeasuredLine = serde_json::from_slice(line).ok()?;
        let metric = MetricName::ALL.iter().copied().find(|name| name.as_str() == line.name)?;
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let attrs = OF_METRICS
            .iter()
            .filter_map(|(name, shape)| Some((*name, text(shape.take(line.attrs.get(*name)?)?))))
            .collect();
        line.value.is_finite().then(|| Measured {
            at: line.ts,
            version: version(line.version.as_deref()),
            metric,
            value: line.value,
            attrs,
            trace: hex(line.trace_id.as_deref(), 32),
            span: hex(line.span_id.as_deref(), 16),
        })
    }

    /// What is told of a span.
    pub(super) fn spanned(&self, line: &[u8]) -> Option<Spanned> {
        let line: Value = serde_json::from_slice(line).ok()?;
        let span = line.pointer("/resourceSpans/0/scopeSpans/0/spans/0")?;
        let text = |key: &str| span[key].as_str();
        let attribute = |at: &Value, wanted: &str| {
            let found = at["attributes"].as_array()?.iter().find(|one| one["key"] == wanted)?;
            found["value"]["stringValue"].as_str().map(str::to_owned)
        };
        let resource = line.pointer("/resourceSpans/0/resource")?;
        Some(Spanned {
            version: version(attribute(resource, "service.version").as_deref()),
            trace: hex(text("traceId"), 32)?,
            span: hex(text("spanId"), 16)?,
            parent: hex(text("parentSpanId"), 16),
            operation: *Operation::ALL.iter().find(|known| Some(known.as_str()) == text("name"))?,
            session: attribute(span, "session.id").map(|name| self.session(&name)),
            began: text("startTimeUnixNano")?.parse().ok()?,
            ended: text("endTimeUnixNano")?.parse().ok()?,
            code: attribute(span, "error.type").as_deref().and_then(code),
        })
    }

    fn session(&self, name: &str) -> String {
        match self.names {
            Names::Allowed => redacted(name, &self.home),
            Names::Hidden => digest(&self.salt, name),
        }
    }
}

impl Shape {
    /// The value, if it is one of these.
    fn take(&self, value: &Value) -> Option<Value> {
        let is_good = match self {
            Self::Number => value.is_number(),
            Self::Word(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Self::Id => value.as_str().is_some_and(|text| {
                text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
            }),
            Self::Code => value.as_str().is_some_and(|text| code(text).is_some()),
            Self::Operation => {
                value.as_str().is_some_and(|text| Operation::ALL.iter().any(|known| known.as_str() == text))
            }
            Self::Model => value.as_str().is_some_and(is_model_name),
            Self::Version => value.as_str().is_some_and(is_version),
            Self::Damage => {
                value.as_str().is_some_and(|text| Damage::ALL.iter().any(|known| known.word() == text))
            }
        };
        is_good.then(|| value.clone())
    }
}

/// What stands in the place of a name: the same for the same name of one home.
fn digest(salt: &str, name: &str) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update([0]).chain_update(name).finalize();
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn code(text: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.as_str() == text)
}

fn hex(text: Option<&str>, digits: usize) -> Option<String> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.filter(|text| text.len() == digits && text.bytes().all(is_digit)).map(str::to_owned)
}

/// Whether it is three numbers.
fn is_version(text: &str) -> bool {
    let is_number =
        |part: &str| (1..=5).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split('.').count() == 3 && text.split('.').all(is_number)
}

/// The version of a line, if it is three numbers.
fn version(text: Option<&str>) -> String {
    text.filter(|text| is_version(text)).unwrap_or("unknown").to_owned()
}

/// Whether values of a metric add up.
pub(super) fn adds_up(metric: MetricName) -> bool {
    metric.kind() == Kind::Counter
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const SECRET: &str = "sk-ant-api03-FAKEfakeFAKE0123456789";

    fn hidden() -> Allowed {
        Allowed::new(Names::Hidden, "salt", "/home/me")
    }

    fn event(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut line = json!({
            "v": 1, "ts": "2026-01-02T03:04:05.678Z", "id": "0197f0aa-0000-7000-8000-000000000001",
            "event": "backup.taken", "level": "info", "session": "proj-ab12", "code": "disk.full",
            "attrs": { "new": 3, "seconds": 0.5, "reason": "scheduled", "snapshot": "deadbeef", "doing": "rm proj" },
            "service": "drydock", "version": "0.1.0", "pid": 7,
            "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331",
        });
        change(&mut line);
        line.to_string().into_bytes()
    }

    #[test]
    fn an_event_is_told_without_names() {
        let told = hidden().event(&event(|_| {})).unwrap();
        let attrs = json!({ "new": 3, "seconds": 0.5, "reason": "scheduled", "snapshot": "deadbeef" });
        assert_eq!(Value::Object(told.attrs.clone()), {
            // Attributes are told in the order of the list.
            let mut sorted = Map::new();
            for key in ["new", "reason", "seconds", "snapshot"] {
                sorted.insert(key.into(), attrs[key].clone());
            }
            Value::Object(sorted)
        });
        assert_eq!((told.code, told.version.as_str()), (Some(Code::DiskFull), "0.1.0"));
        let session = told.session.unwrap();
        assert!(session.len() == 12 && !session.contains("proj"), "{session}");
        assert_eq!(hidden().event(&event(|_| {})).unwrap().session.as_ref(), Some(&session));
        let elsewhere = Allowed::new(Names::Hidden, "another salt", "/home/me");
        assert_ne!(elsewhere.event(&event(|_| {})).unwrap().session, Some(session));
        let named = Allowed::new(Names::Allowed, "salt", "/home/me").event(&event(|_| {})).unwrap();
        assert_eq!(named.session.as_deref(), Some("proj-ab12"));
    }

    #[test]
    fn an_error_is_told_through_the_filter() {
        let line = event(|line| {
            line["event"] = "error".into();
            line["message"] = format!("could not read /home/me/x with {SECRET}").into();
            line["causes"] = json!([SECRET, "/home/me/y"]);
        });
        let error = hidden().error(&line).unwrap().error.unwrap();
        assert_eq!(error.message, "could not read ~/x with [hidden]");
        assert_eq!(error.causes, ["[hidden]", "~/y"]);
    }

    #[test]
    fn what_became_of_an_image_version_is_told_in_words_of_drydocks_own() {
        let attrs = json!({
            "deployment": "0197f0aa-0000-7000-8000-000000000001", "claude": "2.1.330", "state": "rolled-back",
            "before": "rolling-back", "stage": 1, "launches": 12, "reason": "in-a-row",
        });
        let line = |attrs: &Value| {
            event(|line| {
                line["event"] = "deployment.rolled-back".into();
                line["attrs"] = attrs.clone();
            })
        };
        let told = hidden().event(&line(&attrs)).unwrap();
        assert_eq!(told.attrs.len(), attrs.as_object().unwrap().len(), "{:?}", told.attrs);
        let strange = json!({ "claude": "/home/me", "state": "my project", "reason": "x y", "worst": "me" });
        assert!(hidden().event(&line(&strange)).unwrap().attrs.is_empty());
    }

    #[test]
    fn what_this_version_does_not_know_is_not_told() {
        let unknown = event(|line| line["event"] = "something.new".into());
        assert_eq!(hidden().event(&unknown), None);
        assert_eq!(hidden().event(b"not json"), None);
        assert_eq!(Allowed::measured(br#"{"ts":"2026-01-02T03:04:05Z","name":"x","value":1}"#), None);
    }

    proptest! {
        /// Whatever stands in whatever field, also in those that are told.
        #[test]
        fn a_planted_text_leaves_by_no_field(
            text in prop_oneof![Just(SECRET.to_owned()), "[A-Za-z]{3,8}-private-[A-Za-z0-9/]{1,20}"],
            fields in prop::collection::vec(0..12_usize, 1..6),
        ) {
            let plant = |line: &mut Value, field: usize| {
                let keys = ["ts", "id", "event", "level", "session", "code", "version", "trace_id", "span_id", "message"];
                match field {
                    10 => for key in ["new", "name", "outcome", "signal", "reason", "snapshot", "state", "doing", "place"] {
                        line["attrs"][key] = text.clone().into();
                    },
                    11 => line["attrs"][text.as_str()] = 1.into(),
                    field => line[keys[field]] = text.clone().into(),
                }
            };
            let line = event(|line| fields.iter().for_each(|field| plant(line, *field)));
            let told = format!("{:?}", hidden().event(&line));
            prop_assert!(!told.contains(&text), "{told}");
            let metric = json!({
                "ts": "2026-01-02T03:04:05Z", "name": "errors", "value": 1, "version": text, "trace_id": text,
                "attrs": { "code": text, "copy": text, "model": text, "kind": text, text.as_str(): text },
            });
            let measured = format!("{:?}", Allowed::measured(metric.to_string().as_bytes()));
            prop_assert!(!measured.contains(&text), "{measured}");
        }
    }
}
