//! Work on the backups that is killed at any moment, with all its processes or with one.

use super::{
    dice::{Dice, rounds},
    proof::{assert_nothing_unfinished, assert_restores, assert_whole},
    tally::{Tally, Trace},
    times::Times,
};
use drydock_tests::rig::{BackupCopy, Backups, WORKED, repository_files};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

/// What is killed.
#[derive(Clone, Copy)]
enum Victim {
    /// `drydock` and all that it started.
    All,
    /// A process that it started, of this name; it then ends with an error of this code.
    Child(&'static str, &'static str),
}

/// Work that is begun and killed again and again.
struct Killed {
    what: &'static str,
    arguments: &'static [&'static str],
    victim: Victim,
    /// The copy that it writes.
    writes: BackupCopy,
    /// What is done before each time, so that there is work.
    prepare: fn(&Backups, &mut Dice),
    /// Which of the snapshots may be gone afterwards.
    may_go: fn(&Backups) -> BTreeSet<String>,
    /// What else holds when the next time has succeeded.
    afterwards: fn(&Backups),
}

const USUAL_ROUNDS: usize = 12;
/// After so many rounds everything is read back.
const OFTEN: usize = 10;

impl Killed {
    fn again_and_again(&self, backups: &Backups) {
        let mut dice = Dice::thrown_for(self.what);
        let mut tally = Tally::default();
        let folder = backups.folder(self.writes);
        let restic = backups.restic(self.writes);
        (self.prepare)(backups, &mut dice);
        let mut times = Times::of(&folder, backups.drydock(self.arguments));
        let count = rounds(USUAL_ROUNDS);
        for round in 1..=count {
            (self.prepare)(backups, &mut dice);
            let may_go = (self.may_go)(backups);
            let complete = snapshots_in(&folder);
            let trace = Trace::of(&folder);

            let had_ended = self.kill(backups, &trace, &mut times, &mut dice);

            if !had_ended {
                times.may_be_longer();
            }
            tally.count(had_ended, &trace, &folder);
            restic.check_structure();
            let there: BTreeSet<_> = restic.snapshots().into_iter().collect();
            let lost: Vec<_> = complete.difference(&there).filter(|id| !may_go.contains(*id)).collect();
            assert!(lost.is_empty(), "round {round}: gone: {lost:?}");
            self.next_time_it_succeeds(backups);
            (self.afterwards)(backups);
            if round % OFTEN == 0 || round == count {
                assert_whole(backups);
                assert_restores(backups, self.writes);
                assert_nothing_unfinished(backups, self.writes);
            }
        }
        tally.tell(self.what);
    }

    /// Begins the work and kills it at some moment. Whether it had ended before.
    fn kill(&self, backups: &Backups, trace: &Trace, times: &mut Times, dice: &mut Dice) -> bool {
        let mut drydock = backups.drydock(self.arguments).start_apart();
        times.wait(&mut drydock, &backups.folder(self.writes), trace, dice);
        if drydock.has_ended() {
            times.were_shorter();
            drydock.done().ok();
            return true;
        }
        let Victim::Child(name, code) = self.victim else {
            drydock.kill();
            return false;
        };
        let was_there = drydock.kill_child(name);
        let done = drydock.done();
        if done.code == Some(0) {
            times.were_shorter();
            return true;
        }
        assert!(was_there, "nobody was killed, and yet: {done:?}");
        let told = format!("{}{}", done.stdout, done.stderr);
        assert!(told.contains(&format!("[{code}]")) && told.contains("  try: "), "{done:?}");
        assert_eq!(done.code, Some(1), "{done:?}");
        false
    }

    fn next_time_it_succeeds(&self, backups: &Backups) {
        backups.ok(["backup", "now"]);
        if self.arguments != ["backup", "now"] {
            backups.ok(self.arguments);
        }
    }
}

/// The snapshots whose files are there.
fn snapshots_in(folder: &Path) -> BTreeSet<String> {
    let files = repository_files(folder).into_keys();
    let names = files.filter_map(|name| name.strip_prefix("snapshots/").map(str::to_owned));
    // One that is being written has no name yet.
    names.filter(|name| !name.starts_with('.')).collect()
}

/// The snapshots that a prune would let go of, or one that was killed has let go of in part.
fn what_a_prune_lets_go(backups: &Backups) -> BTreeSet<String> {
    names(&backups.json(["backup", "prune", "--plan"])["gone"])
}

fn names(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().expect("a list of names").iter();
    list.map(|name| name.as_str().expect("a name").to_owned()).collect()
}

