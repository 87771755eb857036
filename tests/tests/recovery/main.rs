//! Recovery as a person needs it: something is damaged or gone, `drydock recover` brings it back, and nothing that
//! was intact is lost.
//!
//! `DRYDOCK_FAULT_ROUNDS` says how often chance is asked, `DRYDOCK_FAULT_SEED` which one it is.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod again;
mod by_itself;
mod choices;
mod copies;
mod corpus;
mod damages;
mod files;
mod kills;
mod members;
mod model;
mod no_backup;
mod person;
mod plan;
mod proof;
mod total_loss;
mod troubles;
mod undo;

use drydock_tests::faults::{dice, saved, tally, times};
