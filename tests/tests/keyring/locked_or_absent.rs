//! A keyring that is locked, and none at all.

use crate::user::{User, assert_shows_none, setup_token, two_logins};
use drydock_tests::rig::Project;
use serde_json::json;

#[test]
fn a_locked_keyring_is_said_and_not_gone_around() {
    let user = User::new();
    let (kept, refused) = (setup_token(), setup_token());
    let project = Project::make(&user.home.path().join("proj"));
    user.store("setup-token", &kept).ok();
    user.keyring.lock();

    for what in ["setup-token", "datadog-key"] {
        let stored = user.store(what, &refused).exits(4).tells("keychain.locked");
        assert_shows_none(&stored, &[&kept, &refused]);
    }
    user.forget("setup-token").exits(4).tells("keychain.locked");
    let launch = user.drydock(&["run", project.path().to_str().unwrap()]);
    let launch = launch.variable("DRYDOCK_LOGIN_MODE", "setup-token").claude(["-p", "hi"]);
    assert_shows_none(&launch.done().exits(4).tells("keychain.locked"), &[&kept]);
    assert_eq!(user.drydock(&["list", "--json"]).done().ok().json(), json!([]), "a session is left");
    let doctor = user.drydock(&["doctor"]).variable("DRYDOCK_LOGIN_MODE", "setup-token").done().exits(1);
    let mut lines = doctor.stdout.lines().skip_while(|line| !line.starts_with("BAD   login"));
    assert!(lines.next().is_some_and(|line| line.contains("the keyring is locked")), "{}", doctor.stdout);
    assert!(lines.next().is_some_and(|line| line.contains("try: unlock it")), "{}", doctor.stdout);

    user.assert_on_no_disk(&[&kept, &refused]);
    user.keyring.unlock();
    assert!(user.only().contains(&kept), "the one that was kept is another now");
    assert_eq!(user.status("setup-token").1, Some(0), "it is open again");
}

#[test]
fn the_status_says_that_the_keyring_is_locked() {
    let user = User::new();
    let token = setup_token();
    user.store("setup-token", &token).ok();
    user.keyring.lock();

    let status =
        user.drydock(&["credentials", "status"]).variable("DRYDOCK_LOGIN_MODE", "setup-token").done();

    let status = status.exits(4);
    assert!(status.stdout.contains("keyring: no; the keyring is locked"), "{}", status.stdout);
    assert!(status.stdout.contains("try: unlock it"), "{}", status.stdout);
    assert!(!status.stdout.contains("no setup token is kept"), "it is there: {}", status.stdout);
    assert_shows_none(&status, &[&token]);
}

#[test]
fn a_locked_login_of_sessions_is_not_replaced_by_a_file() {
    let user = User::new();
    let (login, _) = two_logins();
    let project = Project::make(&user.home.path().join("proj"));
    user.keep_own(&login);
    user.keyring.lock();

    let launch = user.drydock(&["run", project.path().to_str().unwrap()]);
    let launch = launch.variable("DRYDOCK_LOGIN_MODE", "own").claude(["-p", "hi"]).done();

    launch.exits(4).tells("keychain.locked");
    assert_eq!(user.status("own").1, Some(4));
    user.forget("own").exits(4).tells("keychain.locked");
    user.assert_on_no_disk(&[login.access(), login.refresh()]);
    user.keyring.unlock();
    assert_eq!(user.names(), ["login"]);
}

#[test]
fn without_a_keyring_no_secret_is_kept_and_that_is_said() {
    let user = User::without_keyring();
    let token = setup_token();
    let project = Project::make(&user.home.path().join("proj"));
    let nowhere = format!("unix:path={}/no-bus", user.home.path().display());

    for bus in [user.keyring.address(), &nowhere] {
        let drydock = |arguments: &[&str]| user.drydock(arguments).variable("DBUS_SESSION_BUS_ADDRESS", bus);
        for what in ["setup-token", "datadog-key"] {
            let stored = drydock(&["credentials", "store", what]).input(&token).done();
            assert_shows_none(&stored.exits(3).tells("keychain.none"), &[&token]);
            drydock(&["credentials", "forget", what]).done().exits(3).tells("keychain.none");
        }
        let run = drydock(&["run", project.path().to_str().unwrap()]).claude(["-p", "hi"]);
        run.variable("DRYDOCK_LOGIN_MODE", "setup-token").done().exits(3).tells("keychain.none");
        let status = drydock(&["credentials", "status"]).variable("DRYDOCK_LOGIN_MODE", "setup-token").done();
        assert!(status.exits(4).stdout.contains("keyring: no; there is no keyring to keep secrets in"));
    }

    assert!(!user.keyring.has_keyring(), "one was started");
    user.assert_on_no_disk(&[&token]);
}

#[test]
fn a_keyring_that_stops_is_said_like_one_that_is_not_there() {
    let mut user = User::new();
    let (kept, refused) = (setup_token(), setup_token());
    let project = Project::make(&user.home.path().join("proj"));
    user.store("setup-token", &kept).ok();
    user.keyring.stop_keyring();

    let stored = user.store("setup-token", &refused).exits(3).tells("keychain.none");

    assert_shows_none(&stored, &[&kept, &refused]);
    user.forget("setup-token").exits(3).tells("keychain.none");
    let run = user.drydock(&["run", project.path().to_str().unwrap()]).claude(["-p", "hi"]);
    run.variable("DRYDOCK_LOGIN_MODE", "setup-token").done().exits(3).tells("keychain.none");
    assert!(user.status("setup-token").0["keyring"].to_string().contains("no keyring"));
    user.assert_on_no_disk(&[&kept, &refused]);
}
