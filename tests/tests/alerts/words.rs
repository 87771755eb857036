//! What a person sees of alerts, and what they can do.

use super::{
    asleep::later,
    watched::{daemon, firing, history, set, until_fires, until_looked, until_over},
};
use drydock_tests::rig::Backups;
use rustix::process::Signal;
use std::fs;

#[test]
fn damage_is_told_taken_on_and_over_when_it_is_mended() {
    let backups = Backups::new();
    let drydock = |words: &[&str]| backups.drydock(words);
    set(&drydock, &[("recovery.automatic", "off")]);
    let settings = backups.file(".claude/settings.json");
    let whole = fs::read(&settings).unwrap();
    fs::write(&settings, "{\"model\": \"op").unwrap();
    let _daemon = daemon(&drydock);

    let alert = until_fires(&drydock, "damage");

    assert_eq!((&alert["severity"], &alert["about"]), (&"high".into(), &"settings.json".into()));
    assert_eq!(alert["remedy"], "drydock recover");
    let listed = backups.drydock(["alerts"]).done().exits(4).stdout;
    assert!(listed.contains("settings.json") && listed.contains("try: drydock recover"), "{listed}");
    let status = backups.drydock(["status"]).done().stdout;
    assert!(status.contains("alert (high): Something is damaged: settings.json"), "{status}");
    let metrics = backups.ok(["metrics", "--prometheus"]).stdout;
    assert!(metrics.contains("drydock_alerts_firing{severity=\"high\"} 1"), "{metrics}");

    let id = alert["id"].as_str().unwrap();
    backups.ok(["alerts", "ack", &id[..6]]);
    assert!(backups.drydock(["alerts"]).done().ok().stdout.contains("taken on"));

    fs::write(&settings, whole).unwrap();
    until_over(&drydock, "damage");
    assert_eq!(history(&drydock, "alert.fired").iter().filter(|rule| *rule == "damage").count(), 1);
    assert_eq!(history(&drydock, "alert.resolved").iter().filter(|rule| *rule == "damage").count(), 1);
    let told = backups.ok(["alerts", "history"]).stdout;
    assert!(told.contains("fires (high)") && told.contains("over: "), "{told}");
}

#[test]
fn what_a_look_at_all_data_finds_is_told_and_over_when_it_is_back() {
    let backups = Backups::new();
    let drydock = |words: &[&str]| backups.drydock(words);
    set(&drydock, &[("recovery.automatic", "off")]);
    backups.ok(["backup", "now"]);
    fs::remove_dir_all(backups.file(".claude/projects")).unwrap();
    let _daemon = daemon(&drydock);

    let alert = until_fires(&drydock, "data-at-risk");

    assert_eq!((&alert["severity"], &alert["remedy"]), (&"high".into(), &"drydock recover".into()));
    let listed = backups.drydock(["alerts"]).done().exits(4).stdout;
    assert!(listed.contains("files of the last backup are gone"), "{listed}");

    backups.ok(["recover", "--yes"]);
    until_over(&drydock, "data-at-risk");
}

#[test]
fn an_alert_outlasts_the_process_and_is_not_begun_anew() {
    let backups = Backups::new();
    let drydock = |words: &[&str]| backups.drydock(words);
    set(&drydock, &[("recovery.automatic", "off")]);
    fs::write(backups.file(".claude/settings.json"), "{").unwrap();
    let first = daemon(&drydock);
    let alert = until_fires(&drydock, "damage");
    backups.ok(["alerts", "silence", "damage", "--for", "2h"]);
    first.signal(Signal::KILL);
    drop(first);

    let second = daemon(&drydock);
    let before = backups.json(["alerts"])["last_look"].clone();
    drydock_tests::rig::until("the second one looked", super::watched::LIMIT, || {
        (backups.json(["alerts"])["last_look"] != before).then_some(())
    });

    let again = firing(&drydock);
    let again = again.iter().find(|one| one["rule"] == "damage").unwrap();
    assert_eq!((&again["id"], &again["since"]), (&alert["id"], &alert["since"]));
    assert_eq!(again["muted"], true);
    assert_eq!(history(&drydock, "alert.fired").iter().filter(|rule| *rule == "damage").count(), 1);
    backups.ok(["alerts", "unsilence", "damage"]);
    assert_eq!(
        backups.drydock(["alerts", "--json"]).done().exits(4).json()["silences"],
        serde_json::json!([])
    );
    drop(second);
}

