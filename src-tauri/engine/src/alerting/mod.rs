//! Alerts that a person trusts: few, each said once, each with what to do.

pub mod channels;
mod deliver;
mod message;

pub use deliver::{Channel, ChannelName, Delivery};
pub use message::{IncidentId, Message, Occasion, Page, Severity};
