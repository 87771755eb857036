//! A new image, tried on a few launches at a time, and taken back by itself.
//!
//! Stable and candidate stand side by side in the engine; which one a launch gets is decided by hash and weight and
//! written down with why. Every outcome is counted and judged at once; what follows is one transaction of the state
//! database, so that a process may end anywhere, and of two only one goes on. Sessions that run keep their image.

mod advance;
#[cfg(test)]
mod crash;
mod deployments;
#[cfg(test)]
mod exact;
mod goes_on;
mod identity;
mod judge;
mod launches;
mod machine;
mod newest;
mod observed;
mod outcome;
mod policy;
mod probe;
mod reason;
mod routing;
mod rule;
#[cfg(test)]
mod simulated;
mod smoke;
mod store;
mod tally;
mod track;

pub use advance::Others;
pub use deployments::Deployments;
pub(crate) use goes_on::GoesOn;
pub use identity::{Again, Candidate, Identity};
pub use judge::Missing;
pub(crate) use launches::{Asked, Chosen};
pub use machine::{Deployment, DeploymentId, Promotion, Proof, Stage, State};
pub(crate) use outcome::Ending;
pub use outcome::{Counts, FIRST_MINUTE, Outcome};
pub use policy::{Policy, RuleKind, StagePlan};
pub use reason::{Abort, Pause, Trigger};
use routing::Routing;
pub use routing::{Decision, Side, WEIGHT_VARIABLE, Weight, Why, Wish, place};
pub use rule::{BOUNDARY, Evidence, NEAR, wilson};
pub use smoke::{SmokeCheck, SmokeName, SmokeOutcome, SmokeReport, run_smoke_tests};
pub use store::{Denied, Launched, Transition};
pub use tally::Tally;
pub use track::{DeploymentStatus, VersionFigures};
