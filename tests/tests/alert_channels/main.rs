//! Alerts reach the user over real parts: dunst on a screen, msmtp and a mail server, and a strict stand-in for
//! Slack.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod desktop;
mod mail;
mod slack;
mod user;
