//! Looking over a repository, and into a snapshot's documents.

use super::{
    browse::snapshot,
    open::{Way, failed},
    order::{Checked, Documents, ReadBack},
    take::{all, id_of},
};
use crate::{
    backup::snapshot::{DamagedDocument, SnapshotId},
    claude_home::{Class, class_of, parse_document},
    error_handling::Result,
};
use rustic_core::{CheckOptions, LsOptions, ProgressBars, repofile::BlobType};
use std::path::Path;

/// Whether everything is there that the snapshots need, and with `read` whether it can be decrypted.
pub(super) fn check(way: &Way, read: ReadBack, progress: impl ProgressBars) -> Result<Checked> {
    let repository = way.open(progress)?;
    let snapshots = all(&repository)?.iter().map(id_of).collect::<Result<Vec<_>>>()?;
    let options = CheckOptions::default().read_data(read == ReadBack::Everything);
    let results =
        repository.check(options).map_err(|cause| failed("the repository cannot be looked over", &cause))?;
    let mut checked = Checked { snapshots, ..Checked::default() };
    if results.is_ok().is_err() {
        for (level, fault) in &results.0 {
            // The type of the level has no name outside its crate.
            if format!("{level:?}") != "Error" {
                continue;
            }
            let text = fault.to_string();
            if let Some(pack) = missing_pack(&text) {
                checked.missing.push(format!("data/{}/{pack}", &pack[..2]));
            }
            checked.faults.push(text);
        }
    }
    Ok(checked)
}

/// The pack in a fault of the kind "referenced by the index … but not present".
fn missing_pack(fault: &str) -> Option<&str> {
    let rest = fault.strip_prefix("pack ")?;
    let pack = rest.split(' ').next()?;
    (rest.contains("but not present") && crate::backup::snapshot::is_digest(pack)).then_some(pack)
}

/// Parses what a snapshot has of Claude Code's documents, as they come out of the repository.
pub(super) fn documents(way: &Way, id: &SnapshotId) -> Result<Documents> {
    let repository = way.open(rustic_core::NoProgressBars)?;
    let snapshot = snapshot(&repository, id)?;
    let unreadable = |cause: Box<rustic_core::RusticError>| failed("the snapshot cannot be read", &cause);
    let repository = repository.to_indexed().map_err(unreadable)?;
    let root = repository.node_from_snapshot_and_path(&snapshot, "").map_err(unreadable)?;
    let mut documents = Documents::default();
    for found in repository.ls(&root, &LsOptions::default()).map_err(unreadable)? {
        let (path, node) = found.map_err(unreadable)?;
        let Some(content) = node.content.as_ref().filter(|_| is_document(&path)) else { continue };
        let mut text = Vec::new();
        for id in content {
            let part = repository.get_blob_cached(&(*id).into(), BlobType::Data).map_err(unreadable)?;
            text.extend_from_slice(&part);
        }
        documents.parsed += 1;
        if let Err(fault) = parse_document(&text) {
            let name = path.to_string_lossy().into_owned();
            documents.damaged.push(DamagedDocument { name, fault: fault.to_string() });
        }
    }
    Ok(documents)
}

fn is_document(path: &Path) -> bool {
    if path == Path::new(super::source::STATE) {
        return true;
    }
    let Ok(below) = path.strip_prefix(super::source::CLAUDE) else { return false };
    let name = below.to_string_lossy();
    name.ends_with(".json")
        && matches!(class_of(&name), Class::State | Class::Settings | Class::PluginRegistry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_pack_is_taken_out_of_the_librarys_words() {
        let pack = "ab".repeat(32);
        let fault = format!(
            "pack {pack} marked to-delete: false is referenced by the index with size 7 but not present! To repair: 'rustic repair index'."
        );
        assert_eq!(missing_pack(&fault), Some(pack.as_str()));
        assert_eq!(missing_pack(&format!("pack {pack}: Hash mismatch.")), None);
    }
}
