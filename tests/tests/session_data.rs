//! What goes into a session and what comes out of it: whole, once, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{LivedIn, Project, Rig, Running, Transcript, conversation_id, until};
use std::{collections::HashSet, fs, thread, time::Duration};

const PATIENCE: Duration = Duration::from_secs(60);

fn talk(rig: &Rig, project: &Project, arguments: &[&str], words: &str) -> (Running, String) {
    let prompt = format!("{words} [[hold]]");
    let mut running = rig.run(project.path()).claude(["-p", &prompt]).claude(arguments).start();
    let session = running.session();
    rig.api.wait_for_turn(words);
    rig.api.wait_for_hold();
    (running, session)
}

/// Kills drydock, lets the session end alone, and waits for that.
fn desert(rig: &Rig, running: Running, session: &str) {
    running.kill();
    rig.api.release();
    until("the session ends", PATIENCE, || (!rig.engine.is_running(session)).then_some(()));
}

/// Every line parses, and none stands there twice.
fn assert_whole(conversation: &Transcript) {
    let lines = conversation.lines();
    let ids: Vec<_> = lines.iter().filter_map(|line| line["uuid"].as_str()).collect();
    let distinct: HashSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "lines stand twice in {}", conversation.path().display());
}

#[test]
fn only_what_the_session_needs_goes_in() {
    let rig = Rig::new();
    let past = LivedIn::make(&rig.home, &rig.api);
    let other = rig.project("other");
    let elsewhere = conversation_id();
    rig.claude(other.path()).args(["-p", "private words", "--session-id", &elsewhere]).done().ok();
    rig.home.write(".ssh/id_ed25519", "not for sessions");
    rig.home.write("diary.txt", "not for sessions");
    rig.home.write(".claude/CLAUDE.md", "# memory of the user\n");
    rig.home.write(".claude/agents/reviewer.md", "---\nname: reviewer\ndescription: reviews\n---\nReview.\n");
    rig.home.write(".claude/debug/latest.txt", "not for sessions");

    let (running, session) = talk(&rig, &past.project, &[], "look");
    let files = rig.engine.files(&session, rig.home.path());
    let has = |part: &str| files.iter().any(|(name, _)| name.contains(part));

    for wanted in
        [&past.worked, &past.asked, "CLAUDE.md", "agents/reviewer.md", "work/api.server_v2/notes.txt"]
    {
        assert!(has(wanted), "{wanted} did not go in");
    }
    for unwanted in [&elsewhere, "id_ed25519", "diary.txt", "latest.txt", "other/README.md"] {
        assert!(!has(unwanted), "{unwanted} went in");
    }
    let private = files.iter().find(|(_, content)| content.windows(13).any(|part| part == b"private words"));
    assert!(private.is_none(), "words of another project are in {}", private.unwrap().0);
    rig.api.release();
    running.done().ok();

    let all = rig.run(past.project.path()).variable("DRYDOCK_SESSION_HISTORY", "all");
    let mut running = all.claude(["-p", "look again [[hold]]"]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    let files = rig.engine.files(&session, rig.home.path());
    assert!(files.iter().any(|(name, _)| name.contains(&elsewhere)), "not all conversations went in");
    rig.api.release();
    running.done().ok();
    rig.assert_nothing_left();
}

#[test]
fn what_a_session_deletes_or_cuts_stays_on_the_host() {
    let rig = Rig::new();
    let past = LivedIn::make(&rig.home, &rig.api);
    let before = |id: &str| rig.home.conversation(id).bytes();
    let (worked, asked) = (before(&past.worked), before(&past.asked));
    let (running, session) = talk(&rig, &past.project, &[], "be careless");

    let careless = format!(
        "cd ~/.claude/projects/* && rm {}.jsonl && truncate -s 100 {}.jsonl && rm -rf ~/.claude/CLAUDE.md",
        past.worked, past.asked
    );
    let done = rig.engine.exec(&session, &["bash", "-c", &careless]);
    assert_eq!(done.code, 0, "{}", done.printed);
    rig.api.release();
    running.done().ok();

    assert_eq!(before(&past.worked), worked);
    assert!(before(&past.asked).starts_with(&asked));
    assert!(rig.home.claude_dir().join("CLAUDE.md").exists());
    rig.assert_nothing_left();
}

#[test]
fn a_conversation_that_goes_on_on_both_sides_keeps_both_ways() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    rig.claude(project.path()).args(["-p", "where it began", "--session-id", &id]).done().ok();
    let (running, _) = talk(&rig, &project, &["--resume", &id], "inside");

    rig.claude(project.path()).args(["--resume", &id, "-p", "meanwhile on the host"]).done().ok();
    let host = rig.home.conversation(&id).bytes();
    rig.api.release();
    let done = running.done().ok();

    assert!(rig.home.conversation(&id).bytes().starts_with(&host), "the host's way was changed");
    let fork =
        rig.home.conversations().into_iter().find(|one| one.says("You said: inside")).expect("its way");
    assert_ne!(fork.id(), id);
    assert!(done.stderr.contains(fork.id()), "nobody is told where it is: {}", done.stderr);
    rig.claude(project.path()).args(["--resume", fork.id(), "-p", "further"]).done().ok();
    let turn = rig.api.wait_for_turn("further");
    assert!(
        turn.says("where it began") && turn.says("You said: inside") && !turn.says("meanwhile"),
        "{turn:?}"
    );
    rig.assert_nothing_left();
}

