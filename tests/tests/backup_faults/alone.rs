//! Damage that one copy alone, or none, can mend: from the host home, from what Drydock remembers, or not.

use super::{
    damage::three_equal_copies,
    damages::{Damage, How, Kind},
    dice::Dice,
    proof::{assert_restores, assert_whole, verdict},
};
use drydock_tests::rig::{BackupCopy, Backups, Tree, WORKED};
use std::fs;

const WAYS: [How; 5] = [How::BitFlipped, How::CutByOne, How::Emptied, How::BlockZeroed, How::Deleted];

/// Fails unless damage of this kind is found, and mended without any other copy.
fn assert_mended_alone(kind: Kind) {
    let mut dice = Dice::thrown_for(&format!("{kind:?} of the only copy"));
    for how in WAYS {
        let backups = Backups::new();
        let _ = backups.snapshot();
        let damage = Damage { copy: BackupCopy::Local, kind, how };
        damage.strike(&backups, &mut dice);
        let found = backups.drydock(["backup", "verify", "--all", "--json"]).done().exits(1);
        assert_eq!(verdict(&found, BackupCopy::Local)["state"], "damaged", "{damage}");

        let healed = backups.drydock(["backup", "verify", "--all", "--heal"]).done();

        assert_eq!(healed.code, Some(0), "{damage}: {}{}", healed.stdout, healed.stderr);
        assert_whole(&backups);
        assert_restores(&backups, BackupCopy::Local);
        backups.append(WORKED, 1);
        let _ = backups.snapshot();
        assert_restores(&backups, BackupCopy::Local);
    }
}

#[test]
fn a_damaged_pack_is_mended_from_the_home() {
    assert_mended_alone(Kind::Pack);
}

#[test]
fn a_damaged_index_is_made_again_from_the_packs() {
    assert_mended_alone(Kind::Index);
}

#[test]
fn a_damaged_key_file_is_made_again_from_the_key() {
    assert_mended_alone(Kind::Key);
}

#[test]
fn a_damaged_config_is_mended_from_what_drydock_remembers() {
    assert_mended_alone(Kind::Config);
}

#[test]
fn what_is_lost_for_good_is_told_and_stands_in_nobodys_way() {
    let backups = Backups::new();
    let mut dice = Dice::thrown_for("lost for good");
    let notes = backups.file(".claude/file-history/notes");
    fs::write(&notes, dice.bytes(200_000)).unwrap();
    let first = backups.snapshot();
    let lost =
        backups.repository_files(BackupCopy::Local).into_iter().max_by_key(|(_, size)| *size).unwrap().0;
    fs::write(&notes, dice.bytes(200_000)).unwrap();
    let _ = backups.snapshot();
    fs::remove_file(backups.folder(BackupCopy::Local).join(lost)).unwrap();

    backups.drydock(["backup", "verify", "--all"]).done().exits(1);
    let told = backups.drydock(["backup", "verify", "--all", "--heal"]).done();

    assert!(
        told.stdout.contains(&first[..8]),
        "the snapshot that has lost data is not named: {}",
        told.stdout
    );
    backups.append(WORKED, 1);
    let newest = backups.snapshot();
    let to = backups.scratch("newest");
    backups.restic(BackupCopy::Local).restore(&newest, &to);
    Tree::of(&to).without(&["archive"]).assert_is(&backups.tree());
    // What is left of the first is still to be had.
    let partly = backups.scratch("partly");
    backups.drydock(["restore", &first, "--partial", "--to"]).arg(&partly).done().exits(1);
    assert!(partly.join(WORKED).is_file() && !partly.join(".claude/file-history/notes").exists());
    backups.ok(["backup", "verify"]);
    backups.ok(["backup", "prune"]);
}

#[test]
fn what_two_copies_lost_comes_from_the_third() {
    let mut dice = Dice::thrown_for("two of three");
    let backups = three_equal_copies(&mut dice);
    for kind in [Kind::Pack, Kind::Index, Kind::Snapshot, Kind::Key] {
        let damage = Damage { copy: BackupCopy::Local, kind, how: How::BitFlipped };
        let name = damage.strike(&backups, &mut dice).remove(0);
        How::Emptied.strike(&backups.folder(BackupCopy::External).join(&name), &mut dice);
        let found = backups.drydock(["backup", "verify", "--all", "--json"]).done().exits(1);
        for copy in [BackupCopy::Local, BackupCopy::External] {
            let told = verdict(&found, copy);
            assert_eq!(told["state"], "damaged");
            assert!(told["faults"].to_string().contains(&name), "{name}: {told:#}");
        }

        let healed = backups.ok(["backup", "verify", "--all", "--heal", "--json"]);

        for copy in [BackupCopy::Local, BackupCopy::External] {
            assert_eq!(verdict(&healed, copy)["state"], "healed", "{}", healed.stdout);
        }
        assert_whole(&backups);
        for copy in BackupCopy::ALL {
            assert_restores(&backups, copy);
        }
    }
}

