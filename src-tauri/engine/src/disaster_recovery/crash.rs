//! A recovery ended, and met with a full and a failing disk, at every deed on the disk: every file is old or
//! new, and the next recovery does the rest.

use super::{
    Looked, Recovery, Report, Scope, Source, Standing, Wish, disaster_recovery,
    left_behind::clear_left_behind,
};
use crate::{
    backup::Reason, error_handling::Result, faults, paths::Locations, progress::ProgressSink,
    settings::Settings,
};
use chrono::Utc;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const CHILD: &str = "disaster_recovery::crash::child_recovers";
const STATE: &str = ".claude.json";
const SETTINGS: &str = ".claude/settings.json";
const GROWN: &str = ".claude/projects/-p/1.jsonl";
const GONE: &str = ".claude/projects/-q/2.jsonl";
const BLOCKED: &str = ".claude/agents/a.md";

struct Home(PathBuf);

impl Home {
    fn furnish(folder: &Path) -> Self {
        let home = Self(folder.to_path_buf());
        let document =
            r#"{"projects": {"/p": {"n": 1}}, "mcpServers": {}, "oauthAccount": {"emailAddress": "x@y"}}"#;
        home.write(STATE, document.as_bytes());
        home.write(SETTINGS, br#"{"model": "opus"}"#);
        home.write(GROWN, records(0..200).as_bytes());
        home.write(GONE, records(0..50).as_bytes());
        home.write(BLOCKED, b"an agent");
        home.recovery().backups.snapshot(Reason::Manual, &ProgressSink::none()).unwrap();
        // What came after the snapshot, and then the damage.
        home.write(
            GROWN,
            [records(0..100).as_bytes(), &[0; 600], b"\n", records(190..220).as_bytes()].concat().as_slice(),
        );
        home.write(STATE, br#"{"projects": {"/p": {"n": 1}, "/new": {"n": 2}, "/torn": {"#);
        home.write(SETTINGS, b"");
        fs::remove_dir_all(home.path(".claude/projects/-q")).unwrap();
        fs::remove_dir_all(home.path(".claude/agents")).unwrap();
        home.write(".claude/agents", b"in the way");
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join("home").join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn recovery(&self) -> Recovery {
        let mut locations = Locations::find(Some(&self.0.join("home"))).unwrap();
        // That of this computer is for one at a time.
        locations.sync_lock = self.0.join("sync.lock");
        let mut settings = Settings::load(&locations.settings_file).unwrap();
        settings.use_for_now("backup.external.path", "").unwrap();
        Recovery::of(&locations, &settings)
    }

    fn recover(&self) -> Result<Option<Report>> {
        let (recovery, nobody) = (self.recovery(), ProgressSink::none());
        let wish = Wish { scope: Scope::Damaged, source: Source::NewestGood };
        let plan = recovery.plan(&wish, Utc::now(), &nobody)?;
        if plan.is_empty() {
            return Ok(None);
        }
        disaster_recovery(&recovery, &plan, Looked::default(), &nobody).map(Some)
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read(self.path(name)).ok().map(|text| String::from_utf8_lossy(&text).into_owned())
    }
}

fn records(numbers: std::ops::Range<usize>) -> String {
    numbers
        .map(|n| format!("{{\"type\":\"user\",\"n\":{n},\"text\":\"some words that were said\"}}\n"))
        .collect()
}

#[test]
#[ignore = "the process that a fault is planned for"]
fn child_recovers() {
    let Some(folder) = faults::folder() else { return };
    // A failing disk is told; how, the parent does not ask.
    let _ = Home(folder).recover();
}

/// Whether a file is one of what it may be.
fn assert_old_or_new(home: &Home, damaged: &Home, what: &str) {
    for name in [STATE, SETTINGS, GROWN, GONE] {
        let (now, old) = (home.read(name), damaged.read(name));
        assert!(now == old || now == Some(whole(name)), "{what}: {name} is {now:?}");
    }
}

fn whole(name: &str) -> String {
    match name {
        STATE => serde_json::to_string_pretty(&serde_json::json!({
            "projects": {"/p": {"n": 1}, "/new": {"n": 2}}, "mcpServers": {}, "oauthAccount": {"emailAddress": "x@y"}
        }))
        .unwrap(),
        SETTINGS => r#"{"model": "opus"}"#.to_owned(),
        GROWN => records(0..220),
        GONE => records(0..50),
        _ => "an agent".to_owned(),
    }
}

fn look(home: &Home, damaged: &Home, what: &str) {
    assert_old_or_new(home, damaged, what);
    home.recover().unwrap_or_else(|error| panic!("{what}: the next recovery: {error}"));
    for name in [STATE, SETTINGS, GROWN, GONE, BLOCKED] {
        assert_eq!(home.read(name), Some(whole(name)), "{what}: {name}");
    }
    // What a failing disk kept goes when it is surely nobody's.
    clear_left_behind(&home.recovery().locations, SystemTime::now() + Duration::from_secs(7200));
    let left = walkdir::WalkDir::new(home.path(".claude")).into_iter().flatten();
    let left: Vec<_> =
        left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".drydock")).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
    let begun = home.recovery().history().into_iter().filter(|past| past.standing == Standing::Begun);
    assert_eq!(begun.count(), 0, "{what}");
}

fn at_every_deed(fault: &str, step: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let template = scratch.path().join("template");
    let damaged = Home::furnish(&template);
    faults::at_every_deed(CHILD, &template, 40, fault, step, |folder, what| {
        // The lock of a process that was ended is Claude Code's to take over, after its ten seconds.
        let _ = fs::remove_dir(folder.join("home/.claude.json.lock"));
        look(&Home(folder.to_path_buf()), &damaged, what);
    });
}

#[test]
fn killed_at_every_deed() {
    at_every_deed("kill", faults::EACH);
}

#[test]
fn a_full_disk_at_every_deed() {
    at_every_deed("enospc", faults::SOME);
}

#[test]
fn a_failing_disk_at_every_deed() {
    at_every_deed("eio", faults::SOME);
}

#[test]
fn an_undo_brings_the_damage_back_and_loses_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let damaged = Home::furnish(&scratch.path().join("damaged"));
    faults::copied(&scratch.path().join("damaged"), &scratch.path().join("home"));
    let home = Home(scratch.path().join("home"));
    home.recover().unwrap().unwrap();
    // Somebody goes on with one of them.
    home.write(GONE, records(0..51).as_bytes());

    let undone = home.recovery().undo(None, Utc::now()).unwrap();

    assert_eq!(undone.stay, [home.path(GONE)]);
    for name in [STATE, SETTINGS, GROWN, ".claude/agents"] {
        assert_eq!(home.read(name), damaged.read(name), "{name}");
    }
    assert_eq!(home.read(GONE), Some(records(0..51)));
    assert_eq!(home.recovery().history()[0].standing, Standing::Undone);
    assert!(home.recovery().undo(None, Utc::now()).is_err());
}
