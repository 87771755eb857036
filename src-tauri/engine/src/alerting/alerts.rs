//! The alerts of one home: what the command line, the app and the scheduler ask.

use super::{
    AlertState, Change, ChannelName, Channels, Delivery, Incident, IncidentId, Message, Moment, Occasion,
    Page, RuleId, Severity, Silence, Silenced, check_alert_rules,
    collect::{Collector, Wanted},
    due::{due, remember},
    observed::{observe_attempts, observe_change},
    own::rules_in_force,
    ping::Ping,
    send_alert,
    store::Store,
};
use crate::{
    error_handling::{Code, Error, Result},
    paths::Locations,
    settings::Settings,
};
use chrono::{DateTime, TimeDelta, Utc};

/// The alerts of one home.
#[derive(Debug, Clone)]
pub struct Alerts {
    store: Store,
    settings: Settings,
}

impl Alerts {
    /// Those of a home.
    #[must_use]
    pub fn of(locations: &Locations, settings: &Settings) -> Self {
        Self { store: Store::of(locations), settings: settings.clone() }
    }

    /// What is known of them.
    ///
    /// # Errors
    /// [`Code::AlertsDamaged`] when that cannot be understood.
    pub fn state(&self) -> Result<AlertState> {
        self.store.read()
    }

    /// When somebody last looked; `None` when nobody ever did.
    #[must_use]
    pub fn last_look(&self) -> Option<DateTime<Utc>> {
        self.store.last_look()
    }

    /// Somebody takes an incident on: nothing more is said of it, until it is over or matters more.
    ///
    /// # Errors
    /// [`Code::AlertUnknown`] or [`Code::AlertAmbiguous`].
    pub fn acknowledge(&self, id: &str, now: DateTime<Utc>) -> Result<Incident> {
        self.store.change(|state| {
            let id = named(state, id)?.id.clone();
            let incident = state.incident_mut(&id).ok_or_else(|| unknown(id.as_str()))?;
            incident.acknowledged = Some(now);
            Ok(incident.clone())
        })
    }

    /// Silences `all`, a rule, or what an incident is about.
    ///
    /// # Errors
    /// [`Code::AlertUnknown`] or [`Code::AlertAmbiguous`].
    pub fn silence(&self, what: &str, long: TimeDelta, now: DateTime<Utc>) -> Result<Silence> {
        self.store.change(|state| {
            let silence = Silence { what: self.silenced(state, what)?, made: now, until: now + long };
            state.silences.retain(|other| other.what != silence.what);
            state.silences.push(silence.clone());
            Ok(silence)
        })
    }

    /// Ends silences before their time: those of `all`, a rule or an incident. The ones that ended are in the answer.
    ///
    /// # Errors
    /// [`Code::AlertUnknown`] when there is no such silence.
    pub fn unsilence(&self, what: &str) -> Result<Vec<Silence>> {
        self.store.change(|state| {
            let what = self.silenced(state, what)?;
            let (gone, stay) = state.silences.drain(..).partition(|silence| silence.what == what);
            state.silences = stay;
            Ok(gone)
        })
    }

    fn silenced(&self, state: &AlertState, what: &str) -> Result<Silenced> {
        if what == "all" {
            return Ok(Silenced::All);
        }
        let rules = rules_in_force(&self.settings).rules;
        if let Some(rule) = rules.iter().find(|rule| rule.id.as_str() == what) {
            return Ok(Silenced::Rule(rule.id.clone()));
        }
        let incident = named(state, what).map_err(|error| {
            let names = rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>().join(", ");
            error.remedy(format!("the rules are: all, {names}"))
        })?;
        Ok(Silenced::Alert(incident.fingerprint.clone()))
    }

    /// Tries a channel. That it works, or does not, is remembered.
    ///
    /// # Errors
    /// [`Code::AlertsChannel`] when it is not set up.
    pub async fn test(&self, channels: &Channels, name: ChannelName, now: DateTime<Utc>) -> Result<Delivery> {
        let channel = channels.get(name).ok_or_else(|| {
            Error::new(Code::AlertsChannel, format!("the channel {name} is not set up"))
                .remedy("drydock settings list   (alerts.*)")
        })?;
        let message = Message {
            incident: None,
            occasion: Occasion::Test,
            severity: Severity::Low,
            title: "Drydock's alerts arrive here".to_owned(),
            text: "This is only a test.".to_owned(),
            remedy: None,
            page: Page::Settings,
            since: now,
            at: now,
            held_back: 0,
        };
        let delivery = channel.send(&message).await;
        self.store.change(|state| {
            state.channels.entry(name).or_default().gave(&delivery, now);
            Ok(())
        })?;
        Ok(delivery)
    }
}

