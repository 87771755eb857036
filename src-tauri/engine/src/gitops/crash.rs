//! Ending the process, and failing the disk, at every deed of a reconcile.

use super::{
    Outcome, Target, Wish, apply, audit, reconcile_config,
    rig::{Home, Repository, gitops_at},
    state,
};
use crate::{error_handling::Result, faults};
use chrono::{DateTime, Utc};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const CHILD: &str = "gitops::crash::child_reconciles";

const SETTINGS: &str = ".claude/settings.json";
const STATE: &str = ".claude.json";
const OWN: &str = ".config/drydock/settings.toml";
const RULES: &str = ".claude/agents/a.md";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// What the files say, and nothing else of them.
fn said(folder: &Path) -> Vec<String> {
    let read = |name: &str| fs::read_to_string(folder.join("home").join(name)).unwrap_or_default();
    vec![read(SETTINGS), read(STATE), read(OWN), read(RULES)]
}

/// The home of a copy of the template; the repository is one for all of them, and none of them writes to it.
fn gitops(folder: &Path) -> super::Gitops {
    let address = fs::read_to_string(folder.join("address")).unwrap();
    gitops_at(folder, Path::new(&address), &[])
}

fn look(folder: &Path, seconds: i64) -> Result<super::Report> {
    let wish = Wish { target: Target::Newest, ..Wish::of_loop() };
    reconcile_config(&gitops(folder), &wish, at(seconds))
}

/// A home whose newest commit changes four files: two documents, the settings, and one that goes.
fn template(folder: &Path) -> Repository {
    let repository = Repository::new();
    repository.write("drydock.yaml", "version: 1\n");
    repository.write("desired/claude/settings.json", r#"{"model": "opus"}"#);
    repository.write("desired/claude.json", r#"{"theme": "dark"}"#);
    repository.write("desired/settings.yaml", "container: {pids: 512}\n");
    repository.write("desired/claude/agents/a.md", "an agent\n");
    repository.commit("first");
    let home = Home::new();
    fs::create_dir(folder).unwrap();
    faults::copied(&home.path(""), &folder.join("home"));
    fs::write(folder.join("address"), repository.bare().to_str().unwrap()).unwrap();
    look(folder, 1).unwrap();
    let followed = gitops(folder);
    assert!(followed.approve(&super::Which::All, at(2)).unwrap().is_settled());

    fs::remove_file(repository.work().join("desired/claude/agents/a.md")).unwrap();
    repository.write("desired/claude/settings.json", r#"{"model": "haiku", "language": "en"}"#);
    repository.write("desired/claude.json", r#"{"theme": "light"}"#);
    repository.write("desired/settings.yaml", "container: {pids: 1024}\n");
    repository.commit("second");
    approve_removal(folder);
    repository
}

/// The removal of the agent is let happen, as if the user had looked: what follows is in one transaction.
fn approve_removal(folder: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let other = scratch.path().join("other");
    faults::copied(folder, &other);
    let report = look(&other, 100).unwrap();
    assert_eq!(report.held.len(), 1, "{report:?}");
    let store = state::Store::take(&gitops(folder).locations.data_dir, Duration::ZERO).unwrap();
    let mut known = store.load().unwrap();
    known.approved.extend(report.held.values().map(|held| held.id.clone()));
    store.save(&known).unwrap();
}

#[test]
#[ignore = "the process that a fault is planned for"]
fn child_reconciles() {
    let Some(folder) = faults::folder() else { return };
    // A failing disk is told; how, the parent does not ask.
    let _ = look(&folder, 100);
}

struct Sides {
    old: Vec<String>,
    new: Vec<String>,
}

/// Each file is old or new at once; all of them are, once Drydock looks again; and then all are new.
fn assert_whole(folder: &Path, sides: &Sides, what: &str) {
    let now = said(folder);
    for (at, text) in now.iter().enumerate() {
        assert!(*text == sides.old[at] || *text == sides.new[at], "{what}: file {at} is {text:?}");
    }
    // The lock of a process that was ended is Claude Code's to take over, after its ten seconds.
    let _ = fs::remove_dir(folder.join("home/.claude.json.lock"));
    let followed = gitops(folder);
    let known = state::load(&state::folder(&followed.locations.data_dir)).unwrap();
    apply::recover(&followed.transaction(), |id| known.transaction == Some(id)).unwrap();
    let now = said(folder);
    assert!(now == sides.old || now == sides.new, "{what}: a mixture: {now:?}");
    let is_new = now == sides.new;
    let says_new = known.in_force.as_ref().unwrap().about.subject == "second";
    assert_eq!(is_new, says_new, "{what}: the files and what is remembered of them");

    let report = look(folder, 200).unwrap_or_else(|error| panic!("{what}: the next look: {error}"));
    assert_eq!(report.outcome, Outcome::Synced, "{what}");
    assert_eq!(said(folder), sides.new, "{what}");
    assert!(report.drift.is_empty(), "{what}: {:?}", report.drift);
    followed.verify_audit().unwrap_or_else(|error| panic!("{what}: {error}"));
    let lines = audit::read(&state::folder(&followed.locations.data_dir).join(audit::FILE)).unwrap();
    let second = lines.iter().filter(|line| line.commit == report.commit).count();
    assert_eq!(second, 5, "{what}: each change is in the log once");
    assert!(!followed.transaction().join("journal.json").exists(), "{what}");
}

fn left(folder: &Path) -> Vec<PathBuf> {
    let all = [folder.join("home/.claude"), folder.join("home/.config/drydock")];
    let files = all.iter().flat_map(|folder| walkdir::WalkDir::new(folder).into_iter().flatten());
    let staged = files.filter(|entry| entry.file_name().to_string_lossy().starts_with(".drydock-"));
    staged.map(walkdir::DirEntry::into_path).collect()
}

fn at_every_deed(fault: &str, step: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("template");
    let _repository = template(&folder);
    let done = scratch.path().join("done");
    faults::copied(&folder, &done);
    assert_eq!(look(&done, 100).unwrap().changed.len(), 5);
    assert_eq!(left(&done), Vec::<PathBuf>::new());
    let sides = Sides { old: said(&folder), new: said(&done) };
    assert_ne!(sides.old, sides.new);
    faults::at_every_deed(CHILD, &folder, 30, fault, step, |folder, what| assert_whole(folder, &sides, what));
}

#[test]
fn killed_at_every_deed() {
    at_every_deed("kill", 1);
}

#[test]
fn a_full_disk_at_every_deed() {
    at_every_deed("enospc", faults::EACH);
}

#[test]
fn a_failing_disk_at_every_deed() {
    at_every_deed("eio", faults::EACH);
}
