//! Sending what is on record, where the user wants that.

use super::pause::paused;
use crate::{observability::Shipper, paths::Locations, settings::Settings};
use chrono::Utc;
use std::time::Duration;
use tokio::runtime::Handle;

/// So often is looked whether there is something to send.
const TICK: Duration = Duration::from_secs(10);

/// Sends for ever. The settings are read each time: the user may have changed them.
pub(super) async fn ship(locations: &Locations) {
    let shipper = Shipper::of(locations);
    loop {
        let (shipper, settings_file) = (shipper.clone(), locations.settings_file.clone());
        let runtime = Handle::current();
        let resting = locations.clone();
        let send = move || {
            if paused(&resting, Utc::now()).is_some() {
                return Ok(());
            }
            let settings = Settings::load(&settings_file)?;
            shipper.send_due(&settings, &runtime)
        };
        match tokio::task::spawn_blocking(send).await {
            Ok(Ok(())) => {}
            // What is on record stays, and is sent another time.
            Ok(Err(error)) => tracing::warn!(%error, "what is on record is not sent"),
            Err(cause) => tracing::warn!(%cause, "a round of sending stopped"),
        }
        tokio::time::sleep(TICK).await;
    }
}
