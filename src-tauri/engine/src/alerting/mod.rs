//! Alerts that a person trusts: few, each said once, each with what to do.

mod message;

pub use message::{IncidentId, Message, Occasion, Page, Severity};