fn nothing(_: &Backups) -> BTreeSet<String> {
    BTreeSet::new()
}

/// A conversation goes on, and files of up to a megabyte change.
fn change(backups: &Backups, dice: &mut Dice) {
    for name in ["one", "two", "three"] {
        let count = 100_000 + dice.below(900_000);
        fs::write(backups.file(".claude/file-history").join(name), dice.bytes(count)).unwrap();
    }
    backups.append(WORKED, 3);
}

/// Two snapshots more, with packs that are needed in part, and the proof that lets others go.
fn leave_something_to_prune(backups: &Backups, dice: &mut Dice) {
    for kept in [0, 1] {
        for name in ["a", "b", "c", "d", "e", "f"].iter().skip(kept * dice.below(5)) {
            let count = 20_000 + dice.below(60_000);
            fs::write(backups.file(".claude/file-history").join(name), dice.bytes(count)).unwrap();
        }
        backups.append(WORKED, 3);
        let _ = backups.snapshot();
    }
    backups.ok(["backup", "verify"]);
}

/// The snapshots that are there are those that stay, also after a prune that did not come to its end.
fn those_that_stay_are_there(backups: &Backups) {
    let planned = names(&backups.json(["backup", "prune", "--plan"])["stay"]);
    let there: BTreeSet<_> = backups.restic(BackupCopy::Local).snapshots().into_iter().collect();
    assert_eq!(there, planned, "those that are there, and those that stay");
}

fn backed_up() -> Backups {
    let backups = Backups::new();
    let _ = backups.snapshot();
    backups
}

fn backed_up_three_times() -> Backups {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    backups
}

/// Where all snapshots of one day go but the last.
fn pruned_often() -> Backups {
    let backups = backed_up();
    backups.set("backup.hourly_hours", "0");
    backups.set("backup.retention_days", "1");
    backups
}

const WORKER: Victim = Victim::Child("backup-repository", "backup.repository");

const BACKUP: Killed = Killed {
    what: "backup now, killed",
    arguments: &["backup", "now"],
    victim: Victim::All,
    writes: BackupCopy::Local,
    prepare: change,
    may_go: nothing,
    afterwards: |_| {},
};

const PRUNE: Killed = Killed {
    what: "backup prune, killed",
    arguments: &["backup", "prune"],
    prepare: leave_something_to_prune,
    may_go: what_a_prune_lets_go,
    afterwards: those_that_stay_are_there,
    ..BACKUP
};

/// The snapshot is there already: the time goes to the mirroring.
fn change_and_take(backups: &Backups, dice: &mut Dice) {
    for _ in 0..=dice.below(2) {
        change(backups, dice);
        backups.ok(["backup", "now", "--copy", "local"]);
    }
}

#[test]
fn a_killed_backup_harms_nothing() {
    BACKUP.again_and_again(&backed_up());
}

#[test]
fn a_backup_whose_worker_is_killed_says_so_and_harms_nothing() {
    Killed { what: "backup now, its worker killed", victim: WORKER, ..BACKUP }.again_and_again(&backed_up());
}

#[test]
fn a_killed_prune_harms_nothing() {
    PRUNE.again_and_again(&pruned_often());
}

#[test]
fn a_prune_whose_worker_is_killed_says_so_and_harms_nothing() {
    Killed { what: "backup prune, its worker killed", victim: WORKER, ..PRUNE }
        .again_and_again(&pruned_often());
}

#[test]
fn a_killed_mirroring_to_the_external_copy_harms_nothing() {
    Killed {
        what: "backup now --copy external, killed",
        arguments: &["backup", "now", "--copy", "external"],
        writes: BackupCopy::External,
        prepare: change_and_take,
        ..BACKUP
    }
    .again_and_again(&backed_up_three_times());
}

const TO_THE_CLOUD: Killed = Killed {
    what: "backup now --copy cloud, killed",
    arguments: &["backup", "now", "--copy", "cloud"],
    writes: BackupCopy::Cloud,
    prepare: change_and_take,
    ..BACKUP
};

#[test]
fn a_killed_mirroring_to_the_cloud_copy_harms_nothing() {
    TO_THE_CLOUD.again_and_again(&backed_up_three_times());
}

#[test]
fn a_mirroring_whose_rclone_is_killed_says_so_and_harms_nothing() {
    let victim = Victim::Child("rclone", "copy.failed");
    Killed { what: "backup now --copy cloud, its rclone killed", victim, ..TO_THE_CLOUD }
        .again_and_again(&backed_up_three_times());
}
