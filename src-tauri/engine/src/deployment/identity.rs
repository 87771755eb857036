//! What an image version is known by.

use crate::image::StoredImage;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One image version: the digest of its content decides; tags are never compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The engine's digest of its content.
    pub digest: String,
    /// The Claude Code in it.
    pub claude_version: String,
    /// The digest of the recipe that it was made by.
    pub recipe: String,
    /// Its name in the engine, to launch it by.
    pub tag: String,
}

impl Identity {
    pub(crate) fn of(image: &StoredImage) -> Self {
        Self {
            digest: image.id.clone(),
            claude_version: image.version.claude_version.clone(),
            recipe: image.version.recipe_digest.clone(),
            tag: image.tag.clone(),
        }
    }

    /// Whether both have the same content.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest.strip_prefix("sha256:").unwrap_or(&self.digest);
        write!(f, "Claude Code {} ({})", self.claude_version, digest.get(..12).unwrap_or(digest))
    }
}

/// What is tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The Claude Code that the user wants.
    pub claude_version: String,
    /// What it became, once it is built.
    pub built: Option<Identity>,
    /// Whether it is tried although it was taken back before.
    pub again: Again,
}

/// Whether a version that was taken back may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// The user said so.
    Forced,
    /// No.
    No,
}
