//! What a stranger reads before anything is done: what is damaged and where, what it comes from, what stays.

use super::person::{MEMORY, NOTHING, Person, SETTINGS, STATE};
use drydock_tests::rig::{ELSEWHERE, WORKED};
use serde_json::Value;
use std::fs;

/// An item of a plan.
fn item<'p>(plan: &'p Value, file: &std::path::Path) -> &'p Value {
    let items = plan["items"].as_array().unwrap_or_else(|| panic!("no items: {plan:#}"));
    let found = items.iter().find(|item| item["file"] == file.to_str().unwrap());
    found.unwrap_or_else(|| panic!("{} is not in it: {plan:#}", file.display()))
}

#[test]
fn where_nothing_is_damaged_that_is_said_and_nothing_is_done() {
    let person = Person::new();
    let before = person.files();
    for arguments in [&["--plan"][..], &["--yes"], &[]] {
        assert_eq!(person.recover(arguments).ok().stdout, NOTHING, "{arguments:?}");
    }
    assert!(before.iter().eq(person.files().iter()));
    assert_eq!(person.recover(&["--history"]).ok().stdout, "nothing was recovered yet\n");
    assert_eq!(person.backups.json(["recover", "--plan"])["items"], serde_json::json!([]));
}

#[test]
fn the_plan_says_what_is_damaged_and_what_is_done_about_it() {
    let person = Person::new();
    fs::write(person.file(STATE), "{\n  \"projects\": {\n").unwrap();
    fs::remove_dir_all(person.file(".claude/skills")).unwrap();
    fs::write(person.file(WORKED), &person.now(WORKED)[..1000]).unwrap();

    let plan = person.recover(&["--plan"]).ok();

    for wanted in [
        "comes back:\n",
        "  ~/.claude/skills   (",
        "is made whole, and keeps what is newer in it:\n",
        "  ~/.claude.json   (line 2, column 16: the file ends in the middle)\n",
        &format!("  ~/{WORKED}   (it has 1000 bytes, and had "),
        &format!("from snapshot {}, taken ", &person.snapshot[..8]),
        " ago\n",
        "kept: everything else as it is, and what is replaced goes into quarantine for 30 days",
        "drydock recover --undo",
        " in about ",
    ] {
        assert!(plan.stdout.contains(wanted), "{wanted:?} is not in it:\n{}", plan.stdout);
    }
    assert_eq!(plan.stderr, "");
}

#[test]
fn a_place_in_a_conversation_is_told() {
    let person = Person::new();
    let mut text = person.now(ELSEWHERE).to_vec();
    let second = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    text[second..second + 30].fill(b'x');
    fs::write(person.file(ELSEWHERE), text).unwrap();

    let plan = person.recover(&["--plan"]).ok();

    assert!(plan.stdout.contains("line 2, column 1: a record cannot be read"), "{plan:?}");
}

#[test]
fn the_plan_is_had_as_json_too() {
    let person = Person::new();
    person.cut(STATE);
    fs::remove_file(person.file(MEMORY)).unwrap();

    let plan = person.backups.json(["recover", "--plan"]);

    assert_eq!(plan["chosen"]["id"], person.snapshot.as_str(), "{plan:#}");
    assert_eq!(item(&plan, &person.file(STATE))["act"], "merge", "{plan:#}");
    assert_eq!(item(&plan, &person.file(MEMORY))["act"], "bring-back", "{plan:#}");
    let findings = plan["findings"].as_array().unwrap();
    let state = findings.iter().find(|one| one["file"] == person.file(STATE).to_str().unwrap());
    assert_eq!(state.unwrap_or_else(|| panic!("{plan:#}"))["damage"], "syntax", "{plan:#}");
}

#[test]
fn without_a_word_from_somebody_nothing_is_changed() {
    let person = Person::new();
    person.cut(STATE);
    person.cut(SETTINGS);
    let damaged = person.files();

    let refused = person.recover(&[]).exits(4).tells("recovery.unconfirmed");

    assert!(refused.stderr.contains("~/.claude.json"), "the plan is not shown: {refused:?}");
    assert!(refused.stderr.contains("nothing was changed"), "{refused:?}");
    assert!(refused.stderr.contains("try: drydock recover --yes"), "{refused:?}");
    assert!(damaged.iter().eq(person.files().iter()));
    assert_eq!(person.recover(&["--history"]).ok().stdout, "nothing was recovered yet\n");
}

#[test]
fn the_report_says_what_came_back_and_how_to_take_it_back() {
    let person = Person::new();
    person.cut(STATE);
    fs::remove_file(person.file(MEMORY)).unwrap();

    let done = person.recover(&["--yes"]).ok();

    for wanted in [
        "back: ~/.claude.json   (",
        "back: ~/.claude/CLAUDE.md   (as the snapshot has it)",
        "recovered in ",
        " s (promised: 5 min), checked",
        "from a snapshot ",
        " before (promised: at most 1 h)",
        "undo until ",
        ": drydock recover --undo ",
    ] {
        assert!(done.stdout.contains(wanted), "{wanted:?} is not in it:\n{}", done.stdout);
    }
}

#[test]
fn the_other_name_of_the_command_does_the_same() {
    let person = Person::new();
    person.cut(STATE);

    person.backups.ok(["disaster-recovery", "--yes"]);

    person.assert_nothing_is_damaged();
}

#[test]
fn a_running_claude_code_is_named() {
    let person = Person::new();
    person.cut(STATE);
    let pid = std::process::id();
    let record = format!(r#"{{"pid":{pid},"cwd":"{}"}}"#, person.file("shop").display());
    person.backups.home.write(&format!(".claude/sessions/{pid}.json"), &record);
    person.backups.home.write(".claude/sessions/999999999.json", r#"{"pid":999999999,"cwd":"/nowhere"}"#);

    let plan = person.recover(&["--plan"]).ok();

    let wanted = format!("Claude Code is running here (process {pid} in ~/shop); it goes on");
    assert!(plan.stdout.contains(&wanted), "{plan:?}");
    assert!(!plan.stdout.contains("999999999"), "one that has ended is named: {plan:?}");
    person.recover(&["--yes"]).ok();
    person.assert_nothing_is_damaged();
}
