//! Embeds the page, the icons and the capabilities that tauri.conf.json names, and makes a right of each command.

use std::error::Error;
use tauri_build::{AppManifest, Attributes, try_build};

include!("src/commands/names.rs");

fn main() -> Result<(), Box<dyn Error>> {
    Ok(try_build(Attributes::new().app_manifest(AppManifest::new().commands(NAMES)))?)
}
