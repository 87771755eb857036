//! A good candidate, and the user's hand on it.

use super::trial::Trial;
use drydock_tests::rig::{WELL, WELL_TOO};

#[test]
fn a_good_candidate_goes_from_a_tenth_to_all_launches_while_a_session_keeps_its_image() {
    let trial = Trial::new("0.1 0.5 1.0", "1 2 4");
    // A session that runs all the time.
    let mut older = trial.rig.run(trial.project.path()).claude(["-p", "older [[hold]]"]).start();
    let session = older.session();
    trial.rig.api.wait_for_hold();
    let image = trial.rig.engine.container(&session).image;
    // Without a version, the newest of the registry.
    trial.drydock(&["deploy", "canary"]).done().ok();
    let status = trial.status();
    assert_eq!((&status["weight"], &status["deployment"]["at"]["index"]), (&0.1.into(), &0.into()));

    let said = trial.ask(&["--canary"]).ok().stderr;
    assert!(said.contains(&format!("tries out Claude Code {WELL}")), "{said}");
    assert_eq!(trial.status()["weight"], 0.5);
    assert_eq!(trial.status()["deployment"]["at"]["proof"], "passed", "the tests after the promotion");
    trial.ask(&["--canary"]).ok();
    assert_eq!(trial.status()["weight"], 1.0);
    // All launches try it now; one that is forced does not.
    trial.ask(&["--stable"]).ok();
    trial.ask(&[]).ok();
    trial.ask(&[]).ok();

    assert_eq!(trial.state(), "succeeded");
    let launches = trial.launches();
    let sides: Vec<_> = launches.iter().rev().map(|(side, why, _)| (side.as_str(), why.as_str())).collect();
    assert_eq!(
        sides,
        [
            ("canary", "forced"),
            ("canary", "forced"),
            ("stable", "forced"),
            ("canary", "weight"),
            ("canary", "weight")
        ]
    );
    assert!(launches.iter().all(|(.., outcome)| outcome == "ok"), "{launches:?}");
    assert_eq!(
        trial.states(),
        ["building", "smoke", "stage", "stage", "stage", "stage", "stage", "succeeded"]
    );
    assert_eq!(trial.events().last().map(String::as_str), Some("deployment.succeeded"));
    assert_eq!(trial.events().len(), 8, "one event a transition");
    // It is what launches use, and the session that ran all the time has what it had.
    let mut newer = trial.rig.run(trial.project.path()).claude(["-p", "newer [[hold]]"]).start();
    let now = trial.rig.engine.container(&newer.session()).image;
    assert_ne!(now, image);
    assert_eq!(trial.rig.engine.container(&session).image, image);
    // One for each.
    trial.rig.api.release();
    trial.rig.api.release();
    newer.done().ok();
    older.done().ok();

    // By hand it goes back at any time.
    trial.drydock(&["deploy", "rollback"]).done().ok();
    assert_eq!(trial.trigger(), "user");
    let mut back = trial.rig.run(trial.project.path()).claude(["-p", "back [[hold]]"]).start();
    assert_eq!(trial.rig.engine.container(&back.session()).image, image);
    trial.rig.api.release();
    back.done().ok();
}

#[test]
fn a_deployment_stands_still_goes_on_and_gives_way_to_a_newer_one_as_the_user_says() {
    let trial = Trial::new("0.1 1.0", "5 10");
    trial.drydock(&["deploy", "promote"]).done().exits(2).tells("deployment.none");
    trial.begin(WELL).ok();
    trial.drydock(&["deploy", "pause"]).done().ok();
    assert_eq!(trial.state(), "paused");
    trial.drydock(&["deploy", "pause"]).done().exits(1).tells("deployment.state");
    trial.drydock(&["deploy", "resume"]).done().ok();
    trial.drydock(&["deploy", "promote"]).done().ok();
    assert_eq!(trial.status()["weight"], 1.0);

    trial.begin(WELL_TOO).ok();
    assert_eq!(trial.status()["deployment"]["candidate"]["claude_version"], WELL_TOO);
    assert!(trial.states().contains(&"superseded".to_owned()));

    trial.drydock(&["deploy", "rollback"]).done().ok();
    // What was taken back is not tried again, unless the user says so.
    trial.begin(WELL_TOO).exits(4).tells("deployment.denied");
    trial.drydock(&["deploy", "canary", WELL_TOO, "--force"]).done().ok();
    trial.drydock(&["deploy", "promote", "--full"]).done().ok();
    assert_eq!(trial.state(), "succeeded");
    trial.begin(WELL_TOO).exits(2).tells("deployment.same");
}
