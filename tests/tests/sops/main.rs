//! Files of secrets, beside the program `sops` itself: what one writes the other reads, and what one refuses the other
//! refuses too.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod commands;
mod comments;
mod corpus;
mod maps;
mod tampered;
mod team;
