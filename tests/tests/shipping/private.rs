//! What no server gets.

use crate::sender::Sender;
use drydock_tests::rig::{Intake, ProcWatch, holds};
use serde_json::{Value, json};

const SECRET: &str = "sk-ant-api03-FAKEfakeFAKE0123456789";
const PROJECT: &str = "thesecretproject";
const KEY: &str = crate::sender::KEY;

/// In each field of each record, and by way of commands.
fn plant(sender: &Sender) {
    let home = sender.home.path().display().to_string();
    let path = format!("{home}/{PROJECT}/notes.txt");
    let base = |event: &str| {
        json!({
            "v": 1, "ts": chrono::Utc::now(), "id": uuid::Uuid::now_v7(), "event": event, "level": "error",
            "session": format!("{PROJECT}-ab12"), "code": "disk.full", "version": "0.1.0",
            "attrs": { "new": 1, "doing": format!("rm {PROJECT}"), "place": path, SECRET: SECRET, "reason": SECRET, "snapshot": path },
            "message": format!("could not read {path} with {SECRET}"), "causes": [path, SECRET],
            "remedies": [format!("look into {path}")], "doing": "backup now", "backtrace": SECRET, "prompt": "say hi",
        })
    };
    sender.append("events.jsonl", &base("backup.failed"));
    sender.append("errors.log", &base("error"));
    for field in ["id", "event", "level", "session", "code", "version", "trace_id", "span_id", "ts"] {
        let mut line = base("sync.failed");
        line[field] = format!("{SECRET} {path}").into();
        sender.append("events.jsonl", &line);
        let mut metric = json!({ "v": 1, "ts": chrono::Utc::now(), "name": "errors", "value": 1, "version": "0.1.0",
            "attrs": { "code": path, "copy": SECRET, PROJECT: PROJECT } });
        metric[field] = SECRET.into();
        sender.append("metrics.jsonl", &metric);
    }
    sender.metric("errors", 1.0, &json!({ "code": SECRET }));
    sender.metric(PROJECT, 1.0, &json!({}));
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let span = |name: &str| {
        json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.version", SECRET), text("cwd", &path)] },
        "scopeSpans": [{ "spans": [{
            "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": name, "parentSpanId": SECRET,
            "startTimeUnixNano": "1", "endTimeUnixNano": "2", "status": { "code": 2, "message": path },
            "attributes": [text("session.id", &format!("{PROJECT}-ab12")), text("error.type", SECRET), text("path", &path)],
            "events": [{ "name": SECRET }],
        }] }],
    }] })
    };
    std::fs::create_dir_all(sender.file("traces")).unwrap();
    let day = format!("traces/traces-{}.jsonl", chrono::Utc::now().format("%Y%m%d"));
    sender.append(&day, &span("sync_out"));
    sender.append(&day, &span(SECRET));
    // And what commands write themselves.
    sender.drydock(&["recover", "--from", SECRET]).done().exits(4);
    sender.drydock(&["backup", "drill"]).variable("ANTHROPIC_API_KEY", SECRET).done().exits(4);
    sender.drydock(&["restore", "latest", "--to", &path]).done();
}

fn assert_private(bodies: &[Value], home: &str, also: &[&str]) {
    assert!(!bodies.is_empty());
    let text = bodies.iter().map(Value::to_string).collect::<String>();
    for private in [SECRET, "FAKEfake", PROJECT, home, "notes.txt", "say hi"].iter().chain(also) {
        assert!(!text.contains(private), "{private} is in {text}");
    }
}

#[test]
fn no_secret_no_path_and_no_name_reaches_a_server() {
    let sender = Sender::new();
    let collector = Intake::open();
    sender.set("observability.otlp.endpoint", &collector.url());
    sender.now().ok();
    let watch = ProcWatch::start(vec![KEY.to_owned()]);
    plant(&sender);

    let done = sender.now().ok();

    assert_eq!(watch.stop(), [], "others could read the key meanwhile");
    let home = sender.home.path().to_str().unwrap();
    for intake in [&sender.intake, &collector] {
        let bodies: Vec<_> = intake.received().into_iter().map(|one| one.body).collect();
        assert_private(&bodies, home, &["could not read", "rm the", KEY]);
    }
    // What may be told is.
    let logs = sender.intake.logs();
    let failed = logs.iter().find(|log| log["event"] == "backup.failed").unwrap();
    assert_eq!((&failed["code"], &failed["attrs"]), (&json!("disk.full"), &json!({ "new": 1 })));
    let session = failed["session"].as_str().unwrap();
    assert_eq!(session.len(), 12);
    let traces = collector.taken("/v1/traces");
    let spans = &traces[0]["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!((spans.as_array().unwrap().len(), &spans[0]["name"]), (1, &json!("sync_out")));
    // The same session is the same digest everywhere.
    assert_eq!(spans[0]["attributes"][0]["value"]["stringValue"], session);
    // The key is on no disk and in no output.
    assert_eq!(holds(sender.home.path(), &[KEY.to_owned()]), []);
    for shown in [&done.stdout, &done.stderr, &sender.drydock(&["shipping", "status"]).done().ok().stdout] {
        assert!(!shown.contains(KEY) && !shown.contains(SECRET), "{shown}");
    }
}

#[test]
fn a_log_of_everything_shows_no_key() {
    let sender = Sender::new();
    sender.event();
    let done = sender.drydock(&["shipping", "now"]).variable("DRYDOCK_LOG", "trace").done().ok();
    assert!(done.stderr.contains("TRACE"), "there is no log: {}", done.stderr);
    assert!(!done.stderr.contains(KEY) && !done.stdout.contains(KEY));
}

#[test]
fn names_and_messages_are_sent_where_they_are_allowed_and_secrets_even_then_not() {
    let sender = Sender::new();
    sender.set("observability.send.errors", "true");
    sender.set("observability.send.names", "true");
    sender.now().ok();
    plant(&sender);

    sender.now().ok();

    let logs = sender.intake.logs();
    let error = logs.iter().find(|log| log.get("causes").is_some()).unwrap();
    assert_eq!(error["message"], format!("could not read ~/{PROJECT}/notes.txt with [hidden]"));
    assert_eq!(error["session"], format!("{PROJECT}-ab12"));
    let text = Value::from(logs).to_string();
    assert!(!text.contains(SECRET) && !text.contains(sender.home.path().to_str().unwrap()), "{text}");
}

#[test]
fn what_would_be_sent_can_be_seen_before_anything_is() {
    let sender = Sender::without_key();
    sender.set("observability.datadog.enabled", "false");
    plant(&sender);
    let shown = sender.drydock(&["shipping", "preview", "--json"]).done().ok().json();
    assert!(!shown["datadog.events"].as_array().unwrap().is_empty(), "{shown}");
    assert!(shown.get("datadog.errors").is_none());
    assert_private(&[shown], sender.home.path().to_str().unwrap(), &[]);
    assert_eq!(sender.intake.received().len(), 0);
}
