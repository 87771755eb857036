//! Where volumes are mounted.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

/// The folder that volumes are mounted in, for a path that is on one by its name.
///
/// macOS mounts volumes in `/Volumes`; Linux desktops in `/media/USER` or `/run/media/USER`, people in `/mnt`.
fn mount_by_name(path: &Path) -> Option<PathBuf> {
    let parts: Vec<_> = path.components().collect();
    let depth = match parts.get(1)? {
        Component::Normal(name) if *name == "Volumes" || *name == "mnt" => 3,
        Component::Normal(name) if *name == "media" => 4,
        Component::Normal(name) if *name == "run" && parts.get(2)?.as_os_str() == "media" => 5,
        _ => return None,
    };
    (parts.len() >= depth).then(|| parts[..depth].iter().collect())
}

/// Whether the volume that a path names is mounted. A path that names none is any folder's.
pub(in crate::backup) fn is_mounted(path: &Path) -> bool {
    let Some(mount) = mount_by_name(path) else { return true };
    is_mount_point(&mount)
}

pub(in crate::backup) fn is_mount_point(path: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|data| data.dev());
    match (device(path), path.parent().map(device)) {
        (Ok(own), Some(Ok(parent))) => own != parent,
        _ => false,
    }
}

/// The mount point that a folder is below, if that is not the root.
pub(super) fn mount_of(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|above| is_mount_point(above)).map(Path::to_path_buf)
}

/// Other folders beside a mount point: the same volume may be mounted there now.
pub(super) fn siblings(mount: &Path) -> Vec<PathBuf> {
    let Some(parent) = mount.parent() else { return Vec::new() };
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut all: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path != mount && path.is_dir()).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_known_by_where_systems_mount_them() {
        let mount = |path: &str| mount_by_name(Path::new(path)).map(|mount| mount.display().to_string());
        assert_eq!(mount("/Volumes/Time Machine/claude").as_deref(), Some("/Volumes/Time Machine"));
        assert_eq!(mount("/media/me/disk/x/y").as_deref(), Some("/media/me/disk"));
        assert_eq!(mount("/run/media/me/disk").as_deref(), Some("/run/media/me/disk"));
        assert_eq!(mount("/Volumes"), None);
        assert_eq!(mount("/home/me/copy"), None);
    }
}
