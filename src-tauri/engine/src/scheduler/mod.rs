//! Work that is done by itself: snapshots, their mirrors, their proof, recovery of what is damaged, alerts, configuration from git, and sending
//! what is on record where the user wants that.
//!
//! One process of a home does it, the app or `drydock daemon`; another one waits for that to end.

mod alerts;
mod gitops;
mod guard;
mod plan;
mod run;
mod ship;
mod watch;

pub use guard::GuardReport;
pub use plan::{Changed, Done, Job, Situation, Standing, due, missed, period};
pub use run::{Holder, JobOutcome, JobReport, Scheduler, Told};
