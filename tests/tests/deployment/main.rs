//! Deployments from outside: real images of a real engine, launches as a person makes them, and each trigger by its cause.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod alone;
mod bad;
mod good;
mod launches;
mod no_start;
mod smoke;
mod trial;
