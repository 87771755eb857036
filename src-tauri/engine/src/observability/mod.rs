//! What happened, how long it took, and why: events, metrics and traces in files of the user's own.
//!
//! The engine tells them through `tracing`; a program that installs [`Observability`] as a layer of its subscriber
//! has them written down, one JSON object a line. Without it nothing is written. What is told holds no prompt, no
//! code and no secret. The error log names the files that an error is about; the others hold no path.

mod begun;
mod event;
mod gauges;
mod history;
mod layer;
mod line;
mod line_log;
mod metric;
mod otlp;
mod read;
mod redact;
mod shipping;
mod summary;
mod trace;

pub use event::{Event, EventName, Level, Value, log_event};
pub use gauges::Gauge;
pub use history::{MOST_PARTS, Part, history};
pub(crate) use layer::ERRORS;
pub use layer::Observability;
pub use metric::{Kind, Metric, MetricName, record_metric};
pub use read::{
    EventLine, Filter, Follow, MetricLine, SpanLine, Wait, read_errors, read_events, read_metrics, read_spans,
};
pub use redact::redacted;
pub(crate) use redact::secret_forms;
pub(crate) use shipping::Shipper;
pub use shipping::{
    DATADOG_SITES, Destination, Dropped, KeyState, Reason, Server, ShippingStatus, Stopped, Stream,
    StreamStatus, Trouble, datadog_key_changed, preview, send_to_datadog, shipping_status,
};
pub use summary::{Metrics, Quantiles, collect_metrics};
pub use trace::{Operation, Outcome, end_trace, start_trace};
pub(crate) use trace::{traced, traced_blocking, traced_within};

use crate::paths::Locations;
use std::path::PathBuf;

/// The files, with the names of Drydock's specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Events.
    pub events: PathBuf,
    /// Metrics.
    pub metrics: PathBuf,
    /// Errors.
    pub errors: PathBuf,
    /// The folder of the traces, a file a day.
    pub traces: PathBuf,
}

impl Files {
    /// Those of a home.
    #[must_use]
    pub fn of(locations: &Locations) -> Self {
        let home = &locations.home;
        Self {
            events: home.join(".claude-docker-events.jsonl"),
            metrics: home.join(".claude-docker-metrics.jsonl"),
            errors: home.join(".claude-docker-errors.log"),
            traces: home.join(".claude-docker-traces"),
        }
    }
}

/// The version of the schema of all lines: fields are only added.
pub const SCHEMA: u32 = 1;
