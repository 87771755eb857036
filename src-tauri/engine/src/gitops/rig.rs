//! A repository for tests: a bare one, and a folder in which somebody works on it.

use super::{commit::Commit, git::Remote, mirror::Mirror};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

pub(super) struct Repository {
    folder: TempDir,
}

impl Repository {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Self { folder };
        fs::create_dir(repository.folder.path().join("home")).unwrap();
        let bare = repository.bare();
        repository.git_in(
            repository.folder.path(),
            &["init", "--quiet", "--bare", "-b", "main", bare.to_str().unwrap()],
        );
        repository.git_in(repository.folder.path(), &["clone", "--quiet", bare.to_str().unwrap(), "work"]);
        repository.git(&["checkout", "--quiet", "-B", "main"]);
        repository
    }

    pub(super) fn bare(&self) -> PathBuf {
        self.folder.path().join("conf.git")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let file = self.work().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Commits all, and pushes.
    pub(super) fn commit(&self, message: &str) -> Commit {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["push", "--quiet", "origin", "main"]);
        Commit::parse(self.git(&["rev-parse", "HEAD"]).trim()).unwrap()
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        self.git_in(&self.work(), arguments)
    }

    fn git_in(&self, folder: &Path, arguments: &[&str]) -> String {
        let done = Command::new("git")
            .args(["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"])
            .args(["-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(folder)
            .env("HOME", self.folder.path().join("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    pub(super) fn mirror_folder(&self) -> PathBuf {
        self.folder.path().join("mirror.git")
    }

    pub(super) fn mirror(&self) -> Mirror {
        let folder = self.mirror_folder();
        let home = self.folder.path().join("home");
        Mirror::open(&folder, &home, Remote::Here(self.bare()), "main", None).unwrap()
    }
}

/// A home that follows the repository.
pub(super) struct Home {
    folder: TempDir,
}

impl Home {
    pub(super) fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        home.write(".claude.json", "{\n  \"numStartups\": 3,\n  \"projects\": {}\n}\n");
        home.write(".claude/settings.json", "{\n  \"cleanupPeriodDays\": 30\n}\n");
        home
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("home").join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let file = self.path(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A key of Claude Code's settings.
    pub(super) fn setting(&self, pointer: &str) -> Option<serde_json::Value> {
        let text: serde_json::Value = serde_json::from_str(&self.read(".claude/settings.json")).unwrap();
        text.pointer(pointer).cloned()
    }

    pub(super) fn gitops(&self, repository: &Repository, settings: &[(&str, &str)]) -> super::Gitops {
        gitops_at(self.folder.path(), &repository.bare(), settings)
    }
}

/// What follows `bare` in `folder/home`, with a lock of its own.
pub(super) fn gitops_at(folder: &Path, bare: &Path, settings: &[(&str, &str)]) -> super::Gitops {
    use crate::{paths::Locations, settings::Settings};
    let mut locations = Locations::find(Some(&folder.join("home"))).unwrap();
    locations.sync_lock = folder.join("sync.lock");
    let mut used = Settings::load(&locations.settings_file).unwrap();
    let address = bare.to_str().unwrap();
    let own = [("gitops.repository", address), ("gitops.machine", "desk"), ("backup.external.path", "")];
    for (key, value) in own.iter().chain(settings) {
        used.use_for_now(key, value).unwrap();
    }
    super::Gitops::of(&locations, &used)
}
