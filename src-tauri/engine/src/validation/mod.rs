//! Checks: is Claude Code's configuration sound, and can this machine run sessions.

mod claude_config;
mod doctor;
mod finding;

pub use claude_config::{refuse_damaged_config, validate_documents};
pub use doctor::{Check, Standing, examine};
pub use finding::{Damage, Earlier, EarlierFile, Finding, Fix, Place, Severity, Validation};
