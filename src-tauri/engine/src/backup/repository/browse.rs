//! Looking into snapshots: their files, and what was said in their conversations.

use super::{
    open::{Full, Ids, Way, failed},
    order::{Hit, Listed, ListedKind},
    source::CLAUDE,
    take::{all, id_of},
};
use crate::{
    backup::{lock::Lock, snapshot::SnapshotId},
    error_handling::{Code, Error, Result},
};
use chrono::{DateTime, Utc};
use rustic_core::{
    DataId, IndexedTree, LsOptions, ProgressBars, Repository, RusticResult, TreeId,
    repofile::{BlobType, Node, NodeType, SnapshotFile},
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The names of the conversations' files in a snapshot.
pub(super) fn conversations(repository: &Ids, tree: TreeId) -> RusticResult<Vec<String>> {
    use crate::claude_home::{Class, class_of};
    let Ok(root) = repository.node_from_path(tree, Path::new(CLAUDE)) else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for found in repository.ls(&root, &LsOptions::default())? {
        let (below, node) = found?;
        let name = below.to_string_lossy();
        if node.node_type == NodeType::File
            && matches!(class_of(&name), Class::Transcript | Class::ConversationFile)
        {
            names.push(format!("{CLAUDE}/{name}"));
        }
    }
    Ok(names)
}

/// The snapshot of a name.
pub(super) fn snapshot(repository: &super::open::Opened, id: &SnapshotId) -> Result<SnapshotFile> {
    let wanted = id.as_str().parse::<rustic_core::repofile::SnapshotId>();
    let mut found = wanted
        .and_then(|id| repository.get_file::<SnapshotFile>(&id))
        .map_err(|cause| failed(&format!("the snapshot {id} cannot be read"), &cause))?;
    found.id = id.as_str().parse().map_err(|_| Error::new(Code::Internal, "a snapshot's name is not one"))?;
    Ok(found)
}

/// The files and folders in one folder of a snapshot.
pub(super) fn browse(way: &Way, id: &SnapshotId, folder: &Path) -> Result<Vec<Listed>> {
    let _lock = Lock::shared(&way.root)?;
    let repository = way.open(rustic_core::NoProgressBars)?;
    let snapshot = snapshot(&repository, id)?;
    let repository = repository
        .to_indexed_ids()
        .map_err(|cause| failed("the index of the backups cannot be read", &cause))?;
    let node = node_at(&repository, snapshot.tree, folder, id)?;
    let unreadable = |cause: Box<rustic_core::RusticError>| failed("the snapshot cannot be read", &cause);
    let Some(tree) = node.subtree else { return Ok(vec![listed(folder.to_path_buf(), &node)]) };
    let tree = repository.get_tree(&tree).map_err(unreadable)?;
    Ok(tree.nodes.iter().map(|node| listed(folder.join(node.name()), node)).collect())
}

/// All files and links of each of these snapshots.
pub(super) fn files(way: &Way, ids: &[SnapshotId]) -> Result<Vec<Vec<Listed>>> {
    let _lock = Lock::shared(&way.root)?;
    let repository = way.open(rustic_core::NoProgressBars)?;
    let snapshots = ids.iter().map(|id| snapshot(&repository, id)).collect::<Result<Vec<_>>>()?;
    let repository = repository
        .to_indexed_ids()
        .map_err(|cause| failed("the index of the backups cannot be read", &cause))?;
    let unreadable = |cause: Box<rustic_core::RusticError>| failed("the snapshot cannot be read", &cause);
    let all_of = |(snapshot, id): (&SnapshotFile, &SnapshotId)| {
        let root = node_at(&repository, snapshot.tree, Path::new(""), id)?;
        let mut found = Vec::new();
        for each in repository.ls(&root, &LsOptions::default()).map_err(unreadable)? {
            let (path, node) = each.map_err(unreadable)?;
            if node.node_type != NodeType::Dir {
                found.push(listed(path, &node));
            }
        }
        Ok(found)
    };
    snapshots.iter().zip(ids).map(all_of).collect()
}

/// What is at a path of a snapshot; the empty path is all of it.
pub(super) fn node_at(
    repository: &Repository<impl IndexedTree>,
    tree: TreeId,
    path: &Path,
    id: &SnapshotId,
) -> Result<Node> {
    let path = path.strip_prefix("/").unwrap_or(path);
    repository.node_from_path(tree, path).map_err(|cause| {
        tracing::debug!(cause = %cause.display_log(), "a path was not found");
        Error::new(Code::SnapshotPath, format!("{} is not in the snapshot {id}", path.display()))
            .remedy(format!("drydock backup list {id}"))
    })
}

fn listed(path: PathBuf, node: &Node) -> Listed {
    let kind = match node.node_type {
        NodeType::Dir => ListedKind::Folder,
        NodeType::Symlink { .. } => ListedKind::Link,
        _ => ListedKind::File,
    };
    Listed { path, kind, size: node.meta.size, modified: modified(node) }
}

fn modified(node: &Node) -> Option<DateTime<Utc>> {
    let time = node.meta.mtime?;
    DateTime::from_timestamp(time.as_second(), u32::try_from(time.subsec_nanosecond()).unwrap_or_default())
}

/// Searches the conversations of all snapshots, the newest first. One that only grew is searched once.
pub(super) fn find(way: &Way, text: &str, progress: impl ProgressBars) -> Result<Vec<Hit>> {
    let _lock = Lock::shared(&way.root)?;
    let repository = way.open(progress)?;
    let mut snapshots = all(&repository)?;
    snapshots.sort_by(|a, b| b.time.cmp(&a.time));
    let unreadable = |cause: Box<rustic_core::RusticError>| failed("a snapshot cannot be read", &cause);
    let repository = repository.to_indexed().map_err(unreadable)?;
    let needles = Needle::of(text);
    let bar = repository.progress_counter("searching");
    bar.set_length(snapshots.len() as u64);
    let mut seen: HashMap<PathBuf, Vec<Vec<DataId>>> = HashMap::new();
    let mut hits: Vec<Hit> = Vec::new();
    for snapshot in &snapshots {
        let root = repository.node_from_snapshot_and_path(snapshot, "").map_err(unreadable)?;
        for found in repository.ls(&root, &LsOptions::default()).map_err(unreadable)? {
            let (path, node) = found.map_err(unreadable)?;
            let Some(content) = node.content.as_ref().filter(|_| is_conversation(&path)) else { continue };
            let known = seen.entry(conversation_of(&path)).or_default();
            if known.iter().any(|known| begins_with(known, content)) {
                continue;
            }
            known.push(content.clone());
            if let Some((count, excerpt)) = needles.search(&repository, content).map_err(unreadable)? {
                hits.push(Hit {
                    snapshot: id_of(snapshot)?,
                    time: super::take::read(snapshot)?.time,
                    modified: modified(&node),
                    path,
                    count,
                    excerpt,
                });
            }
        }
        bar.inc(1);
    }
    bar.finish();
    hits.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.path.cmp(&b.path)));
    Ok(hits)
}

