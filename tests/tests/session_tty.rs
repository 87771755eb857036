//! A person before a terminal.

use drydock_tests::rig::{Rig, Terminal, conversation_id, until};
use std::{fs, time::Duration};

/// Waits for Claude Code's prompt, or for a question that stands where it should be.
fn wait_for_prompt(terminal: &mut Terminal) {
    terminal.wait_until("Claude Code waits for the user", |screen| screen.contains('❯'));
}

#[test]
fn a_trusted_project_begins_at_the_prompt() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let mut terminal = rig.run(project.path()).claude(["--session-id", &id]).in_terminal(100, 30);

    wait_for_prompt(&mut terminal);
    let first = terminal.screen().to_lowercase();
    for question in ["trust this folder", "text style", "login method", "api key"] {
        assert!(!first.contains(question), "Claude Code asks first:\n{first}");
    }
    terminal.type_line("hello there");
    terminal.wait_for("You said: hello there");
    terminal.type_line("/exit");

    terminal.done().ok();
    assert!(rig.home.conversation(&id).says("You said: hello there"));
    let prompts = fs::read_to_string(rig.home.claude_dir().join("history.jsonl")).unwrap();
    assert!(prompts.contains("hello there"), "the arrow-up key has lost the prompt: {prompts}");
    rig.assert_nothing_left();
}

#[test]
fn a_project_that_the_user_does_not_trust_is_asked_about() {
    let rig = Rig::new();
    let project = rig.home.untrusted_project("proj");
    let mut terminal = rig.run(project.path()).in_terminal(100, 30);

    terminal.wait_for("I trust this folder");
    assert_eq!(rig.api.turns().len(), 0);
    terminal.choose("Yes, I trust this folder");
    wait_for_prompt(&mut terminal);
    terminal.type_line("hello there");
    terminal.wait_for("You said: hello there");
    terminal.type_line("/exit");

    terminal.done().ok();
    rig.assert_nothing_left();
}

#[test]
fn the_sessions_terminal_is_as_large_as_the_users() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let mut terminal = rig.run(project.path()).in_terminal(93, 31);
    let session = terminal.session();
    let inside = || rig.engine.exec(&session, &["stty", "-F", "/dev/console", "size"]).printed;
    wait_for_prompt(&mut terminal);
    assert_eq!(inside().trim(), "31 93");
    assert_eq!(terminal.widest_rule(), 93, "{}", terminal.screen());

    terminal.resize(121, 40);

    until("the session hears of it", Duration::from_secs(20), || {
        (inside().trim() == "40 121" && terminal.widest_rule() == 121).then_some(())
    });
    terminal.type_line("/exit");
    terminal.done().ok();
}

#[test]
fn ctrl_c_is_claudes() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let mut terminal = rig.run(project.path()).in_terminal(100, 30);
    wait_for_prompt(&mut terminal);
    terminal.type_line("take your time [[hold]]");
    rig.api.wait_for_hold();
    terminal.wait_for("esc to interrupt");

    terminal.press("\x03");

    // It says that it was interrupted, or, when nothing of the answer was there yet, gives the words back.
    terminal.wait_until("the turn is over", |screen| {
        !screen.contains("esc to interrupt")
            && (screen.contains("Interrupted") || screen.contains("❯ take your time"))
    });
    terminal.press("\x15");
    terminal.type_line("something else");
    // Claude Code tells the model of the interruption along with the next words.
    terminal.wait_until("an answer", |screen| {
        screen.contains("You said:") && screen.matches("something else").count() == 2
    });
    terminal.press("\x03");
    terminal.wait_for("again to exit");
    terminal.press("\x03");
    terminal.done().ok();
    rig.assert_nothing_left();
}

#[test]
fn a_wrong_flag_is_told_in_the_terminal_and_by_the_exit_code() {
    let rig = Rig::new();
    let project = rig.project("proj");

    let done = rig.run(project.path()).claude(["--no-such-flag"]).in_terminal(100, 30).done().exits(1);

    assert!(done.stdout.contains("--no-such-flag"), "{}", done.stdout);
    rig.assert_nothing_left();
}

#[test]
fn keys_typed_while_the_session_starts_are_not_lost() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let mut terminal = rig.run(project.path()).in_terminal(100, 30);
    terminal.session();
    terminal.press("early words");

    terminal.wait_for("early words");
    terminal.wait_until("they stand at the prompt", |screen| {
        screen.contains("❯ early words") || screen.contains("❯\u{a0}early words")
    });
    terminal.press("\r");
    terminal.wait_for("You said: early words");
    terminal.type_line("/exit");
    terminal.done().ok();
}

#[test]
fn what_the_user_has_typed_on_the_host_comes_back_by_the_arrow_key() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let mut host = rig.claude(project.path()).in_terminal(100, 30);
    host.wait_until("either the prompt or the question about the key", |screen| screen.contains('❯'));
    host.wait_until_still();
    if host.screen().contains("use this API key") {
        host.press("\x1b[A");
        host.wait_for("❯ Yes");
        host.press("\r");
        host.wait_until("the prompt", |screen| screen.contains('❯') && !screen.contains("use this API key"));
    }
    host.type_line("words of the host");
    host.wait_for("You said: words of the host");
    host.type_line("/exit");
    host.done().ok();

    let mut terminal = rig.run(project.path()).in_terminal(100, 30);
    wait_for_prompt(&mut terminal);
    terminal.press("\x1b[A");
    terminal.wait_for("/exit");
    terminal.press("\x1b[A");
    terminal.wait_until("the prompt of the host", |screen| screen.contains("words of the host"));
    terminal.press("\x15");
    terminal.type_line("/exit");
    terminal.done().ok();
}
