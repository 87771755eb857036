//! Several sessions at once.

use drydock_tests::rig::{Project, Rig, Running, conversation_id};
use std::collections::HashSet;

fn start(rig: &Rig, project: &Project, id: &str, words: &str) -> (Running, String) {
    let file = project.file(&format!("{words}.txt"));
    let prompt = format!("{words} [[write:{file}]] [[hold]]");
    let mut running = rig
        .run(project.path())
        .claude(["-p", &prompt, "--session-id", id, "--allowedTools", "Write"])
        .start();
    let session = running.session();
    (running, session)
}

#[test]
fn two_in_one_project_and_one_in_another() {
    let rig = Rig::new();
    let (one, other) = (rig.project("one"), rig.project("other"));
    let wanted = [(&one, "first"), (&one, "second"), (&other, "third")];
    let ids: Vec<_> = wanted.iter().map(|_| conversation_id()).collect();
    let started: Vec<_> =
        wanted.iter().zip(&ids).map(|((project, words), id)| start(&rig, project, id, words)).collect();
    // Each has made its file and is in the middle of its answer.
    for (_, words) in wanted {
        drydock_tests::rig::until("its file", std::time::Duration::from_secs(60), || {
            wanted.iter().any(|(project, _)| project.has(&format!("{words}.txt"))).then_some(())
        });
    }

    let listed = rig.drydock().args(["list", "--json"]).done().ok().json();
    let listed: HashSet<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            (text("id"), text("project"), text("state"), one["attached"].as_bool().unwrap())
        })
        .collect();
    let expected: HashSet<_> = wanted
        .iter()
        .zip(&started)
        .map(|((project, _), (_, session))| {
            (session.clone(), project.path().display().to_string(), "running".to_owned(), true)
        })
        .collect();
    assert_eq!(listed, expected);

    for _ in wanted {
        rig.api.release();
    }
    for (running, _) in started {
        running.done().ok();
    }
    for ((project, words), id) in wanted.iter().zip(&ids) {
        let conversation = rig.home.conversation(id);
        assert!(conversation.says(&format!("You said: {words}")));
        assert_eq!(conversation.lines()[0]["sessionId"], id.as_str());
        assert!(project.has(&format!("{words}.txt")));
    }
    assert!(!other.has("first.txt") && !one.has("third.txt"));
    rig.assert_nothing_left();
}

#[test]
fn a_conversation_that_goes_on_in_two_sessions_keeps_both_ways() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    rig.claude(project.path()).args(["-p", "where it began", "--session-id", &id]).done().ok();
    let began = rig.home.conversation(&id).bytes();

    let go_on = |words: &str| {
        rig.run(project.path()).claude(["--resume", &id, "-p", &format!("{words} [[hold]]")]).start()
    };
    let (left, right) = (go_on("to the left"), go_on("to the right"));
    rig.api.wait_for_turn("to the left");
    rig.api.wait_for_turn("to the right");
    rig.api.release();
    rig.api.release();
    left.done().ok();
    right.done().ok();

    assert!(rig.home.conversation(&id).bytes().starts_with(&began));
    for words in ["You said: to the left", "You said: to the right"] {
        let holding: Vec<_> = rig.home.conversations().into_iter().filter(|one| one.says(words)).collect();
        assert_eq!(holding.len(), 1, "{words:?} is in {holding:?}");
        let way = holding[0].id().to_owned();
        rig.claude(project.path()).args(["--resume", &way, "-p", &format!("after {words}")]).done().ok();
        let turn = rig.api.wait_for_turn(&format!("after {words}"));
        assert!(turn.says("where it began") && turn.says(words), "{:?}", turn.said);
    }
    rig.assert_nothing_left();
}
