//! What the pages may ask for: one command is one call into the engine.
//!
//! `build.rs` has the names, from which the rights of each window are made; `ui/src/backend.ts` has their types.

#![allow(clippy::needless_pass_by_value, reason = "Tauri hands everything over by value")]

pub(crate) mod activity;
pub(crate) mod backups;
pub(crate) mod configuration;
pub(crate) mod deployment;
pub(crate) mod held;
pub(crate) mod home;
#[cfg(test)]
pub(crate) mod names;
pub(crate) mod recovery;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod sheet;

use crate::desk::Desk;
use std::sync::Arc;

/// The desk, as commands get it.
type Shared<'a> = tauri::State<'a, Arc<Desk>>;
