//! How a session and the host stand to each other.

use super::{SessionId, Sessions, SyncPlan, blocking::blocking};
use crate::{
    error_handling::Result,
    sync::{Base, Integrity, Layout, unknown_files},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// One session's sync.
#[derive(Debug, Serialize)]
pub struct SyncStatus {
    /// The session.
    pub id: SessionId,
    /// When something was last agreed on.
    pub synced: Option<DateTime<Utc>>,
    /// How many files both sides agree on.
    pub agreed: usize,
    /// How many of its changes wait for the user.
    pub held: usize,
    /// What a sync out would do.
    pub plan: SyncPlan,
    /// Files of the host home that Drydock does not know, by name: they do not go into sessions.
    pub unknown_here: Vec<String>,
    /// How the sides compare by content, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<Integrity>,
}

impl Sessions {
    /// How a session and the host stand to each other. Changes nothing.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub async fn sync_status(&self, id: &SessionId) -> Result<SyncStatus> {
        let plan = self.plan_sync_out(id).await?;
        let (sessions, id) = (self.clone(), id.clone());
        blocking(move || {
            let base = Base::open(&sessions.locations.session_dir(id.as_str()))?;
            let held = sessions.held().waiting(Utc::now())?;
            Ok(SyncStatus {
                synced: base.written(),
                agreed: base.files()?.values().filter(|agreed| agreed.settled.is_none()).count(),
                held: held.iter().filter(|held| held.session == id.as_str()).count(),
                plan,
                unknown_here: unknown_files(&Layout::of(&sessions.locations)?),
                integrity: None,
                id,
            })
        })
        .await
    }
}
