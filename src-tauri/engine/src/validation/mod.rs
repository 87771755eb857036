//! Checks: is Claude Code's configuration sound, and can this machine run sessions.

mod claude_config;
mod doctor;

pub use claude_config::{Finding, Severity, refuse_damaged_config, validate_claude_config};
pub use doctor::{Check, Standing, examine};
