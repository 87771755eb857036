//! What is told of a look: only what was not so before.

use super::{
    report::{Outcome, Report},
    state::State,
};
use crate::observability::{Event, EventName, Level, log_event};

/// Whether there was something to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    Some,
    None,
}

/// Tells the events of a look.
pub(super) fn told(report: &Report, before: &State) -> News {
    let mut news = News::None;
    let mut tell = |event: &Event| {
        news = News::Some;
        log_event(event);
    };
    let commit = |event: Event, commit: &super::Commit| event.with("commit", commit.short());
    match &report.outcome {
        Outcome::RolledBack { commit: which, error } => {
            tell(&commit(Event::new(EventName::ConfigRolledBack), which).code(error.code()));
        }
        Outcome::Failed { commit: which, error } if before.failed.iter().all(|one| one.commit != *which) => {
            tell(&commit(Event::new(EventName::ConfigFailed), which).code(error.code()));
        }
        Outcome::Held { commit: which, .. }
            if before.held_commit.as_ref().is_none_or(|held| held.commit != *which) =>
        {
            tell(&commit(Event::new(EventName::ConfigHeld), which).level(Level::Warn));
        }
        _ => {}
    }
    if !report.changed.is_empty() {
        let mut event = Event::new(EventName::ConfigApplied).with("changed", report.changed.len());
        if let Some(which) = &report.commit {
            event = commit(event, which);
        }
        tell(&event);
    }
    let new = report.drift.iter().filter(|line| !before.drift.contains_key(&line.place)).count();
    if new > 0 {
        tell(
            &Event::new(EventName::ConfigDrift)
                .level(Level::Warn)
                .with("new", new)
                .with("differ", report.drift.len()),
        );
    }
    let waiting = report
        .held
        .iter()
        .filter(|(place, held)| before.held.get(*place).is_none_or(|known| known.id != held.id));
    let waiting = waiting.count();
    if waiting > 0 {
        tell(&Event::new(EventName::ConfigHeld).level(Level::Warn).with("count", waiting));
    }
    if let Some(adopted) = &report.adopted {
        tell(&Event::new(EventName::ConfigAdopted).with("count", adopted.places.len()));
    }
    news
}
