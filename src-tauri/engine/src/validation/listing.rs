//! The host home, listed once: every file of it that a person would miss.

use super::content::Form;
use crate::{
    claude_home::{Class, class_of, skipped_folders},
    paths::Locations,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use walkdir::WalkDir;

/// A file, folder or link of the host home.
#[derive(Debug)]
pub(super) struct Listed {
    /// Its name relative to Claude Code's folder, with `/` between the parts.
    pub(super) name: String,
    pub(super) class: Class,
    pub(super) form: Form,
    pub(super) data: Metadata,
}

/// All of them, by their paths.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) entries: BTreeMap<PathBuf, Listed>,
    /// Folders that could not be listed.
    pub(super) unlisted: Vec<(PathBuf, String)>,
}

impl Listing {
    /// Lists Claude Code's folder and its state file. What is of one machine at one time is passed over, and no
    /// link is followed but that to the folder itself.
    pub(super) fn of(locations: &Locations) -> Self {
        let mut listing = Self::default();
        let skipped: BTreeSet<_> = skipped_folders().map(OsStr::new).collect();
        // A folder that is a link is walked when it ends in a slash.
        let root = locations.claude_dir.join("");
        let walk = WalkDir::new(&root).follow_root_links(true).into_iter();
        let walk = walk.filter_entry(|entry| entry.depth() != 1 || !skipped.contains(entry.file_name()));
        for entry in walk {
            match entry {
                Ok(entry) if entry.depth() == 0 => {}
                Ok(entry) => {
                    let Ok(data) = entry.metadata() else { continue };
                    listing.add(&locations.claude_dir, entry.path(), data);
                }
                Err(cause)
                    if cause.io_error().is_some_and(|io| io.kind() == std::io::ErrorKind::NotFound) => {}
                Err(cause) => {
                    let path = cause.path().unwrap_or(&root).to_path_buf();
                    listing.unlisted.push((
                        path,
                        cause.io_error().map_or_else(|| cause.to_string(), ToString::to_string),
                    ));
                }
            }
        }
        if let Ok(data) = fs::symlink_metadata(&locations.claude_json) {
            let name = ".claude.json".to_owned();
            let form = Form::of(&name);
            let listed = Listed { name, class: Class::State, form, data };
            listing.entries.insert(locations.claude_json.clone(), listed);
        }
        listing
    }

    fn add(&mut self, root: &Path, path: &Path, data: Metadata) {
        let Ok(below) = path.strip_prefix(root) else { return };
        let name = below.to_string_lossy().into_owned();
        // A folder has the class of what is in it.
        let class = if data.is_dir() { class_of(&format!("{name}/x")) } else { class_of(&name) };
        // One in the folder is another's, unless it is added as the state below.
        let (class, form) =
            if class == Class::State { (Class::Unknown, Form::Opaque) } else { (class, Form::of(&name)) };
        if class != Class::Runtime {
            self.entries.insert(root.join(below), Listed { name, class, form, data });
        }
    }

    /// The files, without folders and links.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, &Listed)> {
        self.entries
            .iter()
            .filter(|(_, listed)| listed.data.is_file())
            .map(|(path, listed)| (path.as_path(), listed))
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        self.entries.contains_key(path)
    }

    /// Bytes of a file that is there.
    pub(super) fn len_of(&self, path: &Path) -> Option<u64> {
        self.entries.get(path).filter(|listed| listed.data.is_file()).map(|listed| listed.data.size())
    }

    /// Whether there is any conversation.
    pub(super) fn has_history(&self) -> bool {
        self.files().any(|(_, listed)| {
            matches!(listed.class, Class::Transcript | Class::PromptHistory) && listed.data.size() > 0
        })
    }
}
