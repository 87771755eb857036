//! Rules against readings: what begins to fire, what matters more, what is over. A plain function.

use super::{
    AlertState, Awake, Blind, Fingerprint, Incident, Moment, Reading, Readings, Rule, RuleId, Severity,
    Verdict,
    message::IncidentId,
    state::{Instance, Phase},
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// So long missed work has to be made up for where it matters most.
const SHORT_GRACE: Awake = Awake::minutes(5);

/// What changed at a look.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "alert")]
pub enum Change {
    /// It began to fire.
    Fired(Incident),
    /// It matters more than before.
    Rose(Incident),
    /// It is over.
    Resolved(Incident),
}

/// Looks at every rule, and brings the state up to it.
pub fn check_alert_rules(
    rules: &[Rule],
    readings: &Readings,
    state: &mut AlertState,
    moment: &Moment,
) -> Vec<Change> {
    state.go_on(moment);
    let mut look = Look { state, moment, changes: Vec::new() };
    for rule in rules {
        match readings.of(&rule.id) {
            Ok(seen) => look.at(rule, &seen),
            // What fires goes on firing, and what is pending waits: nothing is known.
            Err(why) => {
                let blind = Blind { why: why.clone(), since: moment.now };
                let known = look.state.blind.entry(rule.id.clone()).or_insert(blind);
                known.why = why;
            }
        }
    }
    look.end_what_has_no_rule(rules);
    look.changes
}

struct Look<'a> {
    state: &'a mut AlertState,
    moment: &'a Moment,
    changes: Vec<Change>,
}

impl Look<'_> {
    fn at(&mut self, rule: &Rule, seen: &[Reading]) {
        self.state.blind.remove(&rule.id);
        let seen: BTreeMap<_, _> = seen.iter().map(|reading| (reading.about.as_str(), reading)).collect();
        let known = self.state.instances.values().filter(|one| one.rule == rule.id);
        let gone: Vec<_> =
            known.filter(|one| !seen.contains_key(one.about.as_str())).map(|one| one.about.clone()).collect();
        for (about, reading) in seen {
            self.step(rule, about, Some(reading));
        }
        for about in gone {
            self.step(rule, &about, None);
        }
    }

    /// One rule about one thing. What has no value is well.
    fn step(&mut self, rule: &Rule, about: &str, reading: Option<&Reading>) {
        let print = Fingerprint::of(&rule.id, about);
        let mut instance =
            self.state.instances.remove(&print).unwrap_or_else(|| Instance::new(&rule.id, about));
        let verdict = reading.map_or(Verdict::Well, |reading| rule.verdict(reading));
        let phase = std::mem::take(&mut instance.phase);
        instance.phase = match (phase, verdict, reading) {
            (Phase::Well, Verdict::Over(severity), Some(reading)) => {
                self.begin(rule, &print, Awake::default(), severity, reading)
            }
            (Phase::Pending { mut held }, Verdict::Over(severity), Some(reading)) => {
                held += self.moment.awake;
                self.begin(rule, &print, held, severity, reading)
            }
            (
                Phase::Firing { incident } | Phase::Recovering { incident, .. },
                Verdict::Over(severity),
                Some(reading),
            ) => {
                self.goes_on(&incident, severity, reading);
                Phase::Firing { incident }
            }
            (Phase::Firing { incident }, Verdict::Well, _) => {
                self.is_well(rule, &mut instance, incident, Awake::default())
            }
            (Phase::Recovering { incident, mut held }, Verdict::Well, _) => {
                held += self.moment.awake;
                self.is_well(rule, &mut instance, incident, held)
            }
            (Phase::Firing { incident } | Phase::Recovering { incident, .. }, _, _) => {
                Phase::Firing { incident }
            }
            (Phase::Well | Phase::Pending { .. }, _, _) => Phase::Well,
        };
        if instance.phase != Phase::Well || !instance.ends.is_empty() {
            self.state.instances.insert(print, instance);
        }
    }

    /// It is too much: it fires, if that has lasted.
    fn begin(
        &mut self,
        rule: &Rule,
        print: &Fingerprint,
        held: Awake,
        severity: Severity,
        reading: &Reading,
    ) -> Phase {
        // What is late beyond measure is waited for less.
        let grace = if severity == Severity::High { rule.grace.min(SHORT_GRACE) } else { rule.grace };
        if self.state.since_gap < grace || held < rule.hold {
            return Phase::Pending { held };
        }
        let incident = opened(rule, print, severity, reading, self.moment);
        let id = incident.id.clone();
        self.changes.push(Change::Fired(incident.clone()));
        self.state.incidents.push(incident);
        Phase::Firing { incident: id }
    }

    fn goes_on(&mut self, id: &IncidentId, severity: Severity, reading: &Reading) {
        let Some(incident) = self.state.incident_mut(id) else { return };
        incident.text.clone_from(&reading.words);
        if severity > incident.severity {
            incident.rise(severity);
            self.changes.push(Change::Rose(incident.clone()));
        }
    }

    fn is_well(&mut self, rule: &Rule, instance: &mut Instance, id: IncidentId, held: Awake) -> Phase {
        if held < instance.keep(rule.keep) {
            return Phase::Recovering { incident: id, held };
        }
        instance.ends.push(self.moment.now);
        self.end(&id);
        Phase::Well
    }

    fn end(&mut self, id: &IncidentId) {
        let now = self.moment.now;
        if let Some(incident) = self.state.incident_mut(id) {
            (incident.ended, incident.awake) = (Some(now), Awake::default());
            self.changes.push(Change::Resolved(incident.clone()));
        }
        self.state.incidents.retain(|one| one.is_firing() || !one.told.is_empty());
    }

    /// A rule that the user took away or switched off fires no more.
    fn end_what_has_no_rule(&mut self, rules: &[Rule]) {
        let there: BTreeSet<&RuleId> = rules.iter().map(|rule| &rule.id).collect();
        self.state.blind.retain(|rule, _| there.contains(rule));
        self.state.instances.retain(|_, one| there.contains(&one.rule));
        let gone = self.state.firing().filter(|one| !there.contains(&one.rule));
        let gone: Vec<_> = gone.map(|one| one.id.clone()).collect();
        for id in gone {
            self.end(&id);
        }
    }
}

fn opened(
    rule: &Rule,
    print: &Fingerprint,
    severity: Severity,
    reading: &Reading,
    moment: &Moment,
) -> Incident {
    let about = &reading.about;
    let title = if about.is_empty() { rule.title.to_string() } else { format!("{}: {about}", rule.title) };
    Incident {
        id: Incident::name(print, moment.now),
        fingerprint: print.clone(),
        rule: rule.id.clone(),
        about: about.clone(),
        severity,
        title,
        text: reading.words.clone(),
        remedy: reading.remedy.clone().or_else(|| rule.remedy.map(str::to_owned)),
        page: rule.page,
        since: moment.now,
        ended: None,
        acknowledged: None,
        awake: Awake::default(),
        climbed: 0,
        told: BTreeMap::new(),
        held_in: BTreeSet::new(),
    }
}