#[test]
fn every_rule_is_listed_and_one_without_data_says_why() {
    let backups = Backups::new();
    let drydock = |words: &[&str]| backups.drydock(words);
    let unlooked = backups.json(["alerts", "rules"]);
    assert!(unlooked["rules"].as_array().unwrap().iter().all(|rule| rule["standing"] != "well"));
    let _daemon = daemon(&drydock);

    let rules = until_looked(&drydock);

    for (id, severity) in [
        ("error-rate", "high"),
        ("orphaned", "high"),
        ("damage", "high"),
        ("canary-rolled-back", "high"),
        ("latency", "medium"),
        ("disk", "medium"),
        ("sync-failing", "medium"),
        ("sync-failures", "medium"),
        ("drill-failed", "medium"),
        ("login-ending", "medium"),
        ("channel-failing", "medium"),
        ("commit-failed", "medium"),
        ("backup-old", "low"),
        ("copy-old", "low"),
        ("sheet-unsaved", "low"),
        ("held", "low"),
        ("drift", "low"),
        ("rule-refused", "low"),
    ] {
        let rule = rules.iter().find(|rule| rule["id"] == id).unwrap_or_else(|| panic!("no rule {id}"));
        assert_eq!(rule["severity"], severity, "{id}");
        assert!(rule["remedy"].as_str().unwrap().starts_with("drydock "), "{id}");
    }
    for id in ["latency", "login-ending"] {
        let rule = rules.iter().find(|rule| rule["id"] == id).unwrap();
        assert_eq!(rule["standing"], "no-data", "{rule}");
        assert!(!rule["why"].as_str().unwrap().is_empty());
    }
    let text = backups.ok(["alerts", "rules"]).stdout;
    assert!(text.contains("no data: how sessions log in has not been chosen"), "{text}");
}

#[test]
fn a_wrong_rule_is_refused_with_its_place() {
    let backups = Backups::new();
    let write = |text: &str| backups.home.write(".config/drydock/settings.toml", text);
    write("[alerts.rules.mine]\nmetric = \"sync.failure\"\n");
    let done = backups.drydock(["alerts", "rules"]).done().exits(2);
    assert!(
        done.stderr.contains("settings.toml, line 2") && done.stderr.contains("sync.failures"),
        "{}",
        done.stderr
    );

    write("[alerts.rules.mine]\nmetric = \"sync.failures\"\n");
    let done = backups.drydock(["alerts", "rules"]).done().exits(2);
    assert!(done.stderr.contains("does not say where it fires"), "{}", done.stderr);
    assert!(done.stdout.contains("error-rate"), "the others stay: {}", done.stdout);
    let drydock = |words: &[&str]| backups.drydock(words);
    let _daemon = daemon(&drydock);
    assert_eq!(until_fires(&drydock, "rule-refused")["about"], "mine");
}

#[test]
fn what_is_not_there_cannot_be_taken_on_silenced_or_tried() {
    let backups = Backups::new();
    backups.fails(["alerts", "ack", "00000000"], 2, "alerts.unknown");
    backups.fails(["alerts", "silence", "nothing", "--for", "1h"], 2, "alerts.unknown");
    backups.fails(["alerts", "test", "slack"], 4, "alerts.channel_off");
    assert_eq!(backups.ok(["alerts", "history"]).stdout, "no alerts\n");
    assert!(backups.ok(["alerts"]).stdout.starts_with("nothing fires\nnobody looks for alerts"));
}

#[test]
fn the_next_command_says_that_nobody_has_looked_for_long() {
    let backups = Backups::new();
    let drydock = |words: &[&str]| backups.drydock(words);
    let watching = daemon(&drydock);
    until_looked(&drydock);
    assert_eq!(backups.ok(["held", "list"]).stderr, "");
    watching.signal(Signal::TERM);
    watching.done().ok();
    assert_eq!(backups.ok(["held", "list"]).stderr, "");

    let done = later(backups.drydock(["held", "list"]), "+2d").done().ok();
    assert!(done.stderr.contains("nobody has looked for alerts since"), "{}", done.stderr);
    let status = later(backups.drydock(["status"]), "+2d").done().stdout;
    assert!(status.contains("nobody has looked for alerts since"), "{status}");
}

#[test]
fn a_rule_of_the_users_own_fires() {
    let backups = Backups::new();
    let drydock = |words: &[&str]| backups.drydock(words);
    set(
        &drydock,
        &[
            ("alerts.rules.big-backups.metric", "backup.added"),
            ("alerts.rules.big-backups.value", "max"),
            ("alerts.rules.big-backups.above", "100"),
            ("alerts.rules.big-backups.severity", "low"),
            ("alerts.rules.big-backups.text", "Backups grow"),
        ],
    );
    backups.ok(["backup", "now"]);
    let _daemon = daemon(&drydock);
    let alert = until_fires(&drydock, "big-backups");
    assert_eq!((&alert["title"], &alert["severity"]), (&"Backups grow".into(), &"low".into()));
}
