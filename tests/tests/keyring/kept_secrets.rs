//! What Drydock keeps for its user: stored, read, replaced and forgotten.

use crate::user::{User, assert_shows_none, setup_token, time_in, two_logins};
use drydock_tests::rig::{ProcWatch, conversation_id};
use serde_json::{Value, json};

#[test]
fn a_setup_token_is_in_the_keyring_and_in_no_file() {
    let user = User::new();
    let token = setup_token();
    let watch = ProcWatch::start(vec![token.clone()]);

    let stored = user.store("setup-token", &token).ok();

    assert_eq!(watch.stop(), [], "others could read it meanwhile");
    assert_eq!(stored.stdout, "kept in the keyring\n");
    assert_shows_none(&stored, &[&token]);
    let kept = user.kept();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].0.as_str(), kept[0].1.as_str()), ("Drydock", "setup-token"));
    assert!(kept[0].2.contains(&token), "the keyring has something else");
    user.assert_on_no_disk(&[&token]);
}

#[test]
fn a_kept_setup_token_is_shown_by_kind_and_end_alone() {
    let user = User::new();
    let token = setup_token();
    let earliest = time_in("365 days");
    user.store("setup-token", &token).ok();
    let latest = time_in("365 days");

    let status = user.drydock(&["credentials", "status", "--json"]);
    let status = status.variable("DRYDOCK_LOGIN_MODE", "setup-token").done().ok();

    let shown = status.json();
    assert_eq!(shown["setup_token"]["kind"], json!("token"), "{shown}");
    assert_eq!(shown["setup_token"]["expired"], json!(false), "{shown}");
    let ends = &shown["setup_token"]["expires"].as_str().unwrap()[..earliest.len()];
    assert!((earliest.as_str()..=latest.as_str()).contains(&ends), "{ends} is not in a year");
    assert_shows_none(&status, &[&token]);
    let text =
        user.drydock(&["credentials", "status"]).variable("DRYDOCK_LOGIN_MODE", "setup-token").done().ok();
    assert!(text.stdout.contains("setup token: a setup token, its access token ends in"), "{}", text.stdout);
    assert!(text.stdout.contains("keyring: answers"), "{}", text.stdout);
    assert_shows_none(&text, &[&token]);
}

#[test]
fn another_setup_token_takes_the_place_of_the_first() {
    let user = User::new();
    let (first, second) = (setup_token(), setup_token());
    user.store("setup-token", &first).ok();
    let before = user.status("setup-token").0["setup_token"]["access"].clone();

    user.store("setup-token", &second).ok();

    let kept = user.only();
    assert!(kept.contains(&second) && !kept.contains(&first), "the keyring has the first");
    assert_ne!(user.status("setup-token").0["setup_token"]["access"], before);
    user.assert_on_no_disk(&[&first, &second]);
}

#[test]
fn a_forgotten_secret_is_gone_and_nothing_else_is() {
    let user = User::new();
    user.keyring.store("a mailbox", &[("service", "mail"), ("username", "setup-token")], "FAKE-of-another");
    user.store("setup-token", &setup_token()).ok();
    user.store("datadog-key", "FAKE-key").ok();

    assert_eq!(user.forget("setup-token").ok().stdout, "forgotten\n");

    assert_eq!(user.names(), ["datadog-key"]);
    assert_eq!(user.kept().len(), 2, "another program's secret went too");
    let (status, code) = user.status("setup-token");
    assert_eq!((&status["setup_token"], code), (&Value::Null, Some(4)));
    assert!(status["findings"][0]["remedy"].as_str().unwrap().contains("store setup-token"), "{status}");
    user.forget("setup-token").ok();
    assert_eq!(user.names(), ["datadog-key"]);
}

#[test]
fn secrets_for_alerts_are_kept_replaced_and_forgotten_likewise() {
    let user = User::new();
    let slack: [&[&str]; 2] = [&["alerts", "slack", "set"], &["alerts", "slack", "forget"]];
    let datadog: [&[&str]; 2] =
        [&["credentials", "store", "datadog-key"], &["credentials", "forget", "datadog-key"]];
    for (what, [store, forget]) in [("slack-webhook", slack), ("datadog-key", datadog)] {
        let secrets =
            [(); 2].map(|()| format!("https://hooks.slack.com/services/FAKE/{}", conversation_id()));
        for secret in &secrets {
            let stored = user.drydock(store).input(secret).done().ok();
            assert!(stored.stdout.contains("kept in the keyring"), "{}", stored.stdout);
            assert_shows_none(&stored, &[secret]);
            assert_eq!(user.kept(), [("Drydock".to_owned(), what.to_owned(), secret.clone())]);
        }
        user.assert_on_no_disk(&[&secrets[0], &secrets[1]]);

        user.drydock(forget).done().ok();
        assert_eq!(user.kept(), []);
        user.drydock(forget).done().ok();
    }
}

#[test]
fn what_is_no_setup_token_is_not_kept() {
    let user = User::new();
    for wrong in
        ["sk-ant-api03-FAKE-a-key", "sk-ant-ort01-FAKE-a-refresh-token", "FAKE", "sk-ant-oat01-FAKE two"]
    {
        let refused = user.store("setup-token", wrong).exits(2).tells("usage");
        assert_shows_none(&refused, &["FAKE"]);
    }
    assert_eq!(user.kept(), []);
}

#[test]
fn nothing_is_no_secret() {
    let user = User::new();
    for what in ["setup-token", "login", "datadog-key"] {
        for nothing in ["", " \n "] {
            user.store(what, nothing).exits(2).tells("usage");
        }
    }
    assert_eq!(user.kept(), []);
    assert_eq!(user.login_file(), None);
}

#[test]
fn a_log_of_everything_shows_no_secret() {
    let user = User::new();
    let (token, (login, newer)) = (setup_token(), two_logins());
    user.home.sign_in_with(&login);
    let file = user.home.path().join("lease.json");
    let brought = newer.json().to_string();

    for (arguments, input) in [
        (&["store", "setup-token"][..], token.as_str()),
        (&["store", "datadog-key"], &token),
        (&["store", "login"], &brought),
        (&["store", "pair"], ""),
        (&["status"], ""),
        (&["extract", "--to", file.to_str().unwrap()], ""),
        (&["forget", "setup-token"], ""),
    ] {
        let drydock = user.drydock(&["credentials"]).args(arguments).variable("DRYDOCK_LOG", "trace");
        let done = drydock.input(input).done();
        assert!(done.stderr.contains("TRACE"), "there is no log: {}", done.stderr);
        let of_logins = [&login, &newer].map(|login| [login.access(), login.refresh()]).concat();
        assert_shows_none(&done, &[of_logins.as_slice(), &[&token]].concat());
    }
}
