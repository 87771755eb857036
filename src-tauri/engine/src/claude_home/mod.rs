//! What Claude Code's files are: one table of classes and policies, and the few formats that must be
//! understood. Nothing here touches an engine or a network.

mod classes;
mod document;
mod locks;
mod merge;
mod project_dir;
mod transcript;
mod usage;

pub use classes::{CLASSES, Class, Inward, Outward, Row, class_of, skipped_folders};
pub(crate) use classes::{Patterns, matches_pattern};
pub use document::{DocumentFault, parse_document};
pub(crate) use document::{session_settings, session_state};
pub(crate) use locks::{FolderLock, LoginLocks};
pub use merge::KeyChange;
pub(crate) use merge::{KeyPolicy, KeyTable, apply_changes, merge_documents, string_spans};
pub use project_dir::project_dir_name;
pub(crate) use project_dir::{recorded_cwd, session_of};

pub(crate) use transcript::{Merge, compare, fork_id, rewrite_session_id};
pub(crate) use usage::{Tokens, Usage, is_model_name};

/// The variables that carry a key or a token to Claude Code, in its own order of precedence.
pub const KEY_VARIABLES: &[&str] = &["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"];
