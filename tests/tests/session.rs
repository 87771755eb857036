//! A session from end to end: the project changes, and the conversation goes on on either side.

use drydock_tests::rig::{CLAUDE_VERSION, Home, LivedIn, Project, Rig, conversation_id, log, session_image};
use std::{fs, os::unix::fs::MetadataExt, path::Path};

#[test]
fn a_conversation_born_inside_goes_on_on_the_host() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();

    let prompt = format!("write it down [[write:{}]]", project.file("b.txt"));
    let done = rig
        .run(project.path())
        .claude(["-p", &prompt, "--session-id", &id, "--allowedTools", "Write"])
        .done()
        .ok();

    assert_eq!(done.stdout.trim(), format!("You said: {prompt}"), "only Claude's own words are printed");
    assert_eq!(project.read("b.txt"), "hello from the stand-in\n");
    let owner = |name: &str| {
        let data = project.path().join(name).metadata().unwrap();
        (data.uid(), data.gid())
    };
    assert_eq!(owner("b.txt"), owner("README.md"), "what a session makes belongs to who owns the project");
    let born = rig.home.conversation(&id);
    assert!(born.says("write it down"));
    assert_eq!(born.lines()[0]["sessionId"], id.as_str());
    rig.assert_nothing_left();

    let before = born.bytes();
    rig.claude(project.path()).args(["--resume", &id, "-p", "and now?"]).done().ok();

    let turn = rig.api.wait_for_turn("and now?");
    assert!(turn.says("write it down"), "Claude no longer knows the earlier turn: {:?}", turn.said);
    assert!(turn.says("You said: write it down"), "nor its own answer: {:?}", turn.said);
    assert_eq!(turn.status, 200, "the API refused the conversation: {turn:?}");
    let after = rig.home.conversation(&id).bytes();
    assert!(after.starts_with(&before) && after.len() > before.len(), "the host went on in another file");
    log(&format!(
        "a full round: host home → session → a tool call wrote {} → conversation {id} on the host ({} bytes) → \
         claude --resume on the host knew the earlier turn",
        project.file("b.txt"),
        before.len(),
    ));
}

#[test]
fn a_conversation_of_the_host_goes_on_inside() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    rig.claude(project.path()).args(["-p", "the word is heron", "--session-id", &id]).done().ok();
    let before = rig.home.conversation(&id).bytes();

    let done = rig.run(project.path()).claude(["--resume", &id, "-p", "which word was it?"]).done().ok();

    assert_eq!(done.stdout.trim(), "You said: which word was it?");
    let turn = rig.api.wait_for_turn("which word");
    assert!(turn.says("the word is heron"), "the session does not know the conversation: {:?}", turn.said);
    let after = rig.home.conversation(&id);
    assert!(after.bytes().starts_with(&before), "what the host had written was changed");
    assert!(after.says("which word was it?") && after.says("You said: which word was it?"));

    // And once more on the host, over what both sides wrote.
    rig.claude(project.path()).args(["--resume", &id, "-p", "say it again"]).done().ok();
    let turn = rig.api.wait_for_turn("say it again");
    assert!(turn.says("the word is heron") && turn.says("which word was it?"), "{:?}", turn.said);
    rig.assert_nothing_left();
}

#[test]
fn who_has_only_ever_used_sessions_is_not_told_that_something_is_missing() {
    let rig = Rig::with(Home::bare());
    let project = Project::make(&rig.home.path().join("proj"));
    let id = conversation_id();

    rig.run(project.path()).claude(["-p", "hello", "--session-id", &id]).done().ok();
    assert!(rig.home.conversation(&id).says("You said: hello"));
    let looked = rig.drydock().arg("validate").done().ok();
    assert!(!looked.stdout.contains("missing"), "{}", looked.stdout);

    rig.run(project.path()).claude(["--resume", &id, "-p", "and again"]).done().ok();
    rig.drydock().arg("validate").done().ok();

    // Once Claude Code itself was used here, its state is missed.
    rig.claude(project.path()).args(["-p", "on the host"]).done().ok();
    assert!(rig.home.claude_json().exists());
    rig.run(project.path()).claude(["-p", "hello"]).done().ok();
    fs::remove_file(rig.home.claude_json()).unwrap();
    let looked = rig.drydock().arg("validate").done();
    assert!(looked.stdout.contains("it is missing"), "{}", looked.stdout);
    rig.assert_nothing_left();
}

