//! New versions of Claude Code: noticed once a day, and tried by themselves where the user wants that.

use super::{Again, Deployments, deployments::blocking, store::Store};
use crate::{
    container::ContainerEngine,
    error_handling::Result,
    image::{self, ClaudeVersion},
    observability::{Event, EventName, log_event},
    paths::write_record,
    progress::ProgressSink,
    settings::NewVersions,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf};

const DAY: TimeDelta = TimeDelta::days(1);
/// The first look is not among the first things that Drydock does.
const FIRST: TimeDelta = TimeDelta::minutes(10);

/// The last look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Noticed {
    at: DateTime<Utc>,
    newest: Option<String>,
}

impl Deployments {
    /// A version that is newer than what sessions use, as of the last look at the registry.
    #[must_use]
    pub fn newer(&self) -> Option<ClaudeVersion> {
        let newest: ClaudeVersion = self.noticed()?.newest?.parse().ok()?;
        (newest > self.used()?).then_some(newest)
    }

    /// A newer version that the user may want to try now: nothing else is tried, and it was not tried already. None where
    /// they do not want to hear of new ones.
    ///
    /// # Errors
    /// When the state database cannot be used.
    pub fn offered(&self) -> Result<Option<ClaudeVersion>> {
        if self.settings.deployment_new_versions() == NewVersions::Off {
            return Ok(None);
        }
        let Some(newer) = self.newer() else { return Ok(None) };
        Ok(self.may_be_tried(newer)?.then_some(newer))
    }

    /// Looks at the registry once a day, and tries what is new where the user wants that.
    ///
    /// # Errors
    /// When the registry does not answer, or the engine; it is looked again the next day.
    pub(crate) async fn notice(&self, now: DateTime<Utc>) -> Result<()> {
        let wish = self.settings.deployment_new_versions();
        if wish == NewVersions::Off || !self.is_due(now)? {
            return Ok(());
        }
        let found = image::newest_version().await;
        let newest = found.as_ref().ok().map(ToString::to_string).or_else(|| self.noticed()?.newest);
        let (deployments, before) = (self.clone(), self.newer());
        blocking(move || deployments.remember(&Noticed { at: now, newest })).await?;
        found?;
        let Some(newer) = self.newer() else { return Ok(()) };
        if before != Some(newer) {
            log_event(&Event::new(EventName::DeploymentNewer).with("claude", newer.to_string()));
        }
        let deployments = self.clone();
        let may_be_tried = blocking(move || deployments.may_be_tried(newer)).await?;
        if wish == NewVersions::Try && may_be_tried {
            let engine = ContainerEngine::find(&self.locations, &self.settings).await?;
            Box::pin(self.deploy_canary(&engine, Some(newer), Again::No, &ProgressSink::none())).await?;
        }
        Ok(())
    }

    /// Whether a day is over. The first look is put off.
    fn is_due(&self, now: DateTime<Utc>) -> Result<bool> {
        let Some(noticed) = self.noticed() else {
            self.remember(&Noticed { at: now - DAY + FIRST, newest: None })?;
            return Ok(false);
        };
        // One that is yet to come was written before the clock was set back.
        Ok(noticed.at > now || now - noticed.at >= DAY)
    }

    /// What was taken back is not tried again by itself, and nothing beside what is tried already.
    fn may_be_tried(&self, version: ClaudeVersion) -> Result<bool> {
        let Some(store) = Store::open_if_there(&self.locations)? else { return Ok(true) };
        let version = version.to_string();
        let was_tried = |given: &str| given == version;
        let is_denied = store.denied()?.iter().any(|denied| was_tried(&denied.identity.claude_version));
        let newest = store.newest()?;
        let is_known = newest.is_some_and(|kept| {
            kept.deployment.state.is_active() || was_tried(&kept.deployment.candidate.claude_version)
        });
        Ok(!is_denied && !is_known)
    }

    /// The version that sessions use.
    fn used(&self) -> Option<ClaudeVersion> {
        let promoted =
            Store::open_if_there(&self.locations).ok().flatten().and_then(|store| store.promoted().ok());
        let promoted = promoted.and_then(|all| all.into_iter().next());
        let promoted = promoted.filter(|one| one.asked == self.settings.claude_version());
        match promoted {
            Some(promoted) => promoted.identity.claude_version.parse().ok(),
            None => self.settings.claude_version().parse().ok(),
        }
    }

    fn noticed(&self) -> Option<Noticed> {
        serde_json::from_slice(&fs::read(self.noticed_file()).ok()?).ok()
    }

    fn remember(&self, noticed: &Noticed) -> Result<()> {
        write_record(&self.noticed_file(), noticed)
    }

    fn noticed_file(&self) -> PathBuf {
        self.locations.data_dir.join("newest.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{paths::Locations, settings::Settings};

    #[test]
    fn it_is_looked_once_a_day_and_not_at_first() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let settings = Settings::load(&locations.settings_file).unwrap();
        let deployments = Deployments::of(&locations, &settings);
        let now = Utc::now();
        assert!(!deployments.is_due(now).unwrap(), "the first look is put off");
        assert!(!deployments.is_due(now + FIRST / 2).unwrap());
        assert!(deployments.is_due(now + FIRST).unwrap());
        assert_eq!(deployments.newer(), None);

        let newest = |version: &str| Noticed { at: now, newest: Some(version.to_owned()) };
        deployments.remember(&newest("99.0.1")).unwrap();
        assert!(!deployments.is_due(now + DAY / 2).unwrap());
        assert!(deployments.is_due(now - TimeDelta::hours(1)).unwrap(), "the clock was set back");
        assert_eq!(deployments.newer().unwrap().to_string(), "99.0.1");
        assert_eq!(deployments.offered().unwrap(), deployments.newer());
        let mut settings_off = settings.clone();
        settings_off.use_for_now("deployment.new_versions", "off").unwrap();
        assert_eq!(
            Deployments::of(&locations, &settings_off).offered().unwrap(),
            None,
            "nobody wants to hear it"
        );
        for old in ["2.0.1", settings.claude_version()] {
            deployments.remember(&newest(old)).unwrap();
            assert_eq!(deployments.newer(), None, "{old}");
        }
    }
}
