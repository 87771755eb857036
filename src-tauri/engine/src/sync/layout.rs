//! Names in a home: one name for a file on the host and in a session, and what class it is of.

use crate::{
    claude_home::{Class, class_of, skipped_folders},
    error_handling::{Code, Error, Result},
    paths::Locations,
};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Where Claude Code's data is in a home. Names are relative to the home, with `/` between the parts.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    home: PathBuf,
    config: String,
    state: String,
}

impl Layout {
    pub(crate) fn of(locations: &Locations) -> Result<Self> {
        Ok(Self {
            home: locations.home.clone(),
            config: relative(&locations.home, &locations.claude_dir)?,
            state: relative(&locations.home, &locations.claude_json)?,
        })
    }

    /// Claude Code's folder.
    pub(crate) fn config(&self) -> &str {
        &self.config
    }

    /// `.claude.json`.
    pub(crate) fn state(&self) -> &str {
        &self.state
    }

    /// `settings.json`.
    pub(crate) fn settings(&self) -> String {
        self.in_config("settings.json")
    }

    pub(crate) fn in_config(&self, name: &str) -> String {
        format!("{}/{name}", self.config)
    }

    /// Where a file is on the host.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// The name below Claude Code's folder, of a file that is in it.
    pub(crate) fn below_config<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&self.config)?.strip_prefix('/')
    }

    /// What a file is; `None` for one that is not Claude Code's.
    pub(crate) fn class(&self, name: &str) -> Option<Class> {
        if name == self.state {
            return Some(Class::State);
        }
        match class_of(self.below_config(name)?) {
            // A state file in the folder counts only where the environment put the state there.
            Class::State => Some(Class::Runtime),
            class => Some(class),
        }
    }
}

/// Files of the host home that the table of classes does not know, by name.
pub(crate) fn unknown_files(layout: &Layout) -> Vec<String> {
    let config = layout.path(layout.config());
    let skipped: Vec<_> = skipped_folders().collect();
    let known = |entry: &walkdir::DirEntry| {
        !(entry.depth() == 1 && entry.file_name().to_str().is_some_and(|name| skipped.contains(&name)))
    };
    let mut names: Vec<_> = WalkDir::new(&config)
        .into_iter()
        .filter_entry(known)
        .filter_map(std::result::Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .filter_map(|entry| entry.path().strip_prefix(&config).ok()?.to_str().map(str::to_owned))
        .filter(|name| class_of(name) == Class::Unknown)
        .collect();
    names.sort();
    names
}

/// The name of a path below the home.
pub(crate) fn relative(home: &Path, path: &Path) -> Result<String> {
    path.strip_prefix(home).ok().and_then(Path::to_str).map(str::to_owned).ok_or_else(|| {
        Error::new(Code::HomeUnsupported, format!("{} is outside your home folder", path.display()))
            .why("a session's home mirrors yours, and has no place for it")
            .remedy("unset CLAUDE_CONFIG_DIR, or put that folder below your home")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_file_is_the_one_that_claude_code_uses() {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::of(&Locations::find(Some(home.path())).unwrap()).unwrap();
        assert_eq!(layout.class(".claude.json"), Some(Class::State));
        assert_eq!(layout.class(".claude/.claude.json"), Some(Class::Runtime));
        assert_eq!(layout.class(".claude/settings.json"), Some(Class::Settings));
        assert_eq!(layout.class(".claude-backups/x"), None);
        assert_eq!(layout.class("work/notes.md"), None);
    }
}
