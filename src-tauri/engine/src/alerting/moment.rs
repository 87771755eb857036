//! Clocks that know sleep: the wall clock jumps over a night, and only the time awake counts for a person who is
//! to react, and for a condition that is to last.

use chrono::{DateTime, Local, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::{ops::AddAssign, time::Instant};

/// A longer gap between two looks that the monotonic clock does not know of is sleep.
const SLEEP: TimeDelta = TimeDelta::seconds(90);

/// Time that this computer was awake and Drydock looked, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Awake(i64);

impl Awake {
    /// So many minutes.
    #[must_use]
    pub const fn minutes(minutes: i64) -> Self {
        Self(minutes * 60)
    }

    /// So long.
    #[must_use]
    pub fn of(time: TimeDelta) -> Self {
        Self(time.num_seconds().max(0))
    }

    /// As a stretch of time.
    #[must_use]
    pub fn time(self) -> TimeDelta {
        TimeDelta::seconds(self.0)
    }

    /// So many times as long.
    #[must_use]
    pub fn times(self, times: i64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl AddAssign for Awake {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

/// Whether the computer slept, or Drydock was not there, before a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It was looked a moment ago.
    Awake,
    /// It was not.
    Gap,
}

/// When a look happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub now: DateTime<Utc>,
    /// The same on the user's wall.
    pub local: NaiveDateTime,
    /// Time awake since the last look.
    pub awake: Awake,
    /// What was before it.
    pub before: Before,
}

/// Tells moments, from the two clocks of a computer.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<(DateTime<Utc>, Instant)>,
}

impl Pace {
    /// The moment of a look now. `last_look` is what is on record of looks before this process.
    #[must_use]
    pub fn moment(&mut self, last_look: Option<DateTime<Utc>>) -> Moment {
        self.at(Utc::now(), Instant::now(), last_look)
    }

    fn at(&mut self, now: DateTime<Utc>, steady: Instant, last_look: Option<DateTime<Utc>>) -> Moment {
        let (awake, before) = match self.last.replace((now, steady)) {
            Some((wall, earlier)) => {
                let awake = TimeDelta::from_std(steady.saturating_duration_since(earlier))
                    .unwrap_or(TimeDelta::zero());
                let slept = (now - wall) - awake > SLEEP;
                (awake, if slept { Before::Gap } else { Before::Awake })
            }
            None => match last_look.map(|last| now - last) {
                Some(gap) if gap >= TimeDelta::zero() && gap <= SLEEP => (gap, Before::Awake),
                _ => (TimeDelta::zero(), Before::Gap),
            },
        };
        let local = now.with_timezone(&Local).naive_local();
        Moment { now, local, awake: Awake::of(awake), before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_night_asleep_is_a_gap_and_no_time_awake() {
        let (wall, steady) = (Utc::now(), Instant::now());
        let mut pace = Pace::default();
        assert_eq!(pace.at(wall, steady, None).before, Before::Gap);
        let seconds = |n| (wall + TimeDelta::seconds(n), steady + Duration::from_secs(n.unsigned_abs()));
        let (now, later) = seconds(30);
        let moment = pace.at(now, later, None);
        assert_eq!((moment.awake, moment.before), (Awake(30), Before::Awake));
        let morning = pace.at(now + TimeDelta::hours(9), later + Duration::from_secs(5), None);
        assert_eq!((morning.awake, morning.before), (Awake(5), Before::Gap));
    }

    #[test]
    fn a_clock_that_is_set_back_takes_no_time_away() {
        let (wall, steady) = (Utc::now(), Instant::now());
        let mut pace = Pace::default();
        let _ = pace.at(wall, steady, None);
        let moment = pace.at(wall - TimeDelta::hours(3), steady + Duration::from_secs(30), None);
        assert_eq!((moment.awake, moment.before), (Awake(30), Before::Awake));
    }

    #[test]
    fn a_process_that_is_started_at_once_goes_on_where_the_last_one_ended() {
        let (wall, steady) = (Utc::now(), Instant::now());
        let begun = |ago| Pace::default().at(wall, steady, Some(wall - TimeDelta::seconds(ago)));
        assert_eq!((begun(20).awake, begun(20).before), (Awake(20), Before::Awake));
        assert_eq!((begun(9000).awake, begun(9000).before), (Awake(0), Before::Gap));
        assert_eq!(begun(-60).before, Before::Gap);
    }
}
