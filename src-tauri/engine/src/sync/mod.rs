//! Sync: what goes from the host home into a session, and what comes back.
//!
//! Both ways are three-way: each side is compared with what both agreed on last. Inward is what one
//! session needs. Outward is a merge: conversations grow, documents merge by key, nothing is deleted,
//! and what the host would act on waits for the user. A plan comes first, then the deeds.

mod apply;
mod base;
mod brought;
mod documents;
mod exclude;
mod held;
mod inside;
mod integrity;
mod inward;
mod journal;
mod layout;
mod lock;
mod outward;
mod pack;
mod path_map;
mod plan;
mod servers;
mod stops;
mod volume;

pub(crate) use apply::{Host, Outgoing, apply_out, plan_out};
pub use apply::{OutReport, Waiting};
pub(crate) use base::{Agreed, AgreedDocument, BASE_FILE, Base, News};
pub(crate) use brought::Brought;
pub(crate) use exclude::Excluded;
pub use held::{Always, Decided, Held, HeldChanges, HeldId, Part, Reason, State, diff};
pub(crate) use held::{pretty, unified};
pub(crate) use inside::{Inside, Put};
pub use integrity::Integrity;
pub(crate) use integrity::{came_out, is_shared};
pub(crate) use inward::{Incoming, IncomingContent, InwardPlan, Purpose};
pub(crate) use layout::{Layout, unknown_files};
pub use lock::{SyncLock, acquire_sync_lock, release_sync_lock};
pub use outward::Moment;
pub(crate) use outward::{Collected, Source, session_name};
pub use path_map::{
    Direction, Localhost, PathMap, ServerNote, ServerProblem, fix_mcp_paths, normalize_session_history,
};
pub use plan::{Change, Fork, Step};
pub use stops::Vanished;
pub(crate) use volume::HomeVolume;

/// The marker of a session's home, below the home.
pub(crate) const REPLICA: &str = ".drydock/replica";
