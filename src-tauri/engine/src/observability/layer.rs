//! The layer of a program's subscriber that writes events, metrics and traces down.

use super::{
    Event, EventName, Files, Level,
    begun::{Begun, OpenOperations},
    line::{Within, line},
    line_log::{Limits, LineLog},
    otlp::{self, FinishedSpan},
};
use crate::paths::Locations;
use chrono::Utc;
use std::{
    fmt,
    path::PathBuf,
    sync::{Mutex, Once, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

/// The targets by which the layer knows what it is for.
pub(super) const EVENTS: &str = "drydock.event";
pub(super) const METRICS: &str = "drydock.metric";
pub(super) const SPANS: &str = "drydock.operation";
pub(crate) const ERRORS: &str = "drydock.error";

/// Writes down what is told, for one home.
#[derive(Debug)]
pub struct Observability {
    home: String,
    events: LineLog,
    metrics: LineLog,
    errors: LineLog,
    traces: PathBuf,
    locks: PathBuf,
    today: Mutex<Option<(String, LineLog)>>,
    open: OpenOperations,
    looked: Once,
}

impl Observability {
    /// For a home. Nothing is made before there is something to write.
    #[must_use]
    pub fn of(locations: &Locations) -> Self {
        let files = Files::of(locations);
        let locks = locations.data_dir.join("observability");
        let log = |path| LineLog::at(path, &locks, Limits::default());
        Self {
            home: locations.home.display().to_string(),
            events: log(files.events),
            metrics: log(files.metrics),
            errors: log(files.errors),
            traces: files.traces,
            today: Mutex::new(None),
            open: OpenOperations::at(locks.join("open")),
            looked: Once::new(),
            locks,
        }
    }

    /// Whether something is for this layer.
    #[must_use]
    pub fn is_for(metadata: &tracing::Metadata<'_>) -> bool {
        [EVENTS, METRICS, SPANS, ERRORS].contains(&metadata.target())
    }

    fn write_line(&self, log: &LineLog, payload: &str, known: Option<&Known>) {
        let within = known.map(|known| Within {
            trace: &known.trace,
            span: &known.span,
            session: known.session.as_deref(),
        });
        if let Some(line) = line(payload, within, &self.home) {
            let lost = log.append(line);
            self.tell_lost(lost);
        }
    }

    /// The file can be written again, and says what it is without.
    fn tell_lost(&self, lines: u64) {
        if lines > 0 {
            let event = Event::new(EventName::LinesLost).level(Level::Warn).with("lines", lines);
            if let Ok(payload) = serde_json::to_string(&event) {
                self.write_line(&self.events, &payload, None);
            }
        }
    }

    /// Writes down, as aborted, the operations of processes that ended in the middle of them. It happens by itself
    /// before the first operation of a process.
    pub fn close_aborted(&self) {
        for span in self.open.take_aborted() {
            if span.parent.is_none() {
                let event = Event::new(EventName::Aborted).level(Level::Warn).with("name", span.name.clone());
                let known = Known {
                    trace: span.trace.clone(),
                    span: span.span.clone(),
                    parent: None,
                    name: span.name.clone(),
                    session: span.session.clone(),
                    began: span.began,
                    code: None,
                };
                if let Ok(payload) = serde_json::to_string(&event) {
                    self.write_line(&self.events, &payload, Some(&known));
                }
            }
            self.write_span(&span);
        }
    }

    fn write_span(&self, finished: &FinishedSpan) {
        let day = Utc::now().format("%Y%m%d").to_string();
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        if today.as_ref().is_none_or(|(known, _)| *known != day) {
            let path = self.traces.join(format!("traces-{day}.jsonl"));
            *today = Some((day, LineLog::at(path, &self.locks, Limits::default())));
        }
        if let Some((_, log)) = &*today {
            let lost = log.append(otlp::line(finished));
            self.tell_lost(lost);
        }
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// What is known of a span that is not over.
#[derive(Debug, Clone)]
struct Known {
    trace: String,
    span: String,
    parent: Option<String>,
    name: String,
    session: Option<String>,
    began: u64,
    code: Option<String>,
}

impl Known {
    fn begun(&self) -> Begun {
        Begun {
            trace: self.trace.clone(),
            span: self.span.clone(),
            parent: self.parent.clone(),
            name: self.name.clone(),
            session: self.session.clone(),
            began: self.began,
            pid: std::process::id(),
        }
    }

    fn finished(self) -> FinishedSpan {
        FinishedSpan {
            trace: self.trace,
            span: self.span,
            parent: self.parent,
            name: self.name,
            session: self.session,
            began: self.began,
            ended: now_ns(),
            code: self.code,
            pid: std::process::id(),
        }
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Observability {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Texts::default();
        attributes.record(&mut fields);
        let above = span.parent().and_then(|parent| known_of(&parent));
        let random = uuid::Uuid::new_v4().simple().to_string();
        let caller = || caller_of_this_process();
        let (trace, parent) = match &above {
            Some(above) => (above.trace.clone(), Some(above.span.clone())),
            None => caller().map_or_else(
                || (uuid::Uuid::new_v4().simple().to_string(), None),
                |(trace, span)| (trace, Some(span)),
            ),
        };
        let session = fields.take("session").or_else(|| above.and_then(|above| above.session));
        let known = Known {
            trace,
            span: random[..16].to_owned(),
            parent,
            name: fields.take("name").unwrap_or_else(|| attributes.metadata().name().to_owned()),
            session,
            began: now_ns(),
            code: None,
        };
        self.looked.call_once(|| self.close_aborted());
        self.open.begin(&known.begun());
        span.extensions_mut().insert(known);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Texts::default();
        values.record(&mut fields);
        if let Some(known) = span.extensions_mut().get_mut::<Known>() {
            known.code = fields.take("code").or(known.code.take());
            known.session = fields.take("session").or(known.session.take());
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut fields = Texts::default();
        event.record(&mut fields);
        let Some(payload) = fields.take("payload") else { return };
        let known = context.event_span(event).and_then(|span| known_of(&span));
        match event.metadata().target() {
            EVENTS => self.write_line(&self.events, &payload, known.as_ref()),
            METRICS => self.write_line(&self.metrics, &payload, known.as_ref()),
            ERRORS => self.write_line(&self.errors, &payload, known.as_ref()),
            _ => {}
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let known = span.extensions_mut().remove::<Known>();
        if let Some(known) = known {
            self.open.end(&known.span);
            self.write_span(&known.finished());
        }
    }
}

/// That of a span, or of the nearest one above it that is an operation.
fn known_of<'s, S: LookupSpan<'s>>(span: &SpanRef<'s, S>) -> Option<Known> {
    span.scope().find_map(|span| span.extensions().get::<Known>().cloned())
}

/// The trace that this process was started in.
///
/// Source: W3C Trace Context; `TRACEPARENT` as the OpenTelemetry specification has it for environment variables.
fn caller_of_this_process() -> Option<(String, String)> {
    let text = std::env::var("TRACEPARENT").ok()?;
    let mut parts = text.split('-');
    let (_, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    (is_hex(trace, 32) && is_hex(span, 16)).then(|| (trace.to_owned(), span.to_owned()))
}

/// The texts among the fields.
#[derive(Default)]
struct Texts(Vec<(&'static str, String)>);

impl Texts {
    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

impl Visit for Texts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::line_log::LONGEST;
    use crate::{
        error_handling::{Code, Error},
        observability::{
            Event, EventName, Metric, MetricName, Operation, Outcome, end_trace, log_event, record_metric,
            start_trace,
        },
    };
    use serde_json::{Value, json};
    use std::fs;
    use tracing_subscriber::{layer::SubscriberExt, registry};

    fn lines(path: &std::path::Path) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_operation_is_a_trace_and_what_happens_in_it_bears_its_ids() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let files = Files::of(&locations);
        tracing::subscriber::with_default(registry().with(Observability::of(&locations)), || {
            let sync = start_trace(Operation::SyncOut, Some("proj-ab12"));
            let _entered = sync.enter();
            let backup = start_trace(Operation::Backup, None);
            backup.in_scope(|| log_event(&Event::new(EventName::BackupTaken).with("new", 3_u64)));
            end_trace(&backup, Outcome::Failed(&Error::new(Code::DiskFull, "x")));
            record_metric(&Metric::new(MetricName::SyncSeconds, 0.5).with("direction", "out"));
        });
        let events = lines(&files.events);
        let metrics = lines(&files.metrics);
        let day = Utc::now().format("%Y%m%d");
        let spans: Vec<_> = lines(&files.traces.join(format!("traces-{day}.jsonl")))
            .into_iter()
            .map(|line| line["resourceSpans"][0]["scopeSpans"][0]["spans"][0].clone())
            .collect();
        let [backup, sync] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!((&backup["name"], &sync["name"]), (&json!("backup"), &json!("sync_out")));
        assert_eq!(backup["parentSpanId"], sync["spanId"]);
        assert_eq!((&backup["status"]["code"], &sync["status"]["code"]), (&json!(2), &json!(1)));
        assert_eq!(events[0]["event"], "backup.taken");
        assert_eq!(events[0]["session"], "proj-ab12");
        assert_eq!((&events[0]["trace_id"], &events[0]["span_id"]), (&backup["traceId"], &backup["spanId"]));
        assert_eq!((&metrics[0]["value"], &metrics[0]["unit"]), (&json!(0.5), &json!("s")));
        assert_eq!(metrics[0]["span_id"], sync["spanId"]);
    }

    #[test]
    fn secrets_and_the_home_stay_out_and_long_lines_are_cut() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let secret = "sk-ant-api03-FAKEfakeFAKE0123456789";
        tracing::subscriber::with_default(registry().with(Observability::of(&locations)), || {
            let inside = format!("{}/proj said {secret}", locations.home.display());
            log_event(&Event::new(EventName::ErrorLogged).with("words", inside));
            log_event(&Event::new(EventName::ErrorLogged).with("words", "x".repeat(LONGEST)));
        });
        let text = fs::read_to_string(Files::of(&locations).events).unwrap();
        assert!(!text.contains(secret) && !text.contains(&locations.home.display().to_string()), "{text}");
        assert!(text.contains("~/proj"));
        let cut: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        assert_eq!(cut["truncated"], true);
    }
}
