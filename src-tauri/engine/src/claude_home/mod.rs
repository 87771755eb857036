//! What Claude Code's files are: one table of classes and policies, and the few formats that must be
//! understood. Nothing here touches an engine or a network.

mod classes;
mod document;
mod project_dir;
mod transcript;

pub use classes::{CLASSES, Class, Inward, Outward, Row, class_of};
pub use document::{DocumentFault, parse_document};
pub(crate) use document::{session_settings, session_state, shared_part_digest};
pub use project_dir::project_dir_name;
pub(crate) use project_dir::{recorded_cwd, session_of};
pub(crate) use transcript::{Merge, compare, fork_id, rewrite_session_id};
