//! Which notifications are on the desktop, so that a later process can replace them or take them away.

use super::service::Identity;
use crate::{alerting::channels::state, error_handling::Result, paths::Locations};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// The numbers that a notification service gave. Another service, or another run of it, gives the same numbers to
/// other programs: these are then nothing any more.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Shown {
    by: Identity,
    numbers: BTreeMap<String, u32>,
}

fn file(locations: &Locations) -> PathBuf {
    locations.data_dir.join("alerts/notifications.json")
}

/// The number of what is shown under this name. Blocking.
pub(super) fn number(locations: &Locations, by: &Identity, key: &str) -> Option<u32> {
    let shown: Shown = state::read(&file(locations));
    shown.numbers.get(key).copied().filter(|_| shown.by == *by)
}

/// Remembers a number. Blocking.
pub(super) fn remember(locations: &Locations, by: &Identity, key: &str, number: u32) -> Result<()> {
    state::change(&file(locations), |shown: &mut Shown| {
        if shown.by != *by {
            *shown = Shown { by: by.clone(), numbers: BTreeMap::new() };
        }
        shown.numbers.insert(key.to_owned(), number);
    })
}

/// Forgets a number, unless another has come in its place. Blocking.
pub(super) fn forget(locations: &Locations, by: &Identity, key: &str, number: u32) -> Result<()> {
    state::change(&file(locations), |shown: &mut Shown| {
        if shown.by == *by && shown.numbers.get(key) == Some(&number) {
            shown.numbers.remove(key);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_good_for_the_service_that_gave_them() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let run = |owner: &str| -> Identity {
            serde_json::from_value(serde_json::json!({ "bus": "b", "owner": owner })).unwrap()
        };
        remember(&locations, &run(":1.7"), "incident:a", 3).unwrap();
        assert_eq!(number(&locations, &run(":1.7"), "incident:a"), Some(3));
        assert_eq!(number(&locations, &run(":1.9"), "incident:a"), None);
        remember(&locations, &run(":1.9"), "incident:b", 3).unwrap();
        assert_eq!(number(&locations, &run(":1.9"), "incident:a"), None);
    }

    #[test]
    fn what_was_replaced_is_not_forgotten_with_what_it_replaced() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let by = Identity::default();
        remember(&locations, &by, "incident:a", 4).unwrap();
        forget(&locations, &by, "incident:a", 3).unwrap();
        assert_eq!(number(&locations, &by, "incident:a"), Some(4));
        forget(&locations, &by, "incident:a", 4).unwrap();
        assert_eq!(number(&locations, &by, "incident:a"), None);
    }
}
