//! Keeping the overview true: looked at again when something tells of a change, and told when it is another.

use super::{Overview, SeenSessions};
use crate::desk::Desk;
use drydock_engine::{error_handling::Result, paths::Locations};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// Several changes at once are one look.
const SETTLE: Duration = Duration::from_millis(300);
/// Without a sign it is looked so often: relative times grow, and a computer may have slept.
const TICK: Duration = Duration::from_secs(60);
/// So often an engine that did not answer is looked for.
const ENGINE_AGAIN: Duration = Duration::from_secs(20);

/// The overview as it was found last; nothing before the first look.
#[derive(Debug, Default)]
pub(crate) struct Latest(Mutex<Option<Arc<Overview>>>);

impl Latest {
    pub(crate) fn get(&self) -> Option<Arc<Overview>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps it; whether it is another than before.
    fn put(&self, overview: Arc<Overview>) -> bool {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            latest.as_ref().is_some_and(|before| match (before.fingerprint(), overview.fingerprint()) {
                (Ok(before), Ok(now)) => before == now,
                _ => false,
            });
        *latest = Some(overview);
        !same
    }
}

/// Looks, for ever. `tell` gets each overview that is another, and is called at each tick, since times are relative.
pub(crate) async fn watch(desk: Arc<Desk>, tell: impl Fn(&Overview, Changed) + Send + Sync + 'static) {
    let seen: Arc<Mutex<SeenSessions>> = Arc::default();

    tauri::async_runtime::spawn(follow_sessions(desk.clone(), seen.clone()));
    let mut watcher = None;
    loop {
        if watcher.is_none() {
            watcher = watch_files(&desk);
        }
        let (looked, sessions) = (desk.clone(), seen.clone());
        let look = tokio::task::spawn_blocking(move || {
            let sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner).clone();
            looked.drydock().map(|drydock| Overview::look(&drydock, &sessions))
        });
        match look.await {
            Ok(Ok(overview)) => {
                let overview = Arc::new(overview);
                let changed =
                    if desk.latest.put(overview.clone()) { Changed::Yes } else { Changed::OnlyTime };
                tell(&overview, changed);
            }
            Ok(Err(error)) => tracing::warn!(%error, "how things stand cannot be told"),
            Err(cause) => tracing::warn!(%cause, "a look stopped"),
        }

        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = desk.wake.notified() => tokio::time::sleep(SETTLE).await,
        }
    }
}

/// Whether an overview is another than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It is.
    Yes,
    /// Only time has gone on.
    OnlyTime,
}

/// Hears of sessions from the engine, and brings out the data of those that ended.
async fn follow_sessions(desk: Arc<Desk>, seen: Arc<Mutex<SeenSessions>>) {
    loop {
        let error = hear(&desk, &seen).await.err();
        if error.is_some() {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) =
                SeenSessions { sessions: Vec::new(), error };
            desk.wake.notify_one();
        }
        tokio::select! {
            () = tokio::time::sleep(ENGINE_AGAIN) => {}
            () = desk.ask_engine.notified() => {}
        }
    }
}

/// Until the engine does not answer any more.
async fn hear(desk: &Arc<Desk>, seen: &Arc<Mutex<SeenSessions>>) -> Result<()> {
    let drydock = desk.drydock()?;
    let sessions = drydock.sessions().await?;
    let changed = Arc::new(Notify::new());
    let listening = {
        let (sessions, changed) = (sessions.clone(), changed.clone());
        async move { sessions.hear(move || changed.notify_one()).await }
    };
    let listing = async {
        loop {
            for finished in sessions.finish_ended().await? {
                if let Err(error) = finished {
                    tracing::warn!(%error, "a session's data could not come out");
                }
            }
            let listed = sessions.list().await?;
            *seen.lock().unwrap_or_else(PoisonError::into_inner) =
                SeenSessions { sessions: listed, error: None };
            desk.wake.notify_one();
            tokio::select! {
                () = changed.notified() => {}
                () = desk.ask_engine.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    };
    tokio::select! {
        ended = listening => ended,
        failed = listing => failed,
    }
}

/// Drydock's own records change also by the command line. A hint only: the tick looks as well.
fn watch_files(desk: &Arc<Desk>) -> Option<RecommendedWatcher> {
    let Locations { data_dir, settings_file, claude_dir, claude_json, .. } = desk.drydock().ok()?.locations;
    let woken = desk.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            woken.wake.notify_one();
        }
    })
    .inspect_err(|cause| tracing::info!(%cause, "changes cannot be watched; the clock alone tells"))
    .ok()?;
    watcher.watch(&data_dir, RecursiveMode::Recursive).ok()?;
    for place in [settings_file.parent(), Some(&*claude_dir), claude_json.parent()].into_iter().flatten() {
        // One that is not there yet is looked at by the clock.
        let _ = watcher.watch(place, RecursiveMode::NonRecursive);
    }
    Some(watcher)
}
