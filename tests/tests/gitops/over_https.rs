//! The same over https: git's own server behind TLS, with a password that the user's credential helper has.

use drydock_tests::rig::{Followed, GitHttps, Password};
use serde_json::json;
use std::fs;

fn followed_by(password: Password) -> (GitHttps, Followed) {
    let followed = Followed::new();
    let server = GitHttps::start(followed.bare().parent().unwrap());
    followed.home.write(".gitconfig", &server.settings(password));
    followed.follow(&server.address("conf.git"));
    (server, followed)
}

#[test]
fn a_change_comes_over_https_and_one_made_here_goes_back() {
    let (server, followed) = followed_by(Password::Right);
    followed.write("desired/claude/agents/reviewer.md", "You review.\n");
    followed.say(&json!({"model": "opus"}));
    let (report, code) = followed.reconcile();
    assert_eq!((code, report["unreachable"].is_null()), (4, true), "{report:#}\n{:?}", server.asked());
    assert_eq!(followed.setting("/model"), Some(json!("opus")));
    followed.gitops(["approve", "--all"]).ok();
    assert!(followed.file(".claude/agents/reviewer.md").is_file());

    fs::write(followed.file(".claude/settings.json"), r#"{"model": "sonnet"}"#).unwrap();
    assert!(followed.gitops(["drift"]).exits(4).stdout.contains("- \"sonnet\""));
    followed.gitops(["adopt", "claude/settings.json#/model"]).ok();
    followed.git(&["pull", "--quiet", "origin", "main"]);
    let said = fs::read_to_string(followed.work().join("desired/claude/settings.json")).unwrap();
    assert_eq!(said, r#"{"model":"sonnet"}"#);

    followed.write("desired/claude/settings.json", "{,}");
    followed.commit("a comma");
    assert_eq!(followed.reconcile().0["outcome"]["error"]["code"], "gitops.invalid");
    followed.say(&json!({"model": "haiku"}));
    assert_eq!(followed.reconcile().1, 0);
    assert_eq!(followed.setting("/model"), Some(json!("haiku")));
    followed.gitops(["audit", "--verify"]).ok();
    let asked = server.asked();
    let count = |part: &str, status: u16| {
        asked.iter().filter(|(what, answer)| what.contains(part) && answer.as_u16() == status).count()
    };
    // git asks without a password first, and its helper when that is refused.
    assert!(count("git-upload-pack", 401) > 0 && count("git-upload-pack", 200) > 0, "{asked:?}");
    assert!(count("git-receive-pack", 200) > 0, "{asked:?}");
}

#[test]
fn a_wrong_password_is_told_as_one_and_asked_about_by_nobody() {
    for (password, words) in
        [(Password::Wrong, "Authentication failed"), (Password::None, "could not read Username")]
    {
        let (server, followed) = followed_by(password);
        followed.say(&json!({"model": "opus"}));
        let (report, code) = followed.reconcile();
        assert_eq!((report["outcome"]["is"].as_str(), code), (Some("nothing-fetched"), 4), "{report:#}");
        assert_eq!(report["unreachable"]["access"], "refused", "{report:#}");
        assert!(report["unreachable"]["why"].as_str().unwrap().contains(words), "{report:#}");
        assert!(server.asked().iter().all(|(_, status)| status.as_u16() == 401), "{:?}", server.asked());
        let told = followed.gitops(["reconcile"]).exits(4).stdout;
        assert!(told.contains("refuses the login") && told.contains("git ls-remote https://"), "{told}");
        let status = followed.gitops(["status"]).ok().stdout;
        assert!(status.contains("REFUSED"), "{status}");
        assert!(!told.contains("FAKE-wrong") && !report.to_string().contains("FAKE-wrong"), "{told}");

        // With the right one it goes on by itself.
        followed.home.write(".gitconfig", &server.settings(Password::Right));
        let (report, code) = followed.reconcile();
        assert_eq!((code, report["unreachable"].is_null()), (0, true), "{report:#}");
        assert_eq!(followed.setting("/model"), Some(json!("opus")));
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_believed() {
    let (server, followed) = followed_by(Password::Right);
    followed.say(&json!({"model": "opus"}));
    followed.home.write(".gitconfig", "");
    let (report, code) = followed.reconcile();
    assert_eq!((report["outcome"]["is"].as_str(), code), (Some("nothing-fetched"), 0), "{report:#}");
    assert!(report["unreachable"]["why"].as_str().unwrap().contains("certificate"), "{report:#}");
    assert!(server.asked().is_empty(), "{:?}", server.asked());
    assert_eq!(followed.setting("/model"), None);
}
