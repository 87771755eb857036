//! How full the disks are that Drydock writes to.

use super::{NoData, Reading, Seen};
use crate::{
    paths::{Disk, Locations, on_disks_of_their_own},
    settings::Settings,
};
use std::path::Path;

/// The share that is used of each: your home's, the external copy's, the engine's. One disk counts once.
pub(super) fn used(locations: &Locations, settings: &Settings, engine: Option<&Path>) -> Seen {
    let external = settings.external_copy(&locations.home);
    let mut readings = Vec::new();
    let places =
        [("home", Some(locations.home.as_path())), ("external", external.as_deref()), ("engine", engine)];
    for (name, path) in on_disks_of_their_own(places) {
        match Disk::of(path).map(Disk::used) {
            Ok(share) => {
                let words = format!("{:.0} % of the disk of {} is used.", share * 100.0, described(name));
                readings.push(Reading::new(name, share, words));
            }
            Err(cause) if name == "home" => return Err(NoData(format!("the disk does not say: {cause}"))),
            Err(_) => {}
        }
    }
    Ok(readings)
}

fn described(name: &str) -> &'static str {
    match name {
        "external" => "the external copy",
        "engine" => "the container engine",
        _ => "your home",
    }
}
