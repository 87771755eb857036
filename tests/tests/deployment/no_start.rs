//! A candidate whose container does not start.

use super::trial::Trial;
use drydock_tests::rig::{FailingEngine, WELL};

#[test]
fn one_whose_container_does_not_start_is_stood_in_for_at_the_same_launch() {
    let trial = Trial::new("1.0", "5");
    let engine = FailingEngine::begin();
    trial.begin(WELL).ok();
    engine.fail_starts(1);

    let done = trial.asking(&[]).variable("DOCKER_HOST", engine.address()).done().ok();

    assert_eq!(engine.left(), 0, "the start that failed was asked for");
    assert!(!done.stdout.trim().is_empty(), "{}", done.stderr);
    assert!(done.stderr.contains("did not start, so this is stable"), "{}", done.stderr);
    let launches = trial.launches();
    let rows: Vec<_> =
        launches.iter().rev().map(|(side, why, out)| (side.as_str(), why.as_str(), out.as_str())).collect();
    assert_eq!(rows, [("canary", "weight", "no-start"), ("stable", "fallback", "ok")]);
    trial.rig.assert_nothing_left();

    // Stable has nobody to stand in for it.
    engine.fail_starts(2);
    let done = trial.asking(&["--stable"]).variable("DOCKER_HOST", engine.address()).done();
    assert_eq!(engine.left(), 1);
    done.exits(1).tells("image.broken");
    trial.rig.assert_nothing_left();
}
