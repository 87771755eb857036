//! The archive: conversations that are gone from the host home, carried on from snapshot to snapshot.
//!
//! Claude Code deletes conversations after thirty days, and snapshots do not stay for ever either. A file of a
//! conversation that is in the last snapshot and not in the host home any more moves to the snapshot's folder
//! `archive/`. It takes no space again: its content is in the repository already.

use super::{
    open::{Ids, LaterFull},
    source::{CLAUDE, Content, Entry},
};
use rustic_core::{
    RusticResult,
    repofile::{BlobType, Node, NodeType},
};
use std::{
    collections::{BTreeMap, HashSet},
    ffi::OsString,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The folder of a snapshot that the archive is in.
pub(super) const ARCHIVE: &str = "archive";

/// A file's content in the repository.
pub(super) struct Stored {
    repository: Arc<LaterFull>,
    rest: std::vec::IntoIter<rustic_core::DataId>,
    at_hand: io::Cursor<bytes::Bytes>,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stored")
    }
}

impl Stored {
    pub(super) fn of(repository: &Arc<LaterFull>, node: &Node) -> Self {
        let rest = node.content.clone().unwrap_or_default().into_iter();
        Self { repository: repository.clone(), rest, at_hand: io::Cursor::default() }
    }
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.at_hand.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(id) = self.rest.next() else { return Ok(0) };
            let content = self
                .repository
                .get()
                .and_then(|repository| repository.get_blob_cached(&id.into(), BlobType::Data))
                .map_err(|cause| io::Error::other(cause.display_log()))?;
            self.at_hand = io::Cursor::new(content);
        }
    }
}

/// The archive of the next snapshot.
#[derive(Debug, Default)]
pub(super) struct Archive {
    /// By the parts of their names, which is the order of a tree.
    files: BTreeMap<Vec<OsString>, Node>,
}

impl Archive {
    /// The archive as the last snapshot has it, without what is back in the host home.
    pub(super) fn carried(
        repository: &Ids,
        tree: rustic_core::TreeId,
        present: &HashSet<&str>,
    ) -> RusticResult<Self> {
        let mut archive = Self::default();
        let Ok(root) = repository.node_from_path(tree, Path::new(ARCHIVE)) else { return Ok(archive) };
        for found in repository.ls(&root, &rustic_core::LsOptions::default())? {
            let (below, node) = found?;
            let back = Path::new(CLAUDE).join(&below);
            if node.node_type == NodeType::File && !present.contains(back.to_string_lossy().as_ref()) {
                archive.files.insert(parts(&below), node);
            }
        }
        Ok(archive)
    }

    /// Adds what is gone since the last snapshot: `before` are the names of its conversations' files. One
    /// whose project moved is not gone.
    pub(super) fn add_gone(
        &mut self,
        repository: &Ids,
        tree: rustic_core::TreeId,
        before: &[String],
        present: &HashSet<&str>,
    ) {
        let elsewhere: HashSet<&str> = present.iter().map(|name| below_project(name)).collect();
        for name in before {
            if elsewhere.contains(below_project(name)) {
                continue;
            }
            let path = Path::new(name);
            let Ok(below) = path.strip_prefix(CLAUDE) else { continue };
            // A name that the last snapshot does not have after all is no loss.
            if let Ok(node) = repository.node_from_path(tree, path)
                && node.node_type == NodeType::File
            {
                self.files.insert(parts(below), node);
            }
        }
    }

    /// Lets the oldest go until the rest is no larger than `limit` bytes.
    pub(super) fn limit(&mut self, limit: u64) {
        let mut bytes: u64 = self.files.values().map(|node| node.meta.size).sum();
        let mut oldest: Vec<_> =
            self.files.iter().map(|(name, node)| (node.meta.mtime, name.clone(), node.meta.size)).collect();
        oldest.sort();
        for (_, name, size) in oldest {
            if bytes <= limit {
                break;
            }
            self.files.remove(&name);
            bytes -= size;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The archive's files as entries of a snapshot.
    pub(super) fn entries(self, repository: &Arc<LaterFull>) -> Vec<Entry> {
        self.files
            .into_iter()
            .map(|(parts, mut node)| {
                let mut path = PathBuf::from(ARCHIVE);
                path.extend(&parts);
                let open = Some(Content::Stored(Stored::of(repository, &node)));
                node.content = None;
                Entry { path, node, open }
            })
            .collect()
    }
}

/// A name without the folder of its project, which is another one when the project moved.
fn below_project(name: &str) -> &str {
    let below = name.strip_prefix(".claude/projects/").and_then(|rest| rest.split_once('/'));
    below.map_or(name, |(_, below)| below)
}

fn parts(path: &Path) -> Vec<OsString> {
    path.components().map(|part| part.as_os_str().to_owned()).collect()
}
