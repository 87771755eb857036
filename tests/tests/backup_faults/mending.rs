//! Mending that is killed, and pruning where there is damage: nothing is lost that another copy has.

use super::{
    damage::three_equal_copies,
    damages::{Damage, How, Kind},
    dice::{Dice, rounds},
    proof::{assert_nothing_unfinished, assert_restores, assert_whole},
    saved::Saved,
    tally::{Tally, Trace},
    times::Times,
};
use drydock_tests::rig::{BackupCopy, Backups};
use std::fs;

const USUAL_ROUNDS: usize = 12;
const MEND: [&str; 4] = ["backup", "verify", "--all", "--heal"];

/// Kills the mending of what `harm` does at some moment, again and again: the next mending brings all back.
fn assert_next_mending_mends(what: &str, harm: fn(&Backups, &mut Dice)) {
    let mut dice = Dice::thrown_for(what);
    let mut tally = Tally::default();
    let backups = three_equal_copies(&mut dice);
    let snapshots = backups.restic(BackupCopy::Local).snapshots();
    let folder = backups.folder(BackupCopy::Local);
    let whole = Saved::of(&backups);
    harm(&backups, &mut dice);
    let mut times = Times::of(&folder, backups.drydock(MEND));
    for round in 1..=rounds(USUAL_ROUNDS) {
        whole.back();
        harm(&backups, &mut dice);
        let trace = Trace::of(&folder);
        let mut drydock = backups.drydock(MEND).start_apart();
        times.wait(&mut drydock, &folder, &trace, &mut dice);
        let had_ended = drydock.has_ended();
        drydock.kill();
        tally.count(had_ended, &trace, &folder);
        if had_ended {
            times.were_shorter();
        } else {
            times.may_be_longer();
        }

        let next = backups.drydock(MEND).done();

        assert_eq!(next.code, Some(0), "round {round}: {}{}", next.stdout, next.stderr);
        assert_whole(&backups);
        assert_eq!(backups.restic(BackupCopy::Local).snapshots(), snapshots, "round {round}");
        backups.ok(["backup", "now"]);
        assert_restores(&backups, BackupCopy::Local);
        assert_nothing_unfinished(&backups, BackupCopy::Local);
    }
    for copy in [BackupCopy::External, BackupCopy::Cloud] {
        assert_restores(&backups, copy);
    }
    tally.tell(what);
}

#[test]
fn a_killed_mending_of_files_is_finished_by_the_next() {
    assert_next_mending_mends("verify --heal of damage, killed", |backups, dice| {
        for kind in [Kind::Pack, Kind::Index, Kind::Snapshot, Kind::Ledger] {
            let how = *dice.one_of(&[How::BitFlipped, How::CutByOne, How::Emptied, How::Deleted]);
            Damage { copy: BackupCopy::Local, kind, how }.strike(backups, dice);
        }
    });
}

#[test]
fn a_killed_mending_of_a_lost_local_copy_is_finished_by_the_next() {
    assert_next_mending_mends("verify --heal of a lost copy, killed", |backups, _| {
        fs::remove_dir_all(backups.folder(BackupCopy::Local)).unwrap();
    });
}

#[test]
fn a_prune_over_damage_loses_nothing_that_another_copy_has() {
    let mut dice = Dice::thrown_for("a prune over damage");
    let backups = three_equal_copies(&mut dice);
    backups.set("backup.hourly_hours", "0");
    backups.set("backup.retention_days", "1");
    let whole = Saved::of(&backups);
    let ways = [How::BitFlipped, How::Emptied, How::Deleted];
    let all =
        [Kind::Pack, Kind::Index, Kind::Snapshot].into_iter().flat_map(|kind| ways.map(|how| (kind, how)));
    for (kind, how) in all {
        let damage = Damage { copy: BackupCopy::Local, kind, how };
        let stay = stay(&backups);
        damage.strike(&backups, &mut dice);

        // It may well refuse to.
        let pruned = backups.drydock(["backup", "prune"]).done();

        let healed = backups.drydock(MEND).done();
        assert_eq!(healed.code, Some(0), "{damage}: {pruned:?}, and then {healed:?}");
        backups.ok(["backup", "now"]);
        assert_whole(&backups);
        let there = backups.restic(BackupCopy::Local).snapshots();
        let lost: Vec<_> = stay.iter().filter(|id| !there.contains(id)).collect();
        assert!(lost.is_empty(), "{damage}: {lost:?} are lost: {pruned:?}, and then {healed:?}");
        for copy in BackupCopy::ALL {
            assert_restores(&backups, copy);
        }
        whole.back();
    }
}

#[test]
fn what_is_damaged_in_two_copies_is_mended_from_the_third() {
    let mut dice = Dice::thrown_for("damage in two copies");
    let backups = three_equal_copies(&mut dice);
    let snapshots = backups.restic(BackupCopy::Local).snapshots();
    let files = backups.repository_files(BackupCopy::Local);
    let of = |folder: &str| {
        files.keys().find(|name| name.starts_with(folder)).unwrap_or_else(|| panic!("{folder}")).clone()
    };
    // The second copy has the pack, but not the index, without which the pack cannot be used.
    let damaged = [
        (BackupCopy::Local, of("index/")),
        (BackupCopy::Local, of("data/")),
        (BackupCopy::External, of("index/")),
    ];
    for (copy, name) in damaged {
        How::BitFlipped.strike(&backups.folder(copy).join(name), &mut dice);
    }

    backups.ok(MEND);

    assert_whole(&backups);
    for copy in BackupCopy::ALL {
        assert_eq!(backups.restic(copy).snapshots(), snapshots);
        assert_restores(&backups, copy);
    }
}

/// The snapshots that a prune of whole backups keeps.
fn stay(backups: &Backups) -> Vec<String> {
    let plan = backups.json(["backup", "prune", "--plan"]);
    let stay = plan["stay"].as_array().expect("a list").iter();
    stay.map(|id| id.as_str().expect("a name").to_owned()).collect()
}
