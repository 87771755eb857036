//! What is remembered of the configuration: what was written where, what was decided, and how it went.

use super::{
    audit::Head,
    commit::{About, Commit},
    place::Place,
    value::Print,
};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::{create_private_dir, write_record},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// A commit that was brought here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct InForce {
    /// The commit.
    pub commit: Commit,
    /// What it says of itself.
    pub about: About,
    /// When it was brought here.
    pub at: DateTime<Utc>,
}

/// A commit that could not be brought here. It is not tried again, unless settings change or the user says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct FailedCommit {
    /// The commit.
    pub commit: Commit,
    /// What it says of itself.
    pub about: About,
    /// When it was tried.
    pub at: DateTime<Utc>,
    /// Why not.
    pub error: Error,
    /// What it was tried with.
    #[cfg_attr(feature = "typescript", ts(skip))]
    pub(super) settings: String,
}

/// A commit that waits for the user as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct HeldCommit {
    /// The commit.
    pub commit: Commit,
    /// Why it waits.
    pub why: HeldWhy,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Why a commit waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case", tag = "is", content = "words")]
pub enum HeldWhy {
    /// It does not come after what is in force.
    Rewritten,
    /// It is not signed by somebody whom the user's git trusts.
    Unsigned(String),
}

/// A place that is not as git says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drifted {
    /// Since when that is known.
    pub since: DateTime<Utc>,
    /// Whether git changed it as well.
    pub kind: DriftKind,
    /// What stands there; `None` is nothing.
    pub(super) actual: Option<Print>,
    /// Whether it comes back so often that something here wants it otherwise.
    #[serde(default)]
    pub fight: Option<DateTime<Utc>>,
}

/// Who changed a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// Somebody here.
    Here,
    /// Somebody here, and git as well.
    Both,
}

/// A change that waits for the user, since this computer would act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct HeldChange {
    /// Its name: the same each time the same thing is wanted at the same place.
    pub id: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What stands there, as it may be shown.
    pub from: Option<String>,
    /// What git says, as it may be shown; `None` takes it away.
    pub to: Option<String>,
    /// The commit with which it came here first.
    #[serde(default)]
    pub commit: Option<Commit>,
    /// What that commit says of itself.
    #[serde(default)]
    pub about: Option<About>,
}

/// Nothing new is brought here until the user says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Suspended {
    /// Since when.
    pub at: DateTime<Utc>,
    /// Why.
    pub why: String,
}

/// Why a repository cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It is away, which passes.
    #[default]
    Away,
    /// The login that the user's git has is refused, or it has none: that needs the user.
    Refused,
}

impl Access {
    /// What git said, in English.
    pub(super) fn of(why: &str) -> Self {
        const WORDS: &[&str] = &[
            "Authentication failed for",
            "could not read Username",
            "could not read Password",
            "terminal prompts disabled",
            "The requested URL returned error: 401",
            "The requested URL returned error: 403",
            "Permission denied (",
            "Host key verification failed",
        ];
        if WORDS.iter().any(|words| why.contains(words)) { Self::Refused } else { Self::Away }
    }
}

/// The repository cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Unreachable {
    /// Since when.
    pub since: DateTime<Utc>,
    /// How often in a row.
    pub times: u32,
    /// Whether its server was reached, and let nobody in.
    #[serde(default)]
    pub access: Access,
    /// In git's words.
    pub why: String,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) version: u32,
    /// Which repository all this is about: another one begins anew.
    pub(super) repository: String,
    pub(super) in_force: Option<InForce>,
    /// The newest last.
    pub(super) history: Vec<InForce>,
    /// What Drydock wrote, by place.
    pub(super) inventory: BTreeMap<Place, Print>,
    /// What of the inventory holds a secret.
    pub(super) secret: BTreeSet<Place>,
    /// What the user let happen, by the names of held changes.
    pub(super) approved: BTreeSet<String>,
    pub(super) held: BTreeMap<Place, HeldChange>,
    pub(super) held_commit: Option<HeldCommit>,
    /// The newest last.
    pub(super) failed: Vec<FailedCommit>,
    pub(super) drift: BTreeMap<Place, Drifted>,
    /// What became a commit that may not be in force yet: it does not become one again.
    pub(super) adopted: BTreeMap<Place, Option<Print>>,
    /// When drift was taken back.
    pub(super) taken_back: BTreeMap<Place, Vec<DateTime<Utc>>>,
    pub(super) suspended: Option<Suspended>,
    pub(super) unreachable: Option<Unreachable>,
    pub(super) fetched: Option<DateTime<Utc>>,
    pub(super) looked: Option<DateTime<Utc>>,
    /// The transaction that holds.
    pub(super) transaction: Option<Uuid>,
    pub(super) audit: Head,
    /// Lines of the log that may not be in it yet.
    pub(super) unlogged: Vec<String>,
}

