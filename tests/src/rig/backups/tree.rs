//! What is below a folder, to compare it with another.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use walkdir::WalkDir;

/// One thing below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Folder { mode: u32, modified: (i64, i64) },
    File { mode: u32, modified: (i64, i64), content: Content },
    Link { target: PathBuf },
}

/// A file's content, which is too long to be shown.
#[derive(Clone, PartialEq, Eq)]
struct Content(Vec<u8>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// The names, contents, permissions, times and links below a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<PathBuf, Thing>);

impl Tree {
    /// What is there now.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let mut things = BTreeMap::new();
        for entry in WalkDir::new(folder).min_depth(1) {
            let entry = entry.unwrap();
            let data = fs::symlink_metadata(entry.path()).unwrap();
            let (mode, modified) = (data.mode() & 0o7777, (data.mtime(), data.mtime_nsec()));
            let thing = if data.is_dir() {
                Thing::Folder { mode, modified }
            } else if data.is_symlink() {
                Thing::Link { target: fs::read_link(entry.path()).unwrap() }
            } else {
                Thing::File { mode, modified, content: Content(fs::read(entry.path()).unwrap()) }
            };
            things.insert(entry.path().strip_prefix(folder).unwrap().to_path_buf(), thing);
        }
        Self(things)
    }

    /// Those of these names, and what is below them.
    #[must_use]
    pub fn only(mut self, names: &[&str]) -> Self {
        self.0.retain(|path, _| names.iter().any(|name| path.starts_with(name)));
        self
    }

    /// All but those of these names, and what is below them.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|path, _| !names.iter().any(|name| path.starts_with(name)));
        self
    }

    /// The same without any times.
    #[must_use]
    pub fn untimed(mut self) -> Self {
        for thing in self.0.values_mut() {
            if let Thing::Folder { modified, .. } | Thing::File { modified, .. } = thing {
                *modified = (0, 0);
            }
        }
        self
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> BTreeSet<PathBuf> {
        self.0.keys().cloned().collect()
    }

    /// Fails, with what differs, unless the other has the same.
    pub fn assert_is(&self, wanted: &Self) {
        let names: BTreeSet<_> = self.0.keys().chain(wanted.0.keys()).collect();
        let differing: Vec<_> = names
            .into_iter()
            .filter(|name| self.0.get(*name) != wanted.0.get(*name))
            .map(|name| {
                format!(
                    "{}\n  is     {:?}\n  wanted {:?}",
                    name.display(),
                    self.0.get(name),
                    wanted.0.get(name)
                )
            })
            .collect();
        assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
    }
}