fn unknown(id: &str) -> Error {
    Error::new(Code::AlertUnknown, format!("there is no incident `{id}`")).remedy("drydock alerts list")
}

/// The incident that a text names, or begins to name.
fn named<'a>(state: &'a AlertState, text: &str) -> Result<&'a Incident> {
    let mut found = state.firing().filter(|one| !text.is_empty() && one.id.as_str().starts_with(text));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(unknown(text)),
        (Some(_), Some(_)) => {
            Err(Error::new(Code::AlertAmbiguous, format!("several incidents begin with `{text}`"))
                .remedy("drydock alerts list"))
        }
    }
}

/// What came of a look.
#[derive(Debug, Default)]
pub struct Looked {
    /// What changed.
    pub changes: Vec<Change>,
    /// What was said: of which incidents, and through which channel.
    pub said: Vec<(Vec<IncidentId>, ChannelName)>,
    /// Rules in the settings that cannot be used.
    pub refused: Vec<(RuleId, Error)>,
}

/// Looks at the home again and again, and says what is to be said.
#[derive(Debug)]
pub struct Watchman {
    locations: Locations,
    collector: Option<Collector>,
    ping: Ping,
}

impl Watchman {
    /// One for a home.
    #[must_use]
    pub fn of(locations: &Locations) -> Self {
        Self {
            locations: locations.clone(),
            collector: Some(Collector::of(locations)),
            ping: Ping::default(),
        }
    }

    /// Looks once. Nothing is done while another process is at it.
    ///
    /// # Errors
    /// When what was seen cannot be written down: then nothing is said either, and the next look tries again.
    pub async fn look(&mut self, settings: &Settings, channels: &Channels, moment: Moment) -> Result<Looked> {
        let store = Store::of(&self.locations);
        let Some(_right) = store.sender()? else { return Ok(Looked::default()) };
        let in_force = rules_in_force(settings);
        let mut collector = self.collector.take().unwrap_or_else(|| Collector::of(&self.locations));
        let orphans = collector.ask_engine(settings, moment.now).await;
        let policy = settings.alert_policy(channels.names());
        let (rules, refused, settings_now) = (in_force.rules, in_force.refused, settings.clone());
        let writing = store.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let known = writing.read().unwrap_or_default();
            let wanted = Wanted {
                settings: &settings_now,
                rules: &rules,
                refused: &refused,
                channels: &policy.available,
                state: &known,
                now: moment.now,
            };
            let readings = collector.look(&wanted, &orphans);
            let done = writing.change(|state| {
                let changes = check_alert_rules(&rules, &readings, state, &moment);
                Ok((changes, due(state, &policy, &moment)))
            });
            (collector, done, refused)
        });
        let (collector, done, refused) = looked
            .await
            .map_err(|cause| Error::new(Code::Internal, "a look for alerts stopped").why(cause))?;
        self.collector = Some(collector);
        let (changes, to_say) = done?;
        changes.iter().for_each(observe_change);
        let mut said = Vec::new();
        for due in to_say {
            let attempts = send_alert(channels, &due.order, &due.message).await;
            observe_attempts(&due, &attempts);
            let through = attempts.iter().find(|(_, delivery)| *delivery == Delivery::Sent);
            said.extend(through.map(|(channel, _)| (due.incidents.clone(), *channel)));
            let store = store.clone();
            let written = tokio::task::spawn_blocking(move || {
                store.change(|state| {
                    remember(state, &due, &attempts, &moment);
                    Ok(())
                })
            });
            written
                .await
                .map_err(|cause| Error::new(Code::Internal, "a look for alerts stopped").why(cause))??;
        }
        store.looked(moment.now)?;
        if let Some(url) = settings.ping_url() {
            self.ping.at(&url, moment.now).await;
        }
        Ok(Looked { changes, said, refused })
    }
}
