//! Work that is done by itself: snapshots, their mirrors, their proof, recovery of what is damaged, alerts, configuration from git, and sending
//! what is on record where the user wants that.
//!
//! One process of a home does it, the app or `drydock daemon`; another one waits for that to end.

mod alerts;
mod deploy;
mod gitops;
mod guard;
mod holder;
mod pause;
mod plan;
mod power;
mod run;
mod ship;
mod watch;

pub use guard::GuardReport;
pub use holder::Holder;
pub use pause::{LONGEST_PAUSE, Pause, pause, paused, unpause};
pub use plan::{Changed, Done, Job, Situation, Standing, due, missed, period};
pub use run::{JobOutcome, JobReport, Scheduler, Told};
