//! Work that is done by itself: snapshots, their mirrors, their proof.
//!
//! One process of a home does it, the app or `drydock daemon`; another one waits for that to end.

mod plan;
mod run;
mod watch;

pub use plan::{Changed, Done, Job, Situation, Standing, due, missed, period};
pub use run::{Holder, JobOutcome, JobReport, Scheduler};
