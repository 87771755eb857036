//! Somebody whose Claude data is backed up: a lived-in home, its copies, and what can be done with them.

mod past;
mod records;
mod restic;
mod tree;

pub use past::{ASKED, ELSEWHERE, HISTORY, LEFT_OUT, NOTED, SIDECARS, WORKED};
pub use records::{assert_whole_records, noise, record};
pub use restic::Restic;
pub use tree::Tree;

use super::{Done, Home, Invocation};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use walkdir::WalkDir;

/// One of the three copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupCopy {
    /// The one in the home.
    Local,
    /// The one on another volume.
    External,
    /// The one at a remote of rclone's.
    Cloud,
}

impl BackupCopy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Local, Self::External, Self::Cloud];

    /// Its word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::External => "external",
            Self::Cloud => "cloud",
        }
    }
}

/// A lived-in home that is backed up. Nothing of it is in a keyring unless a bus is named.
pub struct Backups {
    /// The home.
    pub home: Home,
    /// Where the other copies are, and what is restored.
    scratch: TempDir,
    bus: Option<String>,
}

impl Backups {
    /// With the local copy alone.
    #[must_use]
    pub fn new() -> Self {
        Self::furnished(Home::bare())
    }

    /// The same in a home that is somewhere already.
    #[must_use]
    pub fn furnished(home: Home) -> Self {
        past::furnish(&home);
        Self::of(home)
    }

    /// With another home, as it is.
    #[must_use]
    pub fn of(home: Home) -> Self {
        let scratch = TempDir::with_prefix("drydock-copies-").expect("a scratch folder");
        Self { home, scratch, bus: None }
    }

    /// With an external copy in a folder, and a cloud copy at a remote that is a folder too.
    #[must_use]
    pub fn with_three_copies() -> Self {
        let backups = Self::new();
        backups.set("backup.external.path", backups.folder(BackupCopy::External));
        backups.set_up_cloud();
        backups
    }

    /// The key is kept in the keyring of this bus.
    #[must_use]
    pub fn with_keyring(self, address: &str) -> Self {
        Self { bus: Some(address.to_owned()), ..self }
    }

    /// Names a remote `r` of rclone's that is a folder, and sets the cloud copy up in it.
    pub fn set_up_cloud(&self) {
        self.add_folder_remote("r", &self.scratch("remote"));
        self.set("backup.cloud.remote", "r:copy");
    }

    /// Adds a remote to rclone's configuration that is a folder of this computer.
    pub fn add_folder_remote(&self, name: &str, folder: &Path) {
        self.add_remote(name, &format!("type = alias\nremote = {}\n", folder.display()));
    }