#[test]
fn a_conversations_sub_agents_go_with_it_in_and_out() {
    let rig = Rig::new();
    let past = LivedIn::make(&rig.home, &rig.api);
    let agents = |id: &str| {
        let folder = rig.home.conversation(id).path().with_extension("").join("subagents");
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
            .count()
    };
    assert_eq!(agents(&past.worked), 1, "the generator makes no sub-agent");

    let prompt = "[[task:look once more]]";
    rig.run(past.project.path())
        .claude(["--resume", &past.worked, "-p", prompt, "--allowedTools", "Agent"])
        .done()
        .ok();

    assert_eq!(agents(&past.worked), 2);
    rig.assert_nothing_left();
}

#[test]
fn a_conversation_that_a_crash_tore_goes_on_and_keeps_every_byte() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    rig.claude(project.path()).args(["-p", "where it began", "--session-id", &id]).done().ok();
    let torn = rig.home.conversation(&id).tear();

    rig.run(project.path()).claude(["--resume", &id, "-p", "after the crash"]).done().ok();

    assert!(rig.api.wait_for_turn("after the crash").says("where it began"));
    let whole = rig.home.conversation(&id).bytes();
    assert!(whole.starts_with(&torn), "bytes of the host are gone");
    rig.claude(project.path()).args(["--resume", &id, "-p", "once more"]).done().ok();
    assert!(rig.api.wait_for_turn("once more").says("You said: after the crash"));
    rig.assert_nothing_left();
}

#[test]
fn a_session_is_found_again_without_drydocks_own_records() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = talk(&rig, &project, &["--session-id", &id], "lost and found");
    running.kill();
    fs::remove_dir_all(rig.home.path().join(".local/share/drydock")).unwrap();

    let listed = rig.drydock().args(["list", "--json"]).done().ok().json();
    assert_eq!(listed[0]["id"], session.as_str());
    assert_eq!(listed[0]["state"], "running");
    rig.api.release();
    until("the session ends", PATIENCE, || (!rig.engine.is_running(&session)).then_some(()));
    let said = rig.drydock().arg("list").done().ok().stderr;

    assert!(said.contains(&session), "nothing is said of it: {said}");
    assert!(rig.home.conversation(&id).says("You said: lost and found"));
    rig.assert_nothing_left();
}

#[test]
fn many_commands_at_once_bring_it_out_once() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = talk(&rig, &project, &["--session-id", &id], "all at once");
    desert(&rig, running, &session);

    let calls: Vec<_> = (0..4).map(|_| rig.drydock().arg("list").start()).collect();
    let said: Vec<_> = calls.into_iter().map(|call| call.done().ok().stderr).collect();

    let told = said.iter().filter(|text| text.contains(&session)).count();
    assert_eq!(told, 1, "not one of them brought it out: {said:?}");
    assert_whole(&rig.home.conversation(&id));
    rig.assert_nothing_left();
}

#[test]
fn killing_drydock_while_it_brings_the_data_out_loses_nothing() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    rig.claude(project.path()).args(["-p", "where it began", "--session-id", &id]).done().ok();
    // Each round kills it a little later on its way.
    for round in 0..8 {
        let words = format!("round {round}");
        let before = rig.home.conversation(&id).bytes();
        let (running, session) = talk(&rig, &project, &["--resume", &id], &words);
        rig.api.release();
        until("the session ends", PATIENCE, || (!rig.engine.has_running(&session)).then_some(()));
        thread::sleep(Duration::from_millis(round * 40));
        running.kill();
        rig.drydock().arg("list").done().ok();

        let after = rig.home.conversation(&id);
        assert!(after.bytes().starts_with(&before), "{words}: what was there was changed");
        assert!(after.says(&format!("You said: {words}")), "{words}: the answer is lost");
        assert_whole(&after);
        assert_eq!(rig.home.conversations().len(), 1, "{words}: it was taken for another conversation");
        rig.assert_nothing_left();
    }
}

#[test]
fn a_long_conversation_comes_out_whole() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let prompt = "[[bash:seq 1 200000]] [[bash:for i in $(seq 3000); do echo строка-$i; done]] [[bash:head -c 30000 /dev/urandom | base64]]";
    rig.run(project.path()).claude(["-p", prompt, "--session-id", &id, "--allowedTools", "Bash"]).done().ok();

    let conversation = rig.home.conversation(&id);
    assert_whole(&conversation);
    let results = conversation.lines().iter().filter(|line| line["toolUseResult"].is_object()).count();
    assert_eq!(results, 3);
    // What is too long for the conversation is kept beside it, and is referred to from it.
    let beside = conversation.path().with_extension("").join("tool-results");
    let kept: Vec<_> = fs::read_dir(&beside).expect("the long results").flatten().collect();
    assert!(!kept.is_empty());
    for file in kept {
        let name = file.path().display().to_string();
        let text = String::from_utf8(conversation.bytes()).unwrap();
        assert!(text.contains(&name), "the conversation refers to another place than {name}");
    }
    rig.claude(project.path()).args(["--resume", &id, "-p", "go on"]).done().ok();
    assert_eq!(rig.api.wait_for_turn("go on").status, 200);
    rig.assert_nothing_left();
}
