//! Drydock's own files in the other copies: the marker, which says whose copy it is, and the ledger.

use super::{
    damage::three_equal_copies,
    damages::How,
    dice::Dice,
    proof::{assert_restores, assert_whole, verdict},
    saved::Saved,
};
use drydock_tests::rig::{BackupCopy, Backups, WORKED};
use std::fs;

const MARKER: &str = "drydock/copy.json";
const LEDGER: &str = "drydock/ledger.jsonl";
const WAYS: [How; 3] = [How::BitFlipped, How::Emptied, How::Deleted];

/// The copy goes on being written.
fn assert_goes_on(backups: &Backups, copy: BackupCopy) {
    assert_whole(backups);
    backups.append(WORKED, 1);
    let newest = backups.snapshot();
    assert_eq!(backups.standing(copy)["newest"], newest.as_str(), "the {} copy", copy.word());
    assert_restores(backups, copy);
}

#[test]
fn the_marker_of_another_copy_is_made_again() {
    let mut dice = Dice::thrown_for("markers");
    let backups = three_equal_copies(&mut dice);
    let whole = Saved::of(&backups);
    let marker = backups.folder(BackupCopy::External).join(MARKER);
    let written = fs::read(&marker).unwrap();
    for how in WAYS {
        how.strike(&marker, &mut dice);

        let found = backups.drydock(["backup", "verify", "--all"]).done();

        assert!(found.stderr.contains("marker"), "{how:?}: nothing said: {}", found.stderr);
        assert_eq!(fs::read(&marker).unwrap(), written, "{how:?}");
        assert_goes_on(&backups, BackupCopy::External);
        whole.back();
    }
}

#[test]
fn the_ledger_of_another_copy_is_looked_at_too() {
    let mut dice = Dice::thrown_for("ledgers");
    let backups = three_equal_copies(&mut dice);
    for copy in [BackupCopy::External, BackupCopy::Cloud] {
        for how in WAYS {
            how.strike(&backups.folder(copy).join(LEDGER), &mut dice);
            let found = backups.drydock(["backup", "verify", "--all", "--json"]).done().exits(1);
            assert!(
                verdict(&found, copy)["faults"].to_string().contains(LEDGER),
                "{how:?}: {}",
                found.stdout
            );

            let healed = backups.ok(["backup", "verify", "--all", "--heal", "--json"]);

            assert_eq!(verdict(&healed, copy)["state"], "healed");
            assert_goes_on(&backups, copy);
        }
    }
}
