//! Alerts from outside: each rule fired by its cause, taken on, silenced and told the end of, and a night asleep.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod asleep;
mod backups;
mod frozen;
mod reached;
mod sessions;
mod watched;
mod words;
