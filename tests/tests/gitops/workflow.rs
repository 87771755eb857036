//! The way of a change: edited in git, checked, seen, brought here, proven; and everything that can come in between.

use drydock_tests::rig::Followed;
use serde_json::json;
use std::fs;

#[test]
fn a_change_in_git_comes_here_and_what_the_computer_would_run_waits() {
    let followed = Followed::new();
    followed.write("desired/claude/agents/reviewer.md", "You review.\n");
    followed.write("desired/mcp.yaml", "fs:\n  command: npx\n  args: [\"-y\", fs, \"${home}/notes\"]\n");
    followed.write("desired/image.yaml", "packages: [jq]\n");
    followed.say(&json!({"model": "opus", "env": {"A": "1"}}));
    let checked = followed.gitops(["validate", followed.work().to_str().unwrap()]).ok().stdout;
    assert!(checked.contains("nothing is wrong"), "{checked}");

    let diff = followed.gitops(["diff"]).ok().stdout;
    assert!(diff.contains("claude/settings.json#/model   would be written"), "{diff}");
    assert!(diff.contains("claude/agents/reviewer.md   would wait for your word"), "{diff}");
    assert_eq!(followed.setting("/model"), None, "a diff changes nothing");

    let (report, code) = followed.reconcile();
    assert_eq!(code, 4, "{report:#}");
    assert_eq!(followed.setting("/model"), Some(json!("opus")));
    assert_eq!(followed.setting("/cleanupPeriodDays"), Some(json!(30)), "what git does not speak of stays");
    assert!(!followed.file(".claude/agents").exists() && followed.setting("/env").is_none());
    let held = report["held"].as_object().unwrap();
    assert_eq!(held.len(), 4, "{held:#?}");
    let told = followed.gitops(["reconcile"]).exits(4).stdout;
    assert!(told.contains("waits for you") && told.contains("drydock gitops approve CHANGE"), "{told}");
    assert!(held.values().all(|one| told.contains(one["id"].as_str().unwrap())), "{told}");

    let id = held["claude/agents/reviewer.md"]["id"].as_str().unwrap();
    let shown = followed.gitops(["show", id]).ok().stdout;
    assert!(
        shown.contains("+You review.\n") && shown.contains("by Somebody <somebody@example.org>"),
        "{shown}"
    );
    assert!(!followed.file(".claude/agents").exists(), "looking at a change let it in");
    followed.gitops(["show", "00000000"]).exits(2).tells("gitops.place");
    followed.gitops(["approve", id]).exits(4);
    assert_eq!(fs::read_to_string(followed.file(".claude/agents/reviewer.md")).unwrap(), "You review.\n");
    let said = followed.gitops(["approve", "--all"]).ok().stdout;
    assert!(said.contains("claude.json#/mcpServers/fs"), "{said}");
    let state = fs::read_to_string(followed.home.claude_json()).unwrap();
    assert!(state.contains(&format!("{}/notes", followed.home.path().display())), "{state}");
    let packages = followed.drydock(["settings", "get", "image.packages"]).done().ok().stdout;
    assert_eq!(packages.trim(), "jq");

    let status = followed.gitops(["status"]).ok().stdout;
    assert!(status.contains("in force: ") && status.contains("Somebody <somebody@example.org>"), "{status}");
    let audit = followed.gitops(["audit", "--verify"]).ok().stdout;
    assert!(audit.contains("5 lines proven"), "{audit}");
}

