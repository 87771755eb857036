//! The same over ssh: a real sshd, the user's own git and ssh; the network goes away and comes back.

use drydock_tests::rig::{Followed, SshServer, Visitor};
use serde_json::json;
use std::fs;

fn followed_by(server: &SshServer, who: Visitor) -> Followed {
    let followed = Followed::new();
    followed.home.write(".gitconfig", &format!("[core]\n\tsshCommand = {}\n", server.command(who)));
    followed.follow(&server.address(&followed.bare()));
    followed
}

#[test]
fn a_change_comes_over_ssh_and_one_made_here_goes_back() {
    let server = SshServer::start();
    let followed = followed_by(&server, Visitor::Known);
    followed.say(&json!({"model": "opus"}));
    let (report, code) = followed.reconcile();
    assert_eq!(code, 0, "{report:#}\n{}", server.log());
    assert_eq!(followed.setting("/model"), Some(json!("opus")));
    fs::write(followed.file(".claude/settings.json"), r#"{"model": "sonnet"}"#).unwrap();
    followed.gitops(["adopt", "claude/settings.json#/model"]).ok();
    followed.git(&["pull", "--quiet", "origin", "main"]);
    let said = fs::read_to_string(followed.work().join("desired/claude/settings.json")).unwrap();
    assert_eq!(said, r#"{"model":"sonnet"}"#);
    followed.say(&json!({"model": "haiku"}));
    assert_eq!(followed.reconcile().1, 0);
    assert_eq!(followed.setting("/model"), Some(json!("haiku")));
}

#[test]
fn while_the_server_is_away_what_was_fetched_counts_and_drift_is_seen() {
    let mut server = SshServer::start();
    let followed = followed_by(&server, Visitor::Known);
    followed.say(&json!({"model": "opus"}));
    followed.reconcile();
    server.end();
    followed.say(&json!({"model": "haiku"}));
    fs::write(followed.file(".claude/settings.json"), r#"{"model": "opus", "verbose": true}"#).unwrap();
    let (report, code) = followed.reconcile();
    assert_eq!(
        (report["outcome"]["is"].as_str(), code),
        (Some("synced"), 0),
        "being away is no error: {report:#}"
    );
    assert!(report["unreachable"]["why"].as_str().unwrap().contains("refused"), "{report:#}");
    server.begin();
    assert_eq!(followed.reconcile().1, 0);
    assert_eq!(followed.setting("/model"), Some(json!("haiku")));
    assert_eq!(followed.setting("/verbose"), Some(json!(true)));
}

#[test]
fn a_key_that_is_not_let_in_is_asked_about_by_nobody() {
    let server = SshServer::start();
    let followed = followed_by(&server, Visitor::Stranger);
    followed.say(&json!({"model": "opus"}));
    let (report, code) = followed.reconcile();
    assert_eq!((report["outcome"]["is"].as_str(), code), (Some("nothing-fetched"), 4), "{report:#}");
    assert_eq!(report["unreachable"]["access"], "refused", "{report:#}");
    assert!(report["unreachable"]["why"].as_str().unwrap().contains("Permission denied"), "{report:#}");
}
