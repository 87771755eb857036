//! Taking a recovery back, and the record of those so far.

use super::person::{MEMORY, Person, SETTINGS, STATE};
use drydock_tests::rig::WORKED;
use std::fs;

/// The names of the recoveries so far, and how they stand, the oldest first.
fn history(person: &Person) -> Vec<(String, String)> {
    let all = person.backups.json(["recover", "--history"]);
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_else(|| panic!("{all:#}")).to_owned();
    let all = all.as_array().unwrap().iter();
    all.map(|past| (word(&past["plan"]["id"])[..8].to_owned(), word(&past["standing"]))).collect()
}

#[test]
fn a_recovery_can_be_taken_back_once() {
    let person = Person::new();
    person.cut(STATE);
    let damaged = person.files();
    person.recover(&["--yes"]).ok();

    let undone = person.recover(&["--undo"]).ok();

    assert!(undone.stdout.starts_with("1 file as "), "{undone:?}");
    assert!(person.files().differing(&damaged).is_empty());
    let again = person.recover(&["--undo"]).exits(2).tells("recovery.unknown");
    assert!(again.stderr.contains("drydock recover --history"), "{again:?}");
    assert!(person.files().differing(&damaged).is_empty());
    // Nothing keeps it from being done anew.
    person.recover(&["--yes"]).ok();
    person.assert_nothing_is_damaged();
}

#[test]
fn one_of_several_recoveries_can_be_named() {
    let person = Person::new();
    fs::write(person.file(STATE), "").unwrap();
    person.recover(&["--yes"]).ok();
    fs::write(person.file(MEMORY), "mine\n").unwrap();
    person.recover(&["--only", MEMORY, "--yes"]).ok();
    let first = history(&person)[0].0.clone();

    person.recover(&["--undo", &first]).ok();

    assert_eq!(fs::read(person.file(STATE)).unwrap(), b"");
    assert_eq!(fs::read(person.file(MEMORY)).unwrap(), person.then(MEMORY));
    let standings: Vec<_> = history(&person).into_iter().map(|(_, standing)| standing).collect();
    assert_eq!(standings, ["undone", "done"]);
    person.recover(&["--undo", "00000000"]).exits(2).tells("recovery.unknown");
}

#[test]
fn a_file_that_was_written_since_stays_as_it_is() {
    let person = Person::new();
    person.cut(STATE);
    person.cut(WORKED);
    let damaged = person.files();
    person.recover(&["--yes"]).ok();
    person.backups.append(WORKED, 1);
    let written = fs::read(person.file(WORKED)).unwrap();

    let undone = person.recover(&["--undo"]).exits(4);

    assert!(undone.stdout.contains(&format!("stays, since it was written since: ~/{WORKED}")), "{undone:?}");
    assert_eq!(fs::read(person.file(WORKED)).unwrap(), written);
    assert_eq!(person.files().bytes(STATE), damaged.bytes(STATE));
}

#[test]
fn what_came_back_and_was_taken_away_again_is_kept() {
    let person = Person::new();
    fs::remove_dir_all(person.file(".claude/skills")).unwrap();
    person.recover(&["--yes"]).ok();

    person.recover(&["--undo"]).ok();

    let script = ".claude/skills/release-notes/collect.sh";
    assert!(!person.file(script).exists());
    let kept = walkdir::WalkDir::new(person.file(".local/share/drydock")).into_iter().flatten();
    let mut kept = kept.filter(|entry| entry.file_type().is_file());
    assert!(kept.any(|entry| fs::read(entry.path()).unwrap() == person.then(script)), "it is nowhere");
}

#[test]
fn the_recoveries_so_far_are_told() {
    let person = Person::new();
    for name in [STATE, SETTINGS] {
        person.cut(name);
        person.recover(&["--yes"]).ok();
    }
    person.recover(&["--undo"]).ok();

    let told = person.recover(&["--history"]).ok().stdout;

    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    // The newest first.
    assert!(
        lines[1].contains("undone") && lines[2].contains("done") && !lines[2].contains("undone"),
        "{told}"
    );
    assert!(lines[2].contains("1 file"), "{told}");
    assert!(lines[2].contains(&history(&person)[0].0), "{told}");
}

#[test]
fn words_that_do_not_go_together_are_refused() {
    let person = Person::new();
    for arguments in [
        &["--undo", "--yes"][..],
        &["--history", "--plan"],
        &["--plan", "--yes"],
        &["--whole", "--only", "x"],
    ] {
        person.recover(arguments).exits(2);
    }
}
