//! What is damaged here when a session is launched, or comes to its end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is the test failing")]

use drydock_tests::rig::{Damage, LivedIn, Rig};
use std::fs;

#[test]
fn a_damaged_claude_json_is_back_before_the_session_starts() {
    let rig = Rig::new();
    let past = LivedIn::make(&rig.home, &rig.api);
    rig.drydock().args(["backup", "now"]).done().ok();
    let whole = fs::read(rig.home.claude_json()).unwrap();
    let broken = rig.home.damage(Damage::Empty);

    let ran = rig.run(past.project.path()).claude(["-p", "hi"]).done().ok();

    assert!(ran.stderr.contains("~/.claude.json was damaged and is back"), "{}", ran.stderr);
    assert!(ran.stderr.contains("drydock recover --undo"), "{}", ran.stderr);
    let projects =
        |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap()["projects"].clone();
    let back = fs::read(rig.home.claude_json()).unwrap();
    assert_eq!(projects(&back), projects(&whole));
    rig.assert_nothing_left();

    let kept: Vec<_> = walkdir::WalkDir::new(rig.home.path().join(".local/share/drydock/recovery"))
        .into_iter()
        .flatten()
        .filter(|entry| {
            entry.file_type().is_file() && entry.file_name().to_string_lossy().ends_with(".claude.json")
        })
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read(kept[0].path()).unwrap(), broken);
}

#[test]
fn a_claude_json_that_no_backup_has_waits_for_the_user() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let document = r#"{"projects": {}, "theme": "light", "mcpServers": {"#;
    fs::write(rig.home.claude_json(), document).unwrap();

    rig.run(project.path()).claude(["-p", "hi"]).done().exits(4).tells("config.damaged");

    assert_eq!(fs::read_to_string(rig.home.claude_json()).unwrap(), document);
    rig.assert_nothing_left();
}

/// It is damaged while the session runs: what the session wrote waits, and nothing of it is lost.
#[test]
fn a_sync_that_fails_by_damage_has_it_recovered() {
    let rig = Rig::new();
    let past = LivedIn::make(&rig.home, &rig.api);
    rig.drydock().args(["backup", "now"]).done().ok();
    let mut running = rig.run(past.project.path()).claude(["-p", "hi [[hold]]"]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    rig.home.damage(Damage::Truncated);

    let first = rig.drydock().args(["sync", "out", &session]).done();

    if first.code != Some(0) {
        assert!(first.stderr.contains("was damaged and is back"), "{}", first.stderr);
        rig.drydock().args(["sync", "out", &session]).done().ok();
    }
    rig.api.release();
    running.done().ok();
    serde_json::from_slice::<serde_json::Value>(&fs::read(rig.home.claude_json()).unwrap()).unwrap();
    rig.assert_nothing_left();
}
