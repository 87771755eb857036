//! How full the disk of a place is.

use std::{collections::BTreeSet, io, os::unix::fs::MetadataExt, path::Path};

/// The space of a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What this user can still write.
    pub free: u64,
    /// What this user has and can have: what is kept for root counts as neither.
    pub total: u64,
}

impl Disk {
    /// That of a place that is there. Blocking.
    ///
    /// # Errors
    /// When the place is not there, or the system does not tell.
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(path)?;
        let used = found.f_blocks.saturating_sub(found.f_bfree);
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Self { free: bytes(found.f_bavail), total: bytes(used.saturating_add(found.f_bavail)) })
    }

    /// The used share, from 0 to 1, as `df` has it.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a share
    pub fn used(self) -> f64 {
        if self.total == 0 {
            0.0
        } else {
            (self.total - self.free.min(self.total)) as f64 / self.total as f64
        }
    }
}

/// Of named places those that are there, and of those on one disk the first: the mount point of a volume that is
/// unplugged is on the disk around it. Blocking.
pub(crate) fn on_disks_of_their_own<'p>(
    places: impl IntoIterator<Item = (&'static str, Option<&'p Path>)>,
) -> Vec<(&'static str, &'p Path)> {
    let mut seen = BTreeSet::new();
    let there = places.into_iter().filter_map(|(name, path)| Some((name, path?)));
    there.filter(|(_, path)| path.metadata().is_ok_and(|data| seen.insert(data.dev()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_disk_counts_once_and_a_place_that_is_not_there_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let (inside, gone) = (home.path().join("mount-point"), home.path().join("gone"));
        std::fs::create_dir(&inside).unwrap();
        let places = [
            ("gone", Some(&*gone)),
            ("home", Some(home.path())),
            ("external", Some(&*inside)),
            ("none", None),
        ];
        assert_eq!(on_disks_of_their_own(places), [("home", home.path())]);
    }

    #[test]
    fn the_used_share_is_between_nothing_and_all() {
        let disk = Disk::of(Path::new("/")).unwrap();
        assert!(disk.free <= disk.total && (0.0..=1.0).contains(&disk.used()), "{disk:?}");
        assert!(Disk { free: 0, total: 0 }.used() == 0.0);
        assert!(Disk { free: 1, total: 4 }.used() > 0.7);
    }
}
