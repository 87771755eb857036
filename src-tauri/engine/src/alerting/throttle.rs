//! Not the same twice within a while: by what fires, and by channel.

use super::{ChannelName, Fingerprint, Severity};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is remembered of what was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Throttle(BTreeMap<ChannelName, BTreeMap<Fingerprint, Last>>);

/// The last message of a fingerprint in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    at: DateTime<Utc>,
    severity: Severity,
    held_back: u32,
}

/// Whether something may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttled {
    /// It may.
    Say {
        /// How often it fired since the last time without being said.
        held_back: u32,
    },
    /// Not before this.
    HoldBack {
        /// Then.
        until: DateTime<Utc>,
    },
}

/// Whether something may be said in a channel now: once in `interval`, but what matters more than what was said
/// goes through at once.
#[must_use]
pub fn throttle_alert(
    throttle: &Throttle,
    channel: ChannelName,
    fingerprint: &Fingerprint,
    severity: Severity,
    interval: TimeDelta,
    now: DateTime<Utc>,
) -> Throttled {
    match throttle.0.get(&channel).and_then(|known| known.get(fingerprint)) {
        Some(last) if severity <= last.severity && now - last.at < interval => {
            Throttled::HoldBack { until: last.at + interval }
        }
        last => Throttled::Say { held_back: last.map_or(0, |last| last.held_back) },
    }
}

/// After so long it is forgotten, with its count.
const FORGOTTEN: TimeDelta = TimeDelta::days(2);

impl Throttle {
    /// It was said.
    pub(super) fn said(
        &mut self,
        channel: ChannelName,
        fingerprint: &Fingerprint,
        severity: Severity,
        now: DateTime<Utc>,
    ) {
        let last = Last { at: now, severity, held_back: 0 };
        self.0.entry(channel).or_default().insert(fingerprint.clone(), last);
    }

    /// It was not said.
    pub(super) fn held_back(&mut self, channel: ChannelName, fingerprint: &Fingerprint) {
        if let Some(last) = self.0.get_mut(&channel).and_then(|known| known.get_mut(fingerprint)) {
            last.held_back += 1;
        }
    }

    pub(super) fn forget_old(&mut self, now: DateTime<Utc>) {
        for known in self.0.values_mut() {
            known.retain(|_, last| now - last.at < FORGOTTEN);
        }
        self.0.retain(|_, known| !known.is_empty());
    }

    pub(super) fn not_after(&mut self, now: DateTime<Utc>) {
        for last in self.0.values_mut().flat_map(BTreeMap::values_mut) {
            last.at = last.at.min(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::RuleId;

    #[test]
    fn once_in_a_while_unless_it_matters_more_and_what_was_held_back_is_counted() {
        let now = Utc::now();
        let print = Fingerprint::of(&RuleId::of("r"), "");
        let mut throttle = Throttle::default();
        let interval = TimeDelta::minutes(15);
        let ask = |throttle: &Throttle, severity, minutes| {
            let at = now + TimeDelta::minutes(minutes);
            throttle_alert(throttle, ChannelName::Slack, &print, severity, interval, at)
        };
        assert_eq!(ask(&throttle, Severity::Low, 0), Throttled::Say { held_back: 0 });
        throttle.said(ChannelName::Slack, &print, Severity::Low, now);
        throttle.held_back(ChannelName::Slack, &print);
        throttle.held_back(ChannelName::Slack, &print);
        assert_eq!(ask(&throttle, Severity::Low, 14), Throttled::HoldBack { until: now + interval });
        assert_eq!(ask(&throttle, Severity::High, 1), Throttled::Say { held_back: 2 });
        assert_eq!(ask(&throttle, Severity::Low, 15), Throttled::Say { held_back: 2 });
        throttle.not_after(now - TimeDelta::hours(5));
        assert!(matches!(ask(&throttle, Severity::Low, -300), Throttled::HoldBack { .. }));
        assert_eq!(ask(&throttle, Severity::Low, -285), Throttled::Say { held_back: 2 });
    }
}
