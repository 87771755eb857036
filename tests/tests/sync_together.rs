//! The same conversation going on in two sessions and on the host at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{Project, Rig, conversation_id};
use std::{
    env, thread,
    time::{Duration, Instant},
};

/// How long everybody goes on; `DRYDOCK_TEST_TOGETHER_SECONDS` changes it.
fn patience() -> Duration {
    let seconds = env::var("DRYDOCK_TEST_TOGETHER_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// Goes on with the conversation again and again; gives back what was said.
fn go_on(rig: &Rig, project: &Project, conversation: &str, who: &str, until: Instant) -> Vec<String> {
    let mut said = Vec::new();
    while Instant::now() < until {
        let words = format!("{who} says {}", said.len());
        let arguments = ["-p", &words, "--resume", conversation];
        match who {
            "host" => drop(rig.claude(project.path()).args(arguments).done().ok()),
            _ => {
                let run = rig.run(project.path()).variable("DRYDOCK_SYNC_INTERVAL_SECONDS", "1");
                drop(run.claude(arguments).done().ok());
            }
        }
        said.push(words);
    }
    said
}

#[test]
fn two_sessions_and_the_host_go_on_at_once_and_nothing_is_lost() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    rig.claude(project.path()).args(["-p", "where it began", "--session-id", &id]).done().ok();
    let until = Instant::now() + patience();

    let said: Vec<String> = thread::scope(|scope| {
        let (rig, project, id) = (&rig, &project, id.as_str());
        let going: Vec<_> = ["host", "one", "two"]
            .into_iter()
            .map(|who| scope.spawn(move || go_on(rig, project, id, who, until)))
            .collect();
        going.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });

    let conversations = rig.home.conversations();
    for words in &said {
        let prompt = conversations.iter().any(|one| one.says(words));
        let answer = conversations.iter().any(|one| one.says(&format!("You said: {words}")));
        assert!(prompt && answer, "{words:?} is nowhere, of {} conversations", conversations.len());
    }
    // Each of them is whole, and can be gone on with.
    for one in &conversations {
        assert!(one.bytes().ends_with(b"\n"), "{} is torn", one.path().display());
        assert!(one.lines().iter().all(serde_json::Value::is_object), "{}", one.path().display());
    }
    let newest = conversations.last().unwrap().id().to_owned();
    rig.claude(project.path()).args(["-p", "and further", "--resume", &newest]).done().ok();
    println!("{} turns in {:?}, in {} conversations", said.len(), patience(), conversations.len());
    assert!(said.len() > 6);
    rig.assert_nothing_left();
}
