//! Going on with a deployment that waits for work or for time, and launching its candidate in idle hours.

use super::power::is_on_mains;
use crate::{
    container::ContainerEngine,
    deployment::{Deployments, Others},
    error_handling::Result,
    paths::Locations,
    progress::ProgressSink,
    session::Sessions,
    settings::Settings,
};
use chrono::Utc;
use std::time::Duration;

/// So often is looked.
const TICK: Duration = Duration::from_secs(60);

/// Goes on for ever. The settings are read each time: the user may have changed them.
pub(super) async fn go_on(locations: &Locations) {
    loop {
        if let Err(error) = once(locations).await {
            // Its state stays, and it is tried again.
            tracing::warn!(%error, "a deployment does not go on");
        }
        tokio::time::sleep(TICK).await;
    }
}

async fn once(locations: &Locations) -> Result<()> {
    let settings = Settings::load(&locations.settings_file)?;
    let deployments = Deployments::of(locations, &settings);
    if let Err(error) = deployments.notice(Utc::now()).await {
        // Nobody waits for it, and it is looked again tomorrow.
        tracing::info!(%error, "the newest Claude Code is not known");
    }
    let due = deployments.due(Utc::now()).await?;
    if due.is_nothing() {
        return Ok(());
    }
    let engine = ContainerEngine::find(locations, &settings).await?;
    if due.work {
        Box::pin(deployments.go_on(&engine, Others::Leave, &ProgressSink::none())).await?;
    }
    let Some(probed) = due.probe.filter(|_| settings.deployment_probes()) else { return Ok(()) };
    if tokio::task::spawn_blocking(is_on_mains).await.unwrap_or(false) {
        let sessions = Sessions { locations: locations.clone(), settings, engine };
        Box::pin(sessions.probe(&probed)).await?;
    }
    Ok(())
}
