//! Files, looked at and changed so that nothing is lost: the same deeds on the host and in a session's
//! home.
//!
//! The program of this crate runs beside a session's home and speaks [`protocol`] on a stream. The
//! engine uses the library for the host home. It knows nothing of Claude Code.

mod append;
pub mod check;
pub mod digest;
pub mod disk;
mod mark;
#[cfg(target_os = "linux")]
mod notes;
mod place;
pub mod protocol;
#[cfg(target_os = "linux")]
mod root;
pub mod scan;
#[cfg(target_os = "linux")]
pub mod serve;

pub use append::{Appended, append};
pub use digest::Window;
pub use mark::{Digest, Mark, Sign};
pub use place::{Before, Placed, Staged, place, recover};
