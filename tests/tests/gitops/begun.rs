//! A repository made of what a computer has, its hook, and a second computer that follows it.

use drydock_tests::rig::Followed;
use serde_json::json;
use std::{env, fs, process::Command};

const SECRET: &str = "ghp_FAKEFAKEFAKEFAKEFAKEFAKEFAKE";

fn furnished() -> Followed {
    let followed = Followed::new();
    followed
        .home
        .write(".claude/settings.json", r#"{"model": "opus", "permissions": {"allow": ["Bash(ls)"]}}"#);
    let state = json!({
        "theme": "dark", "userID": "FAKE", "projects": {},
        "mcpServers": {"github": {"command": "npx", "env": {"GITHUB_TOKEN": SECRET}}, "fs": {"command": "npx"}},
    });
    followed.home.write(".claude.json", &state.to_string());
    followed.home.write(".claude/skills/notes/SKILL.md", "---\nname: notes\n---\nTake notes.\n");
    followed
}

#[test]
fn what_is_here_becomes_a_repository_that_changes_nothing_and_tells_of_secrets() {
    let followed = furnished();
    let folder = followed.scratch("mine");
    let said = followed.gitops(["init", folder.to_str().unwrap()]).ok().stdout;
    assert!(said.contains("${secret:mcp/github_github_token}"), "{said}");
    assert!(!said.contains(SECRET));
    let grep = Command::new("grep").args(["-rl", SECRET]).arg(&folder).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&grep.stdout), "", "the secret is in no file, git's own neither");
    assert!(followed.gitops(["validate", folder.to_str().unwrap()]).ok().stdout.contains("nothing is wrong"));

    followed.follow(folder.to_str().unwrap());
    let before = fs::read(followed.home.claude_json()).unwrap();
    let (report, _) = followed.reconcile();
    assert_eq!(report["changed"].as_array().unwrap().len(), 0, "{report:#}");
    assert_eq!(report["held"].as_object().unwrap().len(), 0, "what is here already is asked about no more");
    assert_eq!(fs::read(followed.home.claude_json()).unwrap(), before);
}

#[test]
fn the_hook_refuses_secrets_in_plain_and_what_is_no_configuration() {
    let followed = furnished();
    let folder = followed.scratch("mine");
    followed.gitops(["init", folder.to_str().unwrap()]).ok();
    let program = followed.drydock(["--version"]).command().get_program().to_owned();
    let program = std::path::PathBuf::from(program);
    let path = env::join_paths(
        [program.parent().unwrap().to_path_buf()]
            .into_iter()
            .chain(env::split_paths(&env::var_os("PATH").unwrap())),
    );
    let commit = |file: &str, text: &str| {
        fs::write(folder.join(file), text).unwrap();
        let git = |arguments: &[&str]| {
            Command::new("git")
                .args(["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"])
                .args(arguments)
                .current_dir(&folder)
                .env("PATH", path.as_ref().unwrap())
                .env("HOME", followed.home.path())
                .output()
                .unwrap()
        };
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "-m", "a change"])
    };
    let done = commit("desired/mcp.yaml", &format!("fs:\n  command: npx\n  env:\n    KEY: {SECRET}\n"));
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("desired/mcp.yaml:4: "), "{said}");
    assert!(!said.contains(SECRET), "{said}");
    let done = commit("desired/mcp.yaml", "fs: nothing\n");
    assert!(!done.status.success());
    let done = commit("desired/mcp.yaml", "fs:\n  command: node\n");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_secret_that_only_its_form_tells_is_refused_before_a_commit_and_by_every_computer() {
    const KEY: &str = "9f8e7d6c5b4a39281706f5e4d3c2b1a0";
    let followed = Followed::new();
    followed.say(&json!({"model": "opus"}));
    followed.reconcile();
    for (file, text, place) in [
        (
            "desired/claude/agents/signer.md",
            format!("Sign with:\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n{KEY}\n"),
            "desired/claude/agents/signer.md:2: a private key",
        ),
        (
            "desired/mcp.yaml",
            format!("fs:\n  command: npx\n  args:\n    - --api-key\n    - {KEY}\n"),
            "desired/mcp.yaml:5: a value that is named and looks like a secret",
        ),
    ] {
        followed.write(file, &text);
        followed.git(&["add", "--all"]);
        let staged =
            followed.gitops(["validate", "--staged", followed.work().to_str().unwrap()]).exits(1).stdout;
        assert!(staged.contains(place) && !staged.contains(KEY), "{staged}");
        followed.say(&json!({"model": "haiku"}));
        let (report, code) = followed.reconcile();
        let error = &report["outcome"]["error"];
        assert_eq!((error["code"].as_str(), code), (Some("gitops.invalid"), 1), "{report:#}");
        assert!(error.to_string().contains(place) && !report.to_string().contains(KEY), "{report:#}");
        assert_eq!(followed.setting("/model"), Some(json!("opus")));
        fs::remove_file(followed.work().join(file)).unwrap();
    }
    followed.say(&json!({"model": "haiku"}));
    assert_eq!(followed.reconcile().1, 0);
}

