//! Looking for alerts while the computer is awake, and after each job; and what the user does with notifications.

use super::Told;
use crate::{
    alerting::{
        Alerts, Pace, Watchman,
        channels::{Channels, ClickAction, Clicked},
        channels_of,
    },
    paths::Locations,
    settings::Settings,
};
use chrono::{TimeDelta, Utc};
use std::{sync::Arc, time::Duration};
use tokio::sync::{
    Notify,
    broadcast::{Receiver, error::RecvError},
};

/// So often.
const TICK: Duration = Duration::from_secs(30);
/// Never more often, however many jobs end.
const REST: Duration = Duration::from_secs(5);
/// So long an alert is silent after a click on "Snooze".
const SNOOZE: TimeDelta = TimeDelta::hours(1);
/// The icon's name in a Linux desktop's theme; a Mac shows the app's own.
const ICON: &str = "drydock";

/// Looks for ever.
pub(super) async fn watch(
    locations: Locations,
    job_ended: Arc<Notify>,
    report: Arc<dyn Fn(Told) + Send + Sync>,
) {
    let mut watchman = Watchman::of(&locations);
    let ways = Channels::of(&locations, ICON);
    let mut clicks = ways.clicks();
    let mut pace = Pace::default();
    let mut settings: Option<Settings> = None;
    loop {
        match Settings::load(&locations.settings_file) {
            Ok(now) => settings = Some(now),
            // A slip in the settings must not make it blind.
            Err(error) => tracing::warn!(%error, "alerts go by the settings of before"),
        }
        if let Some(settings) = &settings {
            let moment = pace.moment(Alerts::of(&locations, settings).last_look());
            match watchman.look(settings, &channels_of(&ways, settings), moment).await {
                Ok(looked) => looked.changes.into_iter().for_each(|change| report(Told::Alert(change))),
                Err(error) => tracing::warn!(%error, "a look for alerts failed"),
            }
        }
        let pause = async {
            tokio::time::sleep(REST).await;
            tokio::select! {
                () = tokio::time::sleep(TICK - REST) => {}
                () = job_ended.notified() => {}
            }
        };
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                clicked = heard(&mut clicks) => answer(&locations, settings.as_ref(), clicked, &report).await,
            }
        }
    }
}

/// The next click. Where so many come that some are lost, the next one counts.
async fn heard(clicks: &mut Receiver<Clicked>) -> Clicked {
    loop {
        match clicks.recv().await {
            Ok(clicked) => return clicked,
            Err(RecvError::Lagged(_)) => {}
            // The channels live as long as this does.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Does what can be done without a window; the rest is told to who has one.
async fn answer(
    locations: &Locations,
    settings: Option<&Settings>,
    clicked: Clicked,
    report: &Arc<dyn Fn(Told) + Send + Sync>,
) {
    let (ClickAction::Snooze, Some(incident), Some(settings)) = (clicked.action, &clicked.incident, settings)
    else {
        return report(Told::Clicked(clicked));
    };
    let (alerts, incident) = (Alerts::of(locations, settings), incident.to_string());
    let silenced = tokio::task::spawn_blocking(move || alerts.silence(&incident, SNOOZE, Utc::now())).await;
    if let Ok(Err(error)) = silenced {
        tracing::warn!(%error, "an alert could not be silenced");
    }
}
