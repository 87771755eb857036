//! A night asleep: for the daemon the wall clock jumps, and its other clock stands.

use super::watched::{LIMIT, daemon, firing, history, set};
use drydock_tests::rig::{Backups, Invocation, until};
use std::{fs, path::Path};

/// What makes a program believe in another time. `libfaketime` is a package of Debian's.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// For this invocation it is later; how fast time goes by stays as it is, as timers of the system count on.
pub(crate) fn later(invocation: Invocation, offset: &str) -> Invocation {
    let invocation = invocation.variable("LD_PRELOAD", LIBRARY).variable("FAKETIME", offset);
    invocation.variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

#[test]
fn after_a_night_asleep_there_is_no_storm_and_what_happened_is_told() {
    assert!(Path::new(LIBRARY).exists(), "scripts/setup.sh test installs libfaketime");
    let backups = Backups::new();
    let clock = backups.scratch("clock");
    fs::write(&clock, "+0").unwrap();
    let drydock = |words: &[&str]| {
        backups
            .drydock(words)
            .variable("LD_PRELOAD", LIBRARY)
            .variable("FAKETIME_TIMESTAMP_FILE", &clock)
            .variable("FAKETIME_NO_CACHE", "1")
            .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    };
    set(
        &drydock,
        &[("recovery.automatic", "off"), ("alerts.rules.disk.state", "off"), ("alerts.desktop", "off")],
    );
    let watching = daemon(&drydock);
    until("it is backed up and looked after", LIMIT, || {
        let done = watching.printed().contains("\"job\":\"snapshot\",\"at\"");
        (done && backups.json(["alerts"])["last_look"].is_string()).then_some(())
    });
    assert_eq!(firing(&drydock), Vec::<serde_json::Value>::new());

    // In the night a file is damaged, by whom nobody knows; and the backup grows old.
    fs::write(backups.file(".claude/settings.json"), "{\"model\": ").unwrap();
    fs::write(&clock, "+9h").unwrap();

    until("the damage is told", LIMIT, || {
        firing(&drydock).iter().any(|one| one["rule"] == "damage").then_some(())
    });
    until("the backup is made up for", LIMIT, || {
        (watching.printed().matches("\"job\":\"snapshot\",\"at\"").count() > 1).then_some(())
    });
    let looked = || drydock(&["alerts", "--json"]).done().json()["last_look"].clone();
    let before = looked();
    until("it was looked once more", LIMIT, || (looked() != before).then_some(()));
    assert_eq!(history(&drydock, "alert.fired"), ["damage"], "a storm");
}
