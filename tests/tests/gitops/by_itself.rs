//! What `drydock daemon` does without being asked: a local commit is seen at once, drift comes back where that is
//! wanted, and alerts are raised.

use drydock_tests::rig::{Followed, Running, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{fs, time::Duration};

const LIMIT: Duration = Duration::from_secs(90);

fn start(followed: &Followed) -> Running {
    followed.set("gitops.interval_seconds", "10");
    followed.set("gitops.enabled", "true");
    followed.drydock(["daemon"]).start()
}

fn until_setting(followed: &Followed, pointer: &str, value: &Value) {
    until(&format!("{pointer} is {value}"), LIMIT, || {
        let text = fs::read(followed.file(".claude/settings.json")).ok()?;
        let settings: Value = serde_json::from_slice(&text).ok()?;
        (settings.pointer(pointer) == Some(value)).then_some(())
    });
}

fn fires(followed: &Followed, rule: &str) -> bool {
    let listed = followed.drydock(["alerts", "list", "--json"]).done().ok().stdout;
    listed.contains(&format!("\"{rule}\""))
}

#[test]
fn a_commit_here_is_seen_at_once_and_drift_comes_back_where_that_is_wanted() {
    let followed = Followed::new();
    followed.write("drydock.yaml", "version: 1\npolicies:\n  claude/settings.json#/model: revert\n");
    followed.say(&json!({"model": "opus"}));
    let daemon = start(&followed);
    until_setting(&followed, "/model", &json!("opus"));
    // Far longer than the test: what comes now comes because of the commit.
    followed.set("gitops.interval_seconds", "86400");
    followed.say(&json!({"model": "haiku"}));
    until_setting(&followed, "/model", &json!("haiku"));
    // What is written before the look is at its end is another thing: git and somebody here, at the same time.
    let newest = followed.git(&["rev-parse", "HEAD"]).trim().to_owned();
    until("the commit is in force", LIMIT, || {
        let status = followed.gitops(["status", "--json"]).ok().json();
        (status["in_force"]["commit"] == newest.as_str()).then_some(())
    });
    followed.set("gitops.interval_seconds", "10");
    fs::write(followed.file(".claude/settings.json"), r#"{"model": "sonnet"}"#).unwrap();
    until_setting(&followed, "/model", &json!("haiku"));
    daemon.signal(Signal::TERM);
    daemon.done().ok();
    let audit = followed.gitops(["audit", "--verify", "--json"]).ok().json();
    let last = audit.as_array().unwrap().last().unwrap();
    assert_eq!(
        (last["cause"].as_str(), last["actor"].as_str()),
        (Some("reverted"), Some("loop")),
        "{last:#}"
    );
}

#[test]
fn an_alert_is_raised_about_a_bad_commit_and_is_over_with_the_next_good_one() {
    let followed = Followed::new();
    followed.say(&json!({"model": "opus"}));
    let daemon = start(&followed);
    until_setting(&followed, "/model", &json!("opus"));
    followed.write("desired/alerts.yaml", "rules:\n  mine:\n    above: 3\n");
    followed.say(&json!({"model": "haiku"}));
    until("an alert is raised", LIMIT, || fires(&followed, "commit-failed").then_some(()));
    assert_eq!(followed.setting("/model"), Some(json!("opus")));
    followed.write("desired/alerts.yaml", "rules:\n  mine:\n    above: 3\n    metric: sync.failures\n");
    followed.say(&json!({"model": "haiku"}));
    until_setting(&followed, "/model", &json!("haiku"));
    until("the alert is over", LIMIT, || (!fires(&followed, "commit-failed")).then_some(()));
    daemon.signal(Signal::TERM);
    daemon.done().ok();
}
