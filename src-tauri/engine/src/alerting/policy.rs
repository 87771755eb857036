//! Whom a message reaches, and when it may: what the user has set.

use super::{Awake, ChannelName, Ladder, Severity};
use chrono::{NaiveTime, TimeDelta};
use std::collections::BTreeMap;

/// What the user has set.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Not the same twice within this.
    pub throttle: TimeDelta,
    /// Time awake between two steps of a High one.
    pub escalation: Awake,
    /// The channels of each severity, in their order.
    pub routes: BTreeMap<Severity, Vec<ChannelName>>,
    /// The channels that are set up.
    pub available: Vec<ChannelName>,
    /// When only High ones are said.
    pub quiet: Option<QuietHours>,
    /// When the rest of what fires is said once a day.
    pub digest: Option<NaiveTime>,
}

/// Hours of the day, from one time to another; over midnight if that is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    from: NaiveTime,
    to: NaiveTime,
}

impl QuietHours {
    /// From `22:00-07:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (time_of_day(from)?, time_of_day(to)?);
        (from != to).then_some(Self { from, to })
    }

    /// Whether a time is in them.
    #[must_use]
    pub fn has(&self, time: NaiveTime) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&time)
        } else {
            time >= self.from || time < self.to
        }
    }
}

/// From `09:00`.
#[must_use]
pub fn time_of_day(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text.trim(), "%H:%M").ok()
}

impl Policy {
    /// The channels of a severity that are set up, in their order.
    #[must_use]
    pub fn route(&self, severity: Severity) -> Vec<ChannelName> {
        let wanted = self.routes.get(&severity).into_iter().flatten();
        wanted.copied().filter(|channel| self.available.contains(channel)).collect()
    }

    /// How a severity escalates.
    #[must_use]
    pub fn ladder(&self, severity: Severity) -> Ladder {
        Ladder::of(severity, self.route(severity), self.escalation)
    }

    /// Whether a severity may be said at a time of the day.
    #[must_use]
    pub fn may_say(&self, severity: Severity, time: NaiveTime) -> bool {
        severity == Severity::High || self.quiet.is_none_or(|quiet| !quiet.has(time))
    }

    /// A channel, and who stands in for it.
    #[must_use]
    pub fn with_others(&self, channel: ChannelName, severity: Severity) -> Vec<ChannelName> {
        let mut order = vec![channel];
        for other in self.route(severity).into_iter().chain(self.available.iter().copied()) {
            if !order.contains(&other) {
                order.push(other);
            }
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_go_over_midnight() {
        let time = |text| time_of_day(text).unwrap();
        let night = QuietHours::parse("22:00-07:00").unwrap();
        for (at, is_quiet) in [("21:59", false), ("22:00", true), ("03:00", true), ("07:00", false)] {
            assert_eq!(night.has(time(at)), is_quiet, "{at}");
        }
        let noon = QuietHours::parse("12:00-13:30").unwrap();
        assert!(noon.has(time("13:29")) && !noon.has(time("13:30")) && !noon.has(time("03:00")));
        for wrong in ["", "22-7", "22:00", "25:00-07:00", "07:00-07:00"] {
            assert_eq!(QuietHours::parse(wrong), None, "{wrong}");
        }
    }
}
