//! A simulated home: values of rules, sleep, processes that end, channels that fail, and what arrived.

use super::{
    super::{
        AlertState, Awake, Before, Change, ChannelName, Delivery, Fingerprint, Health, IncidentId, Message,
        Moment, NoData, Occasion, Policy, Quantity, QuietHours, Reading, Readings, Rule, Severity, Silence,
        Silenced, check_alert_rules,
        defaults::rule,
        due::{due, remember},
        rule::Measure,
    },
    reference::Reference,
};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const TICK: i64 = 30;
pub(super) const THROTTLE: i64 = 15 * 60;

pub(super) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// The rules of the simulation; the last one is a consequence of the cause `damage`.
pub(super) fn rules() -> Vec<Rule> {
    let standing = Measure::Standing(Quantity::Damage);
    let held = |id, minutes, keep, levels: &[(f64, Severity)]| Rule {
        hold: Awake::minutes(minutes),
        keep: Awake::minutes(keep),
        ease: 0.5,
        ..rule(id, standing, levels, "words")
    };
    vec![
        held("at-once", 0, 0, &[(1.0, Severity::High)]),
        held("slow", 5, 10, &[(1.0, Severity::Medium), (3.0, Severity::High)]),
        held("medium", 0, 5, &[(1.0, Severity::Medium)]),
        held("low", 0, 0, &[(1.0, Severity::Low)]),
        held("damage", 0, 0, &[(1.0, Severity::High)]),
        held("sync-failing", 0, 0, &[(1.0, Severity::High)]),
    ]
}

pub(super) fn policy(quiet: Option<QuietHours>) -> Policy {
    use ChannelName::{Desktop, Email, Slack};
    Policy {
        throttle: TimeDelta::seconds(THROTTLE),
        escalation: Awake::minutes(15),
        routes: BTreeMap::from([
            (Severity::High, vec![Desktop, Slack, Email]),
            (Severity::Medium, vec![Desktop, Slack]),
            (Severity::Low, vec![]),
        ]),
        available: ChannelName::ALL.to_vec(),
        quiet,
        digest: NaiveTime::from_hms_opt(9, 0, 0),
    }
}

/// What happens before a look.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// A rule's value becomes this.
    Value(usize, f64),
    /// A rule has no data for now.
    Blind(usize),
    /// So many looks pass.
    Wait(u32),
    /// So many minutes of sleep.
    Sleep(i64),
    /// The process ends and another begins.
    Restart,
    /// It ends after a message was sent and before that was written down.
    Crash,
    /// Somebody takes on whatever fires.
    Acknowledge,
    /// A rule is silenced for so many minutes.
    Silence(usize, i64),
    /// A channel answers so from now on.
    Answers(usize, Answer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Sent,
    Later,
    Refused,
}

pub(super) fn deed() -> impl Strategy<Value = Deed> {
    let values = prop::sample::select(vec![0.0, 0.7, 2.0, 4.0]);
    prop_oneof![
        6 => (0_usize..6, values).prop_map(|(rule, value)| Deed::Value(rule, value)),
        1 => (0_usize..6).prop_map(Deed::Blind),
        8 => (1_u32..60).prop_map(Deed::Wait),
        2 => (5_i64..700).prop_map(Deed::Sleep),
        1 => Just(Deed::Restart),
        1 => Just(Deed::Crash),
        1 => Just(Deed::Acknowledge),
        1 => (0_usize..6, 1_i64..120).prop_map(|(rule, minutes)| Deed::Silence(rule, minutes)),
        2 => (0_usize..3, prop::sample::select(vec![Answer::Sent, Answer::Sent, Answer::Later, Answer::Refused]))
            .prop_map(|(channel, answer)| Deed::Answers(channel, answer)),
    ]
}

/// A message that arrived.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) at: DateTime<Utc>,
    pub(super) channel: ChannelName,
    pub(super) message: Message,
    pub(super) of: Vec<(IncidentId, Fingerprint, Severity)>,
    /// It was sent before, by a process that could not write that down.
    pub(super) again: bool,
}

/// A stretch in which something fired.
#[derive(Debug, Clone)]
pub(super) struct Fired {
    pub(super) id: IncidentId,
    pub(super) severity: Severity,
    /// Seconds awake since it began to matter so much in which nothing kept it from being said.
    pub(super) unmuted: i64,
}

