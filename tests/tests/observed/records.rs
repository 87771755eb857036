//! Events, metrics, errors and traces as others read them.

use super::{SECRET, events_file, lines, spans};
use drydock_tests::rig::{Backups, Home, Rig, SmallDisk, WORKED, until};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use rustix::process::Signal;
use serde_json::Value;
use std::{fs, time::Duration};

#[test]
fn a_backup_is_an_event_a_metric_and_a_trace_that_others_can_read() {
    let backups = Backups::new();
    backups.ok(["backup", "now"]);
    backups.append(WORKED, 3);
    backups.ok(["backup", "now"]);
    let home = backups.home.path();

    let events = lines(&events_file(home));
    let taken: Vec<_> = events.iter().filter(|event| event["event"] == "backup.taken").collect();
    assert_eq!(taken.len(), 2, "{events:#?}");
    let newest = backups.snapshots().pop().unwrap()["id"].as_str().unwrap()[..8].to_owned();
    assert_eq!(taken[1]["attrs"]["snapshot"], newest.as_str());
    for event in &events {
        assert_eq!(event["v"], 1);
        assert!(event["ts"].as_str().unwrap().ends_with('Z'), "{event}");
    }

    let spans = spans(home);
    let span = spans.iter().rfind(|span| span.name == "backup").unwrap();
    assert_eq!(span.status.as_ref().unwrap().code(), StatusCode::Ok);
    assert!(span.end_time_unix_nano > span.start_time_unix_nano);
    // What another process did for it is a part of it.
    let of_process = |one: &&opentelemetry_proto::tonic::trace::v1::Span| {
        one.name == "repository" && one.parent_span_id == span.span_id
    };
    let work = spans.iter().find(of_process).expect("a span of the repository's process");
    assert_eq!(work.trace_id, span.trace_id);
    let hex: String = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(taken[1]["trace_id"], hex.as_str());

    let metrics = backups.ok(["metrics", "--prometheus"]).stdout;
    let scrape = prometheus_parse::Scrape::parse(metrics.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let named = |name: &str| scrape.samples.iter().find(|sample| sample.metric == name);
    assert!(named("drydock_backup_duration_seconds").is_some(), "{metrics}");
    let age = named("drydock_backup_age_seconds").unwrap();
    assert_eq!(age.labels.get("copy"), Some("local"));
    assert!(matches!(age.value, prometheus_parse::Value::Gauge(_)), "{metrics}");

    let told = backups.ok(["events", "--since", "1h"]).stdout;
    assert_eq!(told.matches("backup.taken").count(), 2, "{told}");
    let trace = backups.ok(["traces", "--trace", &hex[..8]]).stdout;
    assert!(trace.starts_with("backup") && trace.contains('▇'), "{trace}");
    assert!(backups.ok(["metrics"]).stdout.contains("backup.age"));
}

#[test]
fn an_error_is_on_record_with_its_causes_and_what_to_do() {
    let backups = Backups::new();
    backups.fails(["backup", "drill"], 4, "backup.none");

    let errors = backups.ok(["errors"]).stdout;

    assert!(errors.contains("backup drill") && errors.contains("[backup.none]"), "{errors}");
    assert!(errors.contains("try: drydock backup now"), "{errors}");
    let line = &lines(&backups.file(".claude-docker-errors.log"))[0];
    assert_eq!((&line["code"], &line["severity"]), (&"backup.none".into(), &"error".into()));
    assert_eq!(backups.ok(["errors", "--session", "none"]).stdout, "no errors\n");
}

#[test]
fn nothing_private_is_on_record() {
    let backups = Backups::new();
    backups.ok(["backup", "now"]);
    // A place that cannot be reached, with something in its name that must not be told.
    let folder = backups.scratch(SECRET);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("something else"), "").unwrap();
    backups.set("backup.external.path", folder.to_str().unwrap());
    backups.drydock(["backup", "now"]).variable("ANTHROPIC_API_KEY", SECRET).done();
    backups.drydock(["restore", "latest", "--to"]).arg(folder.join("x/y")).done().exits(2);
    backups.drydock(["backup", "list", "--find", SECRET]).done().ok();
    backups.drydock(["recover", "--from", SECRET]).done().exits(2);

    let home = backups.home.path();
    let mut seen = 0;
    for name in [".claude-docker-events.jsonl", ".claude-docker-metrics.jsonl", ".claude-docker-errors.log"] {
        let Ok(text) = fs::read_to_string(home.join(name)) else { continue };
        seen += 1;
        assert!(!text.contains(SECRET), "{name}: {text}");
        assert!(!text.contains(home.to_str().unwrap()), "{name}: {text}");
    }
    assert!(seen >= 2);
    assert!(!format!("{:?}", spans(home)).contains(SECRET));
    for file in fs::read_dir(home)
        .unwrap()
        .flatten()
        .filter(|file| file.file_name().to_string_lossy().starts_with(".claude-docker-"))
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{}", file.path().display());
    }
}

/// The scheduled work tells what it does like a command, whoever does it.
#[test]
fn what_the_daemon_does_is_on_record() {
    let backups = Backups::new();
    let running = backups.drydock(["daemon"]).start();
    let taken = until("the daemon takes a snapshot", Duration::from_secs(60), || {
        let file = events_file(backups.home.path());
        let events = if file.is_file() { lines(&file) } else { Vec::new() };
        events.into_iter().find(|event| event["event"] == "backup.taken")
    });
    let process = running.process();
    running.signal(Signal::TERM);
    running.done().exits(0);

    assert_eq!(taken["pid"], process);
    assert!(spans(backups.home.path()).iter().any(|span| span.name == "backup"));
}

#[test]
fn on_a_full_disk_the_program_goes_on_and_says_so_once() {
    let disk = SmallDisk::mount(32);
    let home = disk.path().join("home");
    fs::create_dir(&home).unwrap();
    let backups = Backups::furnished(Home::at(&home));
    backups.ok(["backup", "now"]);
    let ballast = disk.fill();

    let listed = backups.drydock(["backup", "list"]).done().ok();
    assert!(!listed.stdout.is_empty());
    let failed = backups.drydock(["backup", "now"]).done();

    assert_ne!(failed.code, Some(0));
    let said = failed.stderr.matches(".claude-docker-events.jsonl cannot be written").count();
    assert!(said <= 1, "{}", failed.stderr);
    fs::remove_file(ballast).unwrap();
    // Nothing half-written is in the way of what comes then.
    backups.append(WORKED, 1);
    backups.ok(["backup", "now"]);
    assert!(lines(&events_file(&home)).iter().filter(|event| event["event"] == "backup.taken").count() >= 2);
}

#[test]
fn a_session_can_be_told_from_its_launch_to_its_end() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let ran = rig.run(project.path()).claude(["-p", "say hi"]).done().ok();
    let session = ran.session();
    let home = rig.home.path();

    let events = lines(&events_file(home));
    let of_session: Vec<_> = events
        .iter()
        .filter(|event| event["session"] == session.as_str())
        .map(|event| &event["event"])
        .collect();
    assert_eq!(of_session[0], "session.launched", "{events:#?}");
    assert!(of_session.contains(&&Value::from("sync.out")), "{events:#?}");
    let text = fs::read_to_string(events_file(home)).unwrap();
    assert!(!text.contains("say hi") && !text.contains(project.path().to_str().unwrap()), "{text}");
    let names: Vec<_> = spans(home).into_iter().map(|span| span.name).collect();
    assert!(
        names.iter().any(|name| name == "launch") && names.iter().any(|name| name == "sync_out"),
        "{names:?}"
    );
    rig.assert_nothing_left();
}
