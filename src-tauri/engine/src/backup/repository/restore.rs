//! Writing a snapshot's files into an empty folder, each compared with the snapshot before it counts.
//!
//! The library has a restore as well. That one gives up at the first damaged pack, and needs memory by the
//! pack and thread; this one leaves out what cannot be read, says so, and goes on.

use super::{
    browse::{node_at, snapshot},
    open::{Full, Way, failed},
    order::{FailedFile, Restored},
};
use crate::{
    backup::{lock::Lock, snapshot::SnapshotId},
    error_handling::{Error, IoContext, Result},
};
use rustic_core::{
    LsOptions, Progress, ProgressBars, RusticError,
    repofile::{BlobType, Node, NodeType},
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, FileTimes, OpenOptions, Permissions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

struct Wanted {
    path: PathBuf,
    node: Node,
}

/// Writes `paths` of a snapshot, or all of it, into `to`, which is there and empty.
pub(super) fn restore(
    way: &Way,
    id: &SnapshotId,
    paths: &[PathBuf],
    to: &Path,
    progress: impl ProgressBars,
) -> Result<Restored> {
    let _lock = Lock::shared(&way.root)?;
    let repository = way.open(progress)?;
    let snapshot = snapshot(&repository, id)?;
    let unreadable = |cause: Box<RusticError>| failed("the snapshot cannot be read", &cause);
    let repository = repository.to_indexed().map_err(unreadable)?;
    let whole = [PathBuf::new()];
    let wanted = if paths.is_empty() { &whole[..] } else { paths };
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for path in wanted {
        let node = node_at(&repository, snapshot.tree, path, id)?;
        let path = path.strip_prefix("/").unwrap_or(path);
        match node.node_type {
            NodeType::Dir => {
                folders.push((path.to_path_buf(), node.clone()));
                for found in repository.ls(&node, &LsOptions::default()).map_err(unreadable)? {
                    let (below, node) = found.map_err(unreadable)?;
                    sort(path.join(below), node, &mut files, &mut folders);
                }
            }
            _ => sort(path.to_path_buf(), node, &mut files, &mut folders),
        }
    }
    for (path, _) in &folders {
        let folder = to.join(inside(path));
        fs::create_dir_all(&folder).context("make the folder", &folder)?;
    }
    let bar = repository.progress_bytes("restoring");
    bar.set_length(files.iter().map(|file| file.node.meta.size).sum());
    let restored = write_all(&repository, &files, to, &bar)?;
    bar.finish();
    flush(to)?;
    // Last, and the deepest first: what is written into a folder changes its time.
    for (path, node) in folders.iter().rev() {
        if !path.as_os_str().is_empty() {
            let folder = to.join(inside(path));
            let set = File::open(&folder).and_then(|open| set_signs(&open, node, 0o700));
            set.context("set the time of", &folder)?;
        }
    }
    Ok(restored)
}

fn sort(path: PathBuf, node: Node, files: &mut Vec<Wanted>, folders: &mut Vec<(PathBuf, Node)>) {
    match node.node_type {
        NodeType::Dir => folders.push((path, node)),
        NodeType::File | NodeType::Symlink { .. } => files.push(Wanted { path, node }),
        _ => {}
    }
}

/// A snapshot's name, with nothing in it that leads out of a folder.
fn inside(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

fn write_all(repository: &Full, files: &[Wanted], to: &Path, bar: &Progress) -> Result<Restored> {
    let next = AtomicUsize::new(0);
    let restored = Mutex::new(Restored::default());
    // No further file will fit either, and that says nothing of the backups.
    let full: OnceLock<Error> = OnceLock::new();
    let workers = thread::available_parallelism().map_or(2, usize::from).min(8);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if full.get().is_some() {
                        break;
                    }
                    let target = to.join(inside(&file.path));
                    let outcome = write_one(repository, &file.node, &target);
                    bar.inc(file.node.meta.size);
                    let mut restored = restored.lock().unwrap_or_else(PoisonError::into_inner);
                    match outcome {
                        Ok(bytes) => {
                            restored.files += 1;
                            restored.bytes += bytes;
                        }
                        Err(cause)
                            if matches!(
                                cause.kind(),
                                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                            ) =>
                        {
                            let _ = full.set(Error::io("restore", &target, &cause));
                        }
                        Err(cause) => {
                            // A part of a file is worse than none.
                            let _ = fs::remove_file(&target);
                            restored
                                .failed
                                .push(FailedFile { path: file.path.clone(), why: cause.to_string() });
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = full.into_inner() {
        return Err(error.remedy("choose a folder on another disk"));
    }
    let mut restored = restored.into_inner().unwrap_or_else(PoisonError::into_inner);
    restored.failed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(restored)
}

/// Writes one file, reads it again, and compares it with what the snapshot says of it.
fn write_one(repository: &Full, node: &Node, target: &Path) -> io::Result<u64> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    if node.is_symlink() {
        std::os::unix::fs::symlink(node.node_type.to_link(), target)?;
        return Ok(0);
    }
    let damaged = |cause: Box<RusticError>| {
        io::Error::other(format!("its content in the repository is damaged: {}", cause.display_log().trim()))
    };
    // Opened once for everything: of many small files, opening is most of the work.
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(target)?;
    let content = node.content.as_deref().unwrap_or_default();
    let mut lengths = Vec::with_capacity(content.len());
    for id in content {
        let part = repository.get_blob_cached(&(*id).into(), BlobType::Data).map_err(damaged)?;
        file.write_all(&part)?;
        lengths.push(part.len());
    }
    file.rewind()?;
    let mut buffer = Vec::new();
    for (id, length) in content.iter().zip(lengths) {
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        let piece = &mut buffer[..length];
        file.read_exact(piece)?;
        let digest = crate::container::hex(&Sha256::digest(&*piece));
        if digest != id.to_hex().as_str() {
            return Err(io::Error::other("what was written is not what the snapshot holds"));
        }
    }
    if file.read(&mut [0])? != 0 {
        return Err(io::Error::other("what was written is longer than what the snapshot holds"));
    }
    set_signs(&file, node, 0o600)?;
    Ok(node.meta.size)
}

/// Gives a file its permissions and time back; its owner can use it in any case.
fn set_signs(open: &File, node: &Node, at_least: u32) -> io::Result<()> {
    let mode = node.meta.mode.unwrap_or(at_least) & 0o777 | at_least;
    open.set_permissions(Permissions::from_mode(mode))?;
    let Some(modified) = node.meta.mtime.and_then(system_time) else { return Ok(()) };
    open.set_times(FileTimes::new().set_modified(modified))
}

fn system_time(time: rustic_core::jiff::Timestamp) -> Option<SystemTime> {
    let nanoseconds = time.as_nanosecond();
    let distance = Duration::from_nanos(u64::try_from(nanoseconds.unsigned_abs()).ok()?);
    if nanoseconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// Flushes all that was written to the disk, in one go.
fn flush(folder: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        let open = File::open(folder).context("open", folder)?;
        rustix::fs::syncfs(&open).map_err(io::Error::from).context("flush", folder)
    }
    #[cfg(not(target_os = "linux"))]
    {
        rustix::fs::sync();
        File::open(folder).and_then(|open| open.sync_all()).context("flush", folder)
    }
}