#[test]
fn a_key_that_is_kept_elsewhere_opens_the_secrets_of_a_lost_computer() {
    let (followed, elsewhere) = (furnished(), Followed::new());
    let recipient = elsewhere.gitops(["key", "show-recipient"]).ok().stdout.trim().to_owned();
    let secret = elsewhere.gitops(["key", "export"]).ok().stdout.trim().to_owned();
    let set = |value: &str| followed.drydock(["settings", "set", "gitops.recovery_recipient", value]).done();
    for wrong in ["age1nobody", &secret] {
        let refused = set(wrong).exits(2).tells("settings.value");
        assert!(refused.stderr.contains("the public half of a key"), "{}", refused.stderr);
        assert!(!refused.stderr.contains(&secret), "the secret half is told: {}", refused.stderr);
    }
    set(&recipient).ok();

    let folder = followed.scratch("mine");
    let said = followed.gitops(["init", folder.to_str().unwrap()]).ok().stdout;
    assert!(said.contains(&recipient) && !said.contains("alone"), "{said}");
    let rules = fs::read_to_string(folder.join(".sops.yaml")).unwrap();
    let own = followed.gitops(["key", "show-recipient"]).ok().stdout;
    assert!(rules.contains(&format!("      - {own}      - {recipient}\n")), "{rules}");
    let file = folder.join("secrets/mcp.enc.yaml");
    // The computer is lost; the repository and the key elsewhere are not.
    let text = elsewhere.gitops(["decrypt", file.to_str().unwrap()]).ok().stdout;
    assert!(text.contains(SECRET), "{text}");

    // A rule that leaves it out wins, and that is told.
    let more = folder.join("secrets/more.enc.yaml");
    let encrypt = || {
        fs::write(&more, "a: FAKE-value\n").unwrap();
        followed.gitops(["encrypt", more.to_str().unwrap()]).ok().stdout
    };
    let said = encrypt();
    assert!(said.contains(&recipient) && !said.contains("gitops.recovery_recipient"), "{said}");
    fs::write(folder.join(".sops.yaml"), rules.replace(&format!("      - {recipient}\n"), "")).unwrap();
    let said = encrypt();
    assert!(!said.contains(&recipient) && said.contains("key alone opens it"), "{said}");
    let stranger = Followed::new().gitops(["key", "show-recipient"]).ok().stdout;
    fs::write(folder.join(".sops.yaml"), rules.replace(&recipient, stranger.trim())).unwrap();
    let said = encrypt();
    assert!(said.contains("gitops.recovery_recipient is not among them"), "{said}");
}

#[test]
fn another_computer_has_the_same_but_for_what_is_its_own() {
    let followed = furnished();
    let folder = followed.scratch("mine");
    followed.gitops(["init", folder.to_str().unwrap()]).ok();
    let other = Followed::new();
    other.follow(folder.to_str().unwrap());
    fs::create_dir_all(folder.join("machines/desk/claude")).unwrap();
    fs::write(folder.join("machines/desk/claude/settings.json"), r#"{"model": "haiku"}"#).unwrap();
    followed.git_in(&folder, &["add", "--all"]);
    followed
        .git_in(&folder, &["-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", "the desk's own"]);
    other.reconcile();
    let (report, _) = {
        other.gitops(["approve", "--all"]);
        other.reconcile()
    };
    assert_eq!(other.setting("/model"), Some(json!("haiku")));
    assert_eq!(other.setting("/permissions/allow/0"), Some(json!("Bash(ls)")));
    assert!(other.file(".claude/skills/notes/SKILL.md").is_file());
    assert_eq!(report["missing"].as_object().unwrap().len(), 1, "it has not the key: {report:#}");
    let state = fs::read_to_string(other.home.claude_json()).unwrap();
    assert!(!state.contains("github") && !state.contains("FAKE"), "{state}");

    // With the key it has the secret as well.
    let key = followed.gitops(["key", "export"]).ok().stdout;
    other.drydock(["gitops", "key", "import"]).input(&key).done().ok();
    other.reconcile();
    other.gitops(["approve", "--all"]);
    let state = fs::read_to_string(other.home.claude_json()).unwrap();
    assert!(state.contains(SECRET), "{state}");
    // There, and nowhere else: not in what Drydock keeps and says, nor in git's own files.
    for told in [&["status"][..], &["drift"], &["diff"], &["audit"]] {
        let done = other.gitops(told);
        assert!(!done.stdout.contains(SECRET) && !done.stderr.contains(SECRET), "{told:?}: {done:?}");
    }
    let kept = Command::new("grep").args(["-rl", SECRET]).arg(other.home.path()).output().unwrap();
    let kept = String::from_utf8(kept.stdout).unwrap();
    assert_eq!(kept.lines().collect::<Vec<_>>(), [other.home.claude_json().to_str().unwrap()]);
}
