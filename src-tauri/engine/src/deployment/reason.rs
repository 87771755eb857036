//! Why a deployment stands still, is taken back or is given up, with the numbers of it.

use crate::error_handling::Code;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a deployment stands still.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Pause {
    /// The user said so.
    User,
    /// Enough launches were seen, and they say nothing.
    Inconclusive,
    /// Stable does no better: something else is at fault.
    Environment {
        /// What would have taken the candidate back.
        trigger: Trigger,
    },
}

/// Why a candidate is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "trigger")]
pub enum Trigger {
    /// Too many errors.
    Errors {
        /// So many.
        faults: u32,
        /// Of so many launches.
        launches: u32,
    },
    /// Errors one after the other.
    InARow {
        /// So many.
        times: u32,
        /// Of so many launches.
        launches: u32,
    },
    /// Slow launches.
    Slow {
        /// So many.
        slow: u32,
        /// Of so many.
        timed: u32,
        /// Milliseconds from which on a launch is slow. Whole numbers: a fraction is not read back where serde has
        /// to look ahead, as it does for what is tagged.
        limit_ms: u64,
        /// The 95th percentile.
        p95_ms: Option<u64>,
    },
    /// Data did not come out as it was inside.
    Unverified,
    /// The smoke tests.
    Smoke {
        /// Those that failed.
        failed: Vec<String>,
    },
    /// The user said so.
    User,
}

impl Trigger {
    /// A word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Errors { .. } => "errors",
            Self::InARow { .. } => "in-a-row",
            Self::Slow { .. } => "slow",
            Self::Unverified => "unverified",
            Self::Smoke { .. } => "smoke",
            Self::User => "user",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors { faults, launches } => {
                let percent = 100.0 * f64::from(*faults) / f64::from((*launches).max(1));
                write!(f, "{faults} of its {launches} launches failed ({percent:.0} %)")
            }
            Self::InARow { times, launches } => {
                write!(f, "its last {times} launches failed, one after the other, of {launches}")
            }
            Self::Slow { slow, timed, limit_ms, p95_ms } => {
                let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100).replace(".0 s", " s");
                write!(f, "{slow} of its {timed} launches took longer than {}", seconds(*limit_ms))?;
                // Of fewer, the percentile is only the slowest one.
                match p95_ms {
                    Some(p95) if *timed >= 20 => write!(f, " (P95 {})", seconds(*p95)),
                    _ => Ok(()),
                }
            }
            Self::Unverified => f.write_str("what came out of a session on it was not what was inside"),
            Self::Smoke { failed } => write!(f, "it failed its smoke tests: {}", failed.join(", ")),
            Self::User => f.write_str("you took it back"),
        }
    }
}

/// Why a deployment was given up before any launch tried it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Abort {
    /// The user said so.
    User,
    /// The candidate could not be built, or may not be tried.
    Build {
        /// The code of the error.
        code: Code,
        /// What happened.
        message: String,
    },
}
