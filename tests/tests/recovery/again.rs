//! Damage that comes again, and changes that are none.

use super::person::{BEGUN_SINCE, MEMORY, NOTHING, Person, SETTINGS, STATE};
use drydock_tests::rig::{ASKED, HISTORY, NOTED, WORKED, record};
use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

/// Takes the second half of its records from a conversation.
fn halve(person: &Person, name: &str) {
    let whole = fs::read(person.file(name)).unwrap();
    let end = whole[..whole.len() / 2].iter().rposition(|byte| *byte == b'\n').unwrap();
    fs::write(person.file(name), &whole[..=end]).unwrap();
}

fn records(person: &Person, name: &str) -> usize {
    fs::read_to_string(person.file(name)).unwrap().lines().count()
}

#[test]
fn the_same_damage_right_after_a_recovery_is_found_again() {
    let person = Person::new();
    for _ in 0..3 {
        halve(&person, WORKED);
        fs::remove_dir_all(person.file(".claude/commands")).unwrap();

        let done = person.recover(&["--yes"]).ok();

        assert_eq!(records(&person, WORKED), 200, "{done:?}");
        assert!(person.file(".claude/commands/fix.md").exists(), "{done:?}");
        person.assert_nothing_is_damaged();
    }
}

#[test]
fn what_was_taken_back_is_found_again() {
    let person = Person::new();
    halve(&person, WORKED);
    fs::remove_dir_all(person.file(".claude/commands")).unwrap();
    person.recover(&["--yes"]).ok();
    person.recover(&["--undo"]).ok();

    let plan = person.recover(&["--plan"]).ok();

    for name in [WORKED, ".claude/commands"] {
        assert!(plan.stdout.contains(&format!("  ~/{name}  ")), "{plan:?}");
    }
}

#[test]
fn what_is_damaged_after_a_recovery_and_a_backup_comes_from_that_backup() {
    let person = Person::new();
    halve(&person, WORKED);
    person.recover(&["--yes"]).ok();
    person.backups.append(WORKED, 5);
    let _ = person.backups.snapshot();
    halve(&person, WORKED);

    person.recover(&["--yes"]).ok();

    assert_eq!(records(&person, WORKED), 205);
    person.assert_nothing_is_damaged();
}

#[test]
fn what_people_do_themselves_is_no_damage() {
    let person = Person::new();
    // Whatever Claude Code and its user do in a day.
    fs::remove_file(person.file(".claude/agents/reviewer.md")).unwrap();
    fs::write(person.file(MEMORY), "# My memory\n").unwrap();
    fs::write(person.file(SETTINGS), "{}\n").unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(person.now(STATE)).unwrap();
    state["projects"].as_object_mut().unwrap().remove("/home/ann/notes");
    fs::write(person.file(STATE), state.to_string()).unwrap();
    person.backups.append(BEGUN_SINCE, 2);
    person.backups.append(HISTORY, 1);
    fs::write(person.file(ASKED), [person.now(ASKED), record(ASKED, "again").as_bytes()].concat()).unwrap();

    assert_eq!(person.recover(&["--plan"]).ok().stdout, NOTHING);
}

#[test]
fn a_conversation_that_claude_code_deleted_since_it_is_old_is_no_damage() {
    let person = Person::new();
    let long_ago = SystemTime::now() - Duration::from_secs(40 * 24 * 3600);
    File::open(person.file(NOTED)).unwrap().set_modified(long_ago).unwrap();
    let _ = person.backups.snapshot();
    fs::remove_file(person.file(NOTED)).unwrap();

    assert_eq!(person.recover(&["--plan"]).ok().stdout, NOTHING);
}
