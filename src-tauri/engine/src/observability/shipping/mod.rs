//! What is on record, sent to Datadog or to an OpenTelemetry collector, for those who want that. The files are the
//! spool: what was sent up to where is written down after the server said that it has it.
//!
//! Off unless the user turns it on. What is sent is a list ([`allowed`]); what is dropped is counted.

mod allowed;
mod answer;
mod chain;
mod collector;
mod cursor;
mod datadog;
mod post;
mod round;
mod server;
mod settle;
mod shipper;
#[cfg(test)]
mod simulated;
mod state;
mod status;
mod stream;

pub use server::{DATADOG_SITES, Server};
pub(crate) use shipper::Shipper;
pub use shipper::{datadog_key_changed, preview, send_to_datadog};
pub use state::{Dropped, Reason, Stopped, Trouble};
pub use status::{KeyState, ShippingStatus, StreamStatus, shipping_status};
pub use stream::{Destination, Stream};
