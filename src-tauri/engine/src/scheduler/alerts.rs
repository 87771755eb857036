//! Looking for alerts while the computer is awake, and after each job.

use crate::{
    alerting::{Alerts, Change, Pace, Watchman, channels_of},
    paths::Locations,
    settings::Settings,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// So often.
const TICK: Duration = Duration::from_secs(30);
/// Never more often, however many jobs end.
const REST: Duration = Duration::from_secs(5);

/// Looks for ever.
pub(super) async fn watch(
    locations: Locations,
    job_ended: Arc<Notify>,
    report: Arc<dyn Fn(Change) + Send + Sync>,
) {
    let mut watchman = Watchman::of(&locations);
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
            match watchman.look(settings, &channels_of(&locations, settings), moment).await {
                Ok(looked) => looked.changes.into_iter().for_each(&*report),
                Err(error) => tracing::warn!(%error, "a look for alerts failed"),
            }
        }
        tokio::time::sleep(REST).await;
        tokio::select! {
            () = tokio::time::sleep(TICK - REST) => {}
            () = job_ended.notified() => {}
        }
    }
}
