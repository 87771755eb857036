//! A session, from launch to exit: one Claude Code in one hardened container, for one project.
//!
//! A session outlives the process that launched it. What it wrote is brought out at its end or at
//! Drydock's next start, and nothing of it is removed before that.

mod attached;
mod blocking;
mod bring_in;
mod bring_out;
mod changes;
mod configuration;
mod environment;
mod finish;
mod furnish;
mod id;
mod integrity;
mod launch;
mod list;
mod login;
mod observed;
mod parts;
mod probe;
mod project;
mod recent;
mod record;
mod rejoin;
mod resources;
mod staging;
mod stop;
mod sync_status;
mod usage;

pub use attached::{Attached, Ended, Output, TerminalSize};
pub use bring_in::InReport;
pub use bring_out::SyncPlan;
pub use environment::TERMINAL_VARIABLES;
pub use finish::{Finished, FinishedSession, Trial};
pub use id::SessionId;
pub use launch::{Joining, Launch, MissingImage};
pub use list::{ListedSession, SessionState};
pub(crate) use list::{attached_sessions, has_records};
pub use project::Project;
pub use recent::recent_projects;
pub use rejoin::Follow;
pub use stop::DataInside;
pub use sync_status::SyncStatus;

use crate::{container::ContainerEngine, paths::Locations, settings::Settings};

/// The sessions of one home on one engine.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// Where everything is.
    pub locations: Locations,
    /// The settings in force.
    pub settings: Settings,
    /// The engine.
    pub engine: ContainerEngine,
}
