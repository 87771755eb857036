//! What a commit says, and what follows from it on this computer.

use super::{
    commit::{About, Commit},
    desired::{Desired, resolve},
    place::Place,
    plain_secrets::may_hold_secret,
    plan::{Sides, Step, plan},
    reconcile::Look,
    repository::{self, Reader, Repository},
    root::Emptying,
    runtime::Runtime,
    value::{Secrecy, Value},
};
use crate::error_handling::{Code, Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// What a commit says, and what follows.
pub(super) struct Planned {
    pub(super) commit: Commit,
    pub(super) about: About,
    pub(super) repository: Repository,
    pub(super) desired: Desired,
    pub(super) runtime: Runtime,
    pub(super) steps: BTreeMap<Place, (Step, Sides)>,
}

impl Look<'_> {
    /// What a commit says and what follows from it.
    pub(super) fn planned(&self, commit: &Commit) -> Result<Planned> {
        let home = self.gitops.locations.home.to_string_lossy().into_owned();
        let (machine, host) = self.gitops.names();
        let tree = self.mirror.tree(commit)?;
        let (repository, problems) = repository::read(&tree, &Reader { home: &home, machine: &machine });
        if !problems.is_empty() {
            let mut error = Error::new(
                Code::GitopsInvalid,
                format!("commit {commit} says something that cannot be configuration"),
            );
            for problem in problems.iter().take(10) {
                error = error.why(problem);
            }
            return Err(error.remedy("mend it, and see with: drydock gitops validate"));
        }
        let desired = resolve(&repository, &home, &host, &self.gitops.secrets())?;
        let emptied =
            desired.values.is_empty() && desired.missing.is_empty() && !self.state.inventory.is_empty();
        if emptied && repository.root.emptying == Emptying::Refused {
            return Err(Error::new(Code::GitopsInvalid, format!("commit {commit} says nothing any more"))
                .why("all that came from git before would be taken away")
                .remedy("if that is meant, write `allow_empty: true` into drydock.yaml"));
        }
        let places: BTreeSet<_> = self.state.inventory.keys().chain(desired.values.keys()).collect();
        let runtime = Runtime::read(&self.gitops.locations, places.iter().copied())?;
        let print = |value: &Value| value.print(&self.salt);
        let actual = places
            .iter()
            .filter_map(|place| Some(((*place).clone(), print(&runtime.value(place)?))))
            .collect();
        let wanted = desired.values.iter().map(|(place, value)| (place.clone(), print(value))).collect();
        let waiting = desired.missing.keys().cloned().collect();
        let mut steps = plan(&self.state.inventory, &actual, &wanted, &waiting);
        // Git has no say in these any more, whatever was written.
        for place in self.state.inventory.keys().filter(|place| repository.root.ignores(place)) {
            if let Some((step, _)) = steps.get_mut(place) {
                *step = Step::Release;
            }
        }
        let about = self.mirror.about(commit)?;
        Ok(Planned { commit: commit.clone(), about, repository, desired, runtime, steps })
    }

    /// What stands at a place, as it may be shown: where git has a secret, what is there is taken for one.
    pub(super) fn actual(&self, planned: &Planned, place: &Place) -> Option<Value> {
        let mut value = planned.runtime.value(place)?;
        let wanted = planned.desired.values.get(place).map(|value| value.secrecy);
        let is_known = wanted == Some(Secrecy::Secret) || self.state.secret.contains(place);
        let looks = || {
            let key = place.keys.last().map_or("", String::as_str);
            value.json().is_some_and(|json| may_hold_secret(key, json))
        };
        if is_known || looks() {
            value.secrecy = Secrecy::Secret;
        }
        Some(value)
    }
}
