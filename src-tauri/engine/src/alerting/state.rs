//! All that alerting remembers. It may be lost: what fires is then found, and said, anew.

use super::{
    Awake, ChannelName, Fingerprint, Health, Incident, IncidentId, NoData, RuleId, Silence, Throttle,
    moment::{Before, Moment},
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertState {
    /// Each rule about each thing, but for those that are well and have been for long.
    pub(super) instances: BTreeMap<Fingerprint, Instance>,
    /// What fires, and what somebody is still to be told the end of.
    pub incidents: Vec<Incident>,
    /// What nothing can be said of, and why.
    pub blind: BTreeMap<RuleId, Blind>,
    /// What the user does not want to hear of.
    pub silences: Vec<Silence>,
    pub(super) throttle: Throttle,
    /// How the channels do.
    pub channels: BTreeMap<ChannelName, Health>,
    /// The day of the last digest.
    pub(super) digest: Option<NaiveDate>,
    /// Time awake since the last gap.
    pub(super) since_gap: Awake,
}

/// A rule that has no data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blind {
    /// Why.
    pub why: NoData,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// A rule about one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) rule: RuleId,
    pub(super) about: String,
    pub(super) phase: Phase,
    /// When it was over lately.
    #[serde(default)]
    pub(super) ends: Vec<DateTime<Utc>>,
}

/// Where a rule about one thing stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "phase")]
pub(super) enum Phase {
    /// It is well.
    #[default]
    Well,
    /// It is too much, and not for long enough yet.
    Pending {
        /// So long.
        held: Awake,
    },
    /// It fires.
    Firing {
        /// As this incident.
        incident: IncidentId,
    },
    /// It is well again, and not for long enough yet.
    Recovering {
        /// The incident that it fires as.
        incident: IncidentId,
        /// So long.
        held: Awake,
    },
}

/// Ends that are longer ago do not count as flapping.
const FLAPPING: TimeDelta = TimeDelta::hours(1);

impl Instance {
    pub(super) fn new(rule: &RuleId, about: &str) -> Self {
        Self { rule: rule.clone(), about: about.to_owned(), phase: Phase::Well, ends: Vec::new() }
    }

    /// How long it has to be well before it is over: longer, the more often it came back.
    pub(super) fn keep(&self, keep: Awake) -> Awake {
        match self.ends.len() {
            0 | 1 => keep,
            times => keep.max(Awake::minutes(5).times(1 << (times - 2).min(4)).min(Awake::minutes(60))),
        }
    }
}

impl AlertState {
    /// One incident, by its name.
    #[must_use]
    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.iter().find(|incident| incident.id == *id)
    }

    pub(super) fn incident_mut(&mut self, id: &IncidentId) -> Option<&mut Incident> {
        self.incidents.iter_mut().find(|incident| incident.id == *id)
    }

    /// What fires.
    pub fn firing(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|incident| incident.is_firing())
    }

    /// The time goes on: clocks that count time awake, and what has ended by itself.
    pub(super) fn go_on(&mut self, moment: &Moment) {
        self.not_after(moment.now);
        match moment.before {
            Before::Gap => self.since_gap = Awake::default(),
            Before::Awake => self.since_gap += moment.awake,
        }
        self.silences.retain(|silence| silence.until > moment.now);
        for instance in self.instances.values_mut() {
            instance.ends.retain(|at| moment.now - *at < FLAPPING);
        }
        self.instances.retain(|_, one| one.phase != Phase::Well || !one.ends.is_empty());
        let muted: Vec<_> = self
            .incidents
            .iter()
            .map(|one| {
                one.is_firing() && (one.climbed == 0 || one.is_acknowledged(moment.now) || self.is_muted(one))
            })
            .collect();
        for (incident, muted) in self.incidents.iter_mut().zip(muted) {
            if !muted {
                incident.awake += moment.awake;
            }
        }
        self.throttle.forget_old(moment.now);
    }

    /// A clock that was set back must not hold anything back until it has caught up.
    fn not_after(&mut self, now: DateTime<Utc>) {
        self.throttle.not_after(now);
        for health in self.channels.values_mut() {
            health.not_after(now);
        }
        for incident in &mut self.incidents {
            incident.acknowledged = incident.acknowledged.map(|at| at.min(now));
        }
        for instance in self.instances.values_mut() {
            for end in &mut instance.ends {
                *end = (*end).min(now);
            }
        }
    }

    /// Whether nothing is said of an incident for now: the user wants it so, or its cause fires as well.
    #[must_use]
    pub fn is_muted(&self, incident: &Incident) -> bool {
        self.silences.iter().any(|silence| silence.covers(incident)) || self.is_inhibited(incident)
    }
}
