//! Errors as part of the interface: each says what happened, why, and what mends it,
//! under a code that never changes.

mod catalogue;
mod error;
mod log;

pub use catalogue::{Code, Outcome};
pub use error::{Error, IoContext, Result};
pub(crate) use log::HalfMade;
pub use log::{Severity, cleanup_on_error, error_trap_handler, fatal_error, log_error};
