//! A folder that somebody works on, with a repository in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A project's folder.
pub struct Project {
    path: PathBuf,
    /// Kept only to be removed, when the project is not in a home.
    _own: Option<TempDir>,
}

impl Project {
    /// Makes a repository with one commit at `path`.
    #[must_use]
    pub fn make(path: &Path) -> Self {
        fs::create_dir_all(path).expect("the project's folder");
        fs::write(path.join("README.md"), "# Demo\n").unwrap();
        git(path, &["init", "--quiet", "--initial-branch=main"]);
        git(path, &["add", "."]);
        git(path, &["commit", "--quiet", "--message=first"]);
        Self { path: path.to_path_buf(), _own: None }
    }

    /// One that is in no home.
    #[must_use]
    pub fn elsewhere() -> Self {
        let own = TempDir::with_prefix("drydock-project-").expect("a scratch folder");
        let path = own.path().canonicalize().unwrap().join("proj");
        Self { _own: Some(own), ..Self::make(&path) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of it is, as text for a prompt.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.path.join(name).to_str().expect("a path that is text").to_owned()
    }

    /// What a file of it says.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        let file = self.path.join(name);
        fs::read_to_string(&file).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()))
    }

    /// Whether a file of it is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=me", "-c", "user.email=me@example.com"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git is installed");
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}
