//! What is on record, on its way to Datadog or to a collector: servers that refuse, and what they never get.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod background;
mod collector;
mod private;
mod refused;
mod sender;
mod sent;
