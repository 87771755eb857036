//! The programs that are compared, and how each is called for each step.

use drydock_tests::rig::{BackupCopy, Backups};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    First,
    Unchanged,
    Changed,
    Lengthened,
    Verify,
    Restore,
    /// The same, and flushed to the disk.
    Flushed,
}

impl Step {
    pub(crate) const ALL: [Self; 7] = [
        Self::First,
        Self::Unchanged,
        Self::Changed,
        Self::Lengthened,
        Self::Verify,
        Self::Restore,
        Self::Flushed,
    ];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::First => "first backup",
            Self::Unchanged => "nothing changed",
            Self::Changed => "20 conversations went on",
            Self::Lengthened => "the long one went on",
            Self::Verify => "everything read back",
            Self::Restore => "all restored",
            Self::Flushed => "... and on the disk",
        }
    }
}

/// A program that backs a home up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    Drydock,
    Restic,
    Borg,
    Tar,
}

/// What is backed up.
const DATA: [&str; 2] = [".claude", ".claude.json"];

/// A home and what is beside it: the repositories and caches of one round.
pub(crate) struct Place {
    pub(crate) backups: Backups,
    round: usize,
}

impl Place {
    pub(crate) fn new(backups: Backups) -> Self {
        Self { backups, round: 0 }
    }

    /// No repository is there any more, and no cache.
    pub(crate) fn begin(&mut self, round: usize) {
        let old = self.beside("");
        if old.exists() {
            fs::remove_dir_all(old).unwrap();
        }
        for entry in fs::read_dir(self.backups.home.path()).unwrap().flatten() {
            if !DATA.iter().any(|name| entry.file_name() == *name) {
                let is_folder = entry.file_type().unwrap().is_dir();
                let remove = if is_folder { fs::remove_dir_all } else { fs::remove_file };
                remove(entry.path()).unwrap();
            }
        }
        self.round = round;
        fs::create_dir_all(self.beside("")).unwrap();
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.backups.scratch(&format!("round{}", self.round)).join(name)
    }
}

impl Tool {
    pub(crate) const ALL: [Self; 4] = [Self::Drydock, Self::Restic, Self::Borg, Self::Tar];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Drydock => "drydock",
            Self::Restic => "restic",
            Self::Borg => "borg, zstd",
            Self::Tar => "tar | zstd -3",
        }
    }

    /// Which it is; `None` where it is not installed.
    pub(crate) fn version(self, place: &Place) -> Option<String> {
        let mut command = match self {
            Self::Drydock => place.backups.drydock(["--version"]).command(),
            Self::Restic => command("restic", ["version"]),
            Self::Borg => command("borg", ["--version"]),
            Self::Tar => command("zstd", ["--version"]),
        };
        let done = command.output().ok().filter(|done| done.status.success())?;
        String::from_utf8(done.stdout).ok()?.lines().next().map(str::to_owned)
    }

    /// Its calls for a step, one after the other, each a program or several in a pipe; none where it has nothing
    /// for the step.
    pub(crate) fn calls(self, step: Step, place: &Place) -> Vec<Vec<Command>> {
        match self {
            Self::Drydock => vec![vec![drydock(step, place)]],
            Self::Restic => restic(step, place),
            Self::Borg => borg(step, place),
            Self::Tar => tar(step, place),
        }
    }

    /// Where its repository is.
    pub(crate) fn repository(self, place: &Place) -> PathBuf {
        match self {
            Self::Drydock => place.backups.folder(BackupCopy::Local),
            Self::Restic => place.beside("restic"),
            Self::Borg => place.beside("borg"),
            Self::Tar => place.beside("tar"),
        }
    }

    /// Where it restores to.
    pub(crate) fn restored(self, place: &Place) -> PathBuf {
        place.beside(&format!("restored-{self:?}"))
    }
}

