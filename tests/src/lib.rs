//! The parts that the tests share.
// The rig stands for a person: a step that does not succeed is the test failing, said where it happened.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(target_os = "linux")]
pub mod faults;
pub mod rig;
