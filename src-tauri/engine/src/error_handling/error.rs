//! The one error type that crosses the engine's boundary.

use super::{Code, Outcome};
use serde::{Deserialize, Serialize};
use std::{fmt, io, path::Path};

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What happened, why, and what to do about it.
///
/// Rules for the texts: `message` is one sentence in the user's words, without a final full stop;
/// `why` carries the cause as the system told it; `remedy` is a command or an act that mends it.
/// None of them ever holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "EngineError"))]
pub struct Error {
    #[cfg_attr(feature = "typescript", ts(type = "string"))]
    code: Code,
    message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(optional, as = "Option<Vec<String>>"))]
    why: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(optional, as = "Option<Vec<String>>"))]
    remedy: Vec<String>,
}

impl Error {
    /// An error of the catalogue, with what happened in one sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), why: Vec::new(), remedy: Vec::new() }
    }

    /// Adds a cause. Called again, it adds a further line.
    #[must_use]
    pub fn why(mut self, cause: impl fmt::Display) -> Self {
        self.why.push(cause.to_string());
        self
    }

    /// Adds what mends it. Called again, it adds an alternative.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy.push(remedy.into());
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// How a command that meets this error ends.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.code.outcome()
    }

    /// What happened, in one sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The causes, outermost first.
    #[must_use]
    pub fn causes(&self) -> &[String] {
        &self.why
    }

    /// What mends it, best first.
    #[must_use]
    pub fn remedies(&self) -> &[String] {
        &self.remedy
    }

    /// An I/O error at a path. A full disk gets its own code, since its remedy is another.
    pub fn io(doing: &str, path: &Path, cause: &io::Error) -> Self {
        let message = format!("could not {doing} {}", path.display());
        if cause.kind() == io::ErrorKind::StorageFull || cause.kind() == io::ErrorKind::QuotaExceeded {
            return Self::new(Code::DiskFull, message)
                .why(cause)
                .remedy("free space on that disk and run the command again");
        }
        Self::new(Code::FileAccess, message).why(cause)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for cause in &self.why {
            write!(f, "; {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Gives an I/O result the path and the act that failed.
pub trait IoContext<T> {
    /// Names the act ("read", "write") and the path.
    ///
    /// # Errors
    /// The I/O error, as [`Code::FileAccess`] or [`Code::DiskFull`].
    fn context(self, doing: &str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, doing: &str, path: &Path) -> Result<T> {
        self.map_err(|cause| Error::io(doing, path, &cause))
    }
}
