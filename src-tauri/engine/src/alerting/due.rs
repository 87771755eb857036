//! What is to be said now, to whom, of all that fires and of what is over. A plain function of the state.

use super::{
    AlertState, Awake, ChannelName, Delivery, Incident, IncidentId, Message, Moment, Occasion, Policy,
    RuleId, Severity, Throttled, escalate_alert, throttle_alert,
};
use std::collections::BTreeMap;

/// Something to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Of these incidents; several of one rule are said together.
    pub incidents: Vec<IncidentId>,
    /// The channels, in the order in which they are tried.
    pub order: Vec<ChannelName>,
    /// What is said.
    pub message: Message,
    pub(super) kind: Kind,
}

/// Why it is said, as far as it decides what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Step,
    Resolved,
    Digest,
}

/// A channel that could not be told an end in so much time awake is not told it any more.
const STALE: Awake = Awake::minutes(24 * 60);

/// What is said together: of one rule, for one reason, in the same channels.
type Group = (RuleId, Kind, Vec<ChannelName>, u32);

/// What is to be said now. What is held back is counted in the state.
#[must_use]
pub fn due(state: &mut AlertState, policy: &Policy, moment: &Moment) -> Vec<Due> {
    let mut groups: BTreeMap<Group, Vec<(Incident, u32)>> = BTreeMap::new();
    for index in 0..state.incidents.len() {
        let found = if state.incidents[index].is_firing() {
            Vec::from_iter(next_step(state, index, policy, moment))
        } else {
            ends(state, index, policy, moment)
        };
        for (kind, order, held_back) in found {
            let incident = state.incidents[index].clone();
            let group = (incident.rule.clone(), kind, order, incident.climbed.min(1));
            groups.entry(group).or_default().push((incident, held_back));
        }
    }
    state.incidents.retain(|one| one.is_firing() || !one.told.is_empty());
    let mut due: Vec<_> = groups
        .into_iter()
        .map(|((_, kind, order, _), members)| said(kind, order, &members, moment))
        .collect();
    due.extend(digest(state, policy, moment));
    // What matters most first: a slow channel must not hold it up.
    due.sort_by_key(|due| std::cmp::Reverse(due.message.severity));
    due
}

/// What is to be said of one incident: why, in which channels, and how often it was held back.
type Found = (Kind, Vec<ChannelName>, u32);

/// The next step of what fires.
fn next_step(state: &mut AlertState, index: usize, policy: &Policy, moment: &Moment) -> Option<Found> {
    let incident = &state.incidents[index];
    let severity = incident.severity;
    if state.is_muted(incident) || !policy.may_say(severity, moment.local.time()) {
        return None;
    }
    let wanted = escalate_alert(incident, &policy.ladder(severity), moment.now)?;
    // The others are for when it does not work. What is High waits for no channel.
    let works =
        |channel: &ChannelName| state.channels.get(channel).is_none_or(|health| health.is_open(moment.now));
    let is_down = state.channels.get(&wanted).is_some_and(super::Health::is_down);
    let order: Vec<_> = if severity == Severity::High || is_down || works(&wanted) {
        policy.with_others(wanted, severity).into_iter().filter(works).collect()
    } else {
        return None;
    };
    let print = incident.fingerprint.clone();
    let ask =
        |channel| throttle_alert(&state.throttle, channel, &print, severity, policy.throttle, moment.now);
    let first = *order.first()?;
    let Throttled::Say { held_back } = ask(first) else {
        hold_back(state, index, first);
        return None;
    };
    // It was counted itself while it waited.
    let held_back = held_back.saturating_sub(u32::from(state.incidents[index].held_in.contains(&first)));
    let order = order.into_iter().filter(|channel| matches!(ask(*channel), Throttled::Say { .. })).collect();
    Some((Kind::Step, order, held_back))
}

/// One incident counts once in each channel where it was held back before it was said.
fn hold_back(state: &mut AlertState, index: usize, channel: ChannelName) {
    let incident = &mut state.incidents[index];
    if incident.climbed == 0 && incident.held_in.insert(channel) {
        let print = incident.fingerprint.clone();
        state.throttle.held_back(channel, &print);
    }
}

/// The end, to everybody who was told the beginning.
fn ends(state: &mut AlertState, index: usize, policy: &Policy, moment: &Moment) -> Vec<Found> {
    let incident = &mut state.incidents[index];
    let is_stale = incident.awake > STALE;
    incident.told.retain(|channel, _| !is_stale && policy.available.contains(channel));
    // An end may wait until morning, whatever has ended.
    if policy.quiet.is_some_and(|quiet| quiet.has(moment.local.time())) {
        return Vec::new();
    }
    let told = incident.told.keys().copied();
    let open =
        |channel: &ChannelName| state.channels.get(channel).is_none_or(|health| health.is_open(moment.now));
    told.filter(open).map(|channel| (Kind::Resolved, vec![channel], 0)).collect()
}

