//! Configuration as code from outside: a real bare repository, worked on by the real git, over `file://` and over
//! `ssh://` to a real sshd, and over `https://` to git's own server behind TLS.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod begun;
mod by_itself;
mod in_sessions;
mod kills;
mod many;
mod over_https;
mod over_ssh;
mod workflow;
