//! What happens to a session when something else breaks: its data is never lost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{Home, Project, Rig, Running, conversation_id, until};
use rustix::process::Signal;
use std::{fs, path::PathBuf, time::Duration};

const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a session in pipes, in the middle of whose answer this returns.
fn talk(rig: &Rig, project: &Project, id: &str, words: &str) -> (Running, String) {
    let prompt = format!("{words} [[hold]]");
    let mut running = rig.run(project.path()).claude(["-p", &prompt, "--session-id", id]).start();
    let session = running.session();
    rig.api.wait_for_turn(words);
    rig.api.wait_for_hold();
    wait_until_written(rig, &session, words);
    (running, session)
}

/// Claude Code writes what was said a moment after it was said.
fn wait_until_written(rig: &Rig, session: &str, words: &str) {
    let projects = rig.home.claude_dir().join("projects");
    until("the session writes it down", PATIENCE, || {
        let found = rig.engine.exec(session, &["grep", "-rqsF", words, projects.to_str().unwrap()]);
        (found.code == 0).then_some(())
    });
}

fn state_of(rig: &Rig, session: &str) -> String {
    let listed = rig.drydock().args(["list", "--json"]).done().ok().json();
    let found = listed.as_array().unwrap().iter().find(|one| one["id"] == session);
    found.map_or("gone".into(), |one| one["state"].as_str().unwrap().to_owned())
}

fn wait_until_it_stops(rig: &Rig, session: &str) {
    until("the session's container stops", PATIENCE, || (!rig.engine.is_running(session)).then_some(()));
}

/// A file stands where Claude Code keeps its conversations. Dropping in the folder again mends it.
fn break_the_home(home: &Home) -> PathBuf {
    let projects = home.claude_dir().join("projects");
    assert!(!projects.exists(), "nothing of value is in the way");
    fs::write(&projects, "not a folder").unwrap();
    projects
}

#[test]
fn killing_drydock_in_the_middle_of_a_turn_loses_nothing() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let mut terminal = rig.run(project.path()).claude(["--session-id", &id]).in_terminal(100, 30);
    let session = terminal.session();
    terminal.wait_for("❯");
    terminal.type_line("a long thought [[hold]]");
    rig.api.wait_for_hold();

    terminal.kill();

    let listed = rig.drydock().args(["list", "--json"]).done().ok().json();
    assert_eq!(listed[0]["id"], session.as_str());
    assert_eq!(listed[0]["state"], "running");
    assert_eq!(listed[0]["attached"], false);
    assert_eq!(listed[0]["project"], project.path().to_str().unwrap());

    let mut again = rig.drydock().args(["attach", &session]).in_terminal(100, 30);
    again.wait_for("a long thought");
    rig.api.release();
    again.wait_for("You said: a long thought");
    again.type_line("and another");
    again.wait_for("You said: and another");
    again.type_line("/exit");
    again.done().ok();

    let conversation = rig.home.conversation(&id);
    assert!(conversation.says("You said: a long thought") && conversation.says("You said: and another"));
    rig.assert_nothing_left();
}

#[test]
fn closing_the_terminal_leaves_the_session_running() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let mut terminal = rig.run(project.path()).claude(["--session-id", &id]).in_terminal(100, 30);
    let session = terminal.session();
    terminal.wait_for("❯");
    terminal.type_line("a long thought [[hold]]");
    rig.api.wait_for_hold();

    terminal.close();

    assert_eq!(state_of(&rig, &session), "running");
    rig.api.release();
    let mut again = rig.drydock().arg("attach").in_folder(project.path()).in_terminal(80, 24);
    again.wait_for("You said: a long thought");
    assert_eq!(again.widest_rule(), 80, "the session keeps the size of the closed terminal");
    again.type_line("/exit");
    again.done().ok();
    assert!(rig.home.conversation(&id).says("You said: a long thought"));
    rig.assert_nothing_left();
}

#[test]
fn a_session_is_left_and_joined_again() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let mut terminal = rig.run(project.path()).in_terminal(100, 30);
    let session = terminal.session();
    terminal.wait_for("❯");

    let busy = rig.drydock().args(["attach", &session]).in_terminal(100, 30).done().exits(1);
    assert!(busy.stdout.contains("[session.state]") && busy.stdout.contains("try: "), "{}", busy.stdout);
    let piped = rig.drydock().args(["attach", &session]).done().exits(2).tells("usage");
    assert!(piped.stderr.contains("drydock logs"), "{}", piped.stderr);

    terminal.press("\x1e\x1e");
    let left = terminal.done().ok();
    assert!(left.stdout.contains(&format!("drydock attach {session}")), "{}", left.stdout);
    assert_eq!(state_of(&rig, &session), "running");

    let mut again = rig.drydock().args(["attach", &session]).in_terminal(100, 30);
    again.wait_for("❯");
    again.type_line("/exit");
    again.done().ok();
    rig.assert_nothing_left();
}

#[test]
fn what_finished_while_nobody_looked_comes_out_with_the_next_command() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = talk(&rig, &project, &id, "think alone");

    running.kill();
    rig.api.release();
    wait_until_it_stops(&rig, &session);
    assert!(!rig.home.has_conversation(&id), "somebody else brought it out");

    let listed = rig.drydock().arg("list").done().ok();

    assert!(listed.stderr.contains(&session), "nothing is said of it: {}", listed.stderr);
    assert!(rig.home.conversation(&id).says("You said: think alone"));
    rig.assert_nothing_left();
}

