//! What sessions used: tokens, cost, time, processor and memory.

use super::{events_file, lines};
use drydock_tests::rig::Rig;
use serde_json::Value;
use std::path::Path;

fn metrics(home: &Path, name: &str) -> Vec<Value> {
    let all = lines(&home.join(".claude-docker-metrics.jsonl"));
    all.into_iter().filter(|line| line["name"] == name).collect()
}

#[test]
fn a_session_that_ended_has_told_its_tokens_and_how_it_ended() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let ran = rig.run(project.path()).claude(["-p", "say hi"]).done().ok();
    let session = ran.session();
    let home = rig.home.path();

    let tokens = metrics(home, "session.tokens");
    let of = |kind: &str| {
        let found = tokens.iter().find(|line| line["attrs"]["kind"] == kind);
        found.map(|line| line["value"].as_f64().unwrap())
    };
    assert!(of("input").unwrap() > 0.0 && of("output").unwrap() > 0.0, "{tokens:#?}");
    assert!(tokens.iter().all(|line| line["session"] == session.as_str()), "{tokens:#?}");
    assert!(tokens[0]["attrs"]["model"].as_str().unwrap().starts_with("claude-"), "{tokens:#?}");
    let events = lines(&events_file(home));
    let ended = events.iter().find(|event| event["event"] == "session.ended").unwrap();
    assert_eq!((&ended["attrs"]["outcome"], &ended["attrs"]["exit_code"]), (&"done".into(), &0.into()));
    let told = rig.drydock().arg("metrics").done().ok().stdout;
    assert!(told.contains("session.tokens"), "{told}");
    rig.assert_nothing_left();
}

/// Claude Code counts the cost where a person works with it; its `-p` leaves none.
#[test]
fn what_claude_code_says_that_a_session_cost_is_told() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let mut terminal = rig.run(project.path()).in_terminal(100, 30);
    let session = terminal.session();
    terminal.wait_until("Claude Code waits for the user", |screen| screen.contains('❯'));
    terminal.type_line("hello there");
    terminal.wait_for("You said: hello there");
    terminal.type_line("/exit");
    terminal.done().ok();

    let cost = metrics(rig.home.path(), "session.cost");

    assert!(cost.len() == 1 && cost[0]["value"].as_f64().unwrap() > 0.0, "{cost:#?}");
    assert_eq!((&cost[0]["unit"], &cost[0]["session"]), (&"USD".into(), &session.into()));
    rig.assert_nothing_left();
}

#[test]
fn a_conversation_that_goes_on_counts_only_what_came_with_the_session() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let first = rig.run(project.path()).claude(["-p", "say hi"]).done().ok().session();
    let sum = |session: &str| -> f64 {
        let tokens = metrics(rig.home.path(), "session.tokens");
        let own = tokens.iter().filter(|line| line["session"] == session);
        own.map(|line| line["value"].as_f64().unwrap()).sum()
    };
    let of_first = sum(&first);

    let second = rig.run(project.path()).claude(["-p", "--continue", "say more"]).done().ok().session();

    assert!(of_first > 0.0);
    assert!((sum(&first) - of_first).abs() < 0.5 && sum(&second) > 0.0);
    // The stand-in counts the same tokens for each answer: a second answer is no more than the first.
    assert!(sum(&second) <= of_first, "{} of {of_first}", sum(&second));
    rig.assert_nothing_left();
}

#[test]
fn a_session_that_runs_tells_what_it_takes_of_the_computer() {
    let rig = Rig::new();
    let project = rig.project("proj");
    rig.drydock().args(["settings", "set", "sync.interval_seconds", "1"]).done().ok();
    let mut running = rig.run(project.path()).claude(["-p", "[[hold]] think"]).start();
    let session = running.session();
    let memory = drydock_tests::rig::until("memory is measured", std::time::Duration::from_secs(60), || {
        let file = rig.home.path().join(".claude-docker-metrics.jsonl");
        if !file.is_file() {
            return None;
        }
        metrics(rig.home.path(), "session.memory").pop()
    });
    rig.api.release();
    running.done();

    assert_eq!(memory["session"], session.as_str());
    // The real Claude Code takes some tens of megabytes at least, and less than the limit of the container.
    let bytes = memory["value"].as_f64().unwrap();
    assert!(bytes > 10e6 && bytes < 16e9, "{memory}");
    assert_eq!(memory["unit"], "By");
    assert!(metrics(rig.home.path(), "session.processor")[0]["value"].as_f64().unwrap() > 0.0);
}
