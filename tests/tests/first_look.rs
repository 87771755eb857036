//! Doctor, status and settings: what a person looks at first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{API_KEY, CLAUDE_VERSION, Damage, Done, Home, Rig, TOKEN, conversation_id};
use serde_json::{Value, json};
use std::fs;

fn check<'a>(checks: &'a Value, name: &str) -> &'a Value {
    let found = checks.as_array().unwrap().iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no check of {name}: {checks}"))
}

/// Every check that is not fine has a remedy, and every one that is has none.
fn assert_remedies(checks: &Value) {
    for check in checks.as_array().unwrap() {
        let remedy = check["remedy"].as_str().unwrap_or_default();
        assert_eq!(check["standing"] == "good", remedy.is_empty(), "{check}");
    }
}

#[test]
fn doctor_on_a_healthy_computer() {
    let rig = Rig::new();
    rig.drydock().args(["image", "build"]).done().ok();
    let (volume, sheet) = (tempfile::tempdir().unwrap(), rig.home.path().join("sheet.txt"));
    let copy = volume.path().join("copy");
    rig.drydock().args(["settings", "set", "backup.external.path"]).arg(&copy).done().ok();
    rig.drydock().args(["backup", "now"]).done().ok();
    rig.drydock().args(["backup", "key", "export", "--to"]).arg(&sheet).done().ok();
    let sheet = fs::read_to_string(sheet).unwrap();
    let code = sheet.lines().skip_while(|line| *line != "Recovery code").nth(3).unwrap().trim();
    let last = code.rsplit('-').next().unwrap();
    rig.drydock().args(["backup", "key", "confirm", last]).done().ok();
    let doctor = || rig.drydock().variable("ANTHROPIC_API_KEY", API_KEY);

    let done = doctor().args(["doctor", "--json"]).done().ok();

    let checks = done.json();
    for name in ["engine", "image", "disk", "login", "config", "backup"] {
        assert_eq!(check(&checks, name)["standing"], "good", "{checks}");
    }
    assert!(check(&checks, "image")["found"].as_str().unwrap().contains(CLAUDE_VERSION));
    assert!(!done.stdout.contains(API_KEY));
    assert_remedies(&checks);
    let text = doctor().arg("doctor").done().ok().stdout;
    assert_eq!(text.lines().count(), 6, "more than a line each: {text}");
    assert!(text.lines().all(|line| line.starts_with("ok ")), "{text}");
}

#[test]
fn doctor_without_an_engine() {
    let home = Home::new();
    let doctor = || Rig::drydock_at(&home).variable("DOCKER_HOST", "unix:///nonexistent/docker.sock");

    let checks = doctor().args(["doctor", "--json"]).done().exits(3).json();

    assert_eq!(check(&checks, "engine")["standing"], "bad");
    assert_eq!(check(&checks, "config")["standing"], "good", "one fault hides what is well");
    assert_remedies(&checks);
    let text = doctor().arg("doctor").done().exits(3).stdout;
    let engine = text.lines().position(|line| line.contains("engine")).unwrap();
    assert!(text.lines().nth(engine + 1).unwrap().contains("try: "), "{text}");
}

#[test]
fn doctor_with_a_damaged_configuration_and_no_image() {
    let rig = Rig::new();
    rig.home.damage(Damage::TwoObjects);

    let checks = rig.drydock().args(["doctor", "--json"]).done().exits(1).json();

    assert_eq!(check(&checks, "engine")["standing"], "good");
    assert_eq!(check(&checks, "image")["standing"], "attention");
    assert!(check(&checks, "image")["remedy"].as_str().unwrap().contains("drydock image build"));
    let config = check(&checks, "config");
    assert_eq!(config["standing"], "bad");
    assert!(config["found"].as_str().unwrap().contains("line 1, column 8"), "{config}");
    assert_eq!(check(&checks, "login")["standing"], "attention");
    assert_remedies(&checks);
}

#[test]
fn doctor_offers_the_login_that_is_there() {
    let rig = Rig::new();
    let refresh = rig.home.sign_in(TOKEN);

    let done = rig.drydock().args(["doctor", "--json"]).done().ok();

    let checks = done.json();
    assert!(check(&checks, "login")["remedy"].as_str().unwrap().contains("login.mode lease"), "{checks}");
    assert!(!done.stdout.contains(TOKEN) && !done.stdout.contains(&refresh));
    rig.drydock().args(["settings", "set", "login.mode", "lease"]).done().ok();
    let checks = rig.drydock().args(["doctor", "--json"]).done().ok().json();
    assert_eq!(check(&checks, "login")["standing"], "good", "{checks}");
}

#[test]
fn status_in_one_look() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let status = || rig.drydock().args(["status", "--json"]).done().ok().json();
    assert_eq!(status()["sessions"], json!([]));
    let mut running = rig.run(project.path()).claude(["-p", "busy [[hold]]"]).start();
    let session = running.session();
    rig.api.wait_for_hold();

    let now = status();
    assert_eq!(now["sessions"][0]["id"], session.as_str());
    assert_eq!(now["sessions"][0]["state"], "running");
    let text = rig.drydock().arg("status").done().ok().stdout;
    assert!(text.lines().next().unwrap().contains("1 session running"), "{text}");

    rig.api.release();
    running.done().ok();
    assert_eq!(status()["sessions"], json!([]));
}

