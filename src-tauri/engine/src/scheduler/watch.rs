//! Watching the host home for changes. What the system tells is a hint; the snapshot's own look is the truth.

use super::plan::Changed;
use crate::{backup::is_backed_up, paths::Locations};
use chrono::Utc;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// A watch over the host home, while it lives.
#[derive(Debug)]
pub(super) struct Watch {
    locations: Locations,
    changed: Arc<Mutex<Option<Changed>>>,
    watcher: Mutex<Option<RecommendedWatcher>>,
    /// A document that Claude Code cannot do without may have changed.
    documents: Arc<Notify>,
}

impl Watch {
    /// Begins to watch.
    pub(super) fn begin(locations: &Locations) -> Self {
        let watch = Self {
            locations: locations.clone(),
            changed: Arc::default(),
            watcher: Mutex::new(None),
            documents: Arc::default(),
        };
        watch.try_again();
        watch
    }

    /// Begins to watch where that was not possible before: the folder was not there yet. Without a watch only
    /// the clock is left.
    pub(super) fn try_again(&self) {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if watcher.is_none() {
            *watcher = self
                .start()
                .inspect_err(
                    |cause| tracing::info!(%cause, "changes cannot be watched; the clock alone tells"),
                )
                .ok();
        }
    }

    fn start(&self) -> notify::Result<RecommendedWatcher> {
        let (seen, places) = (self.changed.clone(), self.locations.clone());
        let documents = self.documents.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if is_about_documents(&places, &event) {
                documents.notify_one();
            }
            if concerns(&places, &event) {
                let now = Utc::now();
                let mut changed = seen.lock().unwrap_or_else(PoisonError::into_inner);
                let first = changed.map_or(now, |changed: Changed| changed.first);
                *changed = Some(Changed { first, last: now });
            }
        })?;
        let Locations { claude_dir, claude_json, .. } = &self.locations;
        watcher.watch(claude_dir, RecursiveMode::Recursive)?;
        if let Some(folder) = claude_json.parent().filter(|folder| *folder != claude_dir) {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    }

    pub(super) fn changed(&self) -> Option<Changed> {
        *self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when a document may have changed.
    pub(super) async fn documents_changed(&self) {
        self.documents.notified().await;
    }

    /// Whether the system watches.
    pub(super) fn is_watching(&self) -> bool {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes the changes as known: a snapshot begins that will have them.
    pub(super) fn take(&self) -> Option<Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Gives them back: the snapshot did not come about.
    pub(super) fn give_back(&self, taken: Option<Changed>) {
        let Some(taken) = taken else { return };
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let last = changed.map_or(taken.last, |changed| changed.last);
        *changed = Some(Changed { first: taken.first, last });
    }
}

fn concerns(locations: &Locations, event: &notify::Result<Event>) -> bool {
    let Ok(event) = event else { return true };
    if event.need_rescan() {
        return true;
    }
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    event.paths.iter().any(|path| is_backed_up(locations, path))
}

/// Whether an event may be about a document, or about the folder that they are in.
fn is_about_documents(locations: &Locations, event: &notify::Result<Event>) -> bool {
    let Ok(event) = event else { return true };
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    let Locations { claude_dir, claude_json, .. } = locations;
    let settings = claude_dir.join("settings.json");
    event.need_rescan() || event.paths.iter().any(|path| [claude_json, claude_dir, &settings].contains(&path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, CreateKind, Flag};

    #[test]
    fn only_what_a_snapshot_would_have_is_a_change() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let event = |kind, path: &str| Ok(Event::new(kind).add_path(locations.home.join(path)));
        let made = EventKind::Create(CreateKind::File);
        assert!(concerns(&locations, &event(made, ".claude/projects/p/1.jsonl")));
        assert!(concerns(&locations, &event(made, ".claude.json")));
        for other in
            [".claude/.credentials.json", ".claude/sessions/1.json", ".claude.json.lock", "notes.txt"]
        {
            assert!(!concerns(&locations, &event(made, other)), "{other}");
        }
        assert!(!concerns(&locations, &event(EventKind::Access(AccessKind::Read), ".claude.json")));
        assert!(concerns(&locations, &Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan))));
    }
}
