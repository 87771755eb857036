//! What is kept of the host home before a session's data is merged into it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is the test failing")]

use drydock_tests::rig::{Project, Rig};
use serde_json::Value;
use std::fs;

const BEFORE: &str = "{\"theme\": \"light\"}\n";
const CHANGE: &str = r#"echo '{"theme": "dark"}' > ~/.claude/settings.json"#;

/// A session that changes a preference, which is merged into the host's own.
fn session_that_changes_a_preference(rig: &Rig, project: &Project) {
    let mut running = rig.run(project.path()).claude(["-p", "work [[hold]]"]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    let done = rig.engine.exec(&session, &["bash", "-c", CHANGE]);
    assert_eq!(done.code, 0, "{}", done.printed);
    rig.api.release();
    running.done().ok();
    let merged = fs::read_to_string(rig.home.claude_dir().join("settings.json")).unwrap();
    assert!(merged.contains("dark"), "{merged}");
}

#[test]
fn a_snapshot_is_taken_before_a_session_changes_anything_here() {
    let rig = Rig::new();
    let project = rig.project("proj");
    rig.home.write(".claude/settings.json", BEFORE);
    rig.drydock().args(["backup", "now"]).done().ok();
    // Something that only the snapshot before the sync can have.
    rig.home.write(".claude/CLAUDE.md", "written after the backup\n");

    session_that_changes_a_preference(&rig, &project);

    let snapshots = rig.drydock().args(["backup", "list", "--json"]).done().ok().json();
    let taken: Vec<&Value> =
        snapshots.as_array().unwrap().iter().filter(|snapshot| snapshot["reason"] == "pre-sync").collect();
    let first = taken.first().expect("a snapshot before the sync")["id"].as_str().unwrap().to_owned();
    let to = rig.home.path().join("as-it-was");
    rig.drydock().args(["restore", &first[..12], "--to"]).arg(&to).done().ok();
    assert_eq!(fs::read_to_string(to.join(".claude/settings.json")).unwrap(), BEFORE);
    assert_eq!(fs::read_to_string(to.join(".claude/CLAUDE.md")).unwrap(), "written after the backup\n");
}

#[test]
fn before_there_is_a_first_backup_the_files_themselves_are_copied() {
    let rig = Rig::new();
    let project = rig.project("proj");
    rig.home.write(".claude/settings.json", BEFORE);

    session_that_changes_a_preference(&rig, &project);

    let backups = rig.home.path().join(".claude-backups");
    let copies: Vec<_> = fs::read_dir(backups.join("pre-sync")).unwrap().flatten().collect();
    let kept = copies.iter().any(|copy| {
        fs::read_to_string(copy.path().join(".claude/settings.json")).is_ok_and(|text| text == BEFORE)
    });
    assert!(kept, "{copies:?}");
    assert!(!backups.join("config").exists(), "a sync begins no repository");
}
