//! Errors as part of the interface: each says what happened, why, and what mends it,
//! under a code that never changes.

mod catalogue;
mod error;
mod half_made;
mod log;
mod signals;

pub use catalogue::{Code, Outcome};
pub use error::{Error, IoContext, Result};
pub(crate) use half_made::HalfMade;
pub use half_made::cleanup_on_error;
pub use log::{Severity, error_trap_handler, fatal_error, log_error};
pub use signals::{OwnSignals, StopSignal, StopSignals};
