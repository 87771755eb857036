//! How sending stands: what was sent, what was dropped and why, and how far behind it is.

use super::{
    round::Access,
    shipper::ways,
    state::{Dropped, State, Stopped, Trouble},
    stream::Stream,
};
use crate::{
    error_handling::Result,
    keychain::{Secret, Vault},
    paths::Locations,
    settings::Settings,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// How sending stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShippingStatus {
    /// The Datadog site, or the address in its place, where that is on.
    pub datadog: Option<String>,
    /// The collector, where there is one.
    pub collector: Option<String>,
    /// Whether the error log is sent.
    pub errors: bool,
    /// Whether names are sent as they are.
    pub names: bool,
    /// The streams that are wanted.
    pub streams: Vec<StreamStatus>,
}

/// Whether there is a key for Datadog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// There is.
    Kept,
    /// There is none.
    None,
    /// Nobody can tell, and why.
    Unknown(String),
}

impl KeyState {
    /// Looks for it. The keyring may ask the user to unlock it. Blocking.
    #[must_use]
    pub fn look(locations: &Locations) -> Self {
        match Vault::of(locations).read(&Secret::DatadogKey) {
            Ok(Some(_)) => Self::Kept,
            Ok(None) => Self::None,
            Err(error) => Self::Unknown(error.message().to_owned()),
        }
    }
}

/// How one stream stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamStatus {
    /// Which.
    pub stream: &'static str,
    /// Lines that were sent.
    pub sent: u64,
    /// Lines that were not and will not be, by reason.
    pub dropped: Dropped,
    /// Bytes of lines that wait to be sent.
    pub behind_bytes: u64,
    /// Since when something waits.
    pub behind_since: Option<DateTime<Utc>>,
    /// When the server last took something.
    pub last_sent: Option<DateTime<Utc>>,
    /// Not tried again before.
    pub waits_until: Option<DateTime<Utc>>,
    /// It stands still until key or settings change.
    pub stopped: Option<Stopped>,
    /// What went wrong since something was last taken.
    pub trouble: Option<Trouble>,
}

/// How sending stands. Blocking.
///
/// # Errors
/// When what was written down of it cannot be read.
pub fn shipping_status(
    locations: &Locations,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<ShippingStatus> {
    let state = State::load(locations)?;
    let ways = ways(locations, settings, &state.salt, || Access::Open);
    let datadog = settings.datadog().map(|(site, address)| address.unwrap_or(site).to_owned());
    let streams = ways.iter().map(|way| {
        let kept = state.of(way.stream).cloned().unwrap_or_default();
        let cursor = kept.cursor.as_ref();
        // What cannot be read is told as what went wrong, when it is to be sent.
        let behind = cursor.and_then(|cursor| cursor.behind(&way.chain, now).ok()).unwrap_or_default();
        let next = cursor.and_then(|cursor| cursor.read_on(&way.chain, 1, now).ok());
        let since = next.and_then(|next| {
            let line = next.lines.into_iter().next()?;
            time_of(way.stream, &line.text?)
        });
        StreamStatus {
            stream: way.stream.word(),
            sent: kept.sent,
            dropped: kept.dropped,
            behind_bytes: behind,
            behind_since: since,
            last_sent: kept.last_sent,
            waits_until: kept.not_before.filter(|at| *at > now),
            stopped: kept.stopped,
            trouble: kept.trouble,
        }
    });
    Ok(ShippingStatus {
        datadog,
        collector: settings.collector().map(str::to_owned),
        errors: settings.sends_errors(),
        names: settings.sends_names(),
        streams: streams.collect(),
    })
}

/// When a line was written.
fn time_of(stream: Stream, line: &[u8]) -> Option<DateTime<Utc>> {
    let line: serde_json::Value = serde_json::from_slice(line).ok()?;
    if stream == Stream::CollectorTraces {
        let ended = line.pointer("/resourceSpans/0/scopeSpans/0/spans/0/endTimeUnixNano")?;
        return Some(DateTime::from_timestamp_nanos(ended.as_str()?.parse().ok()?));
    }
    line["ts"].as_str()?.parse().ok()
}
