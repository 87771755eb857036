//! Traces: one for each operation, with the operations in it as its spans. A whole session as one trace would be
//! lost by a crash; the traces of a session are found by its name.

use crate::error_handling::{Error, Result};
use std::fmt;
use tracing::{Instrument, Span};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A session is launched.
    Launch,
    /// What changed is brought into a session.
    SyncIn,
    /// What a session wrote is brought out.
    SyncOut,
    /// A snapshot is taken.
    Backup,
    /// Another copy is brought up to the local one.
    Mirror,
    /// A copy is read back.
    Verify,
    /// A snapshot is proven.
    Drill,
    /// Files of a snapshot are brought out of it.
    Restore,
    /// What is damaged is brought back.
    Recovery,
    /// What the process of a repository does for one of the others.
    Repository,
}

impl Operation {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Launch,
        Self::SyncIn,
        Self::SyncOut,
        Self::Backup,
        Self::Mirror,
        Self::Verify,
        Self::Drill,
        Self::Restore,
        Self::Recovery,
        Self::Repository,
    ];

    /// Its name in the traces.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::SyncIn => "sync_in",
            Self::SyncOut => "sync_out",
            Self::Backup => "backup",
            Self::Mirror => "mirror",
            Self::Verify => "verify",
            Self::Drill => "drill",
            Self::Restore => "restore",
            Self::Recovery => "recovery",
            Self::Repository => "repository",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an operation came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'e> {
    /// It was done.
    Done,
    /// It failed.
    Failed(&'e Error),
}

/// Begins a trace, or a span of the trace in which this happens. It ends when the span is dropped.
#[must_use]
pub fn start_trace(operation: Operation, session: Option<&str>) -> Span {
    tracing::info_span!(
        target: super::layer::SPANS,
        "operation",
        name = operation.as_str(),
        session = session,
        code = tracing::field::Empty,
    )
}

/// Ends it with its outcome.
pub fn end_trace(span: &Span, outcome: Outcome<'_>) {
    if let Outcome::Failed(error) = outcome {
        span.record("code", error.code().as_str());
    }
}

/// Does something as a span.
pub(crate) async fn traced<T>(
    operation: Operation,
    session: Option<&str>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let span = start_trace(operation, session);
    let done = work.instrument(span.clone()).await;
    if let Err(error) = &done {
        end_trace(&span, Outcome::Failed(error));
    }
    done
}

/// Does something that blocks as a span of the trace in which this happens; on its own it is none.
pub(crate) fn traced_within<T>(operation: Operation, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if Span::current().is_none() { work() } else { traced_blocking(operation, work) }
}

/// Does something that blocks as a span.
pub(crate) fn traced_blocking<T>(operation: Operation, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let span = start_trace(operation, None);
    let done = span.in_scope(work);
    if let Err(error) = &done {
        end_trace(&span, Outcome::Failed(error));
    }
    done
}
