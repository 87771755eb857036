//! What the commands, the windows and the tray share.

use crate::{doing::Doings, overview::Latest};
use drydock_engine::{
    Drydock,
    disaster_recovery::{Looked, Plan},
    error_handling::{Code, Error, Result},
};
use std::{path::PathBuf, sync::Mutex};
use tokio::sync::Notify;

/// The one desk of this process.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// The home that the environment names, if it names one.
    pub(crate) home: Option<PathBuf>,
    /// How things stood at the last look.
    pub(crate) latest: Latest,
    /// Long work on its way.
    pub(crate) doings: Doings,
    /// Asks for another look.
    pub(crate) wake: Notify,
    /// Asks for another look at the container engine.
    pub(crate) ask_engine: Notify,
    /// What failed and was not shown yet.
    pub(crate) failure: Mutex<Option<Error>>,
    /// The plan that the user is shown: what is recovered is this, and nothing that a page sends.
    pub(crate) plan: Mutex<Option<(Plan, Looked)>>,
}

impl Desk {
    pub(crate) fn new(home: Option<PathBuf>) -> Self {
        Self { home, ..Self::default() }
    }

    /// Drydock with the settings as they are now.
    pub(crate) fn drydock(&self) -> Result<Drydock> {
        Drydock::open(self.home.as_deref())
    }
}

/// Work that blocks, off the threads that wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
}
