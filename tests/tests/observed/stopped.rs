//! Work that is cut off in its middle: by a signal, by the end of its process.

use super::{events_file, lines, spans};
use drydock_tests::rig::{Backups, Rig, WORKED, noise, until};
use rustix::process::Signal;
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(60);

/// A home whose backup takes a while.
fn busy() -> Backups {
    let backups = Backups::new();
    let mut conversation = OpenOptions::new().append(true).open(backups.file(WORKED)).unwrap();
    for _ in 0..40 {
        conversation.write_all(noise("a long one", 1 << 20).as_bytes()).unwrap();
    }
    backups
}

/// Waits until an operation of this home has begun.
fn begun(home: &Path) {
    let folder = home.join(".local/share/drydock/observability/open");
    until("an operation begins", LIMIT, || {
        let names = fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.file_name());
        names.map(|name| name.into_string().unwrap()).find(|name| name.ends_with(".jsonl"))
    });
}

#[test]
fn a_backup_whose_process_was_killed_stands_as_aborted_in_the_traces() {
    let backups = busy();
    let running = backups.drydock(["backup", "now"]).start();
    begun(backups.home.path());
    running.kill();

    let told = backups.ok(["traces"]).stdout;

    assert!(told.contains("backup") && told.contains("aborted"), "{told}");
    let spans = spans(backups.home.path());
    let span = spans.iter().find(|span| span.name == "backup").unwrap();
    assert_eq!(span.status.as_ref().unwrap().message, "aborted");
    let events = lines(&events_file(backups.home.path()));
    let aborted = events.iter().find(|event| event["event"] == "operation.aborted").unwrap();
    assert_eq!((&aborted["attrs"]["name"], &aborted["level"]), (&"backup".into(), &"warn".into()));
    // Once is enough.
    assert_eq!(backups.ok(["traces"]).stdout.matches("aborted").count(), 1);
}

#[test]
fn a_command_that_is_asked_to_go_goes_with_the_shells_code_and_says_so_in_the_events() {
    for (signal, code, word) in [(Signal::INT, 130, "interrupt"), (Signal::TERM, 143, "terminate")] {
        let backups = busy();
        let running = backups.drydock(["backup", "now"]).start();
        begun(backups.home.path());

        running.signal(signal);

        running.done().exits(code);
        let events = lines(&events_file(backups.home.path()));
        let stopped = events.iter().find(|event| event["event"] == "process.stopped").unwrap();
        assert_eq!(stopped["attrs"]["signal"], word);
        // The next one does what this one did not.
        backups.ok(["backup", "now"]);
    }
}

#[test]
fn a_restore_that_is_asked_to_go_leaves_no_half_of_it() {
    let backups = busy();
    backups.ok(["backup", "now"]);
    let to = backups.scratch("back");
    let running = backups.drydock(["restore", "latest", "--to"]).arg(&to).start();
    until("files arrive", LIMIT, || {
        let staged =
            |entry: fs::DirEntry| entry.file_name().to_string_lossy().contains("drydock").then_some(());
        fs::read_dir(to.parent()?).ok()?.flatten().find_map(staged)
    });

    running.signal(Signal::TERM);

    let done = running.done();
    if done.code == Some(0) {
        // It was quicker than the signal; then all of it is there.
        assert!(to.is_dir());
        return;
    }
    done.exits(143);
    let left: Vec<_> = fs::read_dir(to.parent().unwrap())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("back") || name.contains("drydock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_launch_that_is_asked_to_go_leaves_nothing_in_the_engine() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let running = rig.run(project.path()).claude(["-p", "hold"]).start();
    until("parts of the session are there", LIMIT, || (!rig.engine.leftovers().is_empty()).then_some(()));

    running.signal(Signal::INT);

    running.done().exits(130);
    rig.assert_nothing_left();
    assert_eq!(rig.drydock().args(["--json", "list"]).done().ok().json(), serde_json::json!([]));
}
