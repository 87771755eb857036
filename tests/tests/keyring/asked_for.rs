//! Secrets that are typed at a terminal.

use crate::user::{User, setup_token};

#[test]
fn what_is_typed_at_the_question_does_not_show() {
    let user = User::new();
    let token = setup_token();
    let mut terminal = user.drydock(&["credentials", "store", "setup-token"]).in_terminal(100, 30);
    terminal.wait_for("claude setup-token");

    terminal.press(&format!("{token}\r"));

    // It looks at the terminal as well.
    let done = terminal.done().ok();
    assert!(done.stdout.contains("kept in the keyring"), "{}", done.stdout);
    assert!(!done.stdout.contains("FAKE"), "it shows: {}", done.stdout);
    assert!(user.only().contains(&token));
}

#[test]
fn a_wrong_answer_to_the_question_leaves_the_terminal_as_it_was() {
    let user = User::new();
    let mut terminal = user.drydock(&["credentials", "store", "setup-token"]).in_terminal(100, 30);
    terminal.wait_for("claude setup-token");

    terminal.press("sk-ant-api03-FAKE-a-key\r");

    let done = terminal.done().exits(2);
    assert!(!done.stdout.contains("FAKE"), "it shows: {}", done.stdout);
}

#[test]
fn giving_up_at_the_question_leaves_the_terminal_as_it_was() {
    let user = User::new();
    let mut terminal = user.drydock(&["credentials", "store", "setup-token"]).in_terminal(100, 30);
    terminal.wait_for("claude setup-token");
    terminal.press("sk-ant-oat01-FAKE");

    // Ctrl-C
    terminal.press("\x03");

    let done = terminal.done();
    assert_ne!(done.code, Some(0));
    assert!(!done.stdout.contains("FAKE"), "it shows: {}", done.stdout);
    assert_eq!(user.kept(), []);
}