fn is_conversation(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "jsonl")
}

/// The same for a conversation in the host home and in the archive.
fn conversation_of(path: &Path) -> PathBuf {
    let below = path.strip_prefix(CLAUDE).or_else(|_| path.strip_prefix(super::archived::ARCHIVE));
    below.unwrap_or(path).to_path_buf()
}

/// Whether a content that was searched holds all that another does: it is the same, or grew from it.
fn begins_with(known: &[DataId], other: &[DataId]) -> bool {
    // The last piece of what grew is another.
    let whole = other.len().saturating_sub(1);
    known == other || (known.len() >= other.len() && whole > 0 && known[..whole] == other[..whole])
}

/// A text that is looked for in what was said, in any case.
struct Needle {
    lower: String,
    /// As it stands in JSON, which has its own way to write quotes and line ends.
    written: String,
}

impl Needle {
    fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let written = serde_json::Value::String(lower.clone()).to_string();
        Self { written: written[1..written.len() - 1].to_owned(), lower }
    }

    fn search(&self, repository: &Full, content: &[DataId]) -> RusticResult<Option<(u64, String)>> {
        let mut text = Vec::new();
        for id in content {
            text.extend_from_slice(&repository.get_blob_cached(&(*id).into(), BlobType::Data)?);
        }
        Ok(self.search_records(&text))
    }

    /// In how many records the text was said, and the first place.
    fn search_records(&self, text: &[u8]) -> Option<(u64, String)> {
        let (mut count, mut excerpt) = (0, None);
        for line in text.split(|byte| *byte == b'\n') {
            // Most lines do not have it at all, and need not be taken apart.
            let lower = String::from_utf8_lossy(line).to_lowercase();
            if !lower.contains(&self.written) && !lower.contains(&self.lower) {
                continue;
            }
            let Ok(record) = serde_json::from_str::<serde_json::Value>(&lower) else { continue };
            let mut said = Vec::new();
            for key in ["message", "summary", "customtitle", "aititle", "lastprompt", "display", "content"] {
                if let Some(value) = record.get(key) {
                    collect_texts(value, &mut said);
                }
            }
            let place = said.iter().find_map(|text| Some((*text, text.find(&self.lower)?)));
            if let Some((text, at)) = place {
                count += 1;
                excerpt.get_or_insert_with(|| around(text, at, self.lower.len()));
            }
        }
        excerpt.map(|excerpt| (count, excerpt))
    }
}

/// All texts in a value, but for those that are only signs of its form.
fn collect_texts<'v>(value: &'v serde_json::Value, texts: &mut Vec<&'v str>) {
    const FORM: &[&str] = &["type", "role", "id", "model", "signature", "tool_use_id", "stop_reason"];
    match value {
        serde_json::Value::String(text) => texts.push(text),
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect_texts(value, texts)),
        serde_json::Value::Object(fields) => {
            for (_, value) in fields.iter().filter(|(key, _)| !FORM.contains(&key.as_str())) {
                collect_texts(value, texts);
            }
        }
        _ => {}
    }
}

/// Some text before and after a place.
fn around(text: &str, at: usize, length: usize) -> String {
    const MARGIN: usize = 40;
    let start = text.floor_char_boundary(at.saturating_sub(MARGIN));
    let end = text.ceil_char_boundary((at + length + MARGIN).min(text.len()));
    text[start..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_found_and_the_form_of_records_is_not() {
        let text = concat!(
            r#"{"type":"user","uuid":"abc-def","message":{"role":"user","content":"Fix the \"Flux\" thing"}}"#,
            "\n",
            r#"{"type":"assistant","message":{"content":[{"type":"text","text":"The FLUX is fixed"}]}}"#,
            "\n",
            r#"{"torn":"flux"#,
        );
        let count = |needle: &str| Needle::of(needle).search_records(text.as_bytes()).map(|(count, _)| count);
        assert_eq!(count("flux"), Some(2));
        assert_eq!(count("the \"Flux\""), Some(1));
        for form in ["abc-def", "assistant", "uuid"] {
            assert_eq!(count(form), None, "{form}");
        }
    }

    #[test]
    fn an_excerpt_is_cut_between_characters() {
        let text = "я".repeat(100) + "НАЙДИ" + &"ж".repeat(100);
        let at = text.find("НАЙДИ").unwrap();
        assert!(around(&text, at, 10).contains("НАЙДИ"));
        assert_eq!(around("a", 0, 1), "a");
    }
}
