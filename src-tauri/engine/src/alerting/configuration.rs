//! How the configuration that comes from git stands, by what is remembered of the last look.

use super::{NoData, Reading, Seen, collect::counted};
use crate::{
    error_handling::Code,
    gitops::{Gitops, GitopsStatus, HeldWhy},
    paths::Locations,
    settings::Settings,
};

fn status(locations: &Locations, settings: &Settings) -> Result<Option<GitopsStatus>, NoData> {
    match Gitops::of(locations, settings).status() {
        Ok(status) => Ok(Some(status)),
        // Where nothing comes from git, nothing differs from it.
        Err(error) if error.code() == Code::GitopsOff => Ok(None),
        Err(error) => Err(NoData(error.message().to_owned())),
    }
}

/// What is not as git says, and what comes back again and again.
pub(super) fn drift(locations: &Locations, settings: &Settings) -> Seen {
    let Some(status) = status(locations, settings)? else { return Ok(Vec::new()) };
    let count = status.drift.len();
    let words = match count {
        1 => "1 thing here is not as git says.".to_owned(),
        _ => format!("{count} things here are not as git says."),
    };
    let mut readings = vec![Reading::new("", counted(count), words)];
    if status.fights > 0 {
        let words = "What git says comes back, and something here writes over it again and again.";
        readings.push(Reading::new("fight", counted(status.fights), words).remedy("drydock gitops drift"));
    }
    Ok(readings)
}

/// Commits that are not in force here, though they are the newest.
pub(super) fn failed(locations: &Locations, settings: &Settings) -> Seen {
    let Some(status) = status(locations, settings)? else { return Ok(Vec::new()) };
    let mut readings = Vec::new();
    if let Some(failed) = status.failed {
        let words = match failed.error.code() {
            Code::GitopsUnproven => {
                format!("Commit {} did not pass its check here, and was taken back.", failed.commit)
            }
            _ => format!("Commit {} cannot be brought here.", failed.commit),
        };
        readings.push(Reading::new("failed", 1.0, words));
    }
    if let Some(held) = status.held_commit {
        let words = match held.why {
            HeldWhy::Rewritten => {
                "The history of the configuration was rewritten; the old one stays in force."
            }
            HeldWhy::Unsigned(_) => "The newest commit is not signed by somebody whom your git trusts.",
        };
        readings.push(Reading::new("held", 1.0, words));
    }
    Ok(readings)
}