#[test]
fn a_damaged_file_is_not_copied_any_further() {
    for copy in [BackupCopy::External, BackupCopy::Cloud] {
        let mut dice = Dice::thrown_for("damage before mirroring");
        let backups = three_equal_copies(&mut dice);
        let before = backups.repository_files(BackupCopy::Local);
        fs::write(backups.file(".claude/file-history/one"), dice.bytes(300_000)).unwrap();
        backups.ok(["backup", "now", "--copy", "local"]);
        let is_new = |name: &String| name.starts_with("data/") && !before.contains_key(name);
        let new = backups.repository_files(BackupCopy::Local).into_keys().find(is_new).expect("a new pack");
        How::BitFlipped.strike(&backups.folder(BackupCopy::Local).join(&new), &mut dice);

        let refused = backups.drydock(["backup", "now", "--copy", copy.word()]).done().exits(1);

        assert!(
            refused.stdout.contains("[backup.damaged]") && refused.stdout.contains(&new),
            "{}",
            refused.stdout
        );
        assert!(refused.stdout.contains("try: drydock backup verify --heal"), "{}", refused.stdout);
        assert!(!backups.folder(copy).join(&new).exists(), "it was copied");
        backups.restic(copy).check();
        backups.ok(["backup", "verify", "--heal"]);
        backups.ok(["backup", "now"]);
        assert_whole(&backups);
        assert_restores(&backups, copy);
    }
}

#[test]
fn damage_of_a_file_that_the_others_have_does_not_reach_them() {
    let mut dice = Dice::thrown_for("damage after mirroring");
    let backups = three_equal_copies(&mut dice);
    for how in [How::BitFlipped, How::CutByOne, How::Emptied, How::Deleted] {
        let name =
            Damage { copy: BackupCopy::Local, kind: Kind::Pack, how }.strike(&backups, &mut dice).remove(0);
        let whole = fs::read(backups.folder(BackupCopy::External).join(&name)).unwrap();

        // However it ends.
        let _ = backups.drydock(["backup", "now"]).done();

        for copy in [BackupCopy::External, BackupCopy::Cloud] {
            assert_eq!(
                fs::read(backups.folder(copy).join(&name)).unwrap(),
                whole,
                "{how:?}: {}",
                copy.word()
            );
            backups.restic(copy).check();
        }
        backups.ok(["backup", "verify", "--all", "--heal"]);
        assert_whole(&backups);
    }
}

#[test]
fn a_local_copy_that_is_gone_comes_back_from_the_others() {
    let mut dice = Dice::thrown_for("the local copy is gone");
    for helper in [BackupCopy::External, BackupCopy::Cloud] {
        let backups = three_equal_copies(&mut dice);
        let files = backups.repository_files(BackupCopy::Local);
        let snapshots = backups.restic(BackupCopy::Local).snapshots();
        fs::remove_dir_all(backups.folder(BackupCopy::Local)).unwrap();
        if helper == BackupCopy::Cloud {
            backups.set("backup.external.path", "");
        } else {
            backups.set("backup.cloud.remote", "");
        }
        let refused = backups.fails(["backup", "now"], 4, "backup.none");
        assert!(refused.stderr.contains("try: drydock backup verify --heal"), "{}", refused.stderr);

        backups.ok(["backup", "verify", "--heal"]);

        assert_eq!(
            backups.restic(BackupCopy::Local).snapshots(),
            snapshots,
            "from the {} copy",
            helper.word()
        );
        assert_eq!(backups.repository_files(BackupCopy::Local), files, "from the {} copy", helper.word());
        assert_whole(&backups);
        assert_restores(&backups, BackupCopy::Local);
        backups.append(WORKED, 1);
        let _ = backups.snapshot();
        assert_restores(&backups, helper);
    }
}

#[test]
fn without_other_copies_a_local_copy_that_is_gone_is_begun_anew() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    fs::remove_dir_all(backups.folder(BackupCopy::Local)).unwrap();

    let _ = backups.snapshot();

    assert_whole(&backups);
    assert_restores(&backups, BackupCopy::Local);
}
