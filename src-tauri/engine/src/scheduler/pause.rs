//! A rest from the scheduled work, always with an end: what is put off for ever is forgotten.
//!
//! Backups, their mirrors and proof, and sending rest. Recovery of what is damaged, alerts, and the snapshot before a
//! sync do not: they keep what would be lost.

use crate::{
    error_handling::{Code, Error, IoContext, Result},
    observability::{Event, EventName, log_event},
    paths::{Locations, write_record},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::PathBuf};

/// No longer than this.
pub const LONGEST_PAUSE: TimeDelta = TimeDelta::days(7);

/// A rest on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Pause {
    /// When it was begun.
    pub since: DateTime<Utc>,
    /// When the work goes on by itself.
    pub until: DateTime<Utc>,
}

/// Lets the scheduled work of a home rest, whichever process does it.
///
/// # Errors
/// [`Code::Usage`] for no time at all, or more than [`LONGEST_PAUSE`].
pub fn pause(locations: &Locations, length: TimeDelta, now: DateTime<Utc>) -> Result<Pause> {
    if length <= TimeDelta::zero() || length > LONGEST_PAUSE {
        let days = LONGEST_PAUSE.num_days();
        return Err(Error::new(Code::Usage, format!("backups can rest for up to {days} days"))
            .remedy("drydock pause --for 2h"));
    }
    let pause = Pause { since: now, until: now + length };
    write_record(&file(locations), &pause)?;
    log_event(&Event::new(EventName::SchedulePaused).with("seconds", length.as_seconds_f64()));
    Ok(pause)
}

/// Ends a rest before its time; `false` when there was none.
///
/// # Errors
/// When that cannot be written down.
pub fn unpause(locations: &Locations, now: DateTime<Utc>) -> Result<bool> {
    let was_paused = paused(locations, now).is_some();
    match fs::remove_file(file(locations)) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            return Err(cause).context("remove", &file(locations));
        }
        _ => {}
    }
    if was_paused {
        log_event(&Event::new(EventName::ScheduleResumed));
    }
    Ok(was_paused)
}

/// The rest that goes on now. One that nobody can read is none: work is done rather than not.
#[must_use]
pub fn paused(locations: &Locations, now: DateTime<Utc>) -> Option<Pause> {
    let pause: Pause = serde_json::from_slice(&fs::read(file(locations)).ok()?).ok()?;
    // A clock that was set back must not make it longer.
    let goes_on = pause.since <= now && now < pause.until && pause.until - pause.since <= LONGEST_PAUSE;
    goes_on.then_some(pause)
}

fn file(locations: &Locations) -> PathBuf {
    locations.data_dir.join("pause.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_ends_by_itself_and_before_its_time() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let now = Utc::now();
        assert_eq!(paused(&locations, now), None);
        let rest = pause(&locations, TimeDelta::hours(2), now).unwrap();
        assert_eq!(paused(&locations, now), Some(rest));
        assert_eq!(paused(&locations, now + TimeDelta::hours(2)), None);
        assert_eq!(paused(&locations, now - TimeDelta::hours(1)), None, "the clock was set back");
        assert!(unpause(&locations, now).unwrap());
        assert_eq!(paused(&locations, now), None);
        assert!(!unpause(&locations, now).unwrap());
    }

    #[test]
    fn no_rest_is_without_an_end() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        for length in [TimeDelta::zero(), TimeDelta::hours(-1), TimeDelta::days(8), TimeDelta::MAX] {
            assert_eq!(pause(&locations, length, Utc::now()).unwrap_err().code(), Code::Usage, "{length}");
        }
        let endless = r#"{"since": "2026-01-01T00:00:00Z", "until": "2126-01-01T00:00:00Z"}"#;
        fs::create_dir_all(&locations.data_dir).unwrap();
        for text in [endless, "not a rest"] {
            fs::write(file(&locations), text).unwrap();
            assert_eq!(paused(&locations, Utc::now()), None);
        }
    }
}
