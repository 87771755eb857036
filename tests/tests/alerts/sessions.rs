//! The rules about sessions, each by its cause, on a real engine.

use super::watched::{daemon, set, until_fires};
use drydock_tests::rig::{Project, Rig, conversation_id};
use std::fs;

fn launch(rig: &Rig, project: &Project) {
    rig.run(project.path()).claude(["-p", "hello", "--session-id", &conversation_id()]).done().ok();
}

#[test]
fn a_container_that_ended_with_data_inside_is_told_until_the_data_is_out() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let drydock = |words: &[&str]| rig.drydock().args(words);
    set(&drydock, &[("alerts.rules.orphaned.for", "0m")]);
    let mut running =
        rig.run(project.path()).claude(["-p", "hello [[hold]]", "--session-id", &conversation_id()]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    running.kill();
    rig.engine.kill(&session);
    let watching = daemon(&drydock);

    let alert = until_fires(&drydock, "orphaned");

    assert_eq!((&alert["about"], &alert["severity"]), (&session.as_str().into(), &"high".into()));
    rig.drydock().args(["list"]).done().ok();
    super::watched::until_over(&drydock, "orphaned");
    drop(watching);
}

#[test]
fn launches_that_fail_and_launches_that_are_slow_are_told() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let drydock = |words: &[&str]| rig.drydock().args(words);
    launch(&rig, &project);
    // More than any computer has: the engine refuses.
    set(&drydock, &[("container.cpus", "1000"), ("alerts.rules.error-rate.samples", "3")]);
    for _ in 0..2 {
        rig.run(project.path()).claude(["-p", "hello"]).done().exits(1);
    }
    set(&drydock, &[("alerts.rules.latency.samples", "1"), ("alerts.rules.latency.above", "0.01")]);
    let _daemon = daemon(&drydock);

    let failing = until_fires(&drydock, "error-rate");
    assert_eq!(
        (&failing["text"], &failing["severity"]),
        (&"2 of the last 3 launches failed.".into(), &"high".into())
    );
    let slow = until_fires(&drydock, "latency");
    assert_eq!(slow["severity"], "medium");
}

#[test]
fn a_session_that_cannot_sync_is_told() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let drydock = |words: &[&str]| rig.drydock().args(words);
    let mut running =
        rig.run(project.path()).claude(["-p", "hello [[hold]]", "--session-id", &conversation_id()]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    // A file stands where Claude Code keeps its conversations.
    let projects = rig.home.claude_dir().join("projects");
    assert!(!projects.exists(), "nothing of value is in the way");
    fs::write(&projects, "not a folder").unwrap();
    for _ in 0..5 {
        let done = rig.drydock().args(["sync", "out", &session]).done();
        assert!(!done.stderr.is_empty(), "it could sync: {}", done.stdout);
    }
    let watching = daemon(&drydock);

    let alert = until_fires(&drydock, "sync-failing");
    assert_eq!((&alert["about"], &alert["severity"]), (&session.as_str().into(), &"medium".into()));
    // The same cause: nothing more is said of it.
    assert_eq!(until_fires(&drydock, "sync-failures")["muted"], true);

    drop(watching);
    fs::remove_file(&projects).unwrap();
    rig.api.release();
    running.done().ok();
}

#[test]
fn changes_that_wait_are_told() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let drydock = |words: &[&str]| rig.drydock().args(words);
    set(&drydock, &[("alerts.rules.held.for", "0m")]);
    let mut running = rig.run(project.path()).claude(["-p", "work [[hold]]"]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    let done =
        rig.engine.exec(&session, &["bash", "-c", "claude mcp add --scope user evil -- /bin/evil --now"]);
    assert_eq!(done.code, 0, "{}", done.printed);
    rig.api.release();
    running.done().ok();
    let _daemon = daemon(&drydock);

    let alert = until_fires(&drydock, "held");

    assert_eq!(alert["text"], "1 change of a session waits for your word.");
    assert_eq!(alert["remedy"], "drydock held list");
}
