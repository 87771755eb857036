//! The places of the other copies. Each holds the same immutable files as the local one, and fails and
//! catches up on its own.

mod cloud;
mod files;
mod mirror;
mod mount;
mod volume;

pub(super) use cloud::Cloud;
pub(super) use files::{FETCHED, misnamed, repository_files, sweep};
pub use mirror::MirrorReport;
pub(super) use mirror::mirror;
pub(super) use mount::{is_mount_point, is_mounted};
pub(super) use volume::Volume;

use crate::{error_handling::Result, progress::ProgressSink};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// What a place says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    /// The copy's own id.
    pub(super) copy: String,
    /// The repository it is a copy of.
    pub(super) repository: String,
}

/// The marker's name below a copy.
pub(super) const MARKER: &str = "drydock/copy.json";
/// The ledger's name below a copy.
pub(super) const LEDGER: &str = "drydock/ledger.jsonl";

/// A place where a copy is, or can be.
pub(super) trait Place {
    /// Removes what processes left there that were ended in the middle. The caller is the only one who writes.
    fn sweep(&self) {}
    /// How people name it.
    fn name(&self) -> String;
    /// All files of the repository there, with their sizes.
    fn list(&self) -> Result<BTreeMap<String, u64>>;
    /// Copies files of the local repository there. None counts before all of them are there.
    fn put(&self, root: &Path, names: &[String], progress: &ProgressSink) -> Result<()>;
    /// Removes files there, in this order.
    fn remove(&self, names: &[String]) -> Result<()>;
    /// Reads a small file.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>>;
    /// Writes a small file, whole or not at all.
    fn write(&self, name: &str, content: &[u8]) -> Result<()>;
    /// Copies files from there into a folder, under the same names.
    fn fetch(&self, names: &[String], to: &Path, progress: &ProgressSink) -> Result<()>;
    /// Those of the files there that are not what their names say. They may be compared with the local ones of
    /// `root`, as far as those are what their names say.
    fn damaged(&self, root: &Path, names: &[String], progress: &ProgressSink) -> Result<Vec<String>>;
}

/// The order in which files have to be there: what needs another comes after it.
pub(super) fn rank(name: &str) -> u8 {
    match name.split('/').next() {
        Some("config" | "keys") => 0,
        Some("data") => 1,
        Some("index") => 2,
        _ => 3,
    }
}
