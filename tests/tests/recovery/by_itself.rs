//! What `drydock daemon` recovers without being asked, and when it stops.

use drydock_tests::rig::{Backups, Running, until};
use rustix::process::Signal;
use serde_json::Value;
use std::{fs, time::Duration};

const LIMIT: Duration = Duration::from_secs(60);
const SETTINGS: &str = ".claude/settings.json";

fn start(backups: &Backups) -> Running {
    let daemon = backups.drydock(["daemon", "--json"]).start();
    until("there is a backup", LIMIT, || daemon.printed().contains("\"job\":\"snapshot\"").then_some(()));
    daemon
}

fn told(daemon: &Running, what: &str) -> Option<Value> {
    let printed = daemon.printed();
    let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
    let lines = whole.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.into_iter().rfind(|line| line["guard"] == what)
}

fn until_told(daemon: &Running, what: &str) -> Value {
    until(&format!("{what} is told"), LIMIT, || told(daemon, what))
}

fn end(daemon: Running) {
    daemon.signal(Signal::TERM);
    daemon.done().ok();
}

#[test]
fn an_unreadable_state_is_back_without_a_word_and_not_again_and_again() {
    let backups = Backups::new();
    let state = backups.file(".claude.json");
    let daemon = start(&backups);
    let whole = fs::read(&state).unwrap();

    fs::write(&state, &whole[..whole.len() / 2]).unwrap();

    until("the state is back", LIMIT, || (fs::read(&state).unwrap() == whole).then_some(()));
    let report = &until_told(&daemon, "recovered")["report"];
    assert_eq!(report["recovered"][0]["file"], state.to_str().unwrap());
    assert!(report["seconds"].as_f64().unwrap() > 0.0 && report["lost_seconds"].is_number(), "{report:#}");
    let status = backups.ok(["status"]).stdout;
    assert!(status.contains("recovered: 1 file") && status.contains("--undo"), "{status}");

    // The same again at once: something else is wrong, and somebody has to look.
    let broken = &whole[..whole.len() / 3];
    fs::write(&state, broken).unwrap();
    let failed = until_told(&daemon, "failed");
    assert_eq!(failed["error"]["code"], "recovery.stopped");
    assert_eq!(fs::read(&state).unwrap(), broken);

    // Who recovers by hand has looked.
    backups.ok(["recover", "--yes"]);
    assert_eq!(fs::read(&state).unwrap(), whole);
    end(daemon);
}

#[test]
fn about_other_damage_the_user_is_asked() {
    let backups = Backups::new();
    let settings = backups.file(SETTINGS);
    let daemon = start(&backups);
    let whole = fs::read(&settings).unwrap();

    fs::write(&settings, "{").unwrap();

    let damaged = until_told(&daemon, "damaged");
    assert_eq!(damaged["findings"][0]["file"], settings.to_str().unwrap());
    assert_eq!(fs::read(&settings).unwrap(), b"{");

    // Unless everything is to be recovered.
    backups.set("recovery.automatic", "on");
    fs::write(&settings, "{\"").unwrap();
    until("the settings are back", LIMIT, || (fs::read(&settings).unwrap() == whole).then_some(()));
    end(daemon);
}

#[test]
fn where_it_is_off_nothing_is_done() {
    let backups = Backups::new();
    backups.set("recovery.automatic", "off");
    let state = backups.file(".claude.json");
    let daemon = start(&backups);

    fs::write(&state, "{").unwrap();

    until_told(&daemon, "damaged");
    assert_eq!(fs::read(&state).unwrap(), b"{");
    end(daemon);
}