#[test]
fn claude_goes_on_with_the_last_conversation_of_a_home_with_a_past() {
    let rig = Rig::new();
    let past = LivedIn::make(&rig.home, &rig.api);
    let file = past.project.file("notes.txt");
    assert_eq!(past.project.read("notes.txt"), "goodbye from the stand-in\n");
    let worked = rig.home.conversation(&past.worked).bytes();

    let prompt = format!("look [[read:{file}]]");
    rig.run(past.project.path()).claude(["--continue", "-p", &prompt]).done().ok();

    let turn = rig.api.wait_for_turn("look [[read");
    assert!(turn.says("a short question"), "not the newest conversation: {:?}", turn.said);
    assert!(rig.home.conversation(&past.asked).says("look"));
    assert_eq!(rig.home.conversation(&past.worked).bytes(), worked, "another conversation was touched");
    rig.assert_nothing_left();
}

#[test]
fn the_real_claude_code_of_the_pinned_version_runs_inside() {
    let rig = Rig::new();
    let project = rig.project("proj");

    let done = rig.run(project.path()).claude(["--version"]).done().ok();

    log(&format!("claude --version inside a session: {}", done.stdout.trim()));
    assert_eq!(session_image().claude_version, CLAUDE_VERSION);
    assert!(done.stdout.starts_with(&format!("{CLAUDE_VERSION} ")), "{}", done.stdout);
    rig.assert_nothing_left();
}

#[test]
fn a_script_gives_its_text_by_a_pipe_and_gets_the_answer_by_one() {
    let rig = Rig::new();
    let project = rig.project("proj");

    let done =
        rig.run(project.path()).claude(["-p", "--output-format", "json"]).input("piped words\n").done().ok();

    let answer = done.json();
    assert_eq!(answer["result"], "You said: piped words");
    assert!(rig.home.has_conversation(answer["session_id"].as_str().unwrap()));
    assert_eq!(done.stderr.lines().count(), 1, "more is said than the session's name: {}", done.stderr);
}

#[test]
fn the_exit_code_is_claudes() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let unknown = rig.run(project.path()).claude(["--no-such-flag"]).done().exits(1);
    assert!(unknown.stderr.contains("--no-such-flag"), "Claude's own words are lost: {}", unknown.stderr);

    let id = conversation_id();
    let refused =
        rig.run(project.path()).claude(["-p", "[[error:400]]", "--session-id", &id]).done().exits(1);
    assert!(refused.stdout.contains("400"), "Claude's own words are lost: {}", refused.stdout);
    assert!(rig.home.has_conversation(&id), "the failed turn's history came out all the same");
    rig.assert_nothing_left();
}

#[test]
fn the_session_is_where_the_user_is() {
    let rig = Rig::new();
    let project = rig.project("proj");
    rig.home.write(".gitconfig", "[user]\n\tname = Ann Example\n\temail = ann@example.com\n");
    let below = project.path().join("deep/er");
    std::fs::create_dir_all(&below).unwrap();
    let id = conversation_id();
    let look = "echo here=$(pwd) top=$(git rev-parse --show-toplevel) by=$(git config user.email) home=$HOME";
    let prompt = format!("[[bash:{look}]]");
    rig.run(Path::new("."))
        .in_folder(&below)
        .claude(["-p", &prompt, "--session-id", &id, "--allowedTools", "Bash"])
        .done()
        .ok();

    let told = rig.home.conversation(&id).lines().iter().map(ToString::to_string).collect::<String>();
    for expected in [
        format!("here={}", below.display()),
        format!("top={}", project.path().display()),
        "by=ann@example.com".to_owned(),
        format!("home={}", rig.home.path().display()),
    ] {
        assert!(told.contains(&expected), "{expected:?} is not in what the session saw");
    }
    rig.assert_nothing_left();
}
