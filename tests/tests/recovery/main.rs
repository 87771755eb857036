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
#[path = "../backup_faults/dice.rs"]
#[expect(dead_code, reason = "not all of its numbers are thrown here")]
mod dice;
mod files;
mod kills;
mod members;
mod model;
mod no_backup;
mod person;
mod plan;
mod proof;
#[path = "../backup_faults/saved.rs"]
mod saved;
#[path = "../backup_faults/tally.rs"]
mod tally;
#[path = "../backup_faults/times.rs"]
mod times;
mod total_loss;
mod troubles;
mod undo;
