//! The `restic` program, as somebody uses it who does not have Drydock.

use serde_json::Value;
use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// `restic` on one repository.
pub struct Restic {
    repository: OsString,
    code: String,
    rclone_config: Option<PathBuf>,
}

impl Restic {
    /// On a repository in a folder.
    #[must_use]
    pub fn on(folder: impl Into<OsString>, code: &str) -> Self {
        Self { repository: folder.into(), code: code.to_owned(), rclone_config: None }
    }

    /// On a repository at a remote of rclone's.
    #[must_use]
    pub fn at_remote(remote: &str, rclone_config: PathBuf, code: &str) -> Self {
        let rclone_config = Some(rclone_config);
        Self { repository: format!("rclone:{remote}").into(), code: code.to_owned(), rclone_config }
    }

    /// Runs it to its end, however that is.
    #[must_use]
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        let mut restic = Command::new("restic");
        restic.arg("--no-cache").arg("-r").arg(&self.repository).args(arguments);
        restic.env("RESTIC_PASSWORD", &self.code);
        if let Some(config) = &self.rclone_config {
            restic.env("RCLONE_CONFIG", config);
        }
        restic.output().expect("restic is installed")
    }

    fn ok<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let done = self.run(arguments);
        let said = String::from_utf8_lossy(&done.stderr);
        let printed = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "restic on {}: {said}\n{printed}", self.repository.display());
        printed.into_owned()
    }

    /// Fails unless restic finds everything whole, with all data read back.
    pub fn check(&self) {
        let told = self.ok(["check", "--read-data"]);
        assert!(told.contains("no errors were found"), "{told}");
    }

    /// Fails unless restic finds everything there that the snapshots need; data is not read back.
    pub fn check_structure(&self) {
        let told = self.ok(["check"]);
        assert!(told.contains("no errors were found"), "{told}");
    }

    /// The names of the snapshots that it sees, the oldest first. It writes nothing, so that a disk may be full.
    #[must_use]
    pub fn snapshots(&self) -> Vec<String> {
        let listed: Value =
            serde_json::from_str(&self.ok(["snapshots", "--no-lock", "--json"])).expect("a list");
        let listed = listed.as_array().expect("a list").iter();
        listed.map(|snapshot| snapshot["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// Restores a snapshot into a folder.
    pub fn restore(&self, snapshot: &str, to: &Path) {
        self.ok([OsStr::new("restore"), OsStr::new(snapshot), OsStr::new("--target"), to.as_os_str()]);
    }
}
