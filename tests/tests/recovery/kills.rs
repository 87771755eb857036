//! A recovery that is killed at any moment: every file is old or new then, and the next recovery finishes.

use super::{
    dice::{Dice, rounds},
    files::Files,
    members::members,
    model::Model,
    person::{Person, SETTINGS, STATE},
    saved::Saved,
    tally::{Tally, Trace},
    times::Times,
};
use drydock_tests::rig::{ELSEWHERE, HISTORY, WORKED};
use std::{fs, path::Path};

const USUAL_ROUNDS: usize = 12;

/// Damages something of every kind.
fn damage(person: &Person) {
    for name in [STATE, SETTINGS, WORKED, HISTORY] {
        person.cut(name);
    }
    for folder in [".claude/skills", ".claude/commands", ".claude/file-history"] {
        fs::remove_dir_all(person.file(folder)).unwrap();
    }
    fs::remove_file(person.file(ELSEWHERE)).unwrap();
    fs::create_dir(person.file(ELSEWHERE)).unwrap();
}

#[test]
fn a_killed_recovery_leaves_each_file_old_or_new_and_the_next_one_finishes() {
    let what = "recover --yes, killed";
    let mut dice = Dice::thrown_for(what);
    let mut tally = Tally::default();
    let person = Person::new();
    damage(&person);
    let damaged = person.files();
    let recover = || person.backups.drydock(["recover", "--yes"]);
    let mut times = Times::of(person.home(), recover());
    let whole = person.files();
    for round in 1..=rounds(USUAL_ROUNDS) {
        person.back();
        damage(&person);
        let trace = Trace::of(person.home());
        let mut drydock = recover().start_apart();
        times.wait(&mut drydock, person.home(), &trace, &mut dice);
        let had_ended = drydock.has_ended();
        drydock.kill();
        tally.count(had_ended, &trace, person.home());
        if had_ended {
            times.were_shorter();
        } else {
            times.may_be_longer();
        }
        let left = person.files();
        let broken = neither_old_nor_new(&left, &damaged, &whole);
        assert!(broken.is_empty(), "round {round}: {}", broken.join("\n"));

        let next = recover().done();

        assert_eq!(next.code, Some(0), "round {round}: {}{}", next.stdout, next.stderr);
        // What was replaced before the kill is whole, and must stay so.
        let model = Model { then: &person.then, now: &person.now, damaged: &damaged };
        let mut faults = model.faults(person.home());
        // Whoever takes Claude Code's lock next takes it for left behind, once it is ten seconds old.
        faults.retain(|fault| !fault.starts_with(".claude.json.lock "));
        assert!(faults.is_empty(), "round {round}: {}\n{}", faults.join("\n"), next.stdout);
        person.assert_nothing_is_damaged();
    }
    tally.tell(what);
}

#[test]
fn an_undo_that_was_killed_is_finished_by_the_next_one() {
    let what = "recover --undo, killed";
    let mut dice = Dice::thrown_for(what);
    let mut tally = Tally::default();
    let person = Person::new();
    damage(&person);
    let damaged = person.files();
    person.recover(&["--yes"]).ok();
    let whole = person.files();
    let recovered = Saved::of(&person.backups);
    let undo = || person.backups.drydock(["recover", "--undo"]);
    let mut times = Times::of(person.home(), undo());
    for round in 1..=rounds(USUAL_ROUNDS) {
        recovered.back();
        let trace = Trace::of(person.home());
        let mut drydock = undo().start_apart();
        times.wait(&mut drydock, person.home(), &trace, &mut dice);
        let had_ended = drydock.has_ended();
        drydock.kill();
        tally.count(had_ended, &trace, person.home());
        if had_ended {
            times.were_shorter();
            continue;
        }
        times.may_be_longer();
        let broken = neither_old_nor_new(&person.files(), &damaged, &whole);
        assert!(broken.is_empty(), "round {round}: {}", broken.join("\n"));

        let next = undo().done();

        // The kill may have come behind its last write.
        let is_over = next.code == Some(2) && next.stderr.contains("[recovery.unknown]");
        assert!(is_over || next.code == Some(0), "round {round}: {}{}", next.stdout, next.stderr);
        let differing = person.files().differing(&damaged);
        assert!(differing.is_empty(), "round {round}: {differing:?}\n{}", next.stdout);
        let left: Vec<_> =
            person.files().iter().map(|(name, _)| name.clone()).filter(|name| is_staged(name)).collect();
        assert!(left.is_empty(), "round {round}: {left:?}");
    }
    tally.tell(what);
}

/// Whether a name is one of a file that has not got to its place.
fn is_staged(name: &Path) -> bool {
    name.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".drydock-"))
}

fn neither_old_nor_new(left: &Files, damaged: &Files, whole: &Files) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, _) in damaged.iter().chain(whole.iter()) {
        let is = left.bytes(name);
        let known = is == damaged.bytes(name) || is == whole.bytes(name);
        if !known {
            faults.push(format!(
                "{} is neither old nor new: {:?} bytes",
                name.display(),
                is.map(<[u8]>::len)
            ));
        }
    }
    let state = left.bytes(STATE).unwrap_or_default();
    if Some(state) != damaged.bytes(STATE) && members(state).is_none() {
        faults.push("the state is neither the damaged one nor a document".to_owned());
    }
    faults
}
