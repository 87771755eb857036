//! Damage in any file of any copy: it is named, the others are not blamed, and it is mended from them.

use super::{
    damages::{Damage, How, Kind},
    dice::{Dice, rounds},
    proof::{assert_restores, assert_whole, verdict},
    saved::Saved,
};
use drydock_tests::rig::{BackupCopy, Backups, WORKED, log};
use serde_json::Value;
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
};

const USUAL_ROUNDS: usize = 30;

/// Three copies that are equal, with several files of every kind.
pub(crate) fn three_equal_copies(dice: &mut Dice) -> Backups {
    let backups = Backups::with_three_copies();
    for _ in 0..4 {
        go_on(&backups, dice);
    }
    assert_whole(&backups);
    backups
}

/// The home changes, and is backed up.
fn go_on(backups: &Backups, dice: &mut Dice) {
    fs::write(backups.file(".claude/file-history/one"), dice.bytes(300_000)).unwrap();
    backups.append(WORKED, 2);
    let _ = backups.snapshot();
}

#[test]
fn any_damage_is_named_and_mended_from_the_other_copies() {
    let mut dice = Dice::thrown_for("damage");
    let backups = three_equal_copies(&mut dice);
    let mut whole = Saved::of(&backups);
    let mut left = Vec::new();
    let mut failed = Vec::new();
    let count = rounds(USUAL_ROUNDS);
    for round in 1..=count {
        if left.is_empty() {
            left = Damage::all();
        }
        let damage = left.swap_remove(dice.below(left.len()));
        let done = catch_unwind(AssertUnwindSafe(|| struck_and_mended(damage, &backups, &mut dice)));
        if let Err(cause) = done {
            let words = cause.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("round {round}: {damage}: {words}"));
            // What one damage has left is no other one's fault.
            whole.back();
        } else if round % 5 == 0 {
            go_on(&backups, &mut dice);
            whole = Saved::of(&backups);
        }
    }
    log(&format!("damage: {} of {count} were mended", count - failed.len()));
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

fn struck_and_mended(damage: Damage, backups: &Backups, dice: &mut Dice) {
    let names = damage.strike(backups, dice);
    let found = backups.drydock(["backup", "verify", "--all", "--json"]).done();
    // A list that is not there is made again; it can be wanted by nobody.
    let is_missed = !(damage.kind == Kind::Seen && damage.how == How::Deleted);
    let verdict_found = verdict(&found, damage.copy);
    if is_missed {
        assert_eq!(found.code, Some(1), "{names:?} broke, and: {}{}", found.stdout, found.stderr);
        assert_eq!(verdict_found["state"], "damaged");
        for name in &names {
            assert!(is_named(name, damage, &verdict_found), "{name} is not named: {verdict_found:#}");
        }
    } else {
        assert_eq!(found.code, Some(0), "{}", found.stdout);
    }

    let healed = backups.drydock(["backup", "verify", "--all", "--heal", "--json"]).done().exits(0);

    let wanted = if is_missed { "healed" } else { "whole" };
    assert_eq!(verdict(&healed, damage.copy)["state"], wanted, "{}", healed.stdout);
    assert_whole(backups);
    backups.ok(["backup", "now"]);
    assert_restores(backups, damage.copy);
    if damage.copy != BackupCopy::Local {
        backups.restic(BackupCopy::Local).check();
    }
}

/// Whether a verdict names a file. One that has no name any more is named by its kind.
fn is_named(name: &str, damage: Damage, verdict: &Value) -> bool {
    let faults = verdict["faults"].as_array().expect("faults");
    let is_lost_index = damage.kind == Kind::Index && damage.how == How::Deleted;
    faults.iter().any(|fault| {
        let named = fault["file"].as_str().expect("a file");
        named == name || name.starts_with(&format!("{named}/")) || (is_lost_index && named == "repository")
    })
}

#[test]
fn whole_copies_are_not_blamed_for_damage_in_the_local_one() {
    let mut dice = Dice::thrown_for("blame");
    let backups = three_equal_copies(&mut dice);
    let all = Damage::all().into_iter().filter(|damage| damage.copy == BackupCopy::Local);
    let mut blamed = Vec::new();
    for damage in all.filter(|damage| [How::BitFlipped, How::Deleted].contains(&damage.how)) {
        let before = Saved::of(&backups);
        damage.strike(&backups, &mut dice);
        let found = backups.drydock(["backup", "verify", "--all", "--json"]).done();
        if !found.stdout.starts_with('[') {
            blamed.push(format!("{damage}, and nothing is told of any copy: {}", found.stdout));
        } else {
            for copy in [BackupCopy::External, BackupCopy::Cloud] {
                let state = verdict(&found, copy)["state"].clone();
                if state != "whole" {
                    blamed.push(format!("{damage}, and the {} copy is {state}", copy.word()));
                }
            }
        }
        before.back();
    }
    assert!(blamed.is_empty(), "{}", blamed.join("\n"));
}
