//! Scheduled backups that rest while somebody wants that.

use drydock_tests::rig::{Backups, until};
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn scheduled_backups_rest_until_they_are_to_go_on() {
    let backups = Backups::new();
    let said = backups.ok(["pause", "--for", "2h"]).stdout;
    assert!(said.starts_with("scheduled backups are paused until "), "{said}");
    let _daemon = backups.drydock(["daemon"]).start();
    let look = || backups.json(["alerts"])["last_look"].as_str().map(str::to_owned);
    let first = until("the daemon looks after the home", LIMIT, look);
    // It looks for work as it begins; by the time of its next look for alerts that would be done.
    until("the daemon goes on", LIMIT, || look().filter(|at| *at != first));
    let status = backups.drydock(["status"]).done().stdout;
    assert!(status.contains("scheduled backups are paused until "), "{status}");

    backups.ok(["pause", "--end"]);

    until("it is backed up", LIMIT, || (!names(&backups, "backup.taken").is_empty()).then_some(()));
    let all = ["schedule.paused", "schedule.resumed", "backup.taken"];
    let seen: Vec<_> = names(&backups, "").into_iter().filter(|name| all.contains(&name.as_str())).collect();
    assert_eq!(seen, all);
    assert!(!backups.drydock(["status"]).done().stdout.contains("paused"));
}

#[test]
fn a_backup_that_somebody_asks_for_is_taken_all_the_same() {
    let backups = Backups::new();
    backups.ok(["pause"]);
    backups.ok(["backup", "now"]);
    assert_eq!(backups.snapshots().len(), 1);
    backups.fails(["pause", "--for", "30d"], 2, "usage");
}

/// The names of the events, the oldest first.
fn names(backups: &Backups, name: &str) -> Vec<String> {
    let lines = backups.ok(["events", "--json"]).stdout;
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let names = events.filter_map(|event| event["event"].as_str().map(str::to_owned));
    names.filter(|one| name.is_empty() || one == name).collect()
}