/// So many texts are in one message.
const TOGETHER: usize = 3;

fn said(kind: Kind, order: Vec<ChannelName>, members: &[(Incident, u32)], moment: &Moment) -> Due {
    let occasion = match kind {
        Kind::Resolved => Occasion::Resolved,
        _ if members.iter().all(|(one, _)| one.climbed > 0) => Occasion::Escalated,
        _ => Occasion::Firing,
    };
    let incidents: Vec<_> = members.iter().map(|(one, _)| one).collect();
    let first = incidents[0];
    let more = incidents.len().saturating_sub(TOGETHER);
    let title = match incidents.len() {
        1 => first.title.clone(),
        many => format!("{} (and {} more)", first.title, many - 1),
    };
    let mut text = incidents.iter().take(TOGETHER).map(|one| one.text.as_str()).collect::<Vec<_>>().join(" ");
    if more > 0 {
        text.push_str(&format!(" And {more} more."));
    }
    let message = Message {
        incident: Some(first.id.clone()),
        occasion,
        severity: incidents.iter().map(|one| one.severity).max().unwrap_or(first.severity),
        title,
        text,
        remedy: first.remedy.clone(),
        page: first.page,
        since: incidents.iter().map(|one| one.since).min().unwrap_or(first.since),
        at: moment.now,
        held_back: members.iter().map(|(_, held_back)| held_back).sum(),
    };
    Due { incidents: incidents.into_iter().map(|one| one.id.clone()).collect(), order, message, kind }
}

/// Once a day, what nobody was told because it matters little.
fn digest(state: &mut AlertState, policy: &Policy, moment: &Moment) -> Option<Due> {
    let at = policy.digest?;
    let today = moment.local.date();
    let Some(last) = state.digest.filter(|last| *last <= today) else {
        // It is not begun in the middle of a day.
        state.digest = Some(today);
        return None;
    };
    if last == today || moment.local.time() < at || !policy.may_say(Severity::Low, moment.local.time()) {
        return None;
    }
    let untold = |one: &&Incident| {
        policy.route(one.severity).is_empty() && !one.is_acknowledged(moment.now) && !state.is_muted(one)
    };
    let open: Vec<_> = state.firing().filter(untold).cloned().map(|one| (one, 0)).collect();
    let works =
        |channel: &ChannelName| state.channels.get(channel).is_none_or(|health| health.is_open(moment.now));
    let order: Vec<_> = policy.route(Severity::Medium).into_iter().filter(works).collect();
    if open.is_empty() {
        state.digest = Some(today);
        return None;
    }
    if order.is_empty() {
        return None;
    }
    let mut due = said(Kind::Digest, order, &open, moment);
    due.message.text = open.iter().map(|(one, _)| format!("{}.", one.title)).collect::<Vec<_>>().join(" ");
    if open.len() > 1 {
        due.message.title = format!("{} things to look at", open.len());
        due.message.remedy = Some("drydock alerts".to_owned());
        due.message.page = super::Page::Home;
    }
    Some(due)
}

/// What became of something to say is remembered: only what was sent counts as said.
pub(super) fn remember(
    state: &mut AlertState,
    due: &Due,
    attempts: &[(ChannelName, Delivery)],
    moment: &Moment,
) {
    let now = moment.now;
    for (channel, delivery) in attempts {
        state.channels.entry(*channel).or_default().gave(delivery, now);
    }
    let sent = attempts.iter().find(|(_, delivery)| *delivery == Delivery::Sent).map(|(channel, _)| *channel);
    match (due.kind, sent) {
        (Kind::Step, Some(channel)) => {
            for id in &due.incidents {
                let Some(incident) = state.incidents.iter_mut().find(|one| one.id == *id) else { continue };
                let severity = incident.severity;
                incident.climbed += 1;
                incident.told.insert(channel, super::Told { at: now, severity });
                state.throttle.said(channel, &incident.fingerprint, severity, now);
            }
        }
        (Kind::Resolved, _) => {
            // One that refuses is told nothing more of this.
            let over = |(channel, delivery): &(ChannelName, Delivery)| {
                (!matches!(delivery, Delivery::Later { .. })).then_some(*channel)
            };
            for channel in attempts.iter().filter_map(over) {
                for one in state.incidents.iter_mut().filter(|one| due.incidents.contains(&one.id)) {
                    one.told.remove(&channel);
                }
            }
            state.incidents.retain(|one| one.is_firing() || !one.told.is_empty());
        }
        (Kind::Digest, Some(_)) => state.digest = Some(moment.local.date()),
        (Kind::Step | Kind::Digest, None) => {}
    }
}
