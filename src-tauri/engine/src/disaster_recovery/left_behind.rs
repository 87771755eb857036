//! Staged files that nobody came back for: a disk that fails may keep a file that was to go.

use crate::paths::Locations;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use walkdir::WalkDir;

/// Another process may be writing one this moment. None takes nearly so long.
const SURELY_LEFT: Duration = Duration::from_secs(60 * 60);

/// Removes them from Claude Code's data. One that stays goes with the next recovery.
pub(super) fn clear_left_behind(locations: &Locations, now: SystemTime) {
    let inside = WalkDir::new(&locations.claude_dir);
    // Beside `.claude.json`, and not in the whole of the home.
    let beside = locations.claude_json.parent().unwrap_or(&locations.home);
    let all = inside.into_iter().chain(WalkDir::new(beside).max_depth(1)).flatten();
    for entry in all.filter(|entry| entry.file_type().is_file() && is_staged(entry.path())) {
        if is_left(entry.path(), now)
            && let Err(cause) = fs::remove_file(entry.path())
        {
            tracing::debug!(%cause, "a staged file stays");
        }
    }
}

fn is_staged(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(".drydock-") && name.ends_with(".tmp")
}

/// By when it was last changed in any way: what it was last written is set to that of the file that it becomes.
fn is_left(path: &Path, now: SystemTime) -> bool {
    let Ok(data) = fs::symlink_metadata(path) else { return false };
    let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(data.ctime()).unwrap_or_default());
    now.duration_since(changed).is_ok_and(|age| age > SURELY_LEFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_surely_left_goes() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let folder = locations.claude_dir.join("projects/-p");
        fs::create_dir_all(&folder).unwrap();
        let staged = [folder.join(".drydock-1a.tmp"), home.path().join(".drydock-2b.tmp")];
        let others = [folder.join("1.jsonl"), home.path().join("work.tmp")];
        for file in staged.iter().chain(&others) {
            fs::write(file, "x").unwrap();
        }

        clear_left_behind(&locations, SystemTime::now());
        assert!(staged.iter().all(|file| file.exists()));
        clear_left_behind(&locations, SystemTime::now() + SURELY_LEFT * 2);
        assert!(staged.iter().all(|file| !file.exists()) && others.iter().all(|file| file.exists()));
    }
}
