//! Configuration from git, for one home.

use super::{git::Remote, mirror::hint, secrets::SopsSecrets, state};
use crate::{
    backup::Backups,
    error_handling::{Code, Error, Result},
    paths::Locations,
    settings::Settings,
};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What of a followed repository on this computer changes when somebody commits there; nothing for one elsewhere.
pub(crate) fn repository_hint(settings: &Settings, home: &Path) -> Option<String> {
    let remote = Remote::read(settings.gitops_repository()?, home).ok()?;
    hint(&remote, settings.gitops_branch())
}

/// Configuration from git, for one home.
#[derive(Debug, Clone)]
pub struct Gitops {
    pub(super) locations: Locations,
    pub(super) settings: Settings,
}

impl Gitops {
    /// That of a home.
    #[must_use]
    pub fn of(locations: &Locations, settings: &Settings) -> Self {
        Self { locations: locations.clone(), settings: settings.clone() }
    }

    /// Where the repository is, and its address as it is set.
    ///
    /// # Errors
    /// [`Code::GitopsOff`], or [`Code::SettingsValue`].
    pub(super) fn remote(&self) -> Result<(Remote, String)> {
        let Some(address) = self.settings.gitops_repository() else {
            return Err(Error::new(Code::GitopsOff, "no repository of configuration is set up")
                .remedy("make one from what is here: drydock gitops init DIR")
                .remedy("use one that is there: drydock settings set gitops.repository URL"));
        };
        let remote = Remote::read(address, &self.locations.home).map_err(|why| {
            Error::new(Code::SettingsValue, format!("`gitops.repository` {why}"))
                .remedy("drydock settings set gitops.repository URL")
        })?;
        Ok((remote, address.to_owned()))
    }

    pub(super) fn transaction(&self) -> PathBuf {
        state::folder(&self.locations.data_dir).join("transaction")
    }

    pub(super) fn backups(&self) -> Backups {
        Backups::of(&self.locations, &self.settings)
    }

    /// What opens the repository's files of secrets.
    pub(super) fn secrets(&self) -> SopsSecrets {
        SopsSecrets::of(&self.locations, &self.settings)
    }

    /// The name of this computer's folder in `machines/`, and the computer's name for `${host}`.
    pub(super) fn names(&self) -> (String, String) {
        let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host = node.split('.').next().unwrap_or_default().to_owned();
        let machine = self.settings.gitops_machine().map_or_else(|| host.clone(), str::to_owned);
        (machine, host)
    }

    /// What a commit is tried with: with other settings it may come out otherwise.
    pub(super) fn settings_digest(&self) -> String {
        let mut digest = Sha256::new();
        for (key, value, _) in self.settings.all() {
            digest.update(format!("{}={value}\n", key.name));
        }
        digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}
