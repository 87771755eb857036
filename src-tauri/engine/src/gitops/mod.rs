//! Configuration as code: the state that a git repository says a home should have.

pub mod identity;
pub mod plain_secrets;
pub mod sops;
