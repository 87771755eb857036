//! Backups under faults: killed programs, damaged files, full and vanished disks, and many at once.
//!
//! `DRYDOCK_FAULT_ROUNDS` says how often chance is asked, `DRYDOCK_FAULT_SEED` which one it is.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod alone;
mod concurrent;
mod daemon;
mod damage;
mod damages;
mod disks;
mod first_time;
mod kills;
mod mending;
mod others;
mod proof;

use drydock_tests::faults::{dice, saved, tally, times};
