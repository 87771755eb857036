//! The alerts of one home: what the command line, the app and the scheduler ask.

use super::{
    AlertState, ChannelName, Delivery, Incident, Silence, Silenced, own::rules_in_force, store::Store,
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

    /// Notes what a channel answered when it was tried: one that takes a message is well again.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn note_test(&self, name: ChannelName, delivery: &Delivery, now: DateTime<Utc>) -> Result<()> {
        self.store.change(|state| {
            state.channels.entry(name).or_default().gave(delivery, now);
            Ok(())
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_named_by_the_beginning_of_its_name() {
        let (home, now) = (tempfile::tempdir().unwrap(), Utc::now());
        let locations = Locations::find(Some(home.path())).unwrap();
        let settings = Settings::load(&locations.settings_file).unwrap();
        let alerts = Alerts::of(&locations, &settings);
        for wrong in ["", "abc"] {
            assert_eq!(alerts.acknowledge(wrong, now).unwrap_err().code(), Code::AlertUnknown);
        }
        let error = alerts.silence("dammage", TimeDelta::hours(1), now).unwrap_err();
        assert!(error.remedies().iter().any(|remedy| remedy.contains("damage")), "{error:?}");
        alerts.silence("damage", TimeDelta::hours(1), now).unwrap();
        alerts.silence("damage", TimeDelta::hours(2), now).unwrap();
        assert_eq!(alerts.unsilence("damage").unwrap().len(), 1);
        assert!(alerts.unsilence("all").unwrap().is_empty());
    }
}
