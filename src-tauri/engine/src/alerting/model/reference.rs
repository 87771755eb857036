//! The state machine once more, told from the whole history.

use super::super::{Awake, Rule};
use chrono::{DateTime, TimeDelta, Utc};

/// The state machine once more, from the whole history instead of a phase.
pub(super) struct Reference {
    pub(super) hold: Awake,
    pub(super) keep: Awake,
    pub(super) threshold: f64,
    pub(super) history: Vec<(Awake, f64)>,
    pub(super) awake: Awake,
    pub(super) since: usize,
    pub(super) fires: bool,
    pub(super) ends: Vec<DateTime<Utc>>,
}

impl Reference {
    pub(super) fn of(rule: &Rule) -> Self {
        Self {
            hold: rule.hold,
            keep: rule.keep,
            threshold: rule.levels[0].threshold,
            history: Vec::new(),
            awake: Awake::default(),
            since: 0,
            fires: false,
            ends: Vec::new(),
        }
    }

    pub(super) fn look(&mut self, value: Option<f64>, awake: Awake, now: DateTime<Utc>) {
        self.ends.retain(|at| now - *at < TimeDelta::hours(1));
        let Some(value) = value else { return };
        self.awake += awake;
        self.history.push((self.awake, value));
        let wanted = |value: f64| {
            if self.fires { value <= self.threshold / 2.0 } else { value > self.threshold }
        };
        let recent = &self.history[self.since..];
        let lasts = recent.iter().rev().take_while(|(_, value)| wanted(*value)).count();
        if lasts == 0 {
            return;
        }
        let began = recent[recent.len() - lasts].0;
        let long = self.awake.time() - began.time();
        let damped = match self.ends.len() {
            0 | 1 => TimeDelta::zero(),
            2 => TimeDelta::minutes(5),
            3 => TimeDelta::minutes(10),
            4 => TimeDelta::minutes(20),
            5 => TimeDelta::minutes(40),
            _ => TimeDelta::minutes(60),
        };
        let needed = if self.fires { self.keep.time().max(damped) } else { self.hold.time() };
        if long >= needed {
            if self.fires {
                self.ends.push(now);
            }
            self.fires = !self.fires;
            self.since = self.history.len();
        }
    }
}
