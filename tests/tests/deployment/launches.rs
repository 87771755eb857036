//! Which version a launch gets.

use super::trial::Trial;
use drydock_tests::rig::{WELL, conversation_id};

const WEIGHT: &str = "CLAUDE_DOCKER_V2_PROBABILITY";

#[test]
fn the_variable_goes_before_the_weight_keeps_the_stage_and_is_refused_when_it_is_wrong() {
    let trial = Trial::new("0.5 1.0", "2 4");
    // Wrong is wrong, also while nothing is tried out; right does no harm then.
    trial.asking(&[]).variable(WEIGHT, "10%").done().exits(2).tells("deployment.weight");
    trial.asking(&[]).variable(WEIGHT, "1.0").done().ok();
    trial.begin(WELL).ok();
    for wrong in ["", "NaN", "0,1", "1.5", "-0"] {
        trial.asking(&[]).variable(WEIGHT, wrong).done().exits(2).tells("deployment.weight");
    }

    for _ in 0..3 {
        trial.asking(&[]).variable(WEIGHT, "1").done().ok();
    }
    trial.asking(&[]).variable(WEIGHT, "0").done().ok();

    let launches = trial.launches();
    assert_eq!(launches.len(), 4, "{launches:?}");
    assert!(launches.iter().all(|(_, why, _)| why == "manual-weight"), "{launches:?}");
    let sides: Vec<_> = launches.iter().rev().map(|(side, ..)| side.as_str()).collect();
    assert_eq!(sides, ["canary", "canary", "canary", "stable"]);
    let status = trial.status();
    assert_eq!(status["deployment"]["at"]["index"], 0, "the stage is kept");
    assert_eq!(status["missing"][0]["missing"], "manual-weight");
}

#[test]
fn a_conversation_goes_on_where_it_was_had_unless_the_user_says_otherwise() {
    let trial = Trial::new("0.1 1.0", "9 10");
    trial.begin(WELL).ok();
    let id = conversation_id();
    let run = |words: &[&str], claude: &[&str]| {
        let run = trial.rig.run(trial.project.path()).args(words).claude(claude);
        run.done().ok();
    };
    run(&["--canary"], &["-p", "hello", "--session-id", &id]);
    run(&[], &["-p", "and then", "--resume", &id]);
    run(&[], &["-p", "and more", "--continue"]);
    run(&["--stable"], &["-p", "and at last", "--resume", &id]);
    run(&[], &["-c", "-p", "and still"]);

    let launches = trial.launches();
    let rows: Vec<_> = launches.iter().rev().map(|(side, why, _)| (side.as_str(), why.as_str())).collect();
    let expected = [
        ("canary", "forced"),
        ("canary", "resumed"),
        ("canary", "resumed"),
        ("stable", "forced"),
        ("stable", "resumed"),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn the_end_that_the_user_makes_is_no_error() {
    let trial = Trial::new("1.0", "5");
    trial.begin(WELL).ok();
    for _ in 0..2 {
        let mut running = trial.rig.run(trial.project.path()).claude(["-p", "hello [[hold]]"]).start();
        running.session();
        trial.rig.api.wait_for_hold();
        running.signal(rustix::process::Signal::INT);
        running.done();
    }

    assert_eq!(trial.state(), "stage");
    let status = trial.status();
    assert_eq!((&status["versions"][0]["errors"], &status["versions"][0]["running"]), (&0.into(), &0.into()));
    // With `drydock stop` it is no good launch either: the user did not wait for its end.
    let mut running = trial.rig.run(trial.project.path()).claude(["-p", "hello [[hold]]"]).start();
    let session = running.session();
    trial.rig.api.wait_for_hold();
    trial.drydock(&["stop", &session]).done();
    running.done();
    assert_eq!(trial.launches()[0].2, "user-cancel");
}
