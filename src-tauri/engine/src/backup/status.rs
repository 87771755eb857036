//! How the backups stand, in figures.

use super::{
    Backups,
    snapshot::{CopyName, SnapshotId},
    state::{Drill, Failure, Missed, Verified},
};
use crate::error_handling::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// How the backups stand.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct BackupStatus {
    /// The three copies.
    pub copies: Vec<CopyStatus>,
    /// Whether the user still has to save the recovery sheet.
    pub sheet_wanted: bool,
    /// Runs that did not happen when they should have, the newest last.
    pub missed: Vec<Missed>,
}

/// How one copy stands.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct CopyStatus {
    /// The copy.
    pub copy: CopyName,
    /// Where it is.
    pub place: Option<String>,
    /// Whether it has ever been written.
    pub set_up: bool,
    /// The newest snapshot in it.
    pub newest: Option<SnapshotId>,
    /// Everything of the host home as of this time is in it: what would be lost is younger.
    pub as_of: Option<DateTime<Utc>>,
    /// When it was last read back and found whole.
    pub verified: Option<Verified>,
    /// The last restore that proved it.
    pub drill: Option<Drill>,
    /// What does not work, since when.
    pub failure: Option<Failure>,
    /// Files in it.
    pub files: u64,
    /// Bytes in it.
    pub bytes: u64,
}

impl Backups {
    /// How the backups stand. Reads no copy.
    ///
    /// # Errors
    /// [`crate::error_handling::Code::BackupDamaged`] when what was remembered is damaged.
    pub fn status(&self) -> Result<BackupStatus> {
        let state = self.remembered().state;
        let local = state.copy(CopyName::Local);
        let copies = CopyName::ALL
            .into_iter()
            .map(|copy| {
                let known = state.copy(copy);
                let place = match copy {
                    CopyName::Local => Some(self.root.display().to_string()),
                    CopyName::External => self
                        .settings
                        .external_copy(&self.locations.home)
                        .map(|path| path.display().to_string()),
                    CopyName::Cloud => self.settings.cloud_copy(),
                };
                let newest = known.newest.as_ref().map(|(id, _)| id.clone());
                // A copy with the newest snapshot is as new as that one: nothing has changed since.
                let is_newest = newest.is_some() && newest == local.newest.as_ref().map(|(id, _)| id.clone());
                let as_of =
                    if is_newest { state.saved_as_of } else { known.newest.as_ref().map(|(_, at)| *at) };
                let (files, bytes) = match copy {
                    CopyName::Local => self.size(),
                    _ => (known.files, known.bytes),
                };
                CopyStatus {
                    copy,
                    place,
                    set_up: known.newest.is_some() || known.id.is_some(),
                    newest,
                    as_of,
                    verified: known.verified,
                    drill: known.drill,
                    failure: known.failure,
                    files,
                    bytes,
                }
            })
            .collect();
        Ok(BackupStatus { copies, sheet_wanted: self.wants_sheet(&state), missed: state.missed })
    }

    fn size(&self) -> (u64, u64) {
        let files = super::copies::repository_files(&self.root).unwrap_or_default();
        (files.len() as u64, files.values().sum())
    }
}