/// The state of one home, while this process has it for itself.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    /// Given back when the last that has it lets go: this value, or a git that outlives the process.
    lock: Arc<File>,
}

/// Where it is kept.
pub(super) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("gitops")
}

impl Store {
    /// Takes it, waiting a little for another process.
    ///
    /// # Errors
    /// [`Code::GitopsBusy`].
    pub(super) fn take(data_dir: &Path, patience: Duration) -> Result<Self> {
        const BETWEEN: Duration = Duration::from_millis(50);
        let folder = folder(data_dir);
        create_private_dir(&folder)?;
        let path = folder.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .context("open", &path)?;
        let deadline = Instant::now() + patience;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { folder, lock: Arc::new(lock) }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(BETWEEN),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        Code::GitopsBusy,
                        "another process is at work on the configuration",
                    )
                    .remedy("wait for it to finish, then run the command again"));
                }
                Err(TryLockError::Error(cause)) => return Err(cause).context("lock", &path),
            }
        }
    }

    pub(super) fn lock(&self) -> Arc<File> {
        self.lock.clone()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn load(&self) -> Result<State> {
        load(&self.folder)
    }

    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub(super) fn save(&self, state: &State) -> Result<()> {
        write_record(&file(&self.folder), state)
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("state.json")
}

/// Reads it, for who only looks.
///
/// # Errors
/// [`Code::GitopsState`].
pub(super) fn load(folder: &Path) -> Result<State> {
    let file = file(folder);
    match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text).map_err(|cause| {
            Error::new(Code::GitopsState, "what is remembered of the configuration is damaged")
                .why(cause)
                .remedy(format!("move {} away: what is as git says is then taken over anew", file.display()))
        }),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(State::default()),
        Err(cause) => Err(cause).context("read", &file),
    }
}

impl State {
    const MOST: usize = 50;

    /// Takes a commit as the one in force.
    pub(super) fn take_in_force(&mut self, commit: &Commit, about: &About, at: DateTime<Utc>) {
        if self.in_force.as_ref().is_some_and(|now| now.commit == *commit) {
            return;
        }
        let new = InForce { commit: commit.clone(), about: about.clone(), at };
        self.history.push(new.clone());
        self.in_force = Some(new);
        let spare = self.history.len().saturating_sub(Self::MOST);
        self.history.drain(..spare);
    }

    /// The commit that was in force before the one that is.
    pub(super) fn before_in_force(&self) -> Option<&InForce> {
        let now = self.in_force.as_ref().map(|now| &now.commit);
        self.history.iter().rev().find(|one| Some(&one.commit) != now)
    }

    /// Notes a commit that is not tried again with these settings.
    pub(super) fn note_failed(&mut self, failed: FailedCommit) {
        self.failed.retain(|one| one.commit != failed.commit);
        self.failed.push(failed);
        let spare = self.failed.len().saturating_sub(Self::MOST);
        self.failed.drain(..spare);
    }

    /// Whether the commit was tried with these settings, and why it failed.
    pub(super) fn failure(&self, commit: &Commit, settings: &str) -> Option<&FailedCommit> {
        self.failed.iter().find(|one| one.commit == *commit && one.settings == settings)
    }

    /// The commit that was tried last, where it failed.
    pub(super) fn standing_failure(&self) -> Option<&FailedCommit> {
        let last = self.failed.last()?;
        let newer = self.in_force.as_ref().is_some_and(|now| now.at > last.at || now.commit == last.commit);
        (!newer).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::take(dir.path(), Duration::ZERO).unwrap();
        assert_eq!(Store::take(dir.path(), Duration::ZERO).unwrap_err().code(), Code::GitopsBusy);
        drop(store);
        Store::take(dir.path(), Duration::ZERO).unwrap();
    }

    #[test]
    fn a_program_that_outlives_its_drydock_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::take(dir.path(), Duration::ZERO).unwrap();
        let held = store.lock().try_clone().unwrap();
        let mut child = std::process::Command::new("sleep").arg("1000").stdin(held).spawn().unwrap();
        drop(store);
        assert_eq!(Store::take(dir.path(), Duration::ZERO).unwrap_err().code(), Code::GitopsBusy);
        child.kill().unwrap();
        child.wait().unwrap();
        Store::take(dir.path(), Duration::ZERO).unwrap();
    }

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::take(dir.path(), Duration::ZERO).unwrap();
        assert_eq!(store.load().unwrap(), State::default());
        let mut state = State::default();
        state.inventory.insert(Place::file("CLAUDE.md"), Print::of("a"));
        store.save(&state).unwrap();
        assert_eq!(store.load().unwrap(), state);
        fs::write(file(store.folder()), "{").unwrap();
        assert_eq!(store.load().unwrap_err().code(), Code::GitopsState);
    }
}
