//! Backups of Claude Code's data: three copies that are proven to restore.
//!
//! The local copy is a repository of restic's format; the external and the cloud copy are mirrors of its
//! files. [`Backups`] is what the command line, the app and the scheduler use.

mod adopt;
mod backups;
mod begin;
mod concerns;
mod copies;
#[cfg(test)]
mod crash;
mod drill;
mod jobs;
mod key;
mod ledger;
mod lock;
mod observed;
mod pre_sync;
mod recoverable;
mod remembered;
mod repository;
mod restore;
mod retention;
mod sealed;
mod sheet;
mod snapshot;
mod snapshots;
mod state;
mod status;
mod verify;

pub use backups::{BackupReport, Backups, Copies, CopyOutcome, PrunePlan};
pub use concerns::{Concern, RECOVERY_POINT, RECOVERY_TIME, Weight};
pub use copies::MirrorReport;
pub use key::{RecoveryCode, RepositoryKey};
pub use pre_sync::{BeforeSync, PreSyncBackup, pre_sync_backup};
pub(crate) use recoverable::Fetched;
pub use repository::{
    FailedFile, Hit, Listed, ListedKind, NOT_BACKED_UP, Origin, Pruned, Restored, Taken, WORKER_ARGUMENT,
    is_backed_up, serve_if_asked,
};
pub use restore::{BroughtBack, IfDamaged};
pub use retention::Retention;
pub use sheet::Sheet;
pub use snapshot::{CopyName, DamagedDocument, Reason, Snapshot, SnapshotId};
pub use snapshots::{ListedSnapshot, Pin};
pub use state::{Drill, Failure, Missed, Verified};
pub use status::{BackupStatus, CopyStatus};
pub use verify::{Depth, Fault, Heal, Seen, Verdict, VerifiedCopy};
