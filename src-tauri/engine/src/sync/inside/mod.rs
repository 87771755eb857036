//! The program beside a session's home: carrying it there, and speaking with it.
//!
//! It runs in a container of its own that only has the home, so what it says of files is true whatever
//! the session's programs do. Still it is taken as a stranger's: its container holds what they wrote.

mod client;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod crash;
mod program;

pub(crate) use client::{Inside, Put};
pub(crate) use program::{PLACE, program_for};
