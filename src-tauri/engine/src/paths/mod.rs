//! Where everything is: Claude Code's data, Drydock's own, and the lock.

mod disk_space;

pub use disk_space::Disk;
pub(crate) use disk_space::on_disks_of_their_own;

use crate::error_handling::{Code, Error, IoContext, Result};
use drydock_inside::{Staged, disk};
use serde::Serialize;
use std::{
    env,
    path::{Path, PathBuf},
};

/// The places on this machine that Drydock reads and writes.
#[derive(Debug, Clone)]
pub struct Locations {
    /// The user's home folder; the host home lives in it.
    pub home: PathBuf,
    /// Claude Code's folder: `~/.claude`, or `$CLAUDE_CONFIG_DIR`.
    pub claude_dir: PathBuf,
    /// Claude Code's state file: `~/.claude.json`, inside `$CLAUDE_CONFIG_DIR` if that is set.
    pub claude_json: PathBuf,
    /// Whether `$CLAUDE_CONFIG_DIR` moved Claude Code's data from its usual place.
    pub config_dir_moved: bool,
    /// Whether this is the user's own home, and not one that was given: only then are what the system keeps
    /// for the user, such as their Keychain, and the environment this home's.
    pub own_home: bool,
    /// `settings.toml`.
    pub settings_file: PathBuf,
    /// Drydock's records: sessions, what of them waits for the user, which image is current.
    pub data_dir: PathBuf,
    /// What can be downloaded or made again.
    pub cache_dir: PathBuf,
    /// The local copy of the backups.
    pub backups_dir: PathBuf,
    /// The lock that every sync takes.
    pub sync_lock: PathBuf,
}

/// The variable that points everything at another home.
pub const HOME_VARIABLE: &str = "DRYDOCK_HOME";
/// The variable that moves the cache alone, so that several homes can share downloads.
pub const CACHE_VARIABLE: &str = "DRYDOCK_CACHE_DIR";

impl Locations {
    /// Finds the places for `home`, or for the current user when `None`.
    ///
    /// With a `home` given, nothing outside it is used but the sync lock, and the environment's
    /// `CLAUDE_CONFIG_DIR` and `XDG_*` are not looked at: they belong to the real home.
    ///
    /// # Errors
    /// [`Code::HomeMissing`] when the home folder is not there.
    pub fn find(home: Option<&Path>) -> Result<Self> {
        let given = home.map(Path::to_path_buf);
        let named = given.clone().or_else(env_home).ok_or_else(|| {
            Error::new(Code::HomeMissing, "your home folder could not be found")
                .why("HOME is not set")
                .remedy("set HOME, or pass --home DIR")
        })?;
        // Sessions see the home at its real path: Claude Code resolves links in paths as well.
        let home = std::fs::canonicalize(&named).map_err(|cause| {
            Error::new(Code::HomeMissing, format!("the home folder {} is not there", named.display()))
                .why(cause)
                .remedy("pass --home with a folder that exists")
        })?;
        let moved = if given.is_some() { None } else { env_path("CLAUDE_CONFIG_DIR") };
        let (claude_dir, claude_json) = match &moved {
            Some(dir) => (dir.clone(), dir.join(".claude.json")),
            None => (home.join(".claude"), home.join(".claude.json")),
        };
        let own = OwnFolders::for_home(&home, given.is_some());
        Ok(Self {
            config_dir_moved: moved.is_some(),
            own_home: given.is_none(),
            settings_file: own.config.join("settings.toml"),
            data_dir: own.data,
            cache_dir: env_path(CACHE_VARIABLE).unwrap_or(own.cache),
            backups_dir: home.join(".claude-backups"),
            sync_lock: PathBuf::from("/tmp/claude-config-sync.lock"),
            claude_dir,
            claude_json,
            home,
        })
    }

    /// The folder of one session's records.
    #[must_use]
    pub fn session_dir(&self, id: &str) -> PathBuf {
        self.data_dir.join("sessions").join(id)
    }
}

/// Drydock's own folders, by the platform's custom.
struct OwnFolders {
    config: PathBuf,
    data: PathBuf,
    cache: PathBuf,
}

impl OwnFolders {
    fn for_home(home: &Path, given: bool) -> Self {
        if !given && let Some(dirs) = directories::ProjectDirs::from("dev", "Drydock", "Drydock") {
            return Self {
                config: dirs.config_dir().to_path_buf(),
                data: dirs.data_local_dir().to_path_buf(),
                cache: dirs.cache_dir().to_path_buf(),
            };
        }
        if cfg!(target_os = "macos") {
            let library = home.join("Library");
            let support = library.join("Application Support/dev.Drydock.Drydock");
            Self { config: support.clone(), data: support, cache: library.join("Caches/dev.Drydock.Drydock") }
        } else {
            Self {
                config: home.join(".config/drydock"),
                data: home.join(".local/share/drydock"),
                cache: home.join(".cache/drydock"),
            }
        }
    }
}

/// The home that the environment names with [`HOME_VARIABLE`], if it names one.
#[must_use]
pub fn named_home() -> Option<PathBuf> {
    env_path(HOME_VARIABLE)
}

fn env_home() -> Option<PathBuf> {
    env_path("HOME")
}

fn env_path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Makes a folder that only the user can enter, with its parents.
///
/// # Errors
/// When the folder cannot be made.
pub fn create_private_dir(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).context("make the folder", dir)
}

/// Writes a file that only its owner can read: whole or not at all, and on the disk when this returns.
///
/// # Errors
/// When it cannot be written; the old one is then still there.
pub fn write_private(file: &Path, content: &[u8]) -> Result<()> {
    // A bare name is one in the current folder.
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_private_dir(dir)?;
    let staged = Staged::write(dir, 0o600, &mut &content[..]).context("write", file)?;
    disk::rename(staged.path(), file).and_then(|()| disk::sync_folder(dir)).context("write", file)
}

/// Writes a record down as JSON, as [`write_private`] does.
///
/// # Errors
/// [`Code::Internal`](crate::error_handling::Code) where it cannot be JSON; as [`write_private`].
pub(crate) fn write_record(file: &Path, record: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(record)
        .map_err(|cause| Error::new(Code::Internal, "a record could not be written down").why(cause))?;
    write_private(file, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_home_holds_everything() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let found = Locations::find(Some(&root)).unwrap();
        for place in
            [&found.claude_dir, &found.claude_json, &found.settings_file, &found.data_dir, &found.backups_dir]
        {
            assert!(place.starts_with(&root), "{}", place.display());
        }
    }

    #[test]
    fn a_home_that_is_not_there_is_named() {
        let error = Locations::find(Some(Path::new("/nowhere/at/all"))).unwrap_err();
        assert_eq!(error.code(), Code::HomeMissing);
        assert!(error.message().contains("/nowhere/at/all"));
    }
}
