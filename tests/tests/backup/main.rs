//! The three copies of Claude Code's data, as a person backs them up, loses something, and gets it back.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod archive;
mod consistent;
mod keys;
mod left_out;
mod moved;
mod outages;
mod paused;
mod remotes;
mod restic;
mod restore;
mod retention;
mod sheet;
mod together;
mod volumes;
