//! One record on its way to one server: what is sent next. A plain function of files, what is kept, and a clock.

use super::{
    super::Files,
    allowed::{Allowed, adds_up},
    answer::LONGEST_WAIT,
    chain::Chain,
    collector,
    cursor::{After, Cursor},
    datadog,
    state::{Dropped, Kept, Reason},
};
use crate::keychain::Fingerprint;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::io;

/// Lines of one request at most: half of what Datadog takes.
pub(super) const LINES: usize = 500;
/// Bytes of lines of one request: a fifth of what Datadog takes, for what is sent of them may be longer.
const BYTES: usize = 1 << 20;
/// Datadog takes logs of the last 18 hours.
const LOGS: TimeDelta = TimeDelta::hours(18);
/// Datadog takes points of the last hour, and of the next ten minutes.
const POINTS: TimeDelta = TimeDelta::hours(1);
const AHEAD: TimeDelta = TimeDelta::minutes(10);

macro_rules! streams {
    ($($name:ident = $word:literal, $to:ident, $path:literal, $encoding:ident, $doc:literal;)*) => {
        /// One record on its way to one destination.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Stream { $(#[doc = $doc] $name,)* }

        impl Stream {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            /// Their words.
            pub const WORDS: &[&'static str] = &[$($word,)*];

            /// The word for it.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Where it goes.
            #[must_use]
            pub fn to(self) -> Destination {
                match self { $(Self::$name => Destination::$to,)* }
            }

            /// To what on the server.
            pub(super) fn path(self) -> &'static str {
                match self { $(Self::$name => $path,)* }
            }

            /// How it is compressed.
            pub(super) fn encoding(self) -> Encoding {
                match self { $(Self::$name => Encoding::$encoding,)* }
            }
        }
    };
}

streams! {
    DatadogEvents = "datadog.events", DatadogLogs, "/api/v2/logs", Gzip, "Events, as logs.";
    DatadogErrors = "datadog.errors", DatadogLogs, "/api/v2/logs", Gzip, "The error log, as logs.";
    DatadogCounts = "datadog.counts", DatadogApi, "/api/v2/series", Gzip, "Metrics that add up.";
    DatadogSamples = "datadog.samples", DatadogApi, "/api/v1/distribution_points", Deflate, "Metrics that are measurements.";
    CollectorEvents = "otlp.events", Collector, "/v1/logs", Gzip, "Events, as log records.";
    CollectorErrors = "otlp.errors", Collector, "/v1/logs", Gzip, "The error log, as log records.";
    CollectorMetrics = "otlp.metrics", Collector, "/v1/metrics", Gzip, "Metrics.";
    CollectorTraces = "otlp.traces", Collector, "/v1/traces", Gzip, "Traces.";
}

/// To whom a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Datadog's intake of logs.
    DatadogLogs,
    /// Datadog's API.
    DatadogApi,
    /// An OpenTelemetry collector.
    Collector,
}

/// How a request is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    /// The only one that Datadog takes points of distributions in.
    Deflate,
}

/// What is to be done for a stream now.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing: all is sent, or it is waited, or it stands still.
    Nothing,
    /// Sending begins here.
    Begin(Cursor),
    /// The server gets this.
    Send(Batch),
}

/// Some lines that are sent together.
#[derive(Debug)]
pub(super) struct Batch {
    /// What is sent; `None` when none of the lines is for this stream.
    pub(super) body: Option<Value>,
    pub(super) after: Cursor,
    /// How many of the lines are in it.
    pub(super) lines: usize,
    pub(super) dropped: Dropped,
    pub(super) last_second: Option<i64>,
}

impl Stream {
    /// The files that it is of.
    pub(super) fn chain(self, files: &Files) -> Chain {
        match self {
            Self::DatadogEvents | Self::CollectorEvents => Chain::File(files.events.clone()),
            Self::DatadogErrors | Self::CollectorErrors => Chain::File(files.errors.clone()),
            Self::DatadogCounts | Self::DatadogSamples | Self::CollectorMetrics => {
                Chain::File(files.metrics.clone())
            }
            Self::CollectorTraces => Chain::Days(files.traces.clone()),
        }
    }

    /// Whether it is of the error log.
    pub(super) fn is_errors(self) -> bool {
        matches!(self, Self::DatadogErrors | Self::CollectorErrors)
    }

    /// Of how long ago the server takes what is sent.
    fn takes(self) -> Option<TimeDelta> {
        match self.to() {
            Destination::DatadogLogs => Some(LOGS),
            Destination::DatadogApi => Some(POINTS),
            Destination::Collector => None,
        }
    }