    /// A folder for this test beside the home, which goes with it.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.path().canonicalize().unwrap().join(name)
    }

    /// Where a copy is when nothing else was set.
    #[must_use]
    pub fn folder(&self, copy: BackupCopy) -> PathBuf {
        match copy {
            BackupCopy::Local => self.home.path().join(".claude-backups"),
            BackupCopy::External => self.scratch("copy"),
            BackupCopy::Cloud => self.scratch("remote/copy"),
        }
    }

    /// rclone's configuration.
    #[must_use]
    pub fn rclone_config(&self) -> PathBuf {
        self.home.path().join(".config/rclone/rclone.conf")
    }

    /// Adds a remote to rclone's configuration, or replaces it.
    pub fn add_remote(&self, name: &str, lines: &str) {
        let header = format!("[{name}]\n");
        let known = fs::read_to_string(self.rclone_config()).unwrap_or_default();
        let mut others: Vec<_> = known
            .split_inclusive("\n\n")
            .filter(|one| !one.starts_with(&header))
            .map(str::to_owned)
            .collect();
        others.push(format!("{header}{}\n\n", lines.trim_end()));
        self.home.write(".config/rclone/rclone.conf", &others.concat());
    }

    /// Changes a setting.
    pub fn set(&self, key: &str, value: impl AsRef<OsStr>) {
        self.drydock(["settings", "set", key]).arg(value).done().ok();
    }

    /// `drydock` with this home as the user's.
    pub fn drydock<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Invocation {
        let drydock = Invocation::new(self.home.path()).args(arguments);
        match &self.bus {
            Some(address) => drydock.variable("DBUS_SESSION_BUS_ADDRESS", address),
            None => drydock,
        }
    }

    /// The same, run to its end, which must be a good one.
    pub fn ok<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Done {
        self.drydock(arguments).done().ok()
    }

    /// The same, run to an error of this code.
    pub fn fails<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        exit: i32,
        code: &str,
    ) -> Done {
        self.drydock(arguments).done().exits(exit).tells(code)
    }

    /// What it prints with `--json`, when it succeeds.
    #[must_use]
    pub fn json<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Value {
        self.drydock(arguments).arg("--json").done().ok().json()
    }

    /// `drydock backup now`: the name of the new snapshot.
    #[must_use]
    pub fn snapshot(&self) -> String {
        let report = self.json(["backup", "now"]);
        let id = &report["taken"]["snapshot"]["id"];
        id.as_str().unwrap_or_else(|| panic!("no new snapshot: {report:#}")).to_owned()
    }

    /// All snapshots, the oldest first, as `drydock backup list` tells of them.
    #[must_use]
    pub fn snapshots(&self) -> Vec<Value> {
        let listed = self.json(["backup", "list"]);
        listed.as_array().unwrap_or_else(|| panic!("no list: {listed:#}")).clone()
    }

    /// How a copy stands, as `drydock backup copies` tells.
    #[must_use]
    pub fn standing(&self, copy: BackupCopy) -> Value {
        let status = self.json(["backup", "copies"]);
        let mut copies = status["copies"].as_array().expect("copies").iter();
        copies.find(|one| one["copy"] == copy.word()).unwrap_or_else(|| panic!("{status:#}")).clone()
    }

    /// The code on the recovery sheet.
    #[must_use]
    pub fn code(&self) -> String {
        recovery_code(&self.ok(["backup", "key", "export"]).stdout)
    }

    /// The `restic` program on a copy, with the code of the recovery sheet.
    #[must_use]
    pub fn restic(&self, copy: BackupCopy) -> Restic {
        Restic::on(self.folder(copy), &self.code())
    }

    /// Restores a snapshot, or the newest one, into a new folder.
    #[must_use]
    pub fn restored(&self, snapshot: &str) -> PathBuf {
        let to = self.scratch(&format!("restored-{}", super::conversation_id()));
        self.ok([OsStr::new("restore"), OsStr::new(snapshot), OsStr::new("--to"), to.as_os_str()]);
        to
    }

    /// Claude Code's data as it is now, without what belongs to no snapshot.
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree::of(self.home.path()).only(&[".claude", ".claude.json"]).without(LEFT_OUT)
    }

    /// A file of the home.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Adds records to a conversation, as Claude Code does: each whole in one write.
    pub fn append(&self, conversation: &str, count: usize) {
        let path = self.file(conversation);
        let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        for _ in 0..count {
            file.write_all(record(conversation, "and then?").as_bytes()).unwrap();
        }
    }

    /// The files of a copy's repository, with their sizes.
    #[must_use]
    pub fn repository_files(&self, copy: BackupCopy) -> BTreeMap<String, u64> {
        repository_files(&self.folder(copy))
    }
}

impl Default for Backups {
    fn default() -> Self {
        Self::new()
    }
}

/// The code on a recovery sheet, in one line, as restic takes it.
///
/// # Panics
/// When the sheet has none.
#[must_use]
pub fn recovery_code(sheet: &str) -> String {
    let groups: Vec<_> = sheet
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= 19 && line.trim_end_matches('-').split('-').all(is_group))
        .collect();
    let code = groups.concat();
    assert_eq!(code.split('-').count(), 8, "no recovery code on the sheet:\n{sheet}");
    code
}

fn is_group(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// The files of a repository in a folder, with their sizes.
#[must_use]
pub fn repository_files(folder: &Path) -> BTreeMap<String, u64> {
    let parts = ["config", "keys", "data", "index", "snapshots"];
    WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .filter_map(|entry| {
            let name = entry.path().strip_prefix(folder).ok()?.to_str()?.to_owned();
            let is_of_it = parts.contains(&name.split('/').next()?);
            is_of_it.then(|| (name, entry.metadata().map_or(0, |data| data.len())))
        })
        .collect()
}

/// Changes a byte in the middle of the largest pack of a repository; its length stays.
pub fn damage_a_pack(folder: &Path) {
    let files = repository_files(folder);
    let packs = files.iter().filter(|(name, _)| name.starts_with("data/"));
    let pack = folder.join(packs.max_by_key(|(_, size)| **size).expect("a pack").0);
    let mut content = fs::read(&pack).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(pack, content).unwrap();
}
