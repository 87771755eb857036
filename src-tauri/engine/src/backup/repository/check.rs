//! Looking over a repository, and into a snapshot's documents.

use super::{
    browse::snapshot,
    folder::name_of,
    open::{Opened, Way, failed},
    order::{Checked, Documents, ReadBack},
    take::{all, id_of},
};
use crate::{
    backup::{
        lock::Lock,
        snapshot::{DamagedDocument, SnapshotId},
    },
    claude_home::{Class, class_of, parse_document},
    container::hex,
    error_handling::Result,
};
use rustic_core::{
    CheckOptions, FileType, LsOptions, ProgressBars, RusticError, RusticResult,
    repofile::{BlobType, IndexFile, PackId},
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Whether everything is there that the snapshots need, but for some, and with `read` whether it can be
/// decrypted.
pub(super) fn check(
    way: &Way,
    read: ReadBack,
    except: &[SnapshotId],
    progress: impl ProgressBars,
) -> Result<Checked> {
    let _lock = Lock::shared(&way.root)?;
    let repository = way.open(progress)?;
    let (mut snapshots, mut trees) = (Vec::new(), Vec::new());
    for snapshot in all(&repository)? {
        let id = id_of(&snapshot)?;
        if !except.contains(&id) {
            trees.push(snapshot.tree);
        }
        snapshots.push(id);
    }
    // The library's own way of reading data back can give up by itself: it waits for its threads by the clock
    // (rustic_core 0.13, `GlobalIndex::into_index`).
    let results = repository
        .check_with_trees(CheckOptions::default(), trees)
        .map_err(|cause| failed("the repository cannot be looked over", &cause))?;
    let missing =
        missing_packs(&repository).map_err(|cause| failed("the repository cannot be looked over", &cause))?;
    let mut checked = Checked { snapshots, missing, ..Checked::default() };
    if results.is_ok().is_err() {
        // The type of the level has no name outside its crate.
        let errors = results.0.iter().filter(|(level, _)| format!("{level:?}") == "Error");
        checked.faults =
            errors.map(|(_, fault)| fault.to_string()).filter(|text| !is_of_no_use(text)).collect();
    }
    if read == ReadBack::Everything {
        checked.faults.extend(read_back(repository)?);
    }
    Ok(checked)
}

/// Whether a fault is about a pack that nothing needs any more. For one that a prune was ended before it named,
/// the library writes down no size (rustic_core 0.13, `commands/prune.rs`).
fn is_of_no_use(fault: &str) -> bool {
    fault.contains("marked to delete: true") || fault.contains("marked to-delete: true")
}

/// Decrypts every piece of content, and compares it with its name.
fn read_back(repository: Opened) -> Result<Vec<String>> {
    let unreadable = |cause: Box<RusticError>| failed("the index of the backups cannot be read", &cause);
    let mut pieces = Vec::new();
    for index in repository.stream_files::<IndexFile>().map_err(unreadable)? {
        for pack in index.map_err(unreadable)?.1.packs {
            let name = name_of(FileType::Pack, &pack.id.into_inner());
            pieces.extend(pack.blobs.into_iter().map(|blob| (blob.id, blob.tpe, name.clone())));
        }
    }
    let repository = repository.to_indexed().map_err(unreadable)?;
    let bar = repository.progress_counter("decrypting");
    bar.set_length(pieces.len() as u64);
    let next = AtomicUsize::new(0);
    let faults = Mutex::new(BTreeSet::new());
    let workers = thread::available_parallelism().map_or(2, usize::from).min(8);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((id, kind, pack)) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let read = repository.get_blob_cached(id, *kind);
                    let is_whole =
                        read.is_ok_and(|content| hex(&Sha256::digest(&content)) == id.to_hex().as_str());
                    if !is_whole {
                        let fault = format!("{pack}: a piece of its content cannot be read back");
                        faults.lock().unwrap_or_else(PoisonError::into_inner).insert(fault);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish();
    Ok(faults.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect())
}

/// Which snapshots need something that is not there.
pub(super) fn broken(way: &Way, among: &[SnapshotId]) -> Result<Vec<SnapshotId>> {
    let repository = way.open(rustic_core::NoProgressBars)?;
    let missing =
        missing_packs(&repository).map_err(|cause| failed("the repository cannot be looked over", &cause))?;
    let mut broken = Vec::new();
    for snapshot in all(&repository)? {
        let id = id_of(&snapshot)?;
        if !among.contains(&id) {
            continue;
        }
        let results = repository
            .check_with_trees(CheckOptions::default(), vec![snapshot.tree])
            .map_err(|cause| failed("the repository cannot be looked over", &cause))?;
        // Packs that are missing are every snapshot's fault in the library's eyes; they are named elsewhere.
        let errors = results.0.iter().filter(|(level, _)| format!("{level:?}") == "Error").count();
        if errors > missing.len() {
            broken.push(id);
        }
    }
    Ok(broken)
}

/// The packs that the index names and that are not there.
fn missing_packs(repository: &Opened) -> RusticResult<Vec<String>> {
    let there: HashSet<PackId> = repository.list::<PackId>()?.collect();
    let mut missing = BTreeSet::new();
    for index in repository.stream_files::<IndexFile>()? {
        let packs = index?.1.packs;
        missing.extend(packs.into_iter().map(|pack| pack.id).filter(|id| !there.contains(id)));
    }
    Ok(missing.into_iter().map(|id| name_of(FileType::Pack, &id.into_inner())).collect())
}

/// Parses what a snapshot has of Claude Code's documents, as they come out of the repository.
pub(super) fn documents(way: &Way, id: &SnapshotId) -> Result<Documents> {
    let _lock = Lock::shared(&way.root)?;
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
