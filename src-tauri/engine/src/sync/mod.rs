//! Sync: what goes from the host home into a session, and what comes back.
//!
//! Inward is a copy made for one session. Outward is a merge: conversations grow, nothing is deleted,
//! and what the host would execute is kept aside for the user. Both are planned first, then done.

mod apply;
mod inward;
mod lock;
mod outward;
mod pack;
mod volume;

pub(crate) use apply::apply_collected;
pub use apply::{Change, Fork, Kept, OutReport};
pub(crate) use inward::{Brought, InwardPlan, Purpose};
pub use lock::{SyncLock, acquire_sync_lock, release_sync_lock};
pub use outward::Moment;
pub(crate) use outward::{Collected, Source};
pub(crate) use pack::FileMark;
pub(crate) use volume::HomeVolume;
