//! `drydock alerts`.

use super::alert_channels;
use crate::{
    Context,
    arguments::AlertsDeed,
    render::{self, Format, ago, until},
};
use chrono::{DateTime, TimeDelta, Utc};
use drydock_engine::{
    alerting::{
        AlertState, Blind, ChannelName, Health, Incident, Rule, RuleId, Severity, Side, Silence, Silenced,
        rules_in_force,
    },
    error_handling::{Error, Outcome, Result},
    observability::{EventLine, EventName, Files, Filter, read_events},
    scheduler::{Holder, Scheduler},
};
use serde::Serialize;
use std::{collections::BTreeMap, process::ExitCode};

/// Whoever does the scheduled work looks each half minute; a computer that wakes needs a moment.
const OVERDUE: TimeDelta = TimeDelta::minutes(10);
/// Where nobody does it, that is said after this.
const UNWATCHED: TimeDelta = TimeDelta::hours(24);

pub(super) async fn alerts(context: &mut Context, deed: Option<AlertsDeed>) -> Result<ExitCode> {
    let (alerts, now) = (context.drydock.alerts(), Utc::now());
    match deed.unwrap_or(AlertsDeed::List) {
        AlertsDeed::List => list(context),
        AlertsDeed::Rules => rules(context),
        AlertsDeed::Ack { incident } => {
            let incident = alerts.acknowledge(&incident, now)?;
            render::answer(context.format, &ListedIncident::of(&incident, None, now), || {
                format!("taken on: {}; you hear of it when it is over\n", incident.title)
            });
            Ok(ExitCode::SUCCESS)
        }
        AlertsDeed::Silence { what, long } => {
            let silence = alerts.silence(&what, long, now)?;
            render::answer(context.format, &silence, || {
                format!(
                    "nothing is said of {what} until {}\n  take it back: drydock alerts unsilence {what}\n",
                    at(silence.until)
                )
            });
            Ok(ExitCode::SUCCESS)
        }
        AlertsDeed::Unsilence { what } => {
            let gone = alerts.unsilence(&what)?;
            render::answer(context.format, &gone, || match gone.len() {
                0 => format!("{what} was not silenced\n"),
                _ => format!("you hear of {what} again\n"),
            });
            Ok(ExitCode::SUCCESS)
        }
        AlertsDeed::History { since } => Ok(history(context, since)),
        AlertsDeed::Channels => alert_channels::list(context).await,
        AlertsDeed::Test { channel, wait } => alert_channels::test(context, channel, wait).await,
        AlertsDeed::Slack(deed) => alert_channels::slack(context, &deed).await,
        AlertsDeed::Email(deed) => alert_channels::email(context, &deed).await,
    }
}

/// An incident, as it is listed.
#[derive(Debug, Serialize)]
struct ListedIncident {
    id: String,
    rule: RuleId,
    about: String,
    severity: Severity,
    title: String,
    text: String,
    remedy: Option<String>,
    since: DateTime<Utc>,
    acknowledged: Option<DateTime<Utc>>,
    /// Nothing is said of it: it is silenced, or its cause fires as well.
    muted: bool,
    /// Who was told.
    told: Vec<ChannelName>,
}

impl ListedIncident {
    fn of(incident: &Incident, state: Option<&AlertState>, now: DateTime<Utc>) -> Self {
        Self {
            id: incident.id.to_string(),
            rule: incident.rule.clone(),
            about: incident.about.clone(),
            severity: incident.severity,
            title: incident.title.clone(),
            text: incident.text.clone(),
            remedy: incident.remedy.clone(),
            since: incident.since,
            acknowledged: incident.acknowledged.filter(|_| incident.is_acknowledged(now)),
            muted: state.is_some_and(|state| state.is_muted(incident)),
            told: incident.told.keys().copied().collect(),
        }
    }

    fn line(&self) -> String {
        let note = match (self.acknowledged, self.muted) {
            (Some(at), _) => format!(" (taken on {})", ago(at)),
            (None, true) => " (silent)".to_owned(),
            (None, false) => String::new(),
        };
        let mut text = format!(
            "{:<8}  {:<6}  {}, {}{note}\n                  {}\n",
            self.id,
            self.severity.word(),
            self.title,
            ago(self.since),
            self.text
        );
        if let Some(remedy) = &self.remedy {
            text.push_str(&format!("                  try: {remedy}\n"));
        }
        text
    }
}

/// What fires, and whether anybody looks.
#[derive(Debug, Default, Serialize)]
pub(super) struct Listed {
    firing: Vec<ListedIncident>,
    silences: Vec<Silence>,
    channels: BTreeMap<ChannelName, Health>,
    last_look: Option<DateTime<Utc>>,
    /// Why nobody can be relied on to look.
    unwatched: Option<String>,
}

