//! The files of a repository in a folder: which there are, and whether they are what their names say.

use super::rank;
use crate::{
    container::hex,
    error_handling::{Error, Result},
    progress::{Progress, ProgressSink},
};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Those of the files that are missing or are not what their names say.
///
/// # Errors
/// Never for a file that cannot be read: that one is damaged.
pub(in crate::backup) fn misnamed(
    root: &Path,
    names: &[String],
    what: &str,
    progress: &ProgressSink,
) -> Result<Vec<String>> {
    let next = AtomicUsize::new(0);
    let damaged = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(2, usize::from).min(8);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(name) = names.get(at) else { break };
                    if !is_whole(&root.join(name), name) {
                        damaged.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
                    }
                    let total = Some(names.len() as u64);
                    progress.report(Progress::Count { what: what.to_owned(), done: at as u64 + 1, total });
                }
            });
        }
    });
    let mut damaged = damaged.into_inner().unwrap_or_else(PoisonError::into_inner);
    damaged.sort();
    Ok(damaged)
}

fn is_whole(path: &Path, name: &str) -> bool {
    let digest = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hex(&hash.finalize())),
                count => hash.update(&buffer[..count]),
            }
        }
    };
    digest().is_ok_and(|digest| is_what_it_says(name, &digest))
}

/// Whether a file's digest is its name; `config` has another name.
pub(super) fn is_what_it_says(name: &str, digest: &str) -> bool {
    name == "config" || name.rsplit('/').next() == Some(digest)
}

/// All files of a repository in a folder, with their sizes.
pub(in crate::backup) fn repository_files(root: &Path) -> Result<BTreeMap<String, u64>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1).max_depth(3) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(cause) if cause.io_error().is_some_and(|io| io.kind() == io::ErrorKind::NotFound) => continue,
            Err(cause) => {
                let path = cause.path().unwrap_or(root).to_path_buf();
                return Err(Error::io("list", &path, &cause.into()));
            }
        };
        let Ok(below) = entry.path().strip_prefix(root) else { continue };
        let name = below.to_string_lossy();
        if entry.file_type().is_file() && crate::backup::ledger::is_repository_file(&name) {
            let Ok(data) = entry.metadata() else { continue };
            files.insert(name.into_owned(), data.len());
        }
    }
    Ok(files)
}

/// How the folders begin in which what is fetched from another copy waits until it is compared with its name.
/// They belong to who mends, who need not hold the repository.
pub(in crate::backup) const FETCHED: &str = ".drydock-heal-";

/// Removes what processes left in a repository that were ended in the middle of a write. The caller holds the
/// repository alone.
pub(in crate::backup) fn sweep(root: &Path) {
    let walk = walkdir::WalkDir::new(root).min_depth(1).max_depth(3).into_iter();
    let walk = walk.filter_entry(|entry| !entry.file_name().to_string_lossy().starts_with(FETCHED));
    for entry in walk.flatten() {
        let name = entry.file_name().to_string_lossy();
        if name.starts_with(".drydock-") && name.ends_with(".tmp") {
            let path = entry.path();
            let _ = if entry.file_type().is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

/// Names sorted so that what needs another comes after it.
pub(super) fn in_order(mut names: Vec<String>) -> Vec<String> {
    names.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_swept_and_what_is_being_fetched_is_not() {
        let root = tempfile::tempdir().unwrap();
        let staged = [".drydock-0123456789abcdef.tmp", "index/.drydock-0123456789abcdef.tmp"];
        let fetched = [".drydock-heal-a/index/.drydock-0123456789abcdef.tmp", ".drydock-heal-a/config"];
        for name in staged.iter().chain(&fetched) {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        }
        sweep(root.path());
        assert!(staged.iter().all(|name| !root.path().join(name).exists()));
        assert!(fetched.iter().all(|name| root.path().join(name).exists()));
    }
}
