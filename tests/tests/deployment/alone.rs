//! What is done without anybody at the keyboard.

use super::trial::Trial;
use drydock_tests::rig::{Running, WELL, until};
use std::{fs, path::Path, time::Duration};

const LIMIT: Duration = Duration::from_secs(100);

/// What makes a program believe in another time. `libfaketime` is a package of Debian's.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

fn daemon(trial: &Trial) -> Running {
    trial.drydock(&["daemon", "--json"]).start()
}

fn fires(trial: &Trial) -> bool {
    let listed = trial.drydock(&["alerts", "list", "--json"]).done().json();
    listed["firing"].as_array().unwrap().iter().any(|one| one["rule"] == "canary-rolled-back")
}

#[test]
fn one_that_was_taken_back_is_told_until_the_user_has_seen_it() {
    let trial = Trial::new("1.0", "5");
    trial.begin(WELL).ok();
    trial.misbehave("exit");
    for _ in 0..2 {
        trial.ask(&[]).ok();
    }
    let _daemon = daemon(&trial);

    until("it is told", LIMIT, || fires(&trial).then_some(()));
    trial.drydock(&["deploy", "status", "--seen"]).done().ok();
    until("it is over", LIMIT, || (!fires(&trial)).then_some(()));
}

#[test]
fn a_version_that_comes_out_is_noticed_and_tried_where_the_user_wants_that() {
    let trial = Trial::new("0.1 1.0", "5 10");
    let looked = trial.rig.home.path().join(".local/share/drydock/newest.json");
    fs::create_dir_all(looked.parent().unwrap()).unwrap();
    fs::write(&looked, r#"{"at": "2026-01-01T00:00:00Z", "newest": null}"#).unwrap();
    trial.set("image.claude_version", "2.0.50");
    let watching = daemon(&trial);
    until("it is noticed", LIMIT, || trial.status()["newer"].as_str().map(str::to_owned));
    assert_eq!(trial.state(), "none", "only noticed");
    assert!(trial.events().contains(&"deployment.newer".to_owned()));
    drop(watching);

    trial.set("deployment.new_versions", "try");
    fs::write(&looked, r#"{"at": "2026-01-01T00:00:00Z", "newest": null}"#).unwrap();
    let _watching = daemon(&trial);
    until("it is tried", LIMIT * 3, || (trial.state() == "stage").then_some(()));
    assert_eq!(trial.status()["deployment"]["candidate"]["claude_version"], WELL);
}

#[test]
fn what_a_killed_process_left_is_gone_on_with() {
    let trial = Trial::new("1.0", "5");
    // Killed while it builds or tests: which, the clock decides.
    let building = trial.drydock(&["deploy", "canary", WELL]).start_apart();
    until("it has begun", LIMIT, || matches!(trial.state().as_str(), "building" | "smoke").then_some(()));
    building.kill();
    let state = trial.state();
    assert!(matches!(state.as_str(), "building" | "smoke"), "{state}");
    let _daemon = daemon(&trial);

    until("it is launched", LIMIT, || (trial.state() == "stage").then_some(()));
    assert_eq!(trial.states(), ["building", "smoke", "stage"]);
}

#[test]
fn in_an_idle_hour_the_candidate_is_launched_without_login_and_leaves_nothing() {
    assert!(Path::new(LIBRARY).exists(), "scripts/setup.sh test installs libfaketime");
    let trial = Trial::new("0.1 1.0", "5 10");
    trial.begin(WELL).ok();
    trial.set("deployment.probes", "on");
    // No login is chosen, and there is no key.
    let _daemon = trial
        .drydock(&["daemon", "--json"])
        .variable("LD_PRELOAD", LIBRARY)
        .variable("FAKETIME", "+2h")
        .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start();

    until("it is launched", LIMIT, || {
        trial.launches().iter().any(|(.., outcome)| outcome != "-").then_some(())
    });

    assert_eq!(trial.launches(), [("canary".into(), "probe".into(), "ok".into())]);
    let canary = &trial.status()["versions"][0];
    assert_eq!((&canary["launches"], &canary["probes"]), (&1.into(), &1.into()));
    until("nothing of it is left", LIMIT, || trial.rig.engine.leftovers().is_empty().then_some(()));
    assert_eq!(trial.rig.api.turns().len(), 0, "nobody was spoken to");
}
