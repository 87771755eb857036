//! Configuration as code: what a git repository says is brought to this computer, key by key, and what differs is
//! seen.
//!
//! A repository is read from a commit's tree in a bare copy, never from a work tree. What was written last, what
//! stands there and what git says are compared place by place; a value that somebody changed here is drift, and never
//! rubbish. All that a commit changes is one transaction: it is proven, or taken back.

mod adopt;
mod apply;
mod audit;
mod bring;
mod check;
mod choose;
mod commit;
#[cfg(test)]
mod crash;
mod decide;
mod desired;
mod edit;
mod fights;
mod git;
mod git_tree;
#[allow(clippy::module_inception, reason = "the file is named after what it holds")]
mod gitops;
pub mod identity;
mod init;
mod judge;
mod mirror;
mod node;
mod observed;
mod place;
pub mod plain_secrets;
mod plan;
mod planned;
mod preview;
mod push;
mod reconcile;
mod report;
mod repository;
#[cfg(test)]
mod rig;
mod root;
mod runtime;
mod secrets;
mod sessions;
pub mod sops;
mod state;
mod steps;
mod template;
mod tree;
mod value;
mod verify;
mod wish;

pub use adopt::Adopted;
pub use audit::{Actor, AuditLine, Cause};
pub use check::{Checked, Files};
pub use commit::{About, Commit};
pub use decide::{GitopsStatus, Which, audit_config_change, detect_drift};
pub(crate) use git::is_repository;
pub use gitops::Gitops;
pub(crate) use gitops::repository_hint;
pub use init::Begun;
pub use judge::Judged;
pub use place::{Arrives, Below, Place};
pub use preview::{Difference, Preview, Would};
pub use push::Pushed;
pub use reconcile::reconcile_config;
pub use report::{Changed, DriftLine, Outcome, Report};
pub use repository::Problem;
pub use root::DriftPolicy;
pub use sessions::InSession;
pub use state::{
    Access, DriftKind, Drifted, FailedCommit, HeldChange, HeldCommit, HeldWhy, InForce, Suspended,
    Unreachable,
};
pub use wish::{Force, Target, Wish};
