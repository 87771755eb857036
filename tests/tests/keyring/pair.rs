//! The pair `claude.ai`, `claude.ai.refresh`, and whose it is.

use crate::user::{NAME, User, assert_shows_none, setup_token, two_logins};
use drydock_tests::rig::Home;
use serde_json::json;
use std::fs;

#[test]
fn the_pair_is_a_copy_of_this_computers_login() {
    let user = User::new();
    let (login, newer) = two_logins();
    user.home.sign_in_with(&login);
    let item = |service: &str, token: &str| (service.to_owned(), NAME.to_owned(), token.to_owned());

    let stored = user.drydock(&["credentials", "store", "pair"]).done().ok();

    assert_shows_none(&stored, &[login.access(), login.refresh()]);
    let pair = [item("claude.ai", login.access()), item("claude.ai.refresh", login.refresh())];
    assert_eq!(user.kept(), pair);
    user.home.sign_in_with(&newer);
    user.drydock(&["credentials", "store", "pair"]).done().ok();
    let pair = [item("claude.ai", newer.access()), item("claude.ai.refresh", newer.refresh())];
    assert_eq!(user.kept(), pair);
}

#[test]
fn the_pair_is_found_where_claude_codes_own_login_is_gone() {
    let user = User::new();
    let (login, _) = two_logins();
    user.home.sign_in_with(&login);
    user.drydock(&["credentials", "store", "pair"]).done().ok();
    let extract = || user.drydock(&["credentials", "extract", "--json"]).done().ok();
    assert_eq!(extract().json()["store"], json!("file"), "the copy is asked before the original");
    fs::remove_file(user.home.claude_dir().join(".credentials.json")).unwrap();

    let found = extract();

    assert_eq!(found.json()["store"], json!("pair"));
    assert_eq!(found.json()["login"]["kind"], json!("full"));
    assert_shows_none(&found, &[login.access(), login.refresh()]);
    let status =
        user.drydock(&["credentials", "status"]).variable("DRYDOCK_LOGIN_MODE", "lease").done().exits(4);
    assert!(status.stdout.contains("nobody renews that"), "{}", status.stdout);
    user.assert_on_no_disk(&[login.access(), login.refresh()]);
}

#[test]
fn the_pair_is_forgotten_whole() {
    let user = User::new();
    let (login, _) = two_logins();
    let original = user.sign_in(&login.json());
    user.drydock(&["credentials", "store", "pair"]).done().ok();
    user.store("datadog-key", "FAKE-key").ok();

    user.forget("pair").ok();

    assert_eq!(user.kept(), [("Drydock".into(), "datadog-key".into(), "FAKE-key".into())]);
    assert_eq!(user.login_file(), Some(original), "the login itself went too");
    user.forget("pair").ok();
    fs::remove_file(user.home.claude_dir().join(".credentials.json")).unwrap();
    user.drydock(&["credentials", "extract"]).done().exits(4).tells("login.none");
}

#[test]
fn there_is_no_pair_without_a_whole_login() {
    let user = User::new();
    let store = || user.drydock(&["credentials", "store", "pair"]).done();
    store().exits(4).tells("login.none");
    let (login, _) = two_logins();
    let mut lease = login.json();
    lease["claudeAiOauth"].as_object_mut().unwrap().remove("refreshToken");
    user.home.keep_login(&lease);
    assert_shows_none(&store().exits(4).tells("login.none"), &[login.access()]);
    assert_eq!(user.kept(), []);
}

#[test]
fn there_is_no_pair_without_a_keyring() {
    let user = User::without_keyring();
    let (login, _) = two_logins();
    user.home.sign_in_with(&login);

    let stored = user.drydock(&["credentials", "store", "pair"]).done();

    assert_shows_none(&stored.exits(3).tells("keychain.none"), &[login.access(), login.refresh()]);
    user.forget("pair").exits(3).tells("keychain.none");
}

#[test]
fn another_home_keeps_secrets_of_its_own() {
    let user = User::new();
    let other = Home::new();
    let at_other = |arguments: &[&str]| {
        user.drydock(&["--home", other.path().to_str().unwrap()]).args(["credentials"]).args(arguments)
    };
    let (mine, theirs) = (setup_token(), setup_token());
    user.store("setup-token", &mine).ok();
    at_other(&["store", "setup-token"]).input(&theirs).done().ok();

    let names = user.names();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(names[0], "setup-token");
    assert!(names[1].starts_with("setup-token ("), "{names:?}");
    at_other(&["forget", "setup-token"]).done().ok();
    assert!(user.only().contains(&mine), "the other home's is left, or the own one went");
}

#[test]
fn the_pair_is_the_users_own_and_no_other_homes() {
    let user = User::new();
    let other = Home::new();
    let (login, newer) = two_logins();
    let at_other = |what: &str| {
        let home = other.path().to_str().unwrap();
        user.drydock(&["--home", home, "credentials", what, "pair"]).done()
    };

    user.home.sign_in_with(&login);
    user.drydock(&["credentials", "store", "pair"]).done().ok();
    let pair = user.kept();

    at_other("forget");

    assert_eq!(user.kept(), pair, "another home's command has removed the user's own");
    other.sign_in_with(&newer);
    at_other("store").exits(3).tells("keychain.none");
    assert_eq!(user.kept(), pair);
}
