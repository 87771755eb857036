//! Backups of Claude Code's data.
//!
//! For now only what protects a sync: the files that a sync is about to change are copied first.

mod pre_sync;

pub use pre_sync::{PreSyncBackup, pre_sync_backup};
