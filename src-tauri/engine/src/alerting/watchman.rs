//! Looking at a home again and again, and saying what is to be said.

use super::{
    AlertState, Change, ChannelName, Channels, Delivery, IncidentId, Moment, RuleId, check_alert_rules,
    collect::{Collector, Wanted},
    due::{due, remember},
    observed::{observe_attempts, observe_change},
    own::{RulesInForce, rules_in_force},
    ping::Ping,
    send_alert,
    store::Store,
};
use crate::{
    error_handling::{Code, Error, Result},
    paths::Locations,
    settings::Settings,
};

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
    /// What could not be written down.
    carried: Option<AlertState>,
    ping: Ping,
}

impl Watchman {
    /// One for a home.
    #[must_use]
    pub fn of(locations: &Locations) -> Self {
        Self {
            locations: locations.clone(),
            collector: Some(Collector::of(locations)),
            carried: None,
            ping: Ping::default(),
        }
    }

    /// Looks once. Nothing is done while another process is at it.
    ///
    /// # Errors
    /// When Drydock's own folder cannot be used at all.
    pub async fn look(&mut self, settings: &Settings, channels: &Channels, moment: Moment) -> Result<Looked> {
        let store = Store::of(&self.locations);
        let Some(_right) = store.sender()? else { return Ok(Looked::default()) };
        let RulesInForce { rules, refused } = rules_in_force(settings);
        let mut collector = self.collector.take().unwrap_or_else(|| Collector::of(&self.locations));
        let orphans = collector.ask_engine(settings, moment.now).await;
        let policy = settings.alert_policy(channels.names());
        let (settings_now, carried, writing) = (settings.clone(), self.carried.take(), store.clone());
        let looked = blocking(move || {
            let known = carried.clone().unwrap_or_else(|| writing.read().unwrap_or_default());
            let wanted = Wanted {
                settings: &settings_now,
                rules: &rules,
                refused: &refused,
                channels: &policy.available,
                state: &known,
                now: moment.now,
            };
            let readings = collector.look(&wanted, &orphans);
            let done = writing.change_or_carry(carried.as_ref(), |state| {
                let changes = check_alert_rules(&rules, &readings, state, &moment);
                (changes, due(state, &policy, &moment))
            });
            (collector, done, refused)
        });
        let (collector, ((changes, to_say), carried), refused) = looked.await?;
        (self.collector, self.carried) = (Some(collector), carried);
        changes.iter().for_each(observe_change);
        let mut said = Vec::new();
        for due in to_say {
            let attempts = send_alert(channels, &due.order, &due.message).await;
            observe_attempts(&due, &attempts);
            let through = attempts.iter().find(|(_, delivery)| *delivery == Delivery::Sent);
            said.extend(through.map(|(channel, _)| (due.incidents.clone(), *channel)));
            let (store, carried) = (store.clone(), self.carried.take());
            let remembered = blocking(move || {
                store.change_or_carry(carried.as_ref(), |state| remember(state, &due, &attempts, &moment)).1
            });
            self.carried = remembered.await?;
        }
        if let Err(error) = store.looked(moment.now) {
            tracing::warn!(%error, "that somebody looked cannot be noted");
        }
        if let Some(url) = settings.ping_url() {
            self.ping.at(&url, moment.now).await;
        }
        Ok(Looked { changes, said, refused })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::new(Code::Internal, "a look for alerts stopped").why(cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::{Alerts, Awake, Before, Channel, Message, Occasion};
    use chrono::{DateTime, TimeDelta, Utc};
    use futures_util::future::BoxFuture;
    use std::{
        fs,
        sync::{Arc, Mutex},
    };

    /// A channel that keeps what it is given, and answers as it is told.
    struct Recorded {
        answer: Delivery,
        messages: Mutex<Vec<Message>>,
    }

    impl Recorded {
        fn that(answer: Delivery) -> Arc<Self> {
            Arc::new(Self { answer, messages: Mutex::default() })
        }

        fn titles(&self) -> Vec<(Occasion, String)> {
            let messages = self.messages.lock().unwrap();
            messages.iter().map(|message| (message.occasion, message.title.clone())).collect()
        }
    }

    impl Channel for Recorded {
        fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Delivery> {
            self.messages.lock().unwrap().push(message.clone());
            let answer = self.answer.clone();
            Box::pin(async move { answer })
        }
    }

    struct Watched {
        home: tempfile::TempDir,
        locations: Locations,
        settings: Settings,
        now: DateTime<Utc>,
    }

    impl Watched {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let locations = Locations::find(Some(home.path())).unwrap();
            fs::create_dir_all(&locations.claude_dir).unwrap();
            let mut settings = Settings::load(&locations.settings_file).unwrap();
            // How full the disk is that the tests run on is nobody's business here, nor is the time of the day.
            settings.set("alerts.rules.disk.state", "off").unwrap();
            settings.set("alerts.digest_at", "").unwrap();
            Self { home, locations, settings, now: Utc::now() }
        }

        fn damage(&self, text: &str) {
            fs::write(self.home.path().join(".claude/settings.json"), text).unwrap();
        }

        async fn look(&mut self, watchman: &mut Watchman, channels: &Channels) -> Looked {
            self.now += TimeDelta::seconds(30);
            let moment = Moment {
                now: self.now,
                local: self.now.naive_utc(),
                awake: Awake::of(TimeDelta::seconds(30)),
                before: Before::Awake,
            };
            watchman.look(&self.settings, channels, moment).await.unwrap()
        }
    }

    #[tokio::test]
    async fn what_fires_is_sent_once_also_by_another_process_and_so_is_its_end() {
        let mut watched = Watched::new();
        let desktop = Recorded::that(Delivery::Sent);
        let channels = Channels::none().with(ChannelName::Desktop, desktop.clone());
        watched.damage("{\"model\": ");
        let mut first = Watchman::of(&watched.locations);
        watched.look(&mut first, &channels).await;
        watched.look(&mut first, &channels).await;
        let mut second = Watchman::of(&watched.locations);
        watched.look(&mut second, &channels).await;
        let title = "Something is damaged: settings.json".to_owned();
        assert_eq!(desktop.titles(), [(Occasion::Firing, title.clone())]);
        assert_eq!(desktop.messages.lock().unwrap()[0].remedy.as_deref(), Some("drydock recover"));

        watched.damage("{}");
        watched.look(&mut second, &channels).await;
        watched.look(&mut first, &channels).await;
        assert_eq!(desktop.titles(), [(Occasion::Firing, title.clone()), (Occasion::Resolved, title)]);
    }

    #[tokio::test]
    async fn a_channel_that_refuses_is_an_alert_itself_through_another_one() {
        let mut watched = Watched::new();
        let desktop = Recorded::that(Delivery::Refused { why: "nobody is here".into() });
        let slack = Recorded::that(Delivery::Sent);
        let channels = Channels::none()
            .with(ChannelName::Desktop, desktop.clone())
            .with(ChannelName::Slack, slack.clone());
        watched.damage("{");
        let mut watchman = Watchman::of(&watched.locations);
        watched.look(&mut watchman, &channels).await;
        watched.look(&mut watchman, &channels).await;
        let titles: Vec<_> = slack.titles().into_iter().map(|(_, title)| title).collect();
        assert_eq!(titles, ["Something is damaged: settings.json", "Alerts do not get through: desktop"]);
        assert_eq!(desktop.titles().len(), 1);

        let alerts = Alerts::of(&watched.locations, &watched.settings);
        alerts.note_test(ChannelName::Desktop, &Delivery::Sent, watched.now).unwrap();
        watched.look(&mut watchman, &channels).await;
        assert_eq!(slack.titles().last().unwrap().0, Occasion::Resolved);
    }

    #[tokio::test]
    async fn on_a_disk_that_cannot_be_written_it_is_said_all_the_same_and_once() {
        let mut watched = Watched::new();
        let desktop = Recorded::that(Delivery::Sent);
        let channels = Channels::none().with(ChannelName::Desktop, desktop.clone());
        let mut watchman = Watchman::of(&watched.locations);
        watched.look(&mut watchman, &channels).await;
        // Nothing can be put in the place of a folder.
        let state = watched.locations.data_dir.join("alerts/state.json");
        fs::remove_file(&state).unwrap();
        fs::create_dir(&state).unwrap();
        watched.damage("{");
        watched.look(&mut watchman, &channels).await;
        watched.look(&mut watchman, &channels).await;
        assert_eq!(desktop.titles().len(), 1, "{:?}", desktop.titles());
        fs::remove_dir(&state).unwrap();
        watched.look(&mut watchman, &channels).await;
        assert_eq!(Alerts::of(&watched.locations, &watched.settings).state().unwrap().firing().count(), 1);
        assert_eq!(desktop.titles().len(), 1);
    }
}
