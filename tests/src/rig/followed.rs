//! Somebody whose configuration comes from git: a home, a bare repository, and a folder in which it is worked on by
//! the real `git`.

use super::{Done, Home, Invocation};
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A home that follows a repository.
pub struct Followed {
    /// The home.
    pub home: Home,
    scratch: TempDir,
}

impl Followed {
    /// With an empty repository, followed over `file://`.
    #[must_use]
    pub fn new() -> Self {
        let home = Home::new();
        let scratch = TempDir::with_prefix("drydock-conf-").expect("a scratch folder");
        let followed = Self { home, scratch };
        let bare = followed.bare();
        followed.git_in(
            followed.scratch.path(),
            &["init", "--quiet", "--bare", "-b", "main", bare.to_str().unwrap()],
        );
        followed.git_in(followed.scratch.path(), &["clone", "--quiet", bare.to_str().unwrap(), "work"]);
        followed.git(&["checkout", "--quiet", "-B", "main"]);
        followed.follow(&format!("file://{}", bare.display()));
        followed.set("backup.external.path", "");
        followed.write("drydock.yaml", "version: 1\n");
        followed
    }

    /// Follows a repository at this address.
    pub fn follow(&self, address: &str) {
        self.set("gitops.repository", address);
    }

    /// The repository.
    #[must_use]
    pub fn bare(&self) -> PathBuf {
        self.scratch.path().canonicalize().unwrap().join("conf.git")
    }

    /// Where it is worked on.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.scratch.path().canonicalize().unwrap().join("work")
    }

    /// A folder for this test beside the home.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.path().canonicalize().unwrap().join(name)
    }

    /// Writes a file of the repository, without committing it.
    pub fn write(&self, name: &str, text: &str) {
        let file = self.work().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Says this of Claude Code's settings, in a commit that is pushed.
    pub fn say(&self, settings: &Value) {
        self.write("desired/claude/settings.json", &settings.to_string());
        self.commit("settings");
    }

    /// Commits all, and pushes. Gives the commit.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["push", "--quiet", "origin", "main"]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Runs git where the repository is worked on.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git_in(&self.work(), arguments)
    }

    /// Runs git in a folder, as somebody of their own.
    pub fn git_in(&self, folder: &Path, arguments: &[&str]) -> String {
        let done = Command::new("git")
            .args([
                "-c",
                "user.name=Somebody",
                "-c",
                "user.email=somebody@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(arguments)
            .current_dir(folder)
            .env("HOME", self.scratch.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git can be run");
        assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// `drydock` with this home as the user's.
    pub fn drydock<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Invocation {
        Invocation::new(self.home.path()).args(arguments).variable("DRYDOCK_GITOPS_MACHINE", "desk")
    }

    /// Runs `drydock gitops` with these words.
    pub fn gitops<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Done {
        let arguments: Vec<_> = arguments.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self.drydock(["gitops"]).args(arguments).done()
    }

    /// What `drydock gitops reconcile` says, and its exit code.
    pub fn reconcile(&self) -> (Value, i32) {
        let done = self.gitops(["reconcile", "--json"]);
        let code = done.code.expect("it ended by itself");
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        (done.json(), code)
    }

    /// Changes a setting.
    pub fn set(&self, key: &str, value: &str) {
        self.drydock(["settings", "set", key, value]).done().ok();
    }

    /// A file of the home.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A value of Claude Code's settings.
    #[must_use]
    pub fn setting(&self, pointer: &str) -> Option<Value> {
        let text = fs::read(self.file(".claude/settings.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap().pointer(pointer).cloned()
    }
}

impl Default for Followed {
    fn default() -> Self {
        Self::new()
    }
}
