//! The engine goes down under a session and comes up again.
#![cfg(target_os = "linux")] // elsewhere engines live in machines of their own, which no test may restart

use drydock_tests::rig::{OwnEngine, Rig, conversation_id};

#[test]
fn a_session_whose_engine_restarts_keeps_its_history_and_goes_on() {
    let mut engine = OwnEngine::start();
    let rig = Rig::on(&engine);
    let project = rig.project("proj");
    let id = conversation_id();
    let mut terminal = rig.run(project.path()).claude(["--session-id", &id]).in_terminal(100, 30);
    let session = terminal.session();
    terminal.wait_for("❯");
    terminal.type_line("the word is heron");
    terminal.wait_for("You said: the word is heron");
    terminal.type_line("a long thought [[hold]]");
    rig.api.wait_for_hold();

    engine.stop();

    let left = terminal.done();
    assert_ne!(left.code, Some(0), "{}", left.stdout);
    assert!(!rig.home.has_conversation(&id), "nobody can have brought it out");
    rig.drydock().arg("list").done().exits(3).tells("engine.none");

    engine.start_daemon();
    let listed = rig.drydock().arg("list").done().ok();
    assert!(listed.stderr.contains(&session), "nothing is said of it: {}", listed.stderr);
    assert!(rig.home.conversation(&id).says("You said: the word is heron"));
    assert!(listed.stdout.contains("interrupted"), "{}", listed.stdout);

    let mut again = rig.drydock().args(["attach", &session]).args(rig.variables()).in_terminal(100, 30);
    again.wait_for("the word is heron");
    again.wait_until_still();
    again.type_line("go on");
    again.wait_for("You said: go on");
    again.type_line("/exit");
    again.done().ok();

    let turn = rig.api.wait_for_turn("go on");
    assert!(turn.says("the word is heron"), "Claude has forgotten: {:?}", turn.said);
    assert!(rig.home.conversation(&id).says("You said: go on"));
    rig.assert_nothing_left();
}