pub(super) fn listed(context: &Context) -> Result<Listed> {
    let (alerts, now) = (context.drydock.alerts(), Utc::now());
    let state = alerts.state()?;
    let mut firing: Vec<_> = state.firing().map(|one| ListedIncident::of(one, Some(&state), now)).collect();
    firing.sort_by_key(|one| (std::cmp::Reverse(one.severity), one.since));
    let last_look = alerts.last_look();
    let holder = Scheduler::holder(&context.drydock.locations);
    let silences = state.silences.iter().filter(|silence| silence.until > now).cloned().collect();
    let unwatched = unwatched(last_look, holder.as_ref(), TimeDelta::zero(), now);
    Ok(Listed { firing, silences, channels: state.channels, last_look, unwatched })
}

impl Listed {
    /// Lines for `drydock status`.
    pub(super) fn in_short(&self) -> String {
        let mut text = String::new();
        for one in &self.firing {
            text.push_str(&format!("alert ({}): {}, {}\n", one.severity, one.title, ago(one.since)));
        }
        if !self.firing.is_empty() {
            text.push_str("              try: drydock alerts\n");
        }
        text.extend(self.unwatched.as_ref().map(|why| format!("alerts: {why}\n")));
        text
    }
}

/// Why nobody can be relied on to look for alerts, if so. Without a process that does it, that is said after `grace`.
fn unwatched(
    last_look: Option<DateTime<Utc>>,
    holder: Option<&Holder>,
    grace: TimeDelta,
    now: DateTime<Utc>,
) -> Option<String> {
    const START: &str = "start Drydock in the menu bar, or: drydock daemon";
    match (last_look, holder) {
        (Some(at), Some(holder)) if now - at > OVERDUE && now - holder.since > OVERDUE => Some(format!(
            "process {} should look for alerts and has not since {}: end it, and {START}",
            holder.pid,
            self::at(at)
        )),
        (Some(at), None) if now - at > grace => {
            Some(format!("nobody has looked for alerts since {}: {START}", self::at(at)))
        }
        (None, None) if grace.is_zero() => Some(format!("nobody looks for alerts: {START}")),
        _ => None,
    }
}

/// Says it after a command when nobody has looked for long.
pub(crate) fn say_if_unwatched(context: &Context) {
    if context.format == Format::Json {
        return;
    }
    let last_look = context.drydock.alerts().last_look();
    // Where nobody ever looked, nobody expects it.
    let holder = last_look.and_then(|_| Scheduler::holder(&context.drydock.locations));
    if let Some(why) = last_look.and_then(|at| unwatched(Some(at), holder.as_ref(), UNWATCHED, Utc::now())) {
        eprintln!("drydock: {why}");
    }
}

fn at(time: DateTime<Utc>) -> String {
    time.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M").to_string()
}

fn list(context: &Context) -> Result<ExitCode> {
    let listed = listed(context)?;
    render::answer(context.format, &listed, || {
        let mut text: String = listed.firing.iter().map(ListedIncident::line).collect();
        if listed.firing.is_empty() {
            text.push_str("nothing fires\n");
        } else {
            text.push_str("\ntake one on: drydock alerts ack ALERT   not hear of it: drydock alerts silence ALERT --for 2h\n");
        }
        for silence in &listed.silences {
            text.push_str(&format!("silent: {}, {}\n", silenced(&silence.what), until(silence.until)));
        }
        for (channel, health) in &listed.channels {
            if let Health::Down { why, .. } | Health::Pausing { why, .. } = health {
                text.push_str(&format!("the channel {channel} does not take messages: {why}\n"));
            }
        }
        text.extend(listed.unwatched.as_ref().map(|why| format!("{why}\n")));
        text
    });
    let waits =
        |one: &ListedIncident| one.severity == Severity::High && one.acknowledged.is_none() && !one.muted;
    Ok(if listed.firing.iter().any(waits) {
        ExitCode::from(Outcome::NeedsUser.exit_code())
    } else {
        ExitCode::SUCCESS
    })
}

fn silenced(what: &Silenced) -> String {
    match what {
        Silenced::All => "everything".to_owned(),
        Silenced::Rule(rule) => format!("the rule {rule}"),
        Silenced::Alert(fingerprint) => format!("one alert ({})", fingerprint.as_str()),
    }
}

/// A rule, as it is listed.
#[derive(Debug, Serialize)]
struct ListedRule {
    id: RuleId,
    severity: Severity,
    looks_at: String,
    fires: String,
    lasts_minutes: i64,
    title: String,
    remedy: Option<&'static str>,
    standing: Standing,
    /// Why there is no data.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    Well,
    Fires,
    NoData,
    NotLooked,
}

#[derive(Debug, Serialize)]
struct ListedRules {
    rules: Vec<ListedRule>,
    refused: Vec<Error>,
}

