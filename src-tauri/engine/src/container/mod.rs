//! The container engine: finding it, speaking to it, and moving archives in and out of containers.
//!
//! Everything goes over the engine's API, so Docker Desktop, OrbStack, Colima, Rancher Desktop,
//! Podman and a remote engine are one thing here.

mod archive;
mod candidates;
mod connect;
mod context;
mod failure;
mod hardening;
mod making;
mod ssh;

#[cfg(feature = "fuzzing")]
pub(crate) use archive::visit_entries;
pub use archive::{ArchiveLimits, Refusal, Refused};
pub(crate) use archive::{TarSender, read_archive};
pub use candidates::{Attempt, Candidate, Reason};
pub use connect::{ContainerEngine, EngineKind};
pub(crate) use context::hex;
pub(crate) use failure::{engine_error, is_conflict, is_not_found};
pub(crate) use hardening::hardened;
pub(crate) use making::{carried_out, nothing_on_its_way};
