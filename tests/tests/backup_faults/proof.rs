//! What has to hold after every fault.

use super::tally::unfinished;
use drydock_tests::rig::{BackupCopy, Backups, Done, Tree};
use serde_json::Value;
use std::fs;

/// Fails unless every copy that is set up is found whole, with everything read back.
pub(crate) fn assert_whole(backups: &Backups) {
    for copy in verified(&backups.drydock(["backup", "verify", "--all"]).arg("--json").done().ok()) {
        assert!(copy["state"] == "whole" || copy["state"] == "not-set-up", "{copy:#}");
    }
}

/// Fails unless restic finds a copy whole with everything read back, and Drydock restores the newest snapshot
/// of it as what is in the home.
pub(crate) fn assert_restores(backups: &Backups, copy: BackupCopy) {
    let restic = backups.restic(copy);
    restic.check();
    let wanted = backups.tree();
    let by_restic = backups.scratch("by-restic");
    restic.restore("latest", &by_restic);
    Tree::of(&by_restic).without(&["archive"]).assert_is(&wanted);
    fs::remove_dir_all(by_restic).unwrap();
    let restored = backups.restored("latest");
    Tree::of(&restored).without(&["archive"]).assert_is(&wanted);
    fs::remove_dir_all(restored).unwrap();
}

/// Fails if there are half-written files in a copy.
pub(crate) fn assert_nothing_unfinished(backups: &Backups, copy: BackupCopy) {
    let left = unfinished(&backups.folder(copy));
    assert!(left.is_empty(), "half-written files in the {} copy: {left:?}", copy.word());
}

/// What `drydock backup verify --json` says of each copy.
pub(crate) fn verified(done: &Done) -> Vec<Value> {
    let told = done.json();
    told.as_array().unwrap_or_else(|| panic!("no list: {told:#}")).clone()
}

/// What it says of one.
pub(crate) fn verdict(done: &Done, copy: BackupCopy) -> Value {
    let all = verified(done);
    let wanted = all.iter().find(|one| one["copy"] == copy.word());
    wanted.unwrap_or_else(|| panic!("{} is not told of: {all:?}", copy.word())).clone()
}
