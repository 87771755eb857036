//! What long work tells of itself while it goes on.

use serde::Serialize;
use std::sync::Arc;

/// What long work reports while it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case", tag = "is", content = "of")]
pub enum Progress {
    /// A step begins.
    Step(String),
    /// Bytes of a known or unknown total.
    Bytes {
        /// What they are of.
        what: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, if known.
        total: Option<u64>,
    },
    /// Things of a known or unknown number.
    Count {
        /// What is done with them.
        what: String,
        /// So many so far.
        done: u64,
        /// So many in all, if known.
        total: Option<u64>,
    },
    /// A line of a program's output.
    Line(String),
}

/// Where progress goes.
#[derive(Clone)]
pub struct ProgressSink(Arc<dyn Fn(Progress) + Send + Sync>);

impl ProgressSink {
    /// Gives each report to `receive`, which must return at once.
    pub fn new(receive: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(receive))
    }

    /// Nobody looks.
    #[must_use]
    pub fn none() -> Self {
        Self::new(drop)
    }

    pub(crate) fn report(&self, progress: Progress) {
        (self.0)(progress);
    }
}

impl std::fmt::Debug for ProgressSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProgressSink")
    }
}
