//! What helps to find a fault, in one file that the user can read before anybody else does: without secrets, and
//! without the names of their folders, projects and sessions. Nothing is sent.

mod anonymous;
mod gather;
mod write;

pub use gather::{Report, gather};
pub use write::Written;
