//! What a session changes among things that the host would act on: nothing of it arrives by itself,
//! whatever its form, and the user decides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{Done, Project, Rig};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// Every file and link of the host's Claude Code data, by name, without conversations and their like.
fn configuration(rig: &Rig) -> BTreeMap<String, Vec<u8>> {
    let root = rig.home.claude_dir();
    let mut files = BTreeMap::from([(".claude.json".to_owned(), fs::read(rig.home.claude_json()).unwrap())]);
    let grows = ["projects", "history.jsonl", "file-history", "todos", "backups", "shell-snapshots"];
    for entry in
        walkdir::WalkDir::new(&root).into_iter().flatten().filter(|entry| !entry.file_type().is_dir())
    {
        let name = entry.path().strip_prefix(&root).unwrap().display().to_string();
        if !grows.iter().any(|grown| name.starts_with(grown)) {
            let content = fs::read(entry.path()).unwrap_or_else(|_| b"(no file)".to_vec());
            files.insert(name, content);
        }
    }
    files
}

/// A session in which these commands are run while Claude Code works.
fn session_that_does(rig: &Rig, project: &Project, commands: &[&str]) -> Done {
    let mut running = rig.run(project.path()).claude(["-p", "work [[hold]]"]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    for command in commands {
        let done = rig.engine.exec(&session, &["bash", "-c", command]);
        assert_eq!(done.code, 0, "{command}: {}", done.printed);
    }
    rig.api.release();
    running.done().ok()
}

fn waiting(rig: &Rig) -> Vec<Value> {
    rig.drydock().args(["held", "list", "--json"]).done().ok().json().as_array().unwrap().clone()
}

fn subjects(rig: &Rig) -> Vec<String> {
    let mut all: Vec<_> =
        waiting(rig).iter().map(|held| held["subject"].as_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

fn id_of(rig: &Rig, subject: &str) -> String {
    let all = waiting(rig);
    let held = all.iter().find(|held| held["subject"] == subject);
    held.unwrap_or_else(|| panic!("{subject} does not wait: {all:?}"))["id"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_that_the_host_would_act_on_arrives_by_itself() {
    let rig = Rig::new();
    let project = rig.project("proj");
    rig.home.write(".claude/agents/reviewer.md", "review\n");
    rig.home.write(".claude/skills/notes/SKILL.md", "notes\n");
    let before = configuration(&rig);

    session_that_does(
        &rig,
        &project,
        &[
            // A key that stands twice: whoever reads the first is shown another than who reads the last.
            r#"echo '{"model":"opus","hooks":{},"hooks":{"Stop":[{"hooks":[{"type":"command","command":"/bin/evil"}]}]}}' > ~/.claude/settings.json"#,
            // A file that becomes a folder, a folder that becomes a file, and links out.
            "rm ~/.claude/agents/reviewer.md && mkdir ~/.claude/agents/reviewer.md && echo x > ~/.claude/agents/reviewer.md/evil.md",
            "rm -r ~/.claude/skills/notes && echo x > ~/.claude/skills/notes",
            "mkdir -p ~/.claude/commands ~/.claude/hooks && ln -s /etc/passwd ~/.claude/commands/link.md",
            "echo x > ~/.claude/hooks/run.sh && ln ~/.claude/hooks/run.sh ~/.claude/hooks/same.sh",
            // A plugin's new file, a new program, and a file that nobody knows.
            "mkdir -p ~/.claude/plugins/cache/m/p/1.0.0/hooks && echo x > ~/.claude/plugins/cache/m/p/1.0.0/hooks/evil.sh",
            "echo '#!/bin/evil' > ~/.claude/statusline.sh && chmod +x ~/.claude/statusline.sh",
            "echo x > ~/.claude/surprise.bin",
        ],
    );

    assert_eq!(configuration(&rig), before, "something arrived without being asked for");
    let subjects = subjects(&rig);
    for wanted in [
        "agents/reviewer.md/evil.md",
        "plugins/cache/m/p/1.0.0",
        "settings.json",
        "skills/notes",
        "statusline.sh",
        "surprise.bin",
    ] {
        assert!(subjects.contains(&wanted.to_owned()), "{wanted} does not wait: {subjects:?}");
    }
    rig.assert_nothing_left();
}

#[test]
fn a_permission_and_a_server_wait_by_themselves_and_a_preference_arrives() {
    let rig = Rig::new();
    let project = rig.project("proj");
    rig.home.write(
        ".claude/settings.json",
        "{\n  \"futureNumber\": 1e5,\n  \"model\": \"opus\",\n  \"permissions\": {\n    \"allow\": [\"Bash(ls)\"]\n  }\n}\n",
    );
    let state = fs::read(rig.home.claude_json()).unwrap();

    let done = session_that_does(
        &rig,
        &project,
        &[
            r#"sed -i 's/"opus"/"sonnet"/; s/"Bash(ls)"/"Bash(ls)", "Bash(rm:*)"/' ~/.claude/settings.json"#,
            "claude mcp add --scope user evil -- /bin/evil --now",
        ],
    );

    assert!(done.stderr.contains("wait for you"), "{}", done.stderr);
    let settings = fs::read_to_string(rig.home.claude_dir().join("settings.json")).unwrap();
    assert!(settings.contains("\"model\": \"sonnet\""), "the preference did not arrive: {settings}");
    assert!(!settings.contains("rm:*"), "a permission arrived: {settings}");
    assert!(settings.contains("\"futureNumber\": 1e5"), "what nobody changed was rewritten: {settings}");
    assert_eq!(fs::read(rig.home.claude_json()).unwrap(), state, "a server arrived");

    let server = id_of(&rig, ".claude.json /mcpServers/evil");
    let shown = rig.drydock().args(["held", "show", &server]).done().ok().stdout;
    assert!(shown.contains("+") && shown.contains("/bin/evil") && shown.contains("--now"), "{shown}");
    rig.drydock().args(["held", "approve", &server]).done().ok();
    let now: Value = serde_json::from_slice(&fs::read(rig.home.claude_json()).unwrap()).unwrap();
    assert_eq!(now["mcpServers"]["evil"]["command"], "/bin/evil");
    rig.drydock().args(["held", "undo", &server]).done().ok();
    let now: Value = serde_json::from_slice(&fs::read(rig.home.claude_json()).unwrap()).unwrap();
    assert!(now["mcpServers"].get("evil").is_none(), "{now}");
    rig.assert_nothing_left();
}

#[test]
fn the_user_decides_and_can_take_it_back() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let memory = rig.home.write(".claude/CLAUDE.md", "be kind\n");
    let write = |text: &str| format!("echo '{text}' > ~/.claude/CLAUDE.md");

    let done = session_that_does(&rig, &project, &[&write("be kind and brief")]);
    let id = id_of(&rig, "CLAUDE.md");
    assert!(done.stderr.contains(&format!("{id}  CLAUDE.md")), "{}", done.stderr);
    let shown = rig.drydock().args(["held", "show", &id]).done().ok().stdout;
    assert!(shown.contains("-be kind\n") && shown.contains("+be kind and brief\n"), "{shown}");
    assert_eq!(fs::read_to_string(&memory).unwrap(), "be kind\n");

    rig.drydock().args(["held", "approve", &id]).done().ok();
    assert_eq!(fs::read_to_string(&memory).unwrap(), "be kind and brief\n");
    assert!(waiting(&rig).is_empty());
    rig.drydock().args(["held", "undo", &id]).done().ok();
    assert_eq!(fs::read_to_string(&memory).unwrap(), "be kind\n");

    // What the user wrote since is not written over.
    fs::write(&memory, "be kind, and sleep\n").unwrap();
    rig.drydock().args(["held", "approve", &id]).done().exits(4).tells("held.stale");
    assert_eq!(fs::read_to_string(&memory).unwrap(), "be kind, and sleep\n");
    rig.drydock().args(["held", "reject", &id]).done().ok();
    assert!(waiting(&rig).is_empty());
    rig.drydock().args(["held", "approve", "00000000"]).done().exits(2).tells("held.unknown");
    rig.assert_nothing_left();
}

#[test]
fn what_is_approved_always_is_let_through_again_and_nothing_else_is() {
    let rig = Rig::new();
    let (shop, blog) = (rig.project("shop"), rig.project("blog"));
    let write =
        |text: &str| format!("mkdir -p ~/.claude/agents && echo '{text}' > ~/.claude/agents/tester.md");
    let agent = rig.home.claude_dir().join("agents/tester.md");
    let held = |words: &[&str]| rig.drydock().arg("held").args(words).done().ok();

    session_that_does(&rig, &shop, &[&write("you test")]);
    assert!(!agent.exists());
    held(&["approve", &id_of(&rig, "agents/tester.md"), "--always"]);
    assert_eq!(fs::read_to_string(&agent).unwrap(), "you test\n");

    fs::remove_file(&agent).unwrap();
    let done = session_that_does(&rig, &shop, &[&write("you test")]);
    assert_eq!(fs::read_to_string(&agent).unwrap(), "you test\n", "{}", done.stderr);
    assert!(waiting(&rig).is_empty(), "{:#?}", waiting(&rig));
    let events = rig.drydock().args(["events", "--json"]).done().ok().stdout;
    assert_eq!(events.matches("sync.approved").count(), 1, "{events}");

    fs::remove_file(&agent).unwrap();
    session_that_does(&rig, &shop, &[&write("you test and deploy")]);
    session_that_does(&rig, &blog, &[&write("you test")]);
    assert!(!agent.exists(), "something else was let through");
    assert_eq!(subjects(&rig), ["agents/tester.md", "agents/tester.md"]);

    let rules = held(&["always", "--json"]).json();
    assert!(rules[0]["project"].as_str().unwrap().ends_with("/shop"), "{rules:#}");
    held(&["forget", rules[0]["id"].as_str().unwrap()]);
    assert_eq!(held(&["always", "--json"]).json(), serde_json::json!([]));
    session_that_does(&rig, &shop, &[&write("you test")]);
    assert!(!agent.exists(), "a rule that was taken back let something through");
    rig.assert_nothing_left();
}

#[test]
fn a_linked_memory_is_changed_where_it_really_is() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let real = rig.home.write("dotfiles/CLAUDE.md", "be kind\n");
    let linked = rig.home.claude_dir().join("CLAUDE.md");
    let _ = fs::remove_file(&linked);
    std::os::unix::fs::symlink(&real, &linked).unwrap();

    session_that_does(&rig, &project, &["echo 'be brief' > ~/.claude/CLAUDE.md"]);
    rig.drydock().args(["held", "approve", &id_of(&rig, "CLAUDE.md")]).done().ok();

    assert_eq!(fs::read_to_string(&real).unwrap(), "be brief\n");
    assert!(fs::symlink_metadata(&linked).unwrap().is_symlink(), "the link was replaced");
    assert!(Path::new(&real).is_file());
    rig.assert_nothing_left();
}

#[test]
fn scripts_learn_that_something_waits() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let mut running = rig.run(project.path()).claude(["-p", "work [[hold]]"]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    rig.drydock().args(["sync", "out", &session]).done().ok();
    let done = rig.engine.exec(&session, &["bash", "-c", "echo x > ~/.claude/surprise.bin"]);
    assert_eq!(done.code, 0, "{}", done.printed);

    let diff = rig.drydock().args(["sync", "diff", &session]).done().ok().stdout;
    assert!(
        diff.contains("hold") && diff.contains("surprise.bin") && diff.contains("does not know"),
        "{diff}"
    );
    assert!(waiting(&rig).is_empty(), "a look changed something");
    let out = rig.drydock().args(["sync", "out", &session]).done().exits(4);
    assert!(out.stdout.contains("surprise.bin"), "{}", out.stdout);
    let status = rig.drydock().args(["sync", "status", &session]).done().ok().stdout;
    assert!(status.contains("waits for you 1 change"), "{status}");

    rig.api.release();
    running.done().ok();
    rig.assert_nothing_left();
}
