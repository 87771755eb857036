//! The one thing that the command line and the app open.

use crate::{
    alerting::Alerts,
    backup::{Backups, BeforeSync},
    container::ContainerEngine,
    deployment::Deployments,
    disaster_recovery::Recovery,
    error_handling::Result,
    gitops::Gitops,
    paths::Locations,
    session::Sessions,
    settings::Settings,
    sync::HeldChanges,
};
use std::path::Path;

/// Drydock on one home: its places and its settings.
#[derive(Debug, Clone)]
pub struct Drydock {
    /// Where everything is.
    pub locations: Locations,
    /// The settings in force.
    pub settings: Settings,
}

impl Drydock {
    /// Opens Drydock for `home`, or for the current user. No engine is looked for yet.
    ///
    /// # Errors
    /// When the home is not there, or a setting is wrong.
    pub fn open(home: Option<&Path>) -> Result<Self> {
        let locations = Locations::find(home)?;
        let settings = Settings::load(&locations.settings_file)?;
        Ok(Self { locations, settings })
    }

    /// Finds a container engine.
    ///
    /// # Errors
    /// `engine.none`, with every place that was tried.
    pub async fn engine(&self) -> Result<ContainerEngine> {
        ContainerEngine::find(&self.locations, &self.settings).await
    }

    /// The backups of this home.
    #[must_use]
    pub fn backups(&self) -> Backups {
        Backups::of(&self.locations, &self.settings)
    }

    /// The alerts of this home.
    #[must_use]
    pub fn alerts(&self) -> Alerts {
        Alerts::of(&self.locations, &self.settings)
    }

    /// The deployments of this home.
    #[must_use]
    pub fn deployments(&self) -> Deployments {
        Deployments::of(&self.locations, &self.settings)
    }

    /// Recovery of this home.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        Recovery::of(&self.locations, &self.settings)
    }

    /// Configuration from git, for this home.
    #[must_use]
    pub fn gitops(&self) -> Gitops {
        Gitops::of(&self.locations, &self.settings)
    }

    /// The changes of sessions that wait for the user.
    #[must_use]
    pub fn held(&self) -> HeldChanges {
        HeldChanges::of(&self.locations, BeforeSync::Snapshot(Box::new(self.backups())))
    }

    /// The sessions of this home.
    ///
    /// # Errors
    /// As [`Drydock::engine`].
    pub async fn sessions(&self) -> Result<Sessions> {
        let engine = self.engine().await?;
        Ok(Sessions { locations: self.locations.clone(), settings: self.settings.clone(), engine })
    }
}