    /// What is to be done now, under this key and address.
    pub(super) fn next(
        self,
        kept: &Kept,
        chain: &Chain,
        allowed: &Allowed,
        identity: Fingerprint,
        now: DateTime<Utc>,
    ) -> io::Result<Next> {
        let Some(cursor) = &kept.cursor else { return Cursor::at_end(chain, now).map(Next::Begin) };
        if kept.stopped.as_ref().is_some_and(|stopped| stopped.identity == Some(identity)) {
            return Ok(Next::Nothing);
        }
        // A clock that was set back is no reason to wait for longer than ever.
        if kept.not_before.is_some_and(|at| now < at && at - now <= LONGEST_WAIT) {
            return Ok(Next::Nothing);
        }
        let after = cursor.read_on(chain, BYTES, now)?;
        if after.lines.is_empty() {
            let lost = Batch {
                body: None,
                after: Cursor::Beginning,
                lines: 0,
                dropped: Dropped::from([(Reason::Gone, 1)]),
                last_second: None,
            };
            return Ok(if after.gap { Next::Send(lost) } else { Next::Nothing });
        }
        let at_most = kept.at_most.unwrap_or(LINES).max(1);
        let gather = Gather { stream: self, at_most, now };
        let host = allowed.host();
        Ok(Next::Send(match self {
            Self::DatadogEvents | Self::CollectorEvents => {
                let told = gather.lines(after, |line| allowed.event(line), |told| Some(told.at));
                told.batch(|told| self.logs(told, host))
            }
            Self::DatadogErrors | Self::CollectorErrors => {
                let told = gather.lines(after, |line| allowed.error(line), |told| Some(told.at));
                told.batch(|told| self.logs(told, host))
            }
            Self::DatadogCounts => {
                let mut counts =
                    gather.lines(after, Allowed::measured, |one| adds_up(one.metric).then_some(one.at));
                let (body, last) = datadog::counts(&counts.found, host, kept.last_second);
                counts.last_second = last;
                counts.batch(|_| body)
            }
            Self::DatadogSamples => {
                let samples =
                    gather.lines(after, Allowed::measured, |one| (!adds_up(one.metric)).then_some(one.at));
                samples.batch(|samples| datadog::samples(samples, host))
            }
            Self::CollectorMetrics => {
                let measured = gather.lines(after, Allowed::measured, |one| Some(one.at));
                measured.batch(|measured| collector::metrics(measured, host))
            }
            Self::CollectorTraces => {
                let spans = gather.lines(after, |line| allowed.spanned(line), |_| Some(now));
                spans.batch(|spans| collector::traces(spans, host))
            }
        }))
    }

    fn logs(self, told: &[super::allowed::Told], host: &str) -> Value {
        match self.to() {
            Destination::Collector => collector::logs(told, host),
            Destination::DatadogLogs | Destination::DatadogApi => datadog::logs(told, host),
        }
    }
}

/// How lines are taken together.
struct Gather {
    stream: Stream,
    at_most: usize,
    now: DateTime<Utc>,
}

/// What was taken.
struct Gathered<T> {
    found: Vec<T>,
    after: Cursor,
    dropped: Dropped,
    last_second: Option<i64>,
}

impl Gather {
    /// Reads lines; `time` tells when one was, unless it is for another stream.
    fn lines<T>(
        &self,
        after: After,
        read: impl Fn(&[u8]) -> Option<T>,
        time: impl Fn(&T) -> Option<DateTime<Utc>>,
    ) -> Gathered<T> {
        let mut gathered = Gathered {
            found: Vec::new(),
            after: Cursor::Beginning,
            dropped: Dropped::new(),
            last_second: None,
        };
        if after.gap {
            gathered.dropped.insert(Reason::Gone, 1);
        }
        for line in after.lines {
            if gathered.found.len() == self.at_most {
                break;
            }
            gathered.after = Cursor::In(line.end);
            let Some(one) = line.text.as_deref().and_then(&read) else {
                *gathered.dropped.entry(Reason::Unreadable).or_default() += 1;
                continue;
            };
            let Some(at) = time(&one) else { continue };
            match self.stream.takes() {
                Some(longest) if self.now - at > longest => {
                    *gathered.dropped.entry(Reason::Old).or_default() += 1;
                }
                Some(_) if at - self.now > AHEAD => {
                    *gathered.dropped.entry(Reason::Ahead).or_default() += 1;
                }
                _ => gathered.found.push(one),
            }
        }
        gathered
    }
}

impl<T> Gathered<T> {
    fn batch(self, body: impl FnOnce(&[T]) -> Value) -> Batch {
        Batch {
            body: (!self.found.is_empty()).then(|| body(&self.found)),
            after: self.after,
            lines: self.found.len(),
            dropped: self.dropped,
            last_second: self.last_second,
        }
    }
}
