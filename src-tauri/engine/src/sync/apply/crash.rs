//! Killing a sync out at every single deed on the disk, and failing each.

use super::{
    super::journal,
    tests::{CONVERSATION, Rig},
    *,
};
use crate::faults;
use drydock_inside::digest;
use std::{collections::BTreeMap, os::unix::process::ExitStatusExt, process::ExitStatus};

const CHILD: &str = "sync::apply::crash::child";
const FORKED: &str = "projects/-p/22222222-2222-4222-8222-222222222222.jsonl";
const NEW: &str = "projects/-p/33333333-3333-4333-8333-333333333333.jsonl";

fn line(text: &str) -> String {
    format!("{{\"sessionId\":\"22222222-2222-4222-8222-222222222222\",\"t\":\"{text}\"}}\n")
}

/// What the session brings: something of every kind of deed.
fn session() -> Vec<(&'static str, String)> {
    vec![
        (CONVERSATION, "one\ntwo\nthree\n".into()),
        (FORKED, line("one") + &line("session")),
        (NEW, "new\n".into()),
        ("projects/-p/memory/A.md", "a of the session".into()),
        ("projects/-p/tool-results-of/x/tool-results/a.txt", "result".into()),
        ("history.jsonl", "{\"display\":\"a\"}\n{\"display\":\"c\"}\n".into()),
        ("agents/held.md", "held".into()),
        ("skills/s/SKILL.md", "held too".into()),
    ]
}

fn prepare(dir: &Path) {
    fs::create_dir_all(dir.join("home/.claude")).unwrap();
    let mut rig = Rig::at(dir);
    rig.shared(CONVERSATION, "one\n");
    rig.shared(FORKED, &line("one"));
    rig.write(FORKED, &(line("one") + &line("host")));
    rig.shared("projects/-p/memory/A.md", "a");
    rig.shared("history.jsonl", "{\"display\":\"a\"}\n{\"display\":\"b\"}\n");
    rig.shared("skills/s/SKILL.md", "skill");
}

fn bring_out(dir: &Path) -> Result<OutReport> {
    let session = session();
    let files: Vec<_> = session.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Rig::at(dir).out(&files)
}

/// Every file of the host home, by name, without what is Drydock's own.
fn host_files(dir: &Path) -> BTreeMap<String, String> {
    let root = dir.join("home/.claude");
    walkdir::WalkDir::new(&root)
        .into_iter()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let name = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn child() {
    if let Some(dir) = faults::folder() {
        bring_out(&dir).unwrap();
    }
}

fn sweep_through(fault: &str, expected: impl Fn(ExitStatus) -> bool) {
    let (old, new) = {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let old = host_files(dir.path());
        bring_out(dir.path()).unwrap();
        (old, host_files(dir.path()))
    };
    let mut met = 0;
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    for deed in 1..=faults::deeds(CHILD, dir.path(), 41) {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let status = faults::run(CHILD, dir.path(), &format!("{fault}:{deed}"));
        met += usize::from(expected(status));
        let found = host_files(dir.path());
        for name in old.keys() {
            assert!(found.contains_key(name), "{fault} at {deed}: {name} is gone");
        }
        for (name, text) in found.iter().filter(|(name, _)| !name.ends_with(".tmp")) {
            let is = |files: &BTreeMap<String, String>| files.get(name) == Some(text);
            assert!(is(&old) || is(&new), "{fault} at {deed}: {name} is neither old nor new: {text:?}");
        }
        bring_out(dir.path()).unwrap();
        assert_eq!(host_files(dir.path()), new, "{fault} at {deed}, and then again");
        let held: Vec<_> = Rig::at(dir.path()).held().waiting(Utc::now()).unwrap();
        assert_eq!(held.len(), 2, "{fault} at {deed}: what waits");
        let journals = dir.path().join("home/.local/share/drydock/journal");
        assert_eq!(fs::read_dir(journals).unwrap().count(), 0, "{fault} at {deed}: the journal is finished");
    }
    assert!(met > 40, "the fault was met {met} times only");
}

#[test]
fn killed_at_any_deed_every_file_is_old_or_new_and_the_next_sync_finishes() {
    sweep_through("kill", |status| status.signal() == Some(9));
}

#[test]
fn a_disk_that_is_full_at_any_deed_leaves_every_file_old_or_new() {
    sweep_through("enospc", |status| !status.success());
}

#[test]
fn a_disk_that_fails_at_any_deed_leaves_every_file_old_or_new() {
    sweep_through("eio", |status| !status.success());
}

#[test]
fn an_append_that_was_cut_in_the_middle_is_finished_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (target, tail) = (dir.path().join("t"), dir.path().join("tail"));
    fs::write(&target, "one\ntw").unwrap();
    fs::write(&tail, "skipped:two\nthree\n").unwrap();
    let deed = Deed::Append { target: target.clone(), at: 4, tail, skip: 8 };
    let data = dir.path().join("data");
    drop(Journal::begin(&data, std::slice::from_ref(&deed)).unwrap());
    journal::recover_journals(&data).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "one\ntwo\nthree\n");
    // What another program wrote behind it is left alone.
    fs::write(&target, "one\nother").unwrap();
    drop(Journal::begin(&data, &[deed]).unwrap());
    journal::recover_journals(&data).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "one\nother");
}

#[test]
fn what_another_program_wrote_during_an_exchange_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target");
    let mark = |text: &str| {
        let file = dir.path().join("marked");
        fs::write(&file, text).unwrap();
        digest::mark_of(&file).unwrap()
    };
    let data = dir.path().join("data");
    // Killed after the exchange: ours is in place, and what came out is not what was expected.
    fs::write(&target, "ours").unwrap();
    let staged = dir.path().join(".drydock-1.tmp");
    fs::write(&staged, "theirs").unwrap();
    let deed = Deed::Place {
        staged: staged.clone(),
        target: target.clone(),
        before: Some(mark("old")),
        after: mark("ours"),
    };
    drop(Journal::begin(&data, std::slice::from_ref(&deed)).unwrap());
    journal::recover_journals(&data).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
    assert!(!staged.exists());
    // They have written again since: the newest stays, and the one before is kept.
    fs::write(&target, "theirs, newer").unwrap();
    fs::write(&staged, "theirs").unwrap();
    drop(Journal::begin(&data, &[deed]).unwrap());
    journal::recover_journals(&data).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "theirs, newer");
    let kept: Vec<_> =
        fs::read_dir(data.join("rescued")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), "theirs");
}
