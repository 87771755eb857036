//! How a channel does: whether it takes messages, and when it is tried again.

use super::Delivery;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How a channel does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Health {
    /// It takes messages.
    #[default]
    Works,
    /// It did not take the last ones, and is tried again.
    Pausing {
        /// Since when.
        since: DateTime<Utc>,
        /// When it is tried again.
        until: DateTime<Utc>,
        /// How often in a row it failed.
        times: u32,
        /// Why.
        why: String,
    },
    /// It takes none: others do its work.
    Down {
        /// Since when.
        since: DateTime<Utc>,
        /// When it is tried again.
        until: DateTime<Utc>,
        /// Why.
        why: String,
    },
}

/// So often in a row a channel may say "later".
const TRIES: u32 = 8;
/// One that is down is tried again after this.
const DOWN: TimeDelta = TimeDelta::hours(1);

impl Health {
    /// A message was given to it.
    pub(super) fn gave(&mut self, delivery: &Delivery, now: DateTime<Utc>) {
        let (since, times) = match self {
            Self::Works => (now, 0),
            Self::Pausing { since, times, .. } => (*since, *times),
            Self::Down { since, .. } => (*since, TRIES),
        };
        *self = match delivery {
            Delivery::Sent => Self::Works,
            Delivery::Refused { why } => Self::Down { since, until: now + DOWN, why: why.clone() },
            Delivery::Later { why, .. } if times + 1 >= TRIES || now - since >= DOWN => {
                Self::Down { since, until: now + DOWN, why: why.clone() }
            }
            Delivery::Later { after, why } => {
                let doubled = TimeDelta::seconds(1 << times.min(9)).min(TimeDelta::minutes(5));
                let asked = after.and_then(|after| TimeDelta::from_std(after).ok());
                let pause = asked.map_or(doubled, |asked| asked.min(DOWN));
                Self::Pausing { since, until: now + pause, times: times + 1, why: why.clone() }
            }
        };
    }

    /// Whether a message may be given to it now.
    #[must_use]
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        match self {
            Self::Works => true,
            Self::Pausing { until, .. } | Self::Down { until, .. } => *until <= now,
        }
    }

    /// Whether others do its work.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Down { .. })
    }

    /// No pause is longer than it was when it was begun.
    pub(super) fn not_after(&mut self, now: DateTime<Utc>) {
        if let Self::Pausing { since, until, .. } | Self::Down { since, until, .. } = self {
            *since = (*since).min(now);
            *until = (*until).min(now + DOWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn pauses_grow_until_others_do_its_work_and_a_refusal_does_that_at_once() {
        let mut now = Utc::now();
        let mut health = Health::default();
        let later = |after| Delivery::Later { after, why: "words".into() };
        let mut pauses = Vec::new();
        while !health.is_down() {
            health.gave(&later(None), now);
            let (Health::Pausing { until, .. } | Health::Down { until, .. }) = &health else { panic!() };
            pauses.push((*until - now).num_seconds());
            now = *until;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 3600]);
        assert!(health.is_open(now));
        health.gave(&Delivery::Sent, now);
        health.gave(&later(Some(Duration::from_secs(90))), now);
        assert!(
            !health.is_open(now + TimeDelta::seconds(89)) && health.is_open(now + TimeDelta::seconds(90))
        );
        health.gave(&Delivery::Refused { why: "words".into() }, now);
        assert!(health.is_down() && !health.is_open(now));
    }
}