fn drydock(step: Step, place: &Place) -> Command {
    let to = Tool::Drydock.restored(place);
    let arguments = match step {
        Step::First | Step::Unchanged | Step::Changed | Step::Lengthened => {
            vec![OsStr::new("backup"), OsStr::new("now")]
        }
        Step::Verify => ["backup", "verify", "--all"].map(OsStr::new).to_vec(),
        Step::Restore | Step::Flushed => {
            vec![OsStr::new("restore"), OsStr::new("latest"), OsStr::new("--to"), to.as_os_str()]
        }
    };
    place.backups.drydock(arguments).command()
}

fn restic(step: Step, place: &Place) -> Vec<Vec<Command>> {
    let restic = |arguments: &[&str]| {
        let mut restic = command("restic", ["--quiet", "-r"]);
        restic.arg(Tool::Restic.repository(place)).args(arguments);
        restic.current_dir(place.backups.home.path());
        restic.env("RESTIC_PASSWORD", "a password").env("RESTIC_CACHE_DIR", place.beside("restic-cache"));
        vec![restic]
    };
    let backup = restic(&["backup", DATA[0], DATA[1]]);
    match step {
        Step::First => vec![restic(&["init"]), backup],
        Step::Unchanged | Step::Changed | Step::Lengthened => vec![backup],
        Step::Verify => vec![restic(&["check", "--read-data"])],
        Step::Restore | Step::Flushed => {
            let to = Tool::Restic.restored(place);
            vec![restic(&["restore", "latest", "--target", to.to_str().unwrap()])]
        }
    }
}

/// Encrypted and packed as restic does it.
fn borg(step: Step, place: &Place) -> Vec<Vec<Command>> {
    let repository = Tool::Borg.repository(place);
    let borg = |arguments: &[&str], folder: &Path| {
        let mut borg = command("borg", arguments);
        borg.current_dir(folder).env("BORG_REPO", &repository);
        borg.env("BORG_PASSPHRASE", "a password").env("BORG_BASE_DIR", place.beside("borg-base"));
        vec![borg]
    };
    let home = place.backups.home.path();
    let create = |name: &str| borg(&["create", "--compression", "zstd,3", name, DATA[0], DATA[1]], home);
    match step {
        Step::First => vec![borg(&["init", "--encryption", "repokey-blake2"], home), create("::first")],
        Step::Unchanged => vec![create("::unchanged")],
        Step::Changed => vec![create("::changed")],
        Step::Lengthened => vec![create("::newest")],
        Step::Verify => vec![borg(&["check", "--verify-data"], home)],
        Step::Restore | Step::Flushed => {
            let to = Tool::Borg.restored(place);
            fs::create_dir(&to).unwrap();
            vec![borg(&["extract", "::newest"], &to)]
        }
    }
}

/// A new archive of everything each time, also when nothing has changed: that step it does not have.
fn tar(step: Step, place: &Place) -> Vec<Vec<Command>> {
    let folder = Tool::Tar.repository(place);
    let newest = folder.join("newest.tar.zst");
    let zstd = |arguments: &[&str], archive: &Path| {
        let mut zstd = command("zstd", ["--quiet"]);
        zstd.args(arguments).arg(archive);
        zstd
    };
    let tar = |arguments: &[&str], folder: &Path| {
        let mut tar = command("tar", arguments);
        tar.current_dir(folder);
        tar
    };
    let all = || tar(&["--create", DATA[0], DATA[1]], place.backups.home.path());
    let archived = |name: &str| vec![vec![all(), zstd(&["-3", "-o"], &folder.join(name))]];
    match step {
        Step::First => {
            fs::create_dir(&folder).unwrap();
            archived("first.tar.zst")
        }
        Step::Unchanged => Vec::new(),
        Step::Changed => archived("changed.tar.zst"),
        Step::Lengthened => archived("newest.tar.zst"),
        Step::Verify => vec![vec![zstd(&["--test"], &newest)]],
        Step::Restore | Step::Flushed => {
            let to = Tool::Tar.restored(place);
            fs::create_dir(&to).unwrap();
            vec![vec![zstd(&["--decompress", "--stdout"], &newest), tar(&["--extract"], &to)]]
        }
    }
}

fn command<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command
}