fn rules(context: &Context) -> Result<ExitCode> {
    let alerts = context.drydock.alerts();
    let state = alerts.state()?;
    let in_force = rules_in_force(&context.drydock.settings);
    let looked = alerts.last_look().is_some();
    let rules = in_force.rules.iter().map(|rule| listed_rule(rule, &state, looked)).collect();
    let refused: Vec<_> = in_force.refused.into_iter().map(|(_, error)| error).collect();
    let listed = ListedRules { rules, refused };
    render::answer(context.format, &listed, || {
        let rows = listed.rules.iter().map(|rule| {
            vec![
                rule.id.to_string(),
                rule.severity.to_string(),
                match (&rule.why, rule.standing) {
                    (Some(why), _) => format!("no data: {why}"),
                    (None, Standing::Fires) => "FIRES".to_owned(),
                    (None, Standing::NotLooked) => "nobody has looked".to_owned(),
                    (None, _) => "well".to_owned(),
                },
                format!("{} {}", rule.looks_at, rule.fires),
            ]
        });
        render::table(&["RULE", "SEVERITY", "STANDS", "FIRES"], rows)
    });
    if context.format == Format::Human {
        listed.refused.iter().for_each(render::warning);
    }
    Ok(match listed.refused.first() {
        Some(error) => ExitCode::from(error.outcome().exit_code()),
        None => ExitCode::SUCCESS,
    })
}

fn listed_rule(rule: &Rule, state: &AlertState, looked: bool) -> ListedRule {
    let side = match rule.side {
        Side::Above => "above",
        Side::Below => "below",
    };
    let levels = rule.levels.iter().map(|level| match rule.levels.len() {
        1 => format!("{side} {}", level.threshold),
        _ => format!("{side} {} ({})", level.threshold, level.severity),
    });
    let mut fires = levels.collect::<Vec<_>>().join(", ");
    let lasts_minutes = rule.hold.time().num_minutes();
    if lasts_minutes > 0 {
        fires.push_str(&format!(" for {lasts_minutes} min"));
    }
    let blind: Option<&Blind> = state.blind.get(&rule.id);
    let standing = match (state.firing().any(|one| one.rule == rule.id), blind) {
        (true, _) => Standing::Fires,
        (false, Some(_)) => Standing::NoData,
        (false, None) if looked => Standing::Well,
        (false, None) => Standing::NotLooked,
    };
    ListedRule {
        id: rule.id.clone(),
        severity: rule.severity(),
        looks_at: rule.measure.to_string(),
        fires,
        lasts_minutes,
        title: rule.title.to_string(),
        remedy: rule.remedy,
        standing,
        why: blind.map(|blind| blind.why.0.clone()),
    }
}

fn history(context: &Context, since: TimeDelta) -> ExitCode {
    let filter = Filter { since: Some(Utc::now() - since), ..Filter::default() };
    let mut events = read_events(&Files::of(&context.drydock.locations), &filter);
    events.retain(|event| event.event.starts_with("alert."));
    render::answer(context.format, &events, || {
        if events.is_empty() {
            return "no alerts\n".to_owned();
        }
        events.iter().map(told).collect()
    });
    ExitCode::SUCCESS
}

fn told(event: &EventLine) -> String {
    let word = |key: &str| event.attrs.get(key).and_then(|value| value.as_str()).unwrap_or_default();
    let what = match event.event.as_str() {
        name if name == EventName::AlertFired.as_str() => {
            format!("fires ({}): {}", word("severity"), word("title"))
        }
        name if name == EventName::AlertRose.as_str() => {
            format!("now {}: {}", word("severity"), word("title"))
        }
        name if name == EventName::AlertResolved.as_str() => format!("over: {}", word("title")),
        name if name == EventName::AlertSent.as_str() => format!("told by {}", word("channel")),
        _ => format!("not told by {}: {}", word("channel"), word("why")),
    };
    format!("{}  {:<8}  {what}\n", at(event.ts), word("incident"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_when_nobody_looks() {
        let now = Utc::now();
        let ago = |hours| Some(now - TimeDelta::hours(hours));
        let holder = Holder { pid: 7, since: now - TimeDelta::hours(50) };
        let said = |last, holder, grace| unwatched(last, holder, grace, now);
        assert_eq!(said(ago(0), Some(&holder), UNWATCHED), None);
        assert!(said(ago(1), Some(&holder), UNWATCHED).unwrap().contains("process 7"));
        let begun = Holder { pid: 7, since: now };
        assert_eq!(said(ago(100), Some(&begun), UNWATCHED), None);
        assert_eq!(said(ago(23), None, UNWATCHED), None);
        assert!(said(ago(25), None, UNWATCHED).unwrap().contains("drydock daemon"));
        assert!(said(ago(1), None, TimeDelta::zero()).is_some());
        assert!(said(None, None, TimeDelta::zero()).is_some());
        assert_eq!(said(None, None, UNWATCHED), None);
    }
}
