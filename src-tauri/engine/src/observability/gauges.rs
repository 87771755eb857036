//! How things stand now, as figures.

use crate::{
    alerting::{Alerts, Severity},
    backup::{BackupStatus, Backups, BeforeSync},
    deployment::Deployments,
    paths::{Disk, Locations, on_disks_of_their_own},
    settings::Settings,
    sync::HeldChanges,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// How something stands now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Gauge {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Its attributes.
    pub attrs: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Gauge {
    fn new(name: &'static str, unit: &'static str, value: f64) -> Self {
        Self { name, unit, attrs: BTreeMap::new(), value }
    }

    fn of(mut self, key: &str, word: &str) -> Self {
        self.attrs.insert(key.to_owned(), word.to_owned());
        self
    }
}

/// All that can be told. What cannot be told is left out: no figure is better than a wrong one.
pub(super) fn gauges(locations: &Locations, settings: &Settings, now: DateTime<Utc>) -> Vec<Gauge> {
    let mut gauges = Vec::new();
    let backups = Backups::of(locations, settings);
    if let Ok(status) = backups.status() {
        gauges.extend(of_backups(&status, now));
    }
    if let Ok(waiting) = HeldChanges::of(locations, BeforeSync::Snapshot(Box::new(backups))).waiting(now) {
        gauges.push(Gauge::new("sync.held.waiting", "1", count(waiting.len() as u64)));
    }
    gauges.extend(of_disks(locations, settings));
    gauges.extend(of_shipping(locations, settings, now));
    gauges.extend(of_alerts(locations, settings));
    gauges.extend(of_deployment(locations, settings, now));
    // Of one name together, as Prometheus wants them.
    gauges.sort_by_key(|gauge| gauge.name);
    gauges
}

fn of_backups(status: &BackupStatus, now: DateTime<Utc>) -> Vec<Gauge> {
    let mut gauges = Vec::new();
    for copy in status.copies.iter().filter(|copy| copy.set_up) {
        let mut add =
            |name, unit, value| gauges.push(Gauge::new(name, unit, value).of("copy", copy.copy.word()));
        if let Some(as_of) = copy.as_of {
            add("backup.age", "s", seconds(now - as_of));
        }
        if let Some(verified) = &copy.verified {
            add("backup.verified.age", "s", seconds(now - verified.at));
        }
        add("backup.size", "By", count(copy.bytes));
        if let Some(drill) = &copy.drill {
            add("backup.drill.last", "s", drill.seconds);
        }
    }
    // What would be lost now is younger than the newest copy.
    let newest = status.copies.iter().filter_map(|copy| copy.as_of).max();
    gauges.extend(newest.map(|as_of| Gauge::new("recovery.point", "s", seconds(now - as_of))));
    let proven = status.copies.iter().filter_map(|copy| copy.drill.as_ref()).max_by_key(|drill| drill.at);
    gauges.extend(proven.map(|drill| Gauge::new("recovery.time", "s", drill.seconds)));
    gauges
}

fn of_disks(locations: &Locations, settings: &Settings) -> Vec<Gauge> {
    let external = settings.external_copy(&locations.home);
    let places = [("home", Some(locations.home.as_path())), ("external", external.as_deref())];
    let mut gauges = Vec::new();
    for (place, path) in on_disks_of_their_own(places) {
        let Ok(disk) = Disk::of(path) else { continue };
        gauges.push(Gauge::new("disk.free", "By", count(disk.free)).of("place", place));
        gauges.push(Gauge::new("disk.used", "1", disk.used()).of("place", place));
    }
    gauges
}

fn of_alerts(locations: &Locations, settings: &Settings) -> Vec<Gauge> {
    let Ok(state) = Alerts::of(locations, settings).state() else { return Vec::new() };
    let firing = |severity| state.firing().filter(|one| one.severity == severity).count() as u64;
    [Severity::High, Severity::Medium, Severity::Low]
        .map(|severity| {
            Gauge::new("alerts.firing", "1", count(firing(severity))).of("severity", severity.word())
        })
        .into()
}

/// How the version that is being tried out stands.
fn of_deployment(locations: &Locations, settings: &Settings, now: DateTime<Utc>) -> Vec<Gauge> {
    let Ok(status) = Deployments::of(locations, settings).track_deployment(now) else { return Vec::new() };
    if !status.deployment.is_some_and(|deployment| deployment.state.is_active()) {
        return Vec::new();
    }
    let mut gauges = vec![Gauge::new("deployment.weight", "1", status.weight.number())];
    for version in &status.versions {
        let mut add =
            |name, value| gauges.push(Gauge::new(name, "1", value).of("version", version.side.word()));
        add("deployment.launches", f64::from(version.launches));
        add("deployment.errors", f64::from(version.errors));
    }
    gauges
}

/// How sending stands, where something is sent.
fn of_shipping(locations: &Locations, settings: &Settings, now: DateTime<Utc>) -> Vec<Gauge> {
    let Ok(status) = super::shipping_status(locations, settings, now) else { return Vec::new() };
    let mut gauges = Vec::new();
    for stream in &status.streams {
        let mut add =
            |name, unit, value| gauges.push(Gauge::new(name, unit, value).of("stream", stream.stream));
        add("shipping.sent", "1", count(stream.sent));
        add("shipping.behind", "By", count(stream.behind_bytes));
        add("shipping.behind.age", "s", stream.behind_since.map_or(0.0, |since| seconds(now - since)));
        add("shipping.stopped", "1", f64::from(u8::from(stream.stopped.is_some())));
        for (reason, lines) in &stream.dropped {
            let dropped = Gauge::new("shipping.dropped", "1", count(*lines)).of("stream", stream.stream);
            gauges.push(dropped.of("reason", reason.word()));
        }
    }
    gauges
}

fn seconds(age: chrono::TimeDelta) -> f64 {
    age.to_std().unwrap_or_default().as_secs_f64()
}

#[allow(clippy::cast_precision_loss)] // for a person's eyes
fn count(number: u64) -> f64 {
    number as f64
}
