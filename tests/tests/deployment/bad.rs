//! Bad candidates: each is taken back by its own trigger, and nobody waits for it.

use super::trial::Trial;
use drydock_tests::rig::{LYING, WELL};

#[test]
fn one_whose_claude_exits_with_an_error_is_stood_in_for_and_taken_back() {
    let trial = Trial::new("1.0", "5");
    let mut running = trial.rig.run(trial.project.path()).claude(["-p", "older [[hold]]"]).start();
    let session = running.session();
    trial.rig.api.wait_for_hold();
    trial.begin(WELL).ok();
    trial.misbehave("exit");

    // Both times the answer is there all the same.
    for _ in 0..2 {
        let done = trial.ask(&[]).ok();
        assert!(!done.stdout.trim().is_empty(), "{}", done.stderr);
        assert!(done.stderr.contains("the same on stable"), "{}", done.stderr);
    }

    assert_eq!(trial.trigger(), "in-a-row");
    let launches = trial.launches();
    let rows: Vec<_> =
        launches.iter().rev().map(|(side, why, out)| (side.as_str(), why.as_str(), out.as_str())).collect();
    assert_eq!(rows[..2], [("canary", "weight", "died"), ("stable", "fallback", "ok")]);
    assert_eq!(rows[2], ("canary", "weight", "died"));
    // Nothing tries it any more, and it is not tried again.
    let done = trial.ask(&[]).ok();
    assert!(!done.stderr.contains("tries out"), "{}", done.stderr);
    trial.ask(&["--canary"]).exits(2).tells("deployment.none");
    trial.begin(WELL).exits(4).tells("deployment.denied");
    let told = trial.drydock(&["deploy", "status"]).done().ok().stdout;
    assert!(told.contains("2 launches failed"), "{told}");
    // The session that ran all the time goes on.
    assert!(trial.rig.engine.is_running(&session));
    trial.rig.api.release();
    running.done().ok();
}

#[test]
fn one_that_is_slow_to_start_is_taken_back() {
    const LIMIT: &str = "8";
    let trial = Trial::new("1.0", "9");
    trial.set("deployment.max_p95_seconds", LIMIT);
    trial.begin(WELL).ok();
    trial.misbehave("slow 9");

    for launch in 0..3 {
        assert_eq!(trial.state(), "stage", "after {launch} launches");
        // In a terminal it is ready when it shows something.
        trial.rig.run(trial.project.path()).in_terminal(100, 30).ended().ok();
    }

    assert_eq!(trial.trigger(), "slow");
    let status = trial.status();
    let canary = &status["versions"][0];
    // The first launch of an image on a computer is no measure.
    assert_eq!((&canary["slow"], &canary["seconds"]["count"]), (&2.into(), &2.into()));
    assert!(canary["first_seconds"].as_f64().is_some_and(|seconds| seconds > 8.0), "{status}");
}

#[test]
fn one_that_leaks_memory_is_taken_back() {
    let trial = Trial::new("1.0", "5");
    trial.set("container.memory", "512m");
    trial.begin(WELL).ok();
    trial.misbehave("leak");

    for _ in 0..2 {
        trial.ask(&[]);
    }

    assert_eq!(trial.trigger(), "in-a-row");
    let launches = trial.launches();
    assert!(launches.iter().all(|(.., outcome)| outcome == "out-of-memory"), "{launches:?}");
}

#[test]
fn one_that_fails_its_smoke_tests_is_launched_by_nobody() {
    let trial = Trial::new("1.0", "5");
    trial.begin(LYING).exits(1).tells("deployment.smoke");
    assert_eq!(trial.trigger(), "smoke");
    assert_eq!(trial.launches(), []);
    assert_eq!(trial.states(), ["building", "smoke", "rolling-back", "rolled-back"]);
}
