//! Long work on its way: any window can show it, also one that was opened since.

use drydock_engine::progress::{Progress, ProgressSink};
use serde::Serialize;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tauri::{AppHandle, Emitter as _};
use ts_rs::TS;

/// The event that windows hear.
pub(crate) const EVENT: &str = "doing";
/// Figures change faster than people read.
const BETWEEN: Duration = Duration::from_millis(80);

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Deed {
    /// A backup.
    Backup,
    /// A look at what is damaged.
    Plan,
    /// A recovery.
    Recovery,
    /// A search through old conversations.
    Search,
    /// Files of a snapshot come back.
    BringBack,
    /// A copy is proven.
    Drill,
    /// The session image is built.
    Image,
}

/// A deed and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub(crate) struct Doing {
    /// What is done.
    pub(crate) deed: Deed,
    /// How far it is; nothing before the first word of it.
    pub(crate) progress: Option<Progress>,
}

/// All deeds on their way.
#[derive(Debug, Default)]
pub(crate) struct Doings(Mutex<Vec<Doing>>);

impl Doings {
    pub(crate) fn all(&self) -> Vec<Doing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Doing>)) -> Vec<Doing> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut all);
        all.clone()
    }
}

/// A deed that was begun; it ends with this value.
pub(crate) struct Begun {
    app: AppHandle,
    desk: Arc<crate::desk::Desk>,
    deed: Deed,
}

impl Begun {
    pub(crate) fn of(app: &AppHandle, desk: &Arc<crate::desk::Desk>, deed: Deed) -> Self {
        let begun = Self { app: app.clone(), desk: desk.clone(), deed };
        begun.tell(&desk.doings.change(|all| all.push(Doing { deed, progress: None })));
        begun
    }

    /// Where its progress goes.
    pub(crate) fn sink(&self) -> ProgressSink {
        let (app, desk, deed) = (self.app.clone(), self.desk.clone(), self.deed);
        let last: Mutex<Option<Instant>> = Mutex::new(None);
        ProgressSink::new(move |progress| {
            {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                let is_step = matches!(progress, Progress::Step(_));
                if !is_step && last.is_some_and(|last| last.elapsed() < BETWEEN) {
                    return;
                }
                *last = Some(Instant::now());
            }
            let all = desk.doings.change(|all| {
                if let Some(doing) = all.iter_mut().find(|doing| doing.deed == deed) {
                    doing.progress = Some(progress);
                }
            });
            emit(&app, &all);
        })
    }

    fn tell(&self, all: &[Doing]) {
        emit(&self.app, all);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let all = self.desk.doings.change(|all| {
            if let Some(at) = all.iter().position(|doing| doing.deed == self.deed) {
                all.remove(at);
            }
        });
        emit(&self.app, &all);
        self.desk.wake.notify_one();
    }
}

fn emit(app: &AppHandle, all: &[Doing]) {
    if let Err(error) = app.emit(EVENT, all) {
        tracing::warn!(%error, "windows cannot be told of progress");
    }
}
