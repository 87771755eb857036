//! The login of sessions, in the keyring.

use crate::user::{InATurn, User, assert_shows_none, two_logins};
use drydock_tests::rig::holds;
use serde_json::{Value, json};

#[test]
fn the_login_of_sessions_is_read_from_the_keyring_and_forgotten_there() {
    let user = User::new();
    let (login, _) = two_logins();
    user.keep_own(&login);

    let (status, code) = user.status("own");

    assert_eq!(code, Some(0), "{status}");
    assert_eq!(
        (&status["own"]["kind"], &status["own"]["place"]),
        (&json!("full"), &json!("keyring")),
        "{status}"
    );
    assert!(!status.to_string().contains("FAKE"), "{status}");
    user.forget("own").ok();
    assert_eq!(user.kept(), []);
    assert_eq!(user.status("own").0["own"], Value::Null);
    user.assert_on_no_disk(&[login.access(), login.refresh()]);
}

#[test]
fn what_a_session_renewed_waits_in_it_while_the_keyring_is_locked() {
    let turn = InATurn::start();
    turn.keyring.lock();

    let (user, done) = turn.renew_and_end();

    let done = done.exits(4).tells("keychain.locked");
    let issued = user.sign_in.issued();
    assert_shows_none(&done, &issued.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(holds(user.rig.home.path(), &issued), [], "it was gone around the keyring");
    user.keyring.unlock();
    user.look_again();
    user.assert_in_the_keyring_alone();
    user.assert_goes_on();
}

#[test]
fn a_session_outlives_a_restart_of_the_keyring() {
    let mut turn = InATurn::start();
    turn.keyring.stop_keyring();
    turn.keyring.start_keyring();

    let (user, done) = turn.renew_and_end();

    done.ok();
    user.rig.assert_nothing_left();
    user.assert_in_the_keyring_alone();
    user.assert_goes_on();
}

#[test]
fn what_a_session_renewed_is_not_lost_with_the_keyring() {
    let mut turn = InATurn::start();
    turn.keyring.stop_keyring();

    // Whether it waits in the session, as at a locked keyring, or in a file: it is still somewhere.
    let (mut user, done) = turn.renew_and_end();

    let issued = user.sign_in.issued();
    assert_shows_none(&done, &issued.iter().map(String::as_str).collect::<Vec<_>>());
    user.keyring.start_keyring();
    user.look_again();
    user.assert_goes_on();
    user.assert_in_the_keyring_alone();
}