pub(super) struct World {
    pub(super) rules: Vec<Rule>,
    pub(super) policy: Policy,
    pub(super) state: AlertState,
    pub(super) now: DateTime<Utc>,
    pub(super) awake: i64,
    pub(super) gap: Before,
    pub(super) values: Vec<Result<f64, NoData>>,
    pub(super) answers: [Answer; 3],
    pub(super) refused: BTreeSet<ChannelName>,
    pub(super) crash: bool,
    pub(super) arrived: Vec<Arrived>,
    pub(super) fired: BTreeMap<IncidentId, Fired>,
    pub(super) ended: BTreeSet<IncidentId>,
    /// What a process that ended before it wrote it down had sent.
    pub(super) forgotten: BTreeSet<(ChannelName, Fingerprint)>,
    /// Incidents over whose messages a process ended: what they were told there may be unknown for good.
    pub(super) lost: BTreeSet<(ChannelName, IncidentId)>,
    pub(super) reference: Vec<Reference>,
}

impl World {
    pub(super) fn new(quiet: Option<QuietHours>) -> Self {
        let rules = rules();
        Self {
            values: rules.iter().map(|_| Ok(0.0)).collect(),
            reference: rules.iter().map(Reference::of).collect(),
            rules,
            policy: policy(quiet),
            state: AlertState::default(),
            now: start(),
            awake: 0,
            gap: Before::Gap,
            answers: [Answer::Sent; 3],
            refused: BTreeSet::new(),
            crash: false,
            arrived: Vec::new(),
            fired: BTreeMap::new(),
            ended: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            lost: BTreeSet::new(),
        }
    }

    pub(super) fn deed(&mut self, deed: &Deed) {
        match deed {
            Deed::Value(rule, value) => self.values[*rule] = Ok(*value),
            Deed::Blind(rule) => self.values[*rule] = Err(NoData("words".into())),
            Deed::Wait(looks) => (0..*looks).for_each(|_| self.look()),
            Deed::Sleep(minutes) => {
                self.now += TimeDelta::minutes(*minutes);
                self.gap = Before::Gap;
            }
            Deed::Restart => self.restart(),
            Deed::Crash => self.crash = true,
            Deed::Acknowledge => {
                let now = self.now;
                self.state.incidents.iter_mut().for_each(|one| one.acknowledged = Some(now));
            }
            Deed::Silence(rule, minutes) => self.state.silences.push(Silence {
                what: Silenced::Rule(self.rules[*rule].id.clone()),
                made: self.now,
                until: self.now + TimeDelta::minutes(*minutes),
            }),
            Deed::Answers(channel, answer) => self.answers[*channel] = *answer,
        }
    }

    /// What another process would have of it.
    pub(super) fn restart(&mut self) {
        self.state = serde_json::from_str(&serde_json::to_string(&self.state).unwrap()).unwrap();
    }

    pub(super) fn look(&mut self) {
        self.now += TimeDelta::seconds(TICK);
        self.awake += TICK;
        let local = self.now.naive_utc();
        let awake =
            if self.gap == Before::Gap { Awake::default() } else { Awake::of(TimeDelta::seconds(TICK)) };
        let moment =
            Moment { now: self.now, local, awake, before: std::mem::replace(&mut self.gap, Before::Awake) };
        let mut readings = Readings::default();
        for (rule, value) in self.rules.iter().zip(&self.values) {
            let seen = value.clone().map(|value| vec![Reading::new("", value, "words")]);
            readings.put(rule.id.clone(), seen);
        }
        let changes = check_alert_rules(&self.rules, &readings, &mut self.state, &moment);
        self.note(&changes);
        for (at, value) in self.values.iter().enumerate() {
            self.reference[at].look(value.as_ref().ok().copied(), awake, self.now);
        }
        let before = self.state.clone();
        for due in due(&mut self.state, &self.policy, &moment) {
            let mut attempts = Vec::new();
            for channel in &due.order {
                let delivery = match self.answers[*channel as usize] {
                    Answer::Sent => Delivery::Sent,
                    Answer::Later => Delivery::Later { after: None, why: "words".into() },
                    Answer::Refused => Delivery::Refused { why: "words".into() },
                };
                if matches!(delivery, Delivery::Refused { .. }) {
                    self.refused.insert(*channel);
                }
                let over = match &delivery {
                    Delivery::Sent => true,
                    Delivery::Later { .. } => due.message.severity < Severity::High,
                    Delivery::Refused { .. } => false,
                };
                if delivery == Delivery::Sent {
                    self.arrive(*channel, &due.message, &due.incidents, &before);
                }
                attempts.push((*channel, delivery));
                if over {
                    break;
                }
            }
            if std::mem::take(&mut self.crash) {
                for (channel, delivery) in &attempts {
                    let prints = due.incidents.iter().filter_map(|id| before.incident(id));
                    if *delivery == Delivery::Sent {
                        self.lost.extend(due.incidents.iter().map(|id| (*channel, id.clone())));
                        self.forgotten.extend(prints.map(|one| (*channel, one.fingerprint.clone())));
                    }
                }
                self.restart();
                self.gap = Before::Gap;
                break;
            }
            remember(&mut self.state, &due, &attempts, &moment);
        }
        self.count();
    }