#[test]
fn what_somebody_changed_here_is_told_and_goes_either_way() {
    let followed = Followed::new();
    followed.write("desired/settings.yaml", "container:\n  pids: 512 # enough\n");
    followed.say(&json!({"model": "opus", "theme": "dark"}));
    assert_eq!(followed.reconcile().1, 0);
    fs::write(followed.file(".claude/settings.json"), r#"{"model": "sonnet", "theme": "light"}"#).unwrap();
    followed.set("container.pids", "777");

    let drift = followed.gitops(["drift"]).exits(4).stdout;
    assert!(drift.contains("- \"sonnet\"") && drift.contains("+ \"opus\""), "{drift}");
    assert_eq!(followed.setting("/model"), Some(json!("sonnet")), "it is told, and stays");

    followed.gitops(["revert", "claude/settings.json#/theme"]).exits(4);
    assert_eq!(followed.setting("/theme"), Some(json!("dark")));
    assert_eq!(followed.setting("/model"), Some(json!("sonnet")));
    let adopted =
        followed.gitops(["adopt", "claude/settings.json#/model", "drydock/settings.toml#/container"]).ok();
    assert!(adopted.stdout.contains("has 2 changes"), "{}", adopted.stdout);
    followed.git(&["pull", "--quiet", "origin", "main"]);
    let said = fs::read_to_string(followed.work().join("desired/claude/settings.json")).unwrap();
    assert_eq!(said, r#"{"model":"sonnet","theme":"dark"}"#);
    let own = fs::read_to_string(followed.work().join("desired/settings.yaml")).unwrap();
    assert_eq!(own, "container:\n  pids: 777 # enough\n");
    assert_eq!(followed.reconcile().1, 0);

    // Git and somebody here, in two ways: the one here stays until somebody says otherwise.
    followed.say(&json!({"model": "haiku", "theme": "dark"}));
    fs::write(followed.file(".claude/settings.json"), r#"{"model": "opus", "theme": "dark"}"#).unwrap();
    let (report, code) = followed.reconcile();
    assert_eq!((report["drift"][0]["kind"].as_str(), code), (Some("both"), 4), "{report:#}");
    assert_eq!(followed.setting("/model"), Some(json!("opus")));
    followed.gitops(["revert", "claude/settings.json#/model"]).ok();
    assert_eq!(followed.setting("/model"), Some(json!("haiku")));
    followed.gitops(["revert", "model"]).exits(2).tells("gitops.place");
    followed.gitops(["audit", "--verify"]).ok();
}

#[test]
fn a_commit_goes_beside_where_the_branch_cannot_be_written() {
    let followed = Followed::new();
    // A folder that is worked in, and has the branch checked out: git lets nobody push to that.
    followed.follow(followed.work().to_str().unwrap());
    followed.say(&json!({"model": "opus"}));
    followed.reconcile();
    fs::write(followed.file(".claude/settings.json"), r#"{"model": "sonnet"}"#).unwrap();
    let adopted = followed.gitops(["adopt", "claude/settings.json#/"]).ok().stdout;
    assert!(adopted.contains("on the branch drydock/adopt-"), "{adopted}");
    let branch = followed.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads/drydock"]);
    let said = followed.git(&["show", &format!("{}:desired/claude/settings.json", branch.trim())]);
    assert_eq!(said, r#"{"model":"sonnet"}"#);
    followed.git(&["merge", "--quiet", branch.trim()]);
    assert_eq!(followed.reconcile().1, 0);
}

#[test]
fn a_bad_commit_is_taken_back_an_alert_is_raised_and_the_next_good_one_comes() {
    let followed = Followed::new();
    followed.say(&json!({"model": "opus"}));
    followed.reconcile();
    let own = followed.file(".config/drydock/settings.toml");
    let before = (fs::read(followed.file(".claude/settings.json")).unwrap(), fs::read(&own).unwrap());

    // Each value is right by itself; together with what is here they are no rule.
    followed.write("desired/alerts.yaml", "rules:\n  mine:\n    above: 3\n");
    followed.say(&json!({"model": "haiku"}));
    followed.gitops(["validate", followed.work().to_str().unwrap()]).ok();
    let (report, code) = followed.reconcile();
    assert_eq!((report["outcome"]["is"].as_str(), code), (Some("rolled-back"), 1), "{report:#}");
    assert_eq!((fs::read(followed.file(".claude/settings.json")).unwrap(), fs::read(&own).unwrap()), before);
    // It is not tried again by itself.
    let (again, _) = followed.reconcile();
    assert_eq!(again["outcome"]["is"], "failed");
    let events = followed.drydock(["events", "--json"]).done().ok().stdout;
    assert_eq!(events.matches("config.rolled-back").count(), 1, "{events}");

    // One that is none at all changes nothing either, and says where.
    followed.write("desired/claude/settings.json", "{\n  \"model\": \"haiku\",\n}\n");
    followed.commit("a comma");
    let refused = followed.gitops(["validate", followed.work().to_str().unwrap()]).exits(1).stdout;
    assert!(refused.contains("desired/claude/settings.json:3: "), "{refused}");
    let (report, _) = followed.reconcile();
    assert_eq!(report["outcome"]["error"]["code"], "gitops.invalid", "{report:#}");
    assert!(followed.gitops(["status"]).ok().stdout.contains("FAILED"));

    followed.write("desired/alerts.yaml", "rules:\n  mine:\n    above: 3\n    metric: sync.failures\n");
    followed.say(&json!({"model": "haiku"}));
    assert_eq!(followed.reconcile().1, 0);
    assert_eq!(followed.setting("/model"), Some(json!("haiku")));
    assert!(!followed.gitops(["status"]).ok().stdout.contains("FAILED"));
}

#[test]
fn a_rewritten_history_waits_and_hostile_commits_are_refused() {
    let followed = Followed::new();
    followed.say(&json!({"model": "opus"}));
    followed.reconcile();
    followed.git(&["commit", "--quiet", "--amend", "-m", "another story"]);
    followed.write("desired/claude/settings.json", r#"{"model": "haiku"}"#);
    followed.git(&["commit", "--quiet", "--amend", "-am", "another story"]);
    followed.git(&["push", "--quiet", "--force", "origin", "main"]);
    let (report, code) = followed.reconcile();
    assert_eq!(
        (report["outcome"]["is"].as_str(), report["held"].is_object(), code),
        (Some("held"), true, 4),
        "{report:#}"
    );
    assert_eq!(followed.setting("/model"), Some(json!("opus")));
    assert!(followed.gitops(["status"]).ok().stdout.contains("rewritten"));
    followed.gitops(["reconcile", "--force"]).ok();
    assert_eq!(followed.setting("/model"), Some(json!("haiku")));

    std::os::unix::fs::symlink("/etc/passwd", followed.work().join("desired/claude/CLAUDE.md")).unwrap();
    followed.commit("a link");
    let (report, code) = followed.reconcile();
    assert_eq!(
        (report["outcome"]["error"]["code"].as_str(), code),
        (Some("gitops.invalid"), 1),
        "{report:#}"
    );
    assert!(!followed.file(".claude/CLAUDE.md").is_symlink());
}

#[test]
fn an_earlier_commit_comes_back_and_stays_until_the_user_says_otherwise() {
    let followed = Followed::new();
    for model in ["opus", "haiku"] {
        followed.say(&json!({ "model": model }));
        followed.reconcile();
    }
    let said = followed.gitops(["rollback"]).ok().stdout;
    assert!(said.contains("back to an earlier commit"), "{said}");
    assert_eq!(followed.setting("/model"), Some(json!("opus")));
    let said = followed.gitops(["reconcile"]).ok().stdout;
    assert!(said.contains("SUSPENDED") && said.contains("resume"), "{said}");
    followed.gitops(["resume"]).ok();
    assert_eq!(followed.setting("/model"), Some(json!("haiku")));
}

#[test]
fn only_signed_commits_count_where_that_is_demanded() {
    let followed = Followed::new();
    followed.say(&json!({"model": "opus"}));
    followed.set("gitops.require_signed", "true");
    let (report, _) = followed.reconcile();
    assert_eq!(
        (report["outcome"]["is"].as_str(), followed.setting("/model")),
        (Some("held"), None),
        "{report:#}"
    );
    // A key of ssh's, which the user's own git is told to trust.
    let key = followed.scratch("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status()
        .unwrap();
    assert!(made.success());
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    followed.home.write(".trusted", &format!("somebody@example.org {public}"));
    let trusted = followed.file(".trusted").display().to_string();
    followed.home.write(".gitconfig", &format!("[gpg \"ssh\"]\n\tallowedSignersFile = {trusted}\n"));
    followed.write("desired/claude/settings.json", r#"{"model": "haiku"}"#);
    let signing = format!("user.signingkey={}", key.display());
    followed.git(&["-c", "gpg.format=ssh", "-c", &signing, "commit", "--quiet", "-S", "-am", "signed"]);
    followed.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(followed.reconcile().1, 0);
    assert_eq!(followed.setting("/model"), Some(json!("haiku")));
}

#[test]
fn without_a_repository_it_says_what_to_do() {
    let followed = Followed::new();
    followed.follow("");
    followed.gitops(["reconcile"]).exits(4).tells("gitops.off");
    followed.follow(followed.scratch("nowhere").to_str().unwrap());
    let (report, code) = followed.reconcile();
    assert_eq!((report["outcome"]["is"].as_str(), code), (Some("nothing-fetched"), 0), "{report:#}");
    assert!(report["unreachable"]["why"].is_string());
    followed
        .drydock(["settings", "set", "gitops.repository", "ext::sh -c id"])
        .done()
        .exits(2)
        .tells("settings.value");
}
