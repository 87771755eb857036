//! Errors as part of the interface: each says what happened, why, and what mends it,
//! under a code that never changes.

mod catalogue;
mod error;

pub use catalogue::{Code, Outcome};
pub use error::{Error, IoContext, Result};
