//! What a look would do, and why, without doing it.

use super::{
    choose::{Chosen, choose},
    commit::Commit,
    gitops::Gitops,
    place::{Arrives, Place},
    plan::Step,
    reconcile::Look,
    report::Outcome,
    state::Store,
    steps::held_id,
    wish::Wish,
};
use crate::error_handling::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::time::Duration;

/// What would become of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Would {
    /// It would be written.
    Write,
    /// It would go: git says nothing of it any more.
    Remove,
    /// It would wait until it is approved.
    Wait,
    /// It was changed here, and stays or not by the policies.
    Drift,
    /// It was changed here and in git, and stays.
    Conflict,
    /// It would be the user's: git says nothing of it any more, and it was changed here.
    Release,
}

/// A place that is not as git says.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The place.
    pub place: Place,
    /// What would become of it.
    pub would: Would,
    /// What stands there, as it may be shown.
    pub here: Option<String>,
    /// What git says, as it may be shown.
    pub git: Option<String>,
}

/// What a look would do.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// The commit.
    pub commit: Option<Commit>,
    /// What speaks against bringing a newer one here.
    pub outcome: Outcome,
    /// What differs.
    pub differences: Vec<Difference>,
}

impl Gitops {
    /// What a look would do now. Fetches, and changes nothing. Blocking.
    ///
    /// # Errors
    /// As [`super::reconcile_config`], and for a commit that cannot be configuration.
    pub fn preview(&self, now: DateTime<Utc>) -> Result<Preview> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let store = Store::take(&self.locations.data_dir, PATIENCE)?;
        let mut look = Look::begin(self, store, now)?;
        let (commit, outcome) = match choose(&mut look, &Wish::of_user())? {
            Chosen::New(commit) => (commit, Outcome::Synced),
            Chosen::InForce(commit, outcome) => (commit, outcome),
            Chosen::None(outcome) => return Ok(Preview { commit: None, outcome, differences: Vec::new() }),
        };
        let planned = look.planned(&commit)?;
        let differences = planned.steps.iter().filter_map(|(place, (step, sides))| {
            let id = held_id(&look.salt, place, sides.desired.as_ref());
            let waits = place.arrives() == Arrives::OnceApproved && !look.state.approved.contains(&id);
            let would = match step {
                Step::Own => return None,
                Step::Write | Step::Remove if waits => Would::Wait,
                Step::Write => Would::Write,
                Step::Remove => Would::Remove,
                Step::Drift => Would::Drift,
                Step::Conflict => Would::Conflict,
                Step::Release => Would::Release,
            };
            Some(Difference {
                place: place.clone(),
                would,
                here: look.actual(&planned, place).map(|value| value.shown(&look.salt)),
                git: planned.desired.values.get(place).map(|value| value.shown(&look.salt)),
            })
        });
        Ok(Preview { commit: Some(commit.clone()), outcome, differences: differences.collect() })
    }
}
