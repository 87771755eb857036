//! The repository that the local copy is: restic's format, by `rustic_core`, in a process of its own.
//!
//! Nothing of the library goes out of this folder: what is asked is an [`order::Order`].

mod archived;
mod browse;
mod check;
mod consistent;
mod folder;
mod item;
mod open;
pub(super) mod order;
mod packs;
mod prune;
mod restore;
mod source;
mod take;
mod worker;

pub use order::{FailedFile, Hit, Listed, ListedKind, Pruned, Restored, Taken};
pub use source::{NOT_BACKED_UP, Origin, is_backed_up};
pub(super) use take::Seen as SeenOfHome;
pub(super) use worker::run;
pub use worker::{WORKER_ARGUMENT, serve_if_asked};
