//! The session image: what sessions run in, built here, pinned to one version of Claude Code.
//!
//! An image version is named by its base's digest, Claude Code's version and the recipe's digest,
//! so that the same name is always the same content.

mod base;
mod build;
mod claude_code;
mod claude_version;
mod recipe;
mod registry;
mod stored;

pub(crate) use build::build_version;
pub use build::{LayerCache, build_image};
pub use claude_version::ClaudeVersion;
pub(crate) use recipe::{HOME_VOLUME_MOUNT, entry};
pub use recipe::{ImageVersion, Recipe, SessionUser};
pub use registry::newest_version;
pub use stored::{Collected, StoredImage, collect_images, current_image, list_images};

/// The Claude Code that a new Drydock starts with. Its packages' digests are in `registry.rs`.
pub const PINNED_VERSION: &str = "2.1.330";
