//! Which conversations a session gets: those of its project, by where they were held.

use super::Purpose;
use crate::{
    claude_home::{Class, class_of, project_dir_name, recorded_cwd, session_of},
    settings::HistoryScope,
};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// The conversations that a session gets: project folders, and the ids in them.
pub(super) struct Conversations {
    folders: HashSet<String>,
    ids: HashSet<String>,
    pub(super) all: bool,
}

impl Conversations {
    pub(super) fn find(dir: &Path, purpose: &Purpose<'_>) -> Self {
        let mut found =
            Self { folders: HashSet::new(), ids: HashSet::new(), all: purpose.history == HistoryScope::All };
        if purpose.history != HistoryScope::Project {
            return found;
        }
        let own = project_dir_name(purpose.project);
        let Ok(entries) = fs::read_dir(dir.join("projects")) else { return found };
        for entry in entries.flatten() {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            // The name of a folder inside the project starts like the project's; so does a
            // neighbour's, so the conversations themselves are asked.
            if name == own || (name.starts_with(&own) && is_inside(&entry.path(), purpose.project)) {
                found.ids.extend(ids_in(&entry.path()));
                found.folders.insert(name);
            }
        }
        found
    }

    pub(super) fn has(&self, name: &str) -> bool {
        if self.all {
            return true;
        }
        if let Some(rest) = name.strip_prefix("projects/") {
            return rest.split('/').next().is_some_and(|folder| self.folders.contains(folder));
        }
        match session_of(name) {
            Some(id) => self.ids.contains(id),
            None => class_of(name) == Class::Notes,
        }
    }
}

fn is_inside(folder: &Path, project: &Path) -> bool {
    transcripts(folder).find_map(|file| recorded_cwd(&file)).is_some_and(|cwd| cwd.starts_with(project))
}

fn ids_in(folder: &Path) -> impl Iterator<Item = String> {
    transcripts(folder).filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
}

fn transcripts(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).ok().into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
}
