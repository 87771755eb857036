//! What Drydock writes down of a session, so that any later process can finish it.

use super::{SessionId, project::Project};
use crate::{
    deployment::Decision,
    error_handling::{Code, Error, IoContext, Result},
    image::SessionUser,
    paths::{Locations, create_private_dir, write_private},
    settings::LoginMode,
    sync::PathMap,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// One session on record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) id: SessionId,
    pub(super) project: Project,
    pub(super) image: String,
    pub(super) claude_version: String,
    pub(super) user: RecordedUser,
    pub(super) created: DateTime<Utc>,
    pub(super) terminal: bool,
    /// Where the session has the host's folders; the identity if nothing is said.
    #[serde(default)]
    pub(super) map: PathMap,
    pub(super) login: RecordedLogin,
    /// Names of the variables that the user passed. Their values are written down nowhere.
    #[serde(default)]
    pub(super) variables: Vec<String>,
    /// Set when the user asked for its end: then an exit by signal is no interruption.
    #[serde(default)]
    pub(super) stop_asked: bool,
    /// How its image was chosen.
    #[serde(default)]
    pub(super) chosen: Option<Decision>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RecordedUser {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: String,
}

impl From<SessionUser> for RecordedUser {
    fn from(user: SessionUser) -> Self {
        Self { name: user.name, uid: user.uid, gid: user.gid, home: user.home }
    }
}

impl From<&RecordedUser> for SessionUser {
    fn from(user: &RecordedUser) -> Self {
        Self { name: user.name.clone(), uid: user.uid, gid: user.gid, home: user.home.clone() }
    }
}

/// How the session logs in, as far as it matters afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RecordedLogin {
    Own,
    SetupToken,
    Lease,
    Copy,
    /// A key among its variables.
    Given,
}

impl RecordedLogin {
    pub(super) fn mode(self) -> LoginMode {
        match self {
            Self::Own => LoginMode::Own,
            Self::SetupToken => LoginMode::SetupToken,
            Self::Lease => LoginMode::Lease,
            Self::Copy => LoginMode::Copy,
            Self::Given => LoginMode::ApiKey,
        }
    }
}

impl From<LoginMode> for RecordedLogin {
    fn from(mode: LoginMode) -> Self {
        match mode {
            LoginMode::Own => Self::Own,
            LoginMode::SetupToken => Self::SetupToken,
            LoginMode::Lease => Self::Lease,
            LoginMode::Copy => Self::Copy,
            LoginMode::Ask | LoginMode::ApiKey => Self::Given,
        }
    }
}

impl Record {
    pub(super) fn save(&self, locations: &Locations) -> Result<()> {
        write(&locations.session_dir(self.id.as_str()), "record.json", self)
    }

    pub(super) fn load(locations: &Locations, id: &SessionId) -> Result<Option<Self>> {
        read(&locations.session_dir(id.as_str()).join("record.json"))
    }

    /// Every session on record. A record that cannot be read is an error of its own, not a reason to
    /// lose sight of the others.
    pub(super) fn all(locations: &Locations) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(locations.data_dir.join("sessions")) else { return Vec::new() };
        let mut records: Vec<_> = entries
            .flatten()
            .filter_map(|entry| SessionId::known(entry.file_name().to_str()?))
            .filter_map(|id| match Self::load(locations, &id) {
                Ok(record) => record,
                Err(error) => {
                    tracing::warn!(session = %id, %error, "a session's record cannot be read");
                    None
                }
            })
            .collect();
        records.sort_by_key(|record| record.created);
        records
    }

    /// Removes the record, after everything it stands for is gone.
    pub(super) fn forget(locations: &Locations, id: &SessionId) -> Result<()> {
        let dir = locations.session_dir(id.as_str());
        match fs::remove_dir_all(&dir) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &dir, &cause));
            }
            _ => {}
        }
        // Names are never used again, so nobody can take the wrong lock for this one.
        let owner = locations.data_dir.join("owners").join(id.as_str());
        match fs::remove_file(&owner) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &owner, &cause)),
            _ => Ok(()),
        }
    }
}

pub(super) fn write(dir: &Path, name: &str, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|cause| Error::new(Code::Internal, "a record cannot be written").why(cause))?;
    write_private(&dir.join(name), &text)
}

pub(super) fn read<T: for<'a> Deserialize<'a>>(file: &Path) -> Result<Option<T>> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|cause| {
            Error::new(Code::Internal, format!("Drydock's record {} is damaged", file.display())).why(cause)
        }),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::io("read", file, &cause)),
    }
}

/// Held by the process that looks after a session; the kernel lets go of it when that dies.
#[derive(Debug)]
pub(super) struct Ownership {
    _file: File,
}

impl Ownership {
    /// Takes it, or `None` when another living process has it.
    pub(super) fn take(locations: &Locations, id: &SessionId) -> Result<Option<Self>> {
        // Beside the records, not in them: a lock must outlive what it guards.
        let dir = locations.data_dir.join("owners");
        create_private_dir(&dir)?;
        let path: PathBuf = dir.join(id.as_str());
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).context("open", &path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(Error::io("lock", &path, &cause)),
        }
    }

    /// Whether a living process has it.
    pub(super) fn is_taken(locations: &Locations, id: &SessionId) -> bool {
        matches!(Self::take(locations, id), Ok(None))
    }
}
