//! What somebody can choose: one file alone, everything, an older snapshot.

use super::{
    model::Model,
    person::{BEGUN_SINCE, MEMORY, Person, SETTINGS, STATE},
};
use drydock_tests::rig::WORKED;
use std::fs;

#[test]
fn one_file_that_is_not_damaged_comes_back_as_it_was() {
    let person = Person::new();
    let mine = "# My memory\n- changed my mind\n";
    for (typed, name) in [(".claude/settings.json", SETTINGS), ("~/.claude/CLAUDE.md", MEMORY)] {
        person.back();
        person.backups.home.write(MEMORY, mine);
        let before = person.files();

        let done = person.recover(&["--only", typed, "--yes"]).ok();

        assert!(done.stdout.contains(&format!("back: ~/{name}   (as the snapshot has it)")), "{done:?}");
        assert_eq!(fs::read(person.file(name)).unwrap(), person.then(name));
        // Nothing else was touched, and what was there is kept.
        let is = person.files();
        assert!(before.clone().without(&[name]).iter().eq(is.without(&[name]).iter()), "{done:?}");
        person.recover(&["--undo"]).ok();
        assert!(person.files().differing(&before).is_empty());
    }
}

#[test]
fn a_file_that_is_as_the_newest_snapshot_has_it_is_said_to_be() {
    let person = Person::new();
    let before = person.files();

    let done = person.recover(&["--only", MEMORY, "--yes"]).ok();

    assert!(done.stdout.contains(&format!("it is as snapshot {}, ", &person.snapshot[..8])), "{done:?}");
    assert!(done.stdout.contains("drydock recover --from SNAPSHOT"), "{done:?}");
    assert!(before.iter().eq(person.files().iter()));
}

#[test]
fn one_file_comes_from_an_older_snapshot_that_is_named() {
    let person = Person::new();
    let _ = person.backups.snapshot();
    let before = person.files();

    person.recover(&["--only", SETTINGS, "--from", &person.snapshot[..8], "--yes"]).ok();

    assert_eq!(fs::read(person.file(SETTINGS)).unwrap(), person.then(SETTINGS));
    assert!(before.without(&[SETTINGS]).iter().eq(person.files().without(&[SETTINGS]).iter()));
}

#[test]
fn one_damaged_file_alone_leaves_the_others_damaged() {
    let person = Person::new();
    person.cut(STATE);
    person.cut(SETTINGS);
    let damaged = person.files();

    person.recover(&["--only", ".claude.json", "--yes"]).ok();

    assert_eq!(person.files().bytes(SETTINGS), damaged.bytes(SETTINGS));
    let plan = person.recover(&["--plan"]).ok();
    assert!(
        plan.stdout.contains("~/.claude/settings.json") && !plan.stdout.contains("~/.claude.json"),
        "{plan:?}"
    );
}

#[test]
fn a_conversation_alone_keeps_what_is_newer_in_it() {
    let person = Person::new();

    person.recover(&["--only", &person.file(WORKED).display().to_string(), "--yes"]).ok();

    assert_eq!(fs::read(person.file(WORKED)).unwrap(), person.now(WORKED));
}

#[test]
fn a_file_that_no_snapshot_has_is_said_to_be_none() {
    let person = Person::new();
    let refused = person.recover(&["--only", ".claude/nothing.md", "--yes"]);
    let refused = refused.tells("snapshot.path");
    assert!(refused.code != Some(0) && refused.stderr.contains("nothing.md"), "{refused:?}");
}

#[test]
fn everything_is_as_the_snapshot_has_it_and_what_it_does_not_have_stays() {
    let person = Person::new();
    person.backups.home.write(".claude/agents/newcomer.md", "---\nname: newcomer\n---\n");
    fs::remove_file(person.file(".claude/agents/reviewer.md")).unwrap();
    let before = person.files();

    person.recover(&["--whole", "--yes"]).ok();

    let is = person.files();
    for (name, _) in person.then.iter() {
        let grows = name.extension().is_some_and(|ending| ending == "jsonl");
        let wanted = if grows { &person.now } else { &person.then };
        assert_eq!(is.bytes(name), wanted.bytes(name), "{}", name.display());
    }
    for name in [".claude/agents/newcomer.md", BEGUN_SINCE, ".claude/.credentials.json"] {
        assert_eq!(is.bytes(name), before.bytes(name), "{name}");
    }
    person.recover(&["--undo"]).ok();
    assert!(person.files().differing(&before).is_empty());
}

#[test]
fn an_older_snapshot_can_be_named() {
    let person = Person::new();
    let newer = person.backups.snapshot();
    fs::write(person.file(STATE), "").unwrap();
    fs::write(person.file(SETTINGS), "").unwrap();

    let plan = person.recover(&["--plan"]).ok();
    assert!(plan.stdout.contains(&format!("from snapshot {}, ", &newer[..8])), "{plan:?}");
    let done = person.recover(&["--from", &person.snapshot[..8], "--yes"]).ok();

    assert!(done.stderr.contains(&format!("from snapshot {}, ", &person.snapshot[..8])), "{done:?}");
    assert_eq!(fs::read(person.file(STATE)).unwrap(), person.then(STATE));
    assert_eq!(fs::read(person.file(SETTINGS)).unwrap(), person.then(SETTINGS));
}

#[test]
fn a_snapshot_that_is_not_there_is_said_not_to_be() {
    let person = Person::new();
    person.cut(STATE);
    let damaged = person.files();

    let refused = person.recover(&["--from", "ffffffff", "--yes"]).tells("snapshot.unknown");

    assert!(refused.code != Some(0), "{refused:?}");
    assert!(person.files().differing(&damaged).is_empty());
}

#[test]
fn everything_after_a_loss_of_everything_is_all_of_the_snapshot() {
    let person = Person::new();
    fs::remove_dir_all(person.file(".claude")).unwrap();
    fs::remove_file(person.file(STATE)).unwrap();
    let damaged = person.files();

    person.recover(&["--whole", "--yes"]).ok();

    let model = Model { then: &person.then, now: &person.now, damaged: &damaged };
    assert_eq!(model.faults(person.home()), Vec::<String>::new());
    let differing = person.files().differing(&person.then);
    assert!(differing.is_empty(), "{differing:?}");
}
