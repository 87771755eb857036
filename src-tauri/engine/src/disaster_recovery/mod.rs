//! Recovery: what is damaged comes back from the newest backup that has it whole, and nothing intact is lost.
//!
//! [`Recovery`] is what the command line, the app and the scheduler use: a [`Plan`] first, in which a person can
//! see what will happen, then [`disaster_recovery`], a [`Report`], and [`Recovery::undo`].

mod automatic;
#[cfg(test)]
mod crash;
mod find;
mod left_behind;
mod look;
mod plan;
mod planning;
mod put;
mod record;
mod recovery;
mod running;
mod salvage;
mod stage;
mod undo;
mod verify;

pub use automatic::{Attempts, Decision, decide};
pub use find::{GoodBackups, find_good_backup};
pub(crate) use look::is_of_data;
pub use plan::{Act, Chosen, Item, Plan, RecoveryId, Scope, Skipped, Source, Wish};
pub use record::{Deed, Past, Standing};
pub use recovery::{Left, Looked, Recovered, Recovery, Report, Then, disaster_recovery};
pub use running::{Running, running};
pub use stage::restore_from_backup;
pub use undo::Undone;
pub use verify::{ClaudeSays, Verified, verify_recovery};
