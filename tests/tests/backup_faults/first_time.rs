//! The very first backup, killed at any moment: the next one begins anew or goes on.

use super::{
    dice::{Dice, rounds},
    proof::{assert_restores, assert_whole},
    tally::{Tally, Trace},
    times::Times,
};
use drydock_tests::rig::{BackupCopy, Backups};
use std::{fs, path::Path};

const USUAL_ROUNDS: usize = 12;

/// As if nothing had ever been backed up here.
fn forget_everything(backups: &Backups) {
    let state = backups.file(".local/share/drydock/backup");
    for folder in BackupCopy::ALL.map(|copy| backups.folder(copy)).iter().chain([&state]) {
        let _ = fs::remove_dir_all(folder);
        assert!(!folder.exists(), "{}", folder.display());
    }
    fs::create_dir_all(backups.scratch("remote")).unwrap();
}

#[test]
fn a_first_backup_that_was_killed_is_made_up_for_by_the_next() {
    let what = "the first backup now, killed";
    let mut dice = Dice::thrown_for(what);
    let mut tally = Tally::default();
    let backups = Backups::with_three_copies();
    let mut times = Times::of(backups.home.path(), backups.drydock(["backup", "now"]));
    for round in 1..=rounds(USUAL_ROUNDS) {
        forget_everything(&backups);
        let (home, data) = (backups.home.path(), backups.file(".local/share/drydock"));
        let trace = Trace::of(home);
        let mut drydock = backups.drydock(["backup", "now"]).start_apart();
        times.wait(&mut drydock, home, &trace, &mut dice);
        let had_ended = drydock.has_ended();
        drydock.kill();
        tally.count(had_ended, &trace, home);
        if had_ended {
            times.were_shorter();
        } else {
            times.may_be_longer();
        }

        let next = backups.drydock(["backup", "now"]).done();

        assert_eq!(
            next.code,
            Some(0),
            "round {round}: {}{}\nleft by the kill: {:?}",
            next.stdout,
            next.stderr,
            names(&data)
        );
        assert_whole(&backups);
        for copy in BackupCopy::ALL {
            assert_restores(&backups, copy);
            let newest = backups.standing(copy)["newest"].clone();
            assert!(newest.is_string(), "round {round}: the {} copy has no snapshot", copy.word());
        }
    }
    tally.tell(what);
}

fn names(folder: &Path) -> Vec<String> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.path().display().to_string())
        .collect()
}
