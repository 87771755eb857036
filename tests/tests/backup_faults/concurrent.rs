//! Work on the backups that happens at the same time, with damage and prunes between.

use super::{
    damage::three_equal_copies,
    damages::{Damage, How, Kind},
    dice::{Dice, rounds},
    proof::{assert_nothing_unfinished, assert_restores, assert_whole},
};
use drydock_tests::rig::{BackupCopy, Backups, Done, Invocation, WORKED};
use std::fs;

const USUAL_ROUNDS: usize = 4;
/// Each takes many seconds.
const MOST_ROUNDS: usize = 25;

fn change(backups: &Backups, dice: &mut Dice) {
    fs::write(backups.file(".claude/file-history/one"), dice.bytes(400_000)).unwrap();
    backups.append(WORKED, 2);
}

/// Starts all of them, and waits for all.
fn together<const N: usize>(all: [Invocation; N]) -> [Done; N] {
    all.map(Invocation::start).map(drydock_tests::rig::Running::done)
}

#[test]
fn two_backups_at_once_are_both_done() {
    let mut dice = Dice::thrown_for("two backups");
    let backups = three_equal_copies(&mut dice);
    for _ in 0..rounds(USUAL_ROUNDS).min(MOST_ROUNDS) {
        change(&backups, &mut dice);

        let both = together([backups.drydock(["backup", "now"]), backups.drydock(["backup", "now"])]);

        for done in both {
            let done = done.ok();
            assert!(!done.stdout.contains("behind"), "{done:?}");
        }
        assert_whole(&backups);
    }
    for copy in BackupCopy::ALL {
        assert_restores(&backups, copy);
    }
}

#[test]
fn a_backup_during_a_prune_waits_or_goes_first() {
    let mut dice = Dice::thrown_for("a backup during a prune");
    let backups = three_equal_copies(&mut dice);
    backups.set("backup.hourly_hours", "0");
    backups.set("backup.retention_days", "1");
    for _ in 0..rounds(USUAL_ROUNDS).min(MOST_ROUNDS) {
        for _ in 0..4 {
            change(&backups, &mut dice);
            backups.ok(["backup", "now"]);
        }
        backups.ok(["backup", "verify"]);
        change(&backups, &mut dice);

        let [pruned, first, second] = together([
            backups.drydock(["backup", "prune"]),
            backups.drydock(["backup", "now"]),
            backups.drydock(["backup", "now"]),
        ]);

        first.ok();
        second.ok();
        if pruned.code != Some(0) {
            // The new snapshot was there first, and nobody has read it back yet.
            pruned.exits(4).tells("backup.unverified");
        }
        assert_whole(&backups);
        for copy in BackupCopy::ALL {
            assert_restores(&backups, copy);
        }
    }
}

#[test]
fn mending_during_a_backup_mends_and_loses_nothing() {
    let mut dice = Dice::thrown_for("mending during a backup");
    let backups = three_equal_copies(&mut dice);
    for _ in 0..rounds(USUAL_ROUNDS).min(MOST_ROUNDS) {
        let kind = *dice.one_of(&[Kind::Pack, Kind::Index, Kind::Snapshot, Kind::Key]);
        let copy = *dice.one_of(&BackupCopy::ALL);
        let how = *dice.one_of(&[How::BitFlipped, How::CutByOne, How::Deleted]);
        let damage = Damage { copy, kind, how };
        damage.strike(&backups, &mut dice);
        change(&backups, &mut dice);

        let [healed, backed_up] = together([
            backups.drydock(["backup", "verify", "--all", "--heal"]),
            backups.drydock(["backup", "now"]),
        ]);

        assert_eq!(healed.code, Some(0), "{damage}: {healed:?}");
        if backed_up.code != Some(0) {
            let said = format!("{}{}", backed_up.stdout, backed_up.stderr);
            // It met the damage before that was mended.
            let expected = ["[backup.damaged]", "[backup.repository]", "[copy.failed]"];
            assert!(expected.iter().any(|code| said.contains(code)), "{damage}: {backed_up:?}");
        }
        backups.ok(["backup", "now"]);
        assert_whole(&backups);
        for copy in BackupCopy::ALL {
            assert_restores(&backups, copy);
        }
    }
}

#[test]
fn those_who_mend_at_once_do_not_disturb_each_other() {
    let mut dice = Dice::thrown_for("mending at once");
    let backups = three_equal_copies(&mut dice);
    // Half as often as the others: each round damages four files, and four mend them.
    for _ in 0..rounds(USUAL_ROUNDS / 2).min(MOST_ROUNDS) {
        for kind in [Kind::Index, Kind::Pack] {
            for copy in [BackupCopy::Local, BackupCopy::External] {
                Damage { copy, kind, how: How::BitFlipped }.strike(&backups, &mut dice);
            }
        }
        let heal = || backups.drydock(["backup", "verify", "--all", "--heal"]);

        for done in together([heal(), heal(), heal(), heal()]) {
            done.ok();
        }

        assert_whole(&backups);
        for copy in BackupCopy::ALL {
            assert_restores(&backups, copy);
            assert_nothing_unfinished(&backups, copy);
        }
    }
}

#[test]
fn copies_that_are_being_written_are_not_called_damaged() {
    let mut dice = Dice::thrown_for("verify during backups");
    let backups = three_equal_copies(&mut dice);
    for _ in 0..rounds(USUAL_ROUNDS).min(MOST_ROUNDS) {
        change(&backups, &mut dice);
        let verify = || backups.drydock(["backup", "verify", "--all"]);
        let now = || backups.drydock(["backup", "now"]);

        let [one, seen, other, seen_again] = together([now(), verify(), now(), verify()]);

        one.ok();
        other.ok();
        for seen in [seen, seen_again] {
            let seen = seen.ok();
            assert_eq!(seen.stdout.matches("copy: whole").count(), 3, "{seen:?}");
        }
    }
}
