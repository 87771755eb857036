//! Servers that refuse, are slow, or are not there.

use crate::sender::{KEY, Sender};
use drydock_tests::rig::{Intake, Manner, until};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn what_a_server_did_not_take_is_sent_again_and_arrives_once() {
    let sender = Sender::new();
    for manner in [
        Manner::Say(500),
        Manner::Say(404),
        Manner::Later(429, "120"),
        Manner::Later(503, "Wed, 21 Oct 2035 07:28:00 GMT"),
        Manner::HangUp,
    ] {
        sender.event();
        // Whatever keeps a closed connection is tried once more by the client itself.
        sender.intake.always(manner.clone());
        let failed = sender.now().exits(1);
        assert!(failed.stdout.contains("shipping.failed"), "{manner:?}: {}", failed.stdout);
        sender.intake.always(Manner::Take);
    }
    let stream = sender.stream("datadog.events");
    assert!(stream["trouble"]["what"].is_string() && stream["waits_until"].is_string(), "{stream}");
    assert!(sender.arrived().is_empty());

    sender.now().ok();

    let arrived: Vec<_> = sender.arrived();
    assert_eq!(arrived, (1..=5).collect::<Vec<_>>());
}

#[test]
fn a_slow_server_is_waited_for() {
    let sender = Sender::new();
    sender.events(600);
    sender.intake.next([Manner::Slowly(Duration::from_secs(2))]);
    sender.now().ok();
    assert_eq!(sender.arrived(), (1..=600).collect::<Vec<_>>());
}

#[test]
fn what_is_too_large_is_split_and_a_line_that_alone_is_too_large_is_counted() {
    let sender = Sender::new();
    sender.events(500);
    sender.intake.always(Manner::AtMost(70));
    sender.now().ok();
    assert_eq!(sender.arrived(), (1..=500).collect::<Vec<_>>());
    let sizes: Vec<_> = sender
        .intake
        .received()
        .iter()
        .filter(|one| one.status == 202)
        .map(|one| one.body.as_array().unwrap().len())
        .collect();
    assert!(sizes.iter().all(|size| *size <= 70), "{sizes:?}");

    sender.event();
    sender.intake.always(Manner::Take);
    sender.intake.next([Manner::Say(413)]);
    sender.now().ok();
    assert_eq!(sender.stream("datadog.events")["dropped"], json!({ "too-large": 1 }));
}

#[test]
fn a_refused_key_stands_still_until_there_is_another() {
    let sender = Sender::new();
    sender.intake.take_key("FAKEanother0123456789abcdef01234");
    sender.event();
    let refused = sender.now().exits(4);
    assert!(refused.stdout.contains("shipping.stopped"), "{}", refused.stdout);
    let stream = sender.stream("datadog.events");
    assert_eq!(stream["stopped"]["why"], "the server answered 403", "{stream}");
    let text = sender.drydock(&["shipping", "status"]).done().ok().stdout;
    assert!(text.contains("STOPPED") && text.contains("key: in the keyring"), "{text}");
    assert!(!text.contains(KEY));
    let said = sender.drydock(&["events", "--level", "warn"]).done().ok().stdout;
    assert_eq!(said.matches("note  shipping.stopped").count(), 1, "{said}");

    sender.store_key("FAKEanother0123456789abcdef01234").ok();
    sender.now().ok();

    assert_eq!(sender.arrived(), [1]);
    assert_eq!(sender.stream("datadog.events")["stopped"], json!(null));
}

#[test]
fn without_a_key_everything_waits() {
    let sender = Sender::without_key();
    // Sending begins, key or not.
    sender.now().ok();
    sender.event();
    let failed = sender.now().exits(1);
    assert!(failed.stdout.contains("credentials store datadog-key"), "{}", failed.stdout);
    assert_eq!(sender.intake.received().len(), 0);
    sender.store_key(KEY).ok();
    sender.now().ok();
    assert_eq!(sender.arrived(), [1]);
}

#[test]
fn a_key_goes_nowhere_that_a_server_says() {
    let sender = Sender::new();
    let elsewhere = Intake::open();
    sender.intake.always(Manner::Elsewhere(elsewhere.url()));
    sender.event();
    sender.now().exits(1);
    assert_eq!(elsewhere.received().len(), 0);
    for wrong in ["http://datadog.example", "https://me:FAKE@datadog.example", "datadog.example"] {
        let set = sender.drydock(&["settings", "set", "observability.datadog.address", wrong]);
        set.done().exits(2).tells("settings.value");
    }
    sender.drydock(&["settings", "set", "observability.datadog.site", "datadog.example"]).done().exits(2);
}

#[test]
fn killed_before_it_hears_the_answer_it_sends_that_request_once_more_with_the_same_ids() {
    let sender = Sender::new();
    sender.events(700);
    sender.intake.next([Manner::Hold]);
    let running = sender.drydock(&["shipping", "now"]).start();
    until("the server has the first request", LIMIT, || (!sender.intake.received().is_empty()).then_some(()));
    running.kill();
    sender.intake.release();

    sender.now().ok();

    let ids = |logs: &[serde_json::Value]| logs.iter().map(|log| log["id"].clone()).collect::<Vec<_>>();
    let logs = sender.intake.logs();
    assert_eq!(logs.len(), 500 + 700);
    assert_eq!(ids(&logs[..500]), ids(&logs[500..1000]));
    assert_eq!(sender.arrived()[500..], (1..=700).collect::<Vec<_>>());
}

#[test]
fn two_that_send_at_once_send_everything_once() {
    let sender = Sender::new();
    sender.events(3000);
    sender.intake.always(Manner::Slowly(Duration::from_millis(50)));
    let others: Vec<_> = (0..3).map(|_| sender.drydock(&["shipping", "now"]).start()).collect();
    for other in others {
        other.done().ok();
    }
    assert_eq!(sender.arrived(), (1..=3000).collect::<Vec<_>>());
}