#[test]
fn a_session_that_is_killed_from_outside_can_be_gone_on_with() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let mut terminal = rig.run(project.path()).claude(["--session-id", &id]).in_terminal(100, 30);
    let session = terminal.session();
    terminal.wait_for("❯");
    terminal.type_line("the word is heron");
    terminal.wait_for("You said: the word is heron");
    terminal.type_line("a long thought [[hold]]");
    rig.api.wait_for_hold();
    wait_until_written(&rig, &session, "a long thought");

    rig.engine.kill(&session);

    let done = terminal.done().exits(137);
    assert!(done.stdout.contains(&format!("drydock attach {session}")), "{}", done.stdout);
    let out = rig.home.conversation(&id);
    assert!(out.says("the word is heron") && out.says("a long thought"));
    assert_eq!(state_of(&rig, &session), "interrupted");

    let bare = rig.drydock().args(["attach", &session]).in_terminal(100, 30).done().exits(2);
    assert!(bare.stdout.contains("--env ANTHROPIC_BASE_URL="), "variables are kept nowhere: {}", bare.stdout);

    let mut again = rig.drydock().args(["attach", &session]).args(rig.variables()).in_terminal(100, 30);
    again.wait_for("the word is heron");
    again.wait_for("❯");
    again.type_line("/exit");
    again.done().ok();
    assert!(rig.home.conversation(&id).says("the word is heron"));
    rig.assert_nothing_left();
}

#[test]
fn a_script_whose_session_is_killed_from_outside_fails_and_keeps_its_history() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = talk(&rig, &project, &id, "think in a script");

    rig.engine.kill(&session);

    running.done().exits(137);
    assert!(rig.home.conversation(&id).says("think in a script"));
    rig.assert_nothing_left();
}

#[test]
fn a_signal_to_a_script_ends_the_session_and_its_history_comes_out() {
    let rig = Rig::new();
    let project = rig.project("proj");
    // The exit codes are Claude Code's own, as it gives them on the host as well.
    for (signal, code) in [(Signal::INT, 0), (Signal::TERM, 143)] {
        let id = conversation_id();
        let (running, _) = talk(&rig, &project, &id, &format!("think until it ends with {code}"));

        running.signal(signal);

        running.done().exits(code);
        assert!(rig.home.conversation(&id).says("think until"));
        rig.assert_nothing_left();
    }
}

#[test]
fn data_that_cannot_come_out_stays_inside_until_it_can() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = talk(&rig, &project, &id, "worth keeping");
    let projects = break_the_home(&rig.home);
    rig.api.release();

    let failed = running.done().exits(1).tells("file.access");

    assert!(failed.stderr.contains(projects.to_str().unwrap()), "the place is not named: {}", failed.stderr);
    assert!(failed.stderr.contains(&format!("drydock sync out {session}")), "{}", failed.stderr);
    assert_eq!(state_of(&rig, &session), "finished");
    assert!(rig.engine.leftovers().contains(&format!("drydock-{session}")));
    rig.drydock().args(["rm", &session]).done().exits(4).tells("session.data_inside");
    assert!(rig.engine.leftovers().contains(&format!("drydock-{session}")), "rm threw the data away");
    assert_eq!(fs::read_to_string(&projects).unwrap(), "not a folder");

    fs::remove_file(&projects).unwrap();
    rig.drydock().args(["sync", "out", &session]).done().ok();

    assert!(rig.home.conversation(&id).says("You said: worth keeping"));
    rig.assert_nothing_left();
}

#[test]
fn the_user_may_throw_away_what_cannot_come_out() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = talk(&rig, &project, &id, "not worth keeping");
    rig.drydock().args(["rm", &session, "--discard"]).done().exits(1).tells("session.state");
    break_the_home(&rig.home);
    rig.api.release();
    running.done().exits(1);

    rig.drydock().args(["rm", &session, "--discard"]).done().ok();

    rig.assert_nothing_left();
    assert_eq!(state_of(&rig, &session), "gone");
}

#[test]
fn what_a_running_session_has_written_comes_out_on_request() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = talk(&rig, &project, &id, "come out early");

    rig.drydock().args(["sync", "out", &session]).done().ok();

    let early = rig.home.conversation(&id);
    assert!(early.says("come out early"));
    let early = early.bytes();
    assert_eq!(state_of(&rig, &session), "running");
    rig.api.release();
    running.done().ok();
    let whole = rig.home.conversation(&id);
    assert!(whole.bytes().starts_with(&early));
    assert!(whole.says("You said: come out early"));
    rig.assert_nothing_left();
}

#[test]
fn stopping_a_session_brings_its_history_out() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = talk(&rig, &project, &id, "stop me");
    running.kill();

    let stopped = rig.drydock().args(["stop", &session]).done().ok();

    assert!(stopped.stdout.contains(&session), "{}", stopped.stdout);
    assert!(rig.home.conversation(&id).says("stop me"));
    rig.assert_nothing_left();
}

#[test]
fn what_a_session_prints_can_be_read_from_elsewhere() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let mut running = rig
        .run(project.path())
        .claude(["-p", "say it [[hold]]", "--output-format", "stream-json", "--verbose"])
        .start();
    let session = running.session();
    rig.api.wait_for_hold();

    let so_far = rig.drydock().args(["logs", &session]).done().ok();
    assert!(so_far.stdout.contains("\"type\":\"system\""), "{so_far:?}");
    assert!(!so_far.stdout.contains("\"type\":\"result\""), "{so_far:?}");
    let follow = rig.drydock().args(["logs", "--follow", &session]).start();
    until("the log is shown", PATIENCE, || (!follow.printed().is_empty()).then_some(()));
    rig.api.release();

    let printed = running.done().ok().stdout;
    assert_eq!(follow.done().ok().stdout, printed, "the log is not what the session printed");
    rig.assert_nothing_left();
}
