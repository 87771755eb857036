//! What Drydock keeps for its user, in a real keyring, and what it says where there is none to keep it in.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod asked_for;
mod host_login;
mod kept_secrets;
mod locked_or_absent;
mod own_login;
mod pair;
mod user;
