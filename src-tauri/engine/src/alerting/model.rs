//! Alerting in simulated days: random values, sleep, restarts, crashes, channels that fail, people who react.
//! What was sent is then looked at as a whole.

use super::{
    AlertState, Awake, Before, ChannelName, Delivery, Fingerprint, IncidentId, Message, Moment, NoData,
    Occasion, Page, Policy, Quantity, Reading, Readings, Rule, Severity, Silence, Silenced,
    check::{Change, check_alert_rules},
    defaults::rule,
    due::{due, remember},
    rule::Measure,
};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const TICK: i64 = 30;
const THROTTLE: i64 = 15 * 60;

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// The rules of the simulation; the last one is a consequence of the cause `damage`.
fn rules() -> Vec<Rule> {
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

fn policy(quiet: Option<super::QuietHours>) -> Policy {
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
enum Deed {
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
enum Answer {
    Sent,
    Later,
    Refused,
}

fn deed() -> impl Strategy<Value = Deed> {
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
struct Arrived {
    at: DateTime<Utc>,
    channel: ChannelName,
    message: Message,
    of: Vec<(IncidentId, Fingerprint, Severity)>,
    /// It was sent before, by a process that could not write that down.
    again: bool,
}

/// A stretch in which something fired.
#[derive(Debug, Clone)]
struct Fired {
    id: IncidentId,
    severity: Severity,
    /// Seconds awake since it began to matter so much in which nothing kept it from being said.
    unmuted: i64,
}

struct World {
    rules: Vec<Rule>,
    policy: Policy,
    state: AlertState,
    now: DateTime<Utc>,
    awake: i64,
    gap: Before,
    values: Vec<Result<f64, NoData>>,
    answers: [Answer; 3],
    refused: BTreeSet<ChannelName>,
    crash: bool,
    arrived: Vec<Arrived>,
    fired: BTreeMap<IncidentId, Fired>,
    ended: BTreeSet<IncidentId>,
    /// What a process that ended before it wrote it down had sent.
    forgotten: BTreeSet<(ChannelName, Fingerprint)>,
    /// Incidents over whose messages a process ended: what they were told there may be unknown for good.
    lost: BTreeSet<(ChannelName, IncidentId)>,
    reference: Vec<Reference>,
}

impl World {
    fn new(quiet: Option<super::QuietHours>) -> Self {
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

    fn deed(&mut self, deed: &Deed) {
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
    fn restart(&mut self) {
        self.state = serde_json::from_str(&serde_json::to_string(&self.state).unwrap()).unwrap();
    }

    fn look(&mut self) {
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

    fn arrive(&mut self, channel: ChannelName, message: &Message, ids: &[IncidentId], state: &AlertState) {
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

    fn note(&mut self, changes: &[Change]) {
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
    fn count(&mut self) {
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

    fn never_later(&self) -> bool {
        self.state.channels.values().all(|health| *health == super::Health::Works)
    }

    /// Nothing was said twice within the throttle, unless it matters more or a process died over it.
    fn assert_throttled(&self) {
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
    fn assert_resolved_once(&self) {
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

/// The state machine once more, from the whole history instead of a phase.
struct Reference {
    hold: Awake,
    keep: Awake,
    threshold: f64,
    history: Vec<(Awake, f64)>,
    awake: Awake,
    since: usize,
    fires: bool,
    ends: Vec<DateTime<Utc>>,
}

impl Reference {
    fn of(rule: &Rule) -> Self {
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

    fn look(&mut self, value: Option<f64>, awake: Awake, now: DateTime<Utc>) {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens: nothing is said twice within the throttle, no High is lost, and who was told the
    /// beginning is told the end, once.
    #[test]
    fn what_is_said_can_be_trusted(deeds in prop::collection::vec(deed(), 1..80)) {
        let mut world = World::new(None);
        for deed in &deeds {
            world.deed(deed);
        }
        // All is well again, and channels work: what is owed is paid.
        world.answers = [Answer::Sent; 3];
        world.values.iter_mut().for_each(|value| *value = Ok(0.0));
        (0..400).for_each(|_| world.look());
        prop_assert!(world.state.incidents.is_empty(), "{:?}", world.state);
        world.assert_throttled();
        world.assert_resolved_once();
    }

    /// What fires is what a look at the whole history says.
    #[test]
    fn the_state_machine_does_as_its_model(deeds in prop::collection::vec(deed(), 1..80)) {
        let mut world = World::new(None);
        for deed in &deeds {
            // A crash repeats a look's messages, not its conclusions.
            let quiet = matches!(deed, Deed::Crash);
            if !quiet {
                world.deed(deed);
            }
            for (rule, reference) in world.rules.iter().zip(&world.reference) {
                let fires = world.state.firing().any(|one| one.rule == rule.id);
                prop_assert_eq!(fires, reference.fires, "{} {:?}", rule.id, deed);
            }
        }
    }

    /// A High one that nobody takes on climbs in time, by the time awake, across sleep and restarts.
    #[test]
    fn escalation_is_on_time(
        sleeps in prop::collection::vec((1_i64..200, 5_i64..700), 0..6),
        restarts in prop::collection::vec(0_i64..240, 0..6),
    ) {
        let mut world = World::new(None);
        world.values[0] = Ok(2.0);
        let mut told_at: Vec<i64> = Vec::new();
        // Awake time as alerting knows it: a gap's own look counts for nothing.
        let mut awake = 0;
        for look in 0..240 {
            if let Some((_, minutes)) = sleeps.iter().find(|(at, _)| *at == look) {
                world.deed(&Deed::Sleep(*minutes));
            }
            if restarts.contains(&look) {
                world.restart();
            }
            if world.gap == Before::Awake {
                awake += TICK;
            }
            let before = world.arrived.len();
            world.look();
            told_at.extend(world.arrived[before..].iter().map(|_| awake));
        }
        let channels: Vec<_> = world.arrived.iter().map(|one| one.channel).collect();
        use ChannelName::{Desktop, Email, Slack};
        for (at, (minutes, channel)) in [(0, Desktop), (15, Slack), (30, Email), (90, Desktop)].into_iter().enumerate() {
            if awake >= minutes * 60 {
                prop_assert_eq!(channels[at], channel);
                prop_assert_eq!(told_at[at], minutes * 60);
            }
        }
    }
}

#[test]
fn a_night_asleep_brings_no_storm_and_nothing_is_missed() {
    let mut world = World::new(None);
    let late = Rule {
        grace: Awake::minutes(30),
        ..rule("late", Measure::Standing(Quantity::BackupAge), &[(7200.0, Severity::Medium)], "words")
    };
    world.rules.push(late);
    world.values.push(Ok(0.0));
    world.reference.push(Reference::of(&world.rules[6]));
    (0..10).for_each(|_| world.look());
    // Something fires before the night, something else is about to.
    world.values[2] = Ok(2.0);
    world.values[1] = Ok(2.0);
    (0..5).for_each(|_| world.look());
    assert_eq!(world.arrived.len(), 1);
    world.deed(&Deed::Sleep(9 * 60));
    world.values[6] = Ok(32_400.0);

    // In the morning: neither the escalation nor what was pending counts the night; the backup may be made up for.
    world.look();
    assert_eq!(world.arrived.len(), 1, "{:#?}", world.arrived);
    world.values[6] = Ok(60.0);
    (0..20).for_each(|_| world.look());
    let said: Vec<_> = world.arrived.iter().map(|one| one.of.len()).collect();
    assert_eq!(said, [1, 1], "what was pending has lasted long enough by now: {:#?}", world.arrived);

    // One that is not made up for is said when its grace is over.
    world.deed(&Deed::Sleep(9 * 60));
    world.values[6] = Ok(64_800.0);
    (0..58).for_each(|_| world.look());
    assert!(!world.state.firing().any(|one| one.rule.as_str() == "late"));
    (0..4).for_each(|_| world.look());
    assert!(world.state.firing().any(|one| one.rule.as_str() == "late"));
}

#[test]
fn a_cause_mutes_its_consequence_and_what_outlasts_it_is_said() {
    let mut world = World::new(None);
    (world.values[4], world.values[5]) = (Ok(2.0), Ok(2.0));
    (0..10).for_each(|_| world.look());
    assert_eq!(world.arrived.len(), 1);
    assert_eq!(world.arrived[0].of[0].1, Fingerprint::of(&world.rules[4].id, ""));
    world.values[4] = Ok(0.0);
    world.look();
    let occasions: Vec<_> = world.arrived.iter().map(|one| one.message.occasion).collect();
    assert_eq!(occasions, [Occasion::Firing, Occasion::Resolved, Occasion::Firing]);
}

#[test]
fn a_channel_that_refuses_is_stood_in_for_at_once() {
    let mut world = World::new(None);
    world.answers[0] = Answer::Refused;
    world.values[2] = Ok(2.0);
    world.look();
    assert_eq!(world.arrived.iter().map(|one| one.channel).collect::<Vec<_>>(), [ChannelName::Slack]);
    assert!(world.state.channels[&ChannelName::Desktop].is_down());
    world.values[2] = Ok(0.0);
    (0..20).for_each(|_| world.look());
    assert_eq!(world.arrived.last().unwrap().channel, ChannelName::Slack);
    assert_eq!(world.arrived.len(), 2);
}

#[test]
fn what_matters_more_goes_through_the_throttle_and_takes_back_that_somebody_took_it_on() {
    let mut world = World::new(None);
    world.values[1] = Ok(2.0);
    (0..12).for_each(|_| world.look());
    world.deed(&Deed::Acknowledge);
    world.look();
    assert_eq!(world.arrived.len(), 1);
    world.values[1] = Ok(4.0);
    world.look();
    let severities: Vec<_> = world.arrived.iter().map(|one| one.message.severity).collect();
    assert_eq!(severities, [Severity::Medium, Severity::High]);
}

#[test]
fn what_was_held_back_is_counted_in_the_next_message() {
    let mut world = World::new(None);
    for _ in 0..2 {
        world.values[0] = Ok(2.0);
        world.look();
        world.values[0] = Ok(0.0);
        world.look();
    }
    world.values[0] = Ok(2.0);
    (0..60).for_each(|_| world.look());
    let firings: Vec<_> =
        world.arrived.iter().filter(|one| one.message.occasion == Occasion::Firing).collect();
    assert_eq!(firings.len(), 2, "{:#?}", world.arrived);
    assert_eq!((firings[0].message.held_back, firings[1].message.held_back), (0, 1));
}

#[test]
fn quiet_hours_keep_all_but_the_high_until_they_are_over() {
    let quiet = super::QuietHours::parse("22:00-07:00").unwrap();
    let mut world = World::new(Some(quiet));
    world.now = DateTime::parse_from_rfc3339("2026-03-01T23:00:00Z").unwrap().to_utc();
    world.values[2] = Ok(2.0);
    world.look();
    assert!(world.arrived.is_empty());
    world.values[0] = Ok(2.0);
    world.look();
    assert_eq!(world.arrived.len(), 1);
    (0..(8 * 120)).for_each(|_| world.look());
    let medium = world.arrived.iter().find(|one| one.message.severity == Severity::Medium).unwrap();
    assert!(medium.at.to_rfc3339().contains("T07:00"), "{}", medium.at);
}

#[test]
fn what_matters_little_is_said_once_a_day() {
    let mut world = World::new(None);
    world.now = DateTime::parse_from_rfc3339("2026-03-01T15:00:00Z").unwrap().to_utc();
    world.values[3] = Ok(2.0);
    (0..(3 * 120 * 24)).for_each(|_| world.look());
    let days: Vec<_> = world.arrived.iter().map(|one| one.at.format("%dT%H").to_string()).collect();
    assert_eq!(days, ["02T09", "03T09", "04T09"]);
}

#[test]
fn several_of_one_rule_are_one_message() {
    let rule = rule("many", Measure::Standing(Quantity::Orphans), &[(0.0, Severity::High)], "Words");
    let mut state = AlertState::default();
    let now = start();
    let moment = Moment { now, local: now.naive_utc(), awake: Awake::default(), before: Before::Gap };
    let mut readings = Readings::default();
    let seen = (0..5).map(|n| Reading::new(format!("s{n}"), 1.0, format!("Text {n}."))).collect();
    readings.put(rule.id.clone(), Ok(seen));
    let changes = check_alert_rules(&[rule], &readings, &mut state, &moment);
    assert_eq!(changes.len(), 5);
    let said = due(&mut state, &policy(None), &moment);
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].message.title, "Words: s0 (and 4 more)");
    assert_eq!(said[0].message.text, "Text 0. Text 1. Text 2. And 2 more.");
    assert_eq!((said[0].message.page, said[0].incidents.len()), (Page::Home, 5));
}
