//! Long work on its way: any window can show it, also one that was opened since.

use drydock_engine::progress::{Progress, ProgressSink, Stop};
use serde::{Deserialize, Serialize};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
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
    /// A candidate is built and tested.
    Candidate,
    /// Configuration comes from git, or goes there.
    Configuration,
}

impl Deed {
    /// Whether it can be stopped in the middle. A recovery cannot, and neither can configuration:
    /// each is one transaction, and takes seconds. A candidate is taken back instead.
    fn can_stop(self) -> bool {
        match self {
            Self::Backup | Self::Search | Self::BringBack | Self::Drill | Self::Image => true,
            Self::Plan | Self::Recovery | Self::Candidate | Self::Configuration => false,
        }
    }
}

/// A deed and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub(crate) struct Doing {
    /// What is done.
    pub(crate) deed: Deed,
    /// How far it is; nothing before the first word of it.
    pub(crate) progress: Option<Progress>,
    /// Whether it can be stopped.
    pub(crate) can_stop: bool,
}

/// A deed, and the way to stop it.
#[derive(Debug)]
struct Going {
    doing: Doing,
    stop: Stop,
}

/// All deeds on their way.
#[derive(Debug, Default)]
pub(crate) struct Doings(Mutex<Vec<Going>>);

impl Doings {
    pub(crate) fn all(&self) -> Vec<Doing> {
        told(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops a deed that can be stopped.
    pub(crate) fn stop(&self, deed: Deed) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = all.iter().filter(|one| one.doing.deed == deed && one.doing.can_stop);
        let stops: Vec<_> = wanted.map(|one| one.stop.clone()).collect();
        drop(all);
        stops.iter().for_each(Stop::ask);
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Going>)) -> Vec<Doing> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut all);
        told(&all)
    }
}

fn told(all: &[Going]) -> Vec<Doing> {
    all.iter().map(|one| one.doing.clone()).collect()
}

/// A deed that was begun; it ends with this value.
pub(crate) struct Begun {
    app: AppHandle,
    desk: Arc<crate::desk::Desk>,
    deed: Deed,
    sink: ProgressSink,
}

impl Begun {
    pub(crate) fn of(app: &AppHandle, desk: &Arc<crate::desk::Desk>, deed: Deed) -> Self {
        let sink = sink(app, desk, deed);
        let begun = Self { app: app.clone(), desk: desk.clone(), deed, sink: sink.clone() };
        let doing = Doing { deed, progress: None, can_stop: deed.can_stop() };
        begun.tell(&desk.doings.change(|all| all.push(Going { doing, stop: sink.stop() })));
        begun
    }

    /// Where its progress goes.
    pub(crate) fn sink(&self) -> ProgressSink {
        self.sink.clone()
    }

    fn tell(&self, all: &[Doing]) {
        emit(&self.app, all);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let all = self.desk.doings.change(|all| {
            if let Some(at) = all.iter().position(|one| one.doing.deed == self.deed) {
                all.remove(at);
            }
        });
        emit(&self.app, &all);
        self.desk.wake.notify_one();
    }
}

fn sink(app: &AppHandle, desk: &Arc<crate::desk::Desk>, deed: Deed) -> ProgressSink {
    let (app, desk) = (app.clone(), desk.clone());
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
            if let Some(one) = all.iter_mut().find(|one| one.doing.deed == deed) {
                one.doing.progress = Some(progress);
            }
        });
        emit(&app, &all);
    })
}

fn emit(app: &AppHandle, all: &[Doing]) {
    if let Err(error) = app.emit(EVENT, all) {
        tracing::warn!(%error, "windows cannot be told of progress");
    }
}
