//! Homes whose data is in no backup of Drydock's: what is whole stays, and Claude Code's own backups are used.

use super::{
    members::{intact, members},
    person::{NOTHING, Person, STATE},
};
use drydock_tests::rig::{Backups, Home, WORKED, record};
use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

/// Claude Code's own backup of its state, of this many seconds from now.
fn own_backup(person: &Backups, seconds: i64, text: &str) {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    person.home.write(&format!(".claude/backups/.claude.json.backup.{}", now + seconds * 1000), text);
}

#[test]
fn without_any_data_and_any_backup_that_is_said() {
    let backups = Backups::of(Home::bare());

    let refused = backups.fails(["recover", "--yes"], 4, "recovery.no_backup");

    assert!(refused.stderr.contains("there is no backup here to recover from"), "{refused:?}");
    assert!(refused.stderr.contains("drydock recover --copy"), "{refused:?}");
    assert!(!backups.home.claude_dir().exists());
}

#[test]
fn where_nothing_is_damaged_nothing_is_missed() {
    let backups = Backups::new();
    assert_eq!(backups.ok(["recover", "--plan"]).stdout, NOTHING);
}

#[test]
fn a_cut_state_keeps_what_is_whole_in_it() {
    let backups = Backups::new();
    let whole = fs::read(backups.file(STATE)).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    // In the middle of the last project.
    let cut = text.rfind("lastCost").unwrap();
    fs::write(backups.file(STATE), &whole[..cut]).unwrap();

    let done = backups.ok(["recover", "--yes"]);

    let is = members(&fs::read(backups.file(STATE)).unwrap()).unwrap_or_else(|| panic!("{done:?}"));
    let was = members(&whole).unwrap();
    let left = intact(&whole, &whole[..cut]);
    assert!(left.len() > 4, "{left:?}");
    for member in &left {
        assert_eq!(is.get(member), was.get(member), "{member:?}");
    }
    assert_eq!(backups.ok(["recover", "--plan"]).stdout, NOTHING);
}

#[test]
fn a_broken_conversation_keeps_its_whole_records() {
    let backups = Backups::new();
    let whole = fs::read(backups.file(WORKED)).unwrap();
    let mut broken = whole.clone();
    broken[1000..1010].fill(0);
    fs::write(backups.file(WORKED), &broken).unwrap();

    backups.ok(["recover", "--yes"]);

    let is = fs::read_to_string(backups.file(WORKED)).unwrap();
    let was = String::from_utf8(whole).unwrap();
    let lost: Vec<_> = was.lines().filter(|line| !is.lines().any(|is| is == *line)).collect();
    assert_eq!((is.lines().count(), lost.len()), (199, 1));
    assert_eq!(backups.ok(["recover", "--plan"]).stdout, NOTHING);
}

#[test]
fn what_no_backup_has_and_nothing_is_whole_of_wants_the_user() {
    let backups = Backups::new();
    fs::write(backups.file(STATE), "").unwrap();

    for arguments in [["recover", "--plan"], ["recover", "--yes"]] {
        let done = backups.drydock(arguments).done().exits(4);

        assert!(
            done.stdout.contains("needs you:\n  ~/.claude.json   (the file is empty)\n    try: "),
            "{done:?}"
        );
        assert_eq!(fs::read(backups.file(STATE)).unwrap(), b"");
    }
}

#[test]
fn claude_codes_own_backup_is_used_where_there_is_no_other() {
    let backups = Backups::new();
    let whole = fs::read_to_string(backups.file(STATE)).unwrap();
    own_backup(&backups, -600, r#"{"projects":{}}"#);
    own_backup(&backups, -300, &whole);
    own_backup(&backups, -200, r#"{"projects":"#);
    own_backup(&backups, -100, r#"{"firstStartTime":"2026"}"#);
    fs::write(backups.file(STATE), "").unwrap();

    backups.ok(["recover", "--yes"]);

    assert_eq!(members(&fs::read(backups.file(STATE)).unwrap()), members(whole.as_bytes()));
}

#[test]
fn claude_codes_own_backup_is_used_where_it_is_newer_than_the_snapshot() {
    let person = Person::new();
    let newest = String::from_utf8(person.now(STATE).to_vec()).unwrap();
    own_backup(&person.backups, 1, &newest);
    fs::write(person.file(STATE), "").unwrap();

    let plan = person.recover(&["--plan"]).ok();

    assert!(plan.stdout.contains("comes from Claude Code's own backup:\n  ~/.claude.json   ("), "{plan:?}");
    person.recover(&["--yes"]).ok();
    assert_eq!(members(&fs::read(person.file(STATE)).unwrap()), members(newest.as_bytes()));
    person.assert_nothing_is_damaged();
}

#[test]
fn claude_codes_own_backup_is_not_used_where_it_is_older() {
    let person = Person::new();
    own_backup(&person.backups, -3600, r#"{"projects":{}}"#);
    fs::write(person.file(STATE), "").unwrap();

    person.recover(&["--yes"]).ok();

    assert_eq!(fs::read(person.file(STATE)).unwrap(), person.then(STATE));
}

#[test]
fn a_state_that_is_gone_keeps_the_members_of_both_backups() {
    let person = Person::new();
    own_backup(&person.backups, -3600, r#"{"projects":{}}"#);
    fs::remove_file(person.file(STATE)).unwrap();
    let conversation = person.file(WORKED);
    fs::write(&conversation, record(WORKED, "anew")).unwrap();

    person.recover(&["--yes"]).ok();

    assert_eq!(fs::read(person.file(STATE)).unwrap(), person.then(STATE));
    let records = fs::read_to_string(conversation).unwrap();
    assert_eq!(records.lines().count(), 201);
    assert!(records.lines().last().unwrap().contains("anew"));
}
