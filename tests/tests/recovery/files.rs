//! What Claude Code's data in a home is, byte for byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use walkdir::WalkDir;

/// One thing of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    Folder { mode: u32 },
    File { mode: u32, modified: (i64, i64), bytes: Vec<u8> },
    Link(PathBuf),
}

/// All of it, by the names in the home.
#[derive(Clone, Default)]
pub(crate) struct Files(BTreeMap<PathBuf, Thing>);

impl Files {
    /// What is there now.
    pub(crate) fn of(home: &Path) -> Self {
        let mut all = BTreeMap::new();
        let places = [".claude", ".claude.json"].map(|name| home.join(name));
        let there = places.iter().filter(|place| place.symlink_metadata().is_ok());
        for entry in there.flat_map(|place| WalkDir::new(place).follow_root_links(false)) {
            let path = entry.unwrap().into_path();
            let data = fs::symlink_metadata(&path).unwrap();
            let mode = data.mode() & 0o7777;
            let thing = if data.is_dir() {
                Thing::Folder { mode }
            } else if data.is_symlink() {
                Thing::Link(fs::read_link(&path).unwrap())
            } else {
                let bytes = fs::read(&path).unwrap();
                Thing::File { mode, modified: (data.mtime(), data.mtime_nsec()), bytes }
            };
            all.insert(path.strip_prefix(home).unwrap().to_path_buf(), thing);
        }
        Self(all)
    }

    /// All but those of these names, and what is below them.
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|path, _| !names.iter().any(|name| path.starts_with(name)));
        self
    }

    /// With one of them as others have it.
    pub(crate) fn with(mut self, name: &str, others: &Self) -> Self {
        let thing = others.get(Path::new(name)).cloned().unwrap_or_else(|| panic!("there is no {name}"));
        self.0.insert(PathBuf::from(name), thing);
        self
    }

    pub(crate) fn get(&self, name: &Path) -> Option<&Thing> {
        self.0.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PathBuf, &Thing)> {
        self.0.iter()
    }

    /// The bytes of a file, if it is one.
    pub(crate) fn bytes(&self, name: impl AsRef<Path>) -> Option<&[u8]> {
        match self.0.get(name.as_ref()) {
            Some(Thing::File { bytes, .. }) => Some(bytes),
            _ => None,
        }
    }

    /// Files and links that are not the same in the other; their times and folders count for nothing.
    pub(crate) fn differing(&self, other: &Self) -> Vec<PathBuf> {
        let names: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let content = |files: &Self, name: &Path| match files.get(name) {
            Some(Thing::File { bytes, .. }) => Some((Some(bytes.clone()), None)),
            Some(Thing::Link(target)) => Some((None, Some(target.clone()))),
            Some(Thing::Folder { .. }) | None => None,
        };
        names.into_iter().filter(|name| content(self, name) != content(other, name)).cloned().collect()
    }
}
