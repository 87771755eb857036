//! What Datadog gets, and how.

use crate::sender::{KEY, Sender, ago};
use drydock_tests::rig::{Home, Rig};
use serde_json::json;

#[test]
fn events_arrive_once_in_order_as_datadog_takes_them() {
    let sender = Sender::new();
    sender.events(1200);

    let done = sender.now().ok();

    assert_eq!(sender.arrived(), (1..=1200).collect::<Vec<_>>(), "{}", done.stdout);
    let received = sender.intake.received();
    assert_eq!(received.len(), 3);
    for request in &received {
        assert_eq!((request.path.as_str(), request.key.as_deref()), ("/api/v2/logs", Some(KEY)));
        assert_eq!(request.encoding, "gzip");
        // Datadog's limits for logs.
        let logs = request.body.as_array().unwrap();
        assert!(logs.len() <= 1000 && request.unpacked <= 5_000_000 && request.packed < request.unpacked);
        assert!(logs.iter().all(|log| log.to_string().len() <= 1_000_000));
    }
    let log = &sender.intake.logs()[0];
    assert_eq!(
        (&log["ddsource"], &log["service"], &log["status"]),
        (&json!("drydock"), &json!("drydock"), &json!("info"))
    );
    assert_eq!((&log["message"], &log["event"]), (&json!("sync.out"), &json!("sync.out")));
    assert_eq!(log["ddtags"], "env:desktop,version:0.1.0");
    assert_eq!(log["attrs"], json!({ "created": 1 }));
    assert_eq!(uuid::Uuid::parse_str(log["id"].as_str().unwrap()).unwrap().get_version_num(), 7);
    sender.now().ok();
    assert_eq!(sender.intake.received().len(), 3);
    let stream = sender.stream("datadog.events");
    assert_eq!(
        (&stream["sent"], &stream["behind_bytes"], &stream["dropped"]),
        (&json!(1200), &json!(0), &json!({}))
    );
}

#[test]
fn counters_are_series_and_samples_are_distributions() {
    let sender = Sender::new();
    for _ in 0..3 {
        sender.metric("session.launches", 1.0, &json!({ "outcome": "done" }));
    }
    sender.metric("backup.added", 2048.0, &json!({ "copy": "local" }));
    sender.metric("sync.duration", 0.25, &json!({ "direction": "in" }));
    sender.metric("sync.duration", 1.5, &json!({ "direction": "in" }));

    sender.now().ok();

    let series = &sender.intake.taken("/api/v2/series")[0]["series"];
    let of = |name: &str| series.as_array().unwrap().iter().find(|one| one["metric"] == name).unwrap();
    let launches = of("drydock.session.launches");
    assert_eq!(launches["type"], 1);
    let sum: f64 =
        launches["points"].as_array().unwrap().iter().map(|point| point["value"].as_f64().unwrap()).sum();
    assert!((sum - 3.0).abs() < f64::EPSILON, "{launches}");
    assert_eq!(launches["tags"], json!(["outcome:done", "env:desktop", "service:drydock", "version:0.1.0"]));
    assert_eq!(of("drydock.backup.added")["unit"], "byte");
    let samples = &sender.intake.taken("/api/v1/distribution_points")[0]["series"][0];
    assert_eq!(
        (&samples["metric"], &samples["type"]),
        (&json!("drydock.sync.duration"), &json!("distribution"))
    );
    let values: Vec<f64> = samples["points"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|point| {
            point[1].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(values, [0.25, 1.5]);
    let received = sender.intake.received();
    let distribution = received.iter().find(|one| one.path == "/api/v1/distribution_points").unwrap();
    assert_eq!(distribution.encoding, "deflate");
    assert!(received.iter().all(|one| one.key.as_deref() == Some(KEY) && one.packed <= 512_000));
}

#[test]
fn what_is_older_than_datadog_takes_is_counted() {
    let sender = Sender::new();
    sender.event_at(ago(19));
    sender.event_at(ago(17));
    sender.event();

    sender.now().ok();

    assert_eq!(sender.arrived(), [2, 3]);
    assert_eq!(sender.stream("datadog.events")["dropped"], json!({ "old": 1 }));
    let shown = sender.drydock(&["metrics", "--prometheus"]).done().ok().stdout;
    let dropped = r#"drydock_shipping_dropped{reason="old",stream="datadog.events"} 1"#;
    assert!(shown.contains(dropped), "{shown}");
    assert!(prometheus_parse::Scrape::parse(shown.lines().map(|line| Ok(line.to_owned()))).is_ok());
    // It is said as well, and that is sent in its turn.
    sender.now().ok();
    let said = sender.intake.logs().into_iter().find(|log| log["event"] == "shipping.dropped").unwrap();
    assert_eq!(said["attrs"], json!({ "count": 1, "stream": "datadog.events" }));
}

#[test]
fn nothing_is_sent_by_default_and_nothing_of_before_it_was_turned_on() {
    let sender = Sender::without_key();
    sender.store_key(KEY).ok();
    sender.set("observability.datadog.enabled", "false");
    sender.events(3);
    sender.now().exits(4);
    sender.set("observability.datadog.enabled", "true");
    sender.now().ok();
    sender.event();
    sender.now().ok();
    assert_eq!(sender.arrived(), [4]);

    let untouched = Home::new();
    Rig::drydock_at(&untouched).args(["shipping", "now"]).done().exits(4).tells("shipping.off");
    let status = Rig::drydock_at(&untouched).args(["shipping", "status", "--json"]).done().ok().json();
    assert_eq!((&status["datadog"], &status["streams"]), (&json!(null), &json!([])));
}

#[test]
fn records_that_are_put_aside_meanwhile_are_read_to_their_end() {
    let sender = Sender::new();
    sender.events(3);
    sender.now().ok();
    sender.events(2);
    let (log, aside) = (sender.file("events.jsonl"), sender.file("events.jsonl.1"));
    std::fs::rename(&log, &aside).unwrap();
    sender.events(2);
    std::fs::rename(&aside, sender.file("events.jsonl.2")).unwrap();
    std::fs::rename(&log, &aside).unwrap();
    sender.events(1);

    sender.now().ok();

    assert_eq!(sender.arrived(), (1..=8).collect::<Vec<_>>());
}
