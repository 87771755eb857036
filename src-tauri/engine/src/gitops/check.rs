//! Checking a repository's files before they are committed, or wherever they lie.

use super::{
    git_tree::staged,
    gitops::Gitops,
    repository::{self, Problem, Reader},
    tree::Tree,
};
use crate::error_handling::Result;
use serde::Serialize;
use std::path::Path;

/// Which files are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Those in the folder.
    InFolder,
    /// Those staged for the next commit.
    Staged,
}

/// What was checked.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// How many files say something.
    pub files: usize,
    /// How many places they speak of, for this computer.
    pub places: usize,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Gitops {
    /// Checks the files of a folder. Nothing is opened, fetched or written, and no repository need be set up. Blocking.
    ///
    /// # Errors
    /// When they cannot be read, or are refused as a whole.
    pub fn check(&self, folder: &Path, which: Files) -> Result<Checked> {
        let tree = match which {
            Files::InFolder => Tree::of_folder(folder)?,
            Files::Staged => staged(folder, &self.locations.home)?,
        };
        let home = self.locations.home.to_string_lossy().into_owned();
        let (machine, _) = self.names();
        let (repository, problems) = repository::read(&tree, &Reader { home: &home, machine: &machine });
        Ok(Checked { files: tree.0.len(), places: repository.wanted.len(), problems })
    }
}