#[test]
fn status_brings_out_what_has_ended() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let mut running = rig.run(project.path()).claude(["-p", "alone [[hold]]", "--session-id", &id]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    running.kill();
    rig.api.release();
    drydock_tests::rig::until("it ends", std::time::Duration::from_secs(30), || {
        (!rig.engine.is_running(&session)).then_some(())
    });

    let status = rig.drydock().args(["status", "--json"]).done().ok().json();

    assert_eq!(status["sessions"], json!([]));
    assert!(rig.home.conversation(&id).says("You said: alone"));
    rig.assert_nothing_left();
}

#[test]
fn status_without_an_engine_still_answers() {
    let home = Home::new();
    let done = Rig::drydock_at(&home)
        .variable("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .args(["status", "--json"])
        .done()
        .ok();
    assert_eq!(done.json()["standing"], "bad");
}

#[test]
fn settings_are_kept_and_listed() {
    let home = Home::new();
    let drydock = |arguments: &[&str]| -> Done { Rig::drydock_at(&home).args(arguments).done() };
    assert_eq!(drydock(&["settings", "get", "login.mode"]).ok().stdout.trim(), "ask");

    drydock(&["settings", "set", "login.mode", "own"]).ok();

    assert_eq!(drydock(&["settings", "get", "login.mode"]).ok().stdout.trim(), "own");
    let file = fs::read_to_string(home.path().join(".config/drydock/settings.toml")).unwrap();
    assert!(file.contains("mode = \"own\""), "{file}");
    let listed = drydock(&["settings", "list", "--json"]).ok().json();
    let row = listed.as_array().unwrap().iter().find(|row| row["key"] == "login.mode").unwrap();
    assert_eq!(row["value"], "own");
    for row in listed.as_array().unwrap() {
        let key = row["key"].as_str().unwrap();
        assert_eq!(drydock(&["settings", "get", key]).ok().stdout.trim_end(), row["value"].as_str().unwrap());
    }
    let over = Rig::drydock_at(&home).variable("DRYDOCK_LOGIN_MODE", "lease").args([
        "settings",
        "get",
        "login.mode",
    ]);
    assert_eq!(over.done().ok().stdout.trim(), "lease", "the environment wins");
}

#[test]
fn wrong_settings_are_refused_with_what_is_near() {
    let home = Home::new();
    let drydock = |arguments: &[&str]| -> Done { Rig::drydock_at(&home).args(arguments).done() };
    let refused = drydock(&["settings", "set", "login.mod", "own"]).exits(2).tells("settings.unknown_key");
    assert!(refused.stderr.contains("login.mode"), "{}", refused.stderr);
    let refused = drydock(&["settings", "set", "login.mode", "borrow"]).exits(2).tells("settings.value");
    assert!(refused.stderr.contains("lease"), "the possible values are not named: {}", refused.stderr);
    assert_eq!(drydock(&["settings", "get", "login.mode"]).ok().stdout.trim(), "ask");

    let file = home.write(".config/drydock/settings.toml", "# mine\n[login]\nmoed = \"own\"\n");
    let refused = drydock(&["list"]).exits(2).tells("settings.unknown_key");
    assert!(refused.stderr.contains("line 3") && refused.stderr.contains("login.mode"), "{}", refused.stderr);
    fs::write(&file, "[login\n").unwrap();
    drydock(&["list"]).exits(1).tells("settings.file");
    assert_eq!(fs::read_to_string(&file).unwrap(), "[login\n");

    fs::write(&file, "# mine\n[login]\nmode = \"own\" # because\n").unwrap();
    drydock(&["settings", "set", "session.history", "all"]).ok();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("# mine") && text.contains("# because"), "the user's words are lost: {text}");
}

#[test]
fn wrong_usage_exits_with_2() {
    let home = Home::new();
    let drydock = |arguments: &[&str]| -> Done { Rig::drydock_at(&home).args(arguments).done() };
    for wrong in [&["nonsense"][..], &["run", "a", "b"], &["rm"], &["list", "--nope"], &[]] {
        let done = drydock(wrong).exits(2);
        assert!(done.stderr.contains("Usage"), "{wrong:?}: {}", done.stderr);
    }
    for right in [&["--help"][..], &["--version"], &["run", "--help"], &["completions", "bash"]] {
        assert!(!drydock(right).ok().stdout.is_empty(), "{right:?}");
    }
}

#[test]
fn with_json_errors_are_json_too() {
    let rig = Rig::new();
    let done = rig.drydock().args(["--json", "logs", "nobody-abcde"]).done().exits(2);
    let error = &done.json()["error"];
    assert_eq!(error["code"], "session.unknown");
    assert!(error["message"].as_str().unwrap().contains("nobody-abcde"));
    assert!(!error["remedy"].as_array().unwrap().is_empty());
    for command in [&["list"][..], &["status"], &["doctor"], &["image", "list"], &["settings", "list"]] {
        let done = rig.drydock().args(command).arg("--json").done().ok();
        assert!(done.json().is_array() || done.json().is_object(), "{command:?}");
    }
}

#[test]
fn a_home_that_the_environment_names_with_nothing_is_the_users_own() {
    let home = Home::new();
    let done = Rig::drydock_at(&home).args(["settings", "list"]).variable("DRYDOCK_HOME", "").done();
    done.ok();
    let other = Home::new();
    let named = other.path().to_str().unwrap();
    let set = ["settings", "set", "login.mode", "own"];
    Rig::drydock_at(&home).args(set).variable("DRYDOCK_HOME", named).done().ok();
    let mode = |home: &Home| Rig::drydock_at(home).args(["settings", "get", "login.mode"]).done().stdout;
    assert!(mode(&other).contains("own"), "{}", mode(&other));
    assert!(!mode(&home).contains("own"), "{}", mode(&home));
}
