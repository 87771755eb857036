//! Checks: is Claude Code's data sound, and can this machine run sessions.

mod access;
mod claude_config;
mod compare;
mod content;
mod docker_environment;
mod doctor;
mod document;
mod finding;
mod first_use;
mod fix;
mod keys;
mod listing;
mod records;
mod remedy;
mod shape;

pub use claude_config::{refuse_damaged_config, validate_claude_config, validate_documents};
pub use compare::gone;
pub use content::validate_file;
pub(crate) use content::validate_text;
pub use docker_environment::validate_docker_environment;
pub use doctor::{Check, Standing, examine};
pub use finding::{
    Damage, Earlier, EarlierFile, Finding, Fix, FixOutcome, Fixed, Place, Severity, Validation,
};
pub(crate) use first_use::note_first_use;
pub use fix::fix;