    pub(super) fn arrive(
        &mut self,
        channel: ChannelName,
        message: &Message,
        ids: &[IncidentId],
        state: &AlertState,
    ) {
        let of: Vec<_> = ids
            .iter()
            .map(|id| {
                let one = state.incident(id).unwrap();
                (id.clone(), one.fingerprint.clone(), one.severity)
            })
            .collect();
        let again = of.iter().any(|(_, print, _)| self.forgotten.remove(&(channel, print.clone())));
        self.arrived.push(Arrived { at: self.now, channel, message: message.clone(), of, again });
    }

    pub(super) fn note(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Fired(one) | Change::Rose(one) => {
                    let fired = Fired { id: one.id.clone(), severity: one.severity, unmuted: 0 };
                    self.fired.insert(one.id.clone(), fired);
                }
                Change::Resolved(one) => {
                    assert!(self.ended.insert(one.id.clone()), "it ended twice: {one:?}");
                }
            }
        }
    }

    /// Time in which a High one could have been said and was not is counted.
    pub(super) fn count(&mut self) {
        let works = self.answers.contains(&Answer::Sent);
        let troubled = !self.refused.is_empty() || !self.never_later();
        // A channel that works again after it failed is asked again within the hour at the latest.
        let limit = THROTTLE + 2 * TICK + if troubled { 3600 } else { 0 };
        for one in self.state.firing() {
            let Some(fired) = self.fired.get_mut(&one.id) else { continue };
            let is_told = self.arrived.iter().any(|arrived| {
                arrived.message.occasion != Occasion::Resolved
                    && arrived.of.iter().any(|(id, _, severity)| *id == one.id && *severity >= fired.severity)
            });
            if is_told || !works || self.state.is_muted(one) || one.is_acknowledged(self.now) {
                fired.unmuted = 0;
            } else {
                fired.unmuted += TICK;
            }
            assert!(
                fired.severity < Severity::High || fired.unmuted <= limit,
                "a High one was lost: {:?} {:?}",
                fired.id,
                self.state
            );
        }
    }

    pub(super) fn never_later(&self) -> bool {
        self.state.channels.values().all(|health| *health == Health::Works)
    }

    /// Nothing was said twice within the throttle, unless it matters more or a process died over it.
    pub(super) fn assert_throttled(&self) {
        let mut last: BTreeMap<(ChannelName, Fingerprint), (DateTime<Utc>, Severity)> = BTreeMap::new();
        for arrived in self.arrived.iter().filter(|one| one.message.occasion != Occasion::Resolved) {
            if arrived.message.title.ends_with("things to look at") {
                continue;
            }
            for (_, print, severity) in &arrived.of {
                let key = (arrived.channel, print.clone());
                if let Some((at, before)) = last.insert(key, (arrived.at, *severity))
                    && !arrived.again
                {
                    let apart = (arrived.at - at).num_seconds();
                    assert!(apart >= THROTTLE || severity > &before, "twice in {apart} s: {arrived:?}");
                }
            }
        }
    }

    /// Who was told the beginning is told the end, once.
    pub(super) fn assert_resolved_once(&self) {
        let count = |id: &IncidentId, channel, is_end| {
            let is_of = |arrived: &&Arrived| {
                arrived.channel == channel
                    && arrived.of.iter().any(|(other, ..)| other == id)
                    && (arrived.message.occasion == Occasion::Resolved) == is_end
                    && !arrived.again
            };
            self.arrived.iter().filter(is_of).count()
        };
        for id in self.fired.keys() {
            for channel in ChannelName::ALL.iter().copied() {
                let (begun, ended) = (count(id, channel, false), count(id, channel, true));
                assert!(ended <= 1, "{id} ended {ended} times in {channel}");
                assert!(begun > 0 || ended == 0, "{id} ended in {channel}, where it never began");
                let is_low = self.fired[id].severity == Severity::Low;
                if self.lost.contains(&(channel, id.clone())) {
                    continue;
                }
                if begun > 0 && self.ended.contains(id) && !self.refused.contains(&channel) && !is_low {
                    assert_eq!(ended, 1, "{id} is over, and {channel} does not know");
                }
            }
        }
    }
}
