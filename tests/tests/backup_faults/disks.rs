//! Disks that are full, that nobody may write to, or that are gone: said as what it is, and made up for.

use super::{
    dice::{Dice, rounds},
    proof::{assert_nothing_unfinished, assert_whole},
};
use drydock_tests::rig::{
    BackupCopy, Backups, Done, Restic, SmallDisk, Stick, Tree, WORKED, noise, repository_files, until,
};
use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

const USUAL_ROUNDS: usize = 4;

/// Somebody whose local copy is on a disk of its own.
struct OnDisk {
    backups: Backups,
    disk: SmallDisk,
}

impl OnDisk {
    fn new(megabytes: u32) -> Self {
        let (backups, disk) = (Backups::new(), SmallDisk::mount(megabytes));
        backups.set("backup.local.path", disk.path().join("backups"));
        Self { backups, disk }
    }

    fn folder(&self) -> PathBuf {
        self.disk.path().join("backups")
    }

    fn restic(&self) -> Restic {
        Restic::on(self.folder(), &self.backups.code())
    }

    /// The snapshots whose files are there; restic would write a lock.
    fn snapshots(&self) -> Vec<String> {
        let files = repository_files(&self.folder()).into_keys();
        files.filter_map(|name| name.strip_prefix("snapshots/").map(str::to_owned)).collect()
    }

    /// Fails unless the newest snapshot is what is in the home, and nothing is broken.
    fn assert_caught_up(&self) {
        assert_whole(&self.backups);
        self.restic().check();
        let to = self.backups.scratch("from-the-disk");
        self.restic().restore("latest", &to);
        Tree::of(&to).without(&["archive"]).assert_is(&self.backups.tree());
        fs::remove_dir_all(to).unwrap();
    }
}

/// The home has more to back up: conversations whose bytes nothing makes smaller.
fn more(backups: &Backups, megabytes: usize) {
    let name = ".claude/projects/-home-ann-shop/99999999-9999-4999-8999-999999999999.jsonl";
    backups.home.write(name, &noise(name, megabytes << 20));
}

#[test]
fn a_full_disk_is_said_and_takes_snapshots_again_once_there_is_space() {
    let person = OnDisk::new(64);
    let first = person.backups.snapshot();
    let then = person.backups.tree();
    let ballast = person.disk.fill();
    more(&person.backups, 4);

    for _ in 0..2 {
        let full = person.backups.fails(["backup", "now"], 1, "disk.full");
        assert!(full.stderr.contains("try: free space"), "{}", full.stderr);
        assert_eq!(person.snapshots(), std::slice::from_ref(&first));
    }
    // What is there can be looked at and brought back, for which nothing has to be written there.
    person.backups.ok(["backup", "list"]);
    Tree::of(&person.backups.restored(&first)).assert_is(&then);
    let seen = person.backups.drydock(["backup", "verify", "--all"]).done();
    assert!(!seen.stdout.contains("DAMAGED"), "{seen:?}");

    fs::remove_file(ballast).unwrap();
    let second = person.backups.snapshot();
    assert_eq!(person.restic().snapshots(), [first, second]);
    person.assert_caught_up();
}

#[test]
fn a_disk_that_fills_up_at_any_moment_loses_no_snapshot() {
    let person = OnDisk::new(96);
    let mut taken = vec![person.backups.snapshot()];
    for free in [0, 4, 8, 16, 24, 40, 64, 300, 800, 1100, 1140, 1180, 1220] {
        more(&person.backups, 2);
        person.backups.append(WORKED, 50);
        let ballast = person.disk.fill_but(free);

        let done = person.backups.drydock(["backup", "now"]).done();

        if done.code != Some(0) {
            assert!(done.stderr.contains("[disk.full]"), "{free} kB free: {done:?}");
        }
        fs::remove_file(ballast).unwrap();
        person.restic().check_structure();
        let there = person.restic().snapshots();
        assert!(
            taken.iter().all(|id| there.contains(id)),
            "{free} kB free: {taken:?}, and there are {there:?}"
        );
        person.backups.ok(["backup", "now"]);
        taken = person.restic().snapshots();
        person.assert_caught_up();
    }
    person.backups.ok(["backup", "verify"]);
    assert_eq!(super::tally::unfinished(&person.folder()), Vec::<PathBuf>::new());
}

#[test]
fn a_first_backup_on_a_full_disk_is_made_up_for() {
    for free in [0, 8, 100, 700] {
        let person = OnDisk::new(32);
        more(&person.backups, 2);
        let ballast = person.disk.fill_but(free);

        person.backups.fails(["backup", "now"], 1, "disk.full");

        fs::remove_file(ballast).unwrap();
        let _ = person.backups.snapshot();
        person.assert_caught_up();
    }
}

#[test]
fn mending_on_a_full_disk_waits_for_space() {
    let person = OnDisk::new(64);
    let outside = person.backups.scratch("copy");
    person.backups.set("backup.external.path", &outside);
    more(&person.backups, 4);
    let _ = person.backups.snapshot();
    let files = repository_files(&person.folder());
    let largest = files.iter().max_by_key(|(_, size)| **size).unwrap().0;
    File::options().write(true).open(person.folder().join(largest)).unwrap().set_len(1000).unwrap();
    let ballast = person.disk.fill();

    let full = person.backups.drydock(["backup", "verify", "--all", "--heal"]).done().exits(1);

    assert!(full.stdout.contains("[disk.full]") || full.stderr.contains("[disk.full]"), "{full:?}");
    fs::remove_file(ballast).unwrap();
    let healed = person.backups.ok(["backup", "verify", "--all", "--heal"]);
    assert!(healed.stdout.contains("from the external copy"), "{healed:?}");
    assert_eq!(repository_files(&person.folder()), files);
    person.assert_caught_up();
}

#[test]
fn a_local_copy_that_nobody_may_write_to_is_said_and_still_restores() {
    let person = OnDisk::new(32);
    let first = person.backups.snapshot();
    let then = person.backups.tree();
    more(&person.backups, 1);
    person.disk.make_read_only(true);

    let refused = person.backups.fails(["backup", "now"], 1, "file.access");

    assert!(refused.stderr.contains(person.folder().to_str().unwrap()), "{}", refused.stderr);
    // As when the system stops writing to a disk that fails: now is the time to bring things back.
    person.backups.ok(["backup", "list"]);
    Tree::of(&person.backups.restored(&first)).assert_is(&then);
    let seen = person.backups.drydock(["backup", "verify", "--all"]).done();
    assert!(!seen.stdout.contains("DAMAGED"), "{seen:?}");

    person.disk.make_read_only(false);
    let _ = person.backups.snapshot();
    person.assert_caught_up();
}

/// Takes the right to write from the folders of a repository, or gives it back.
fn lock_up(folder: &Path, mode: u32) {
    for entry in walkdir::WalkDir::new(folder).contents_first(mode != 0o700) {
        let entry = entry.unwrap();
        if entry.file_type().is_dir() {
            fs::set_permissions(entry.path(), Permissions::from_mode(mode)).unwrap();
        }
    }
}

fn held_back(backups: &Backups, arguments: &[&str]) -> Done {
    backups.drydock(arguments).done_without_privileges()
}

#[test]
fn a_local_copy_without_the_right_to_write_is_said() {
    let backups = Backups::new();
    let first = backups.snapshot();
    more(&backups, 1);
    let folder = backups.folder(BackupCopy::Local);
    lock_up(&folder, 0o500);

    let refused = held_back(&backups, &["backup", "now"]).exits(1).tells("file.access");

    assert!(refused.stderr.contains(folder.to_str().unwrap()), "{}", refused.stderr);
    held_back(&backups, &["backup", "list"]).ok();
    lock_up(&folder, 0o700);
    let second = held_back(&backups, &["backup", "now"]).ok();
    assert!(second.stdout.contains("snapshot "), "{second:?}");
    assert_eq!(backups.restic(BackupCopy::Local).snapshots()[0], first);
    assert_whole(&backups);
}

#[test]
fn a_home_that_cannot_be_read_gives_no_empty_snapshot() {
    let backups = Backups::new();
    let first = backups.snapshot();
    let claude = backups.home.claude_dir();
    fs::set_permissions(&claude, Permissions::from_mode(0o000)).unwrap();

    let refused = held_back(&backups, &["backup", "now"]).exits(1).tells("file.access");

    assert!(refused.stderr.contains(claude.to_str().unwrap()), "{}", refused.stderr);
    assert_eq!(backups.restic(BackupCopy::Local).snapshots(), [first]);
    fs::set_permissions(&claude, Permissions::from_mode(0o755)).unwrap();
    backups.ok(["backup", "now"]);
    assert_whole(&backups);
}

#[test]
fn an_external_copy_without_the_right_to_write_is_said_and_catches_up() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    more(&backups, 1);
    let folder = backups.folder(BackupCopy::External);
    lock_up(&folder, 0o500);

    let done = held_back(&backups, &["backup", "now"]).exits(1);

    assert!(
        done.stdout.contains("external copy: behind") && done.stdout.contains("[file.access]"),
        "{done:?}"
    );
    assert!(!done.stdout.contains("cloud copy: behind"), "the cloud copy waits for another: {done:?}");
    lock_up(&folder, 0o700);
    held_back(&backups, &["backup", "now"]).ok();
    assert_whole(&backups);
    backups.restic(BackupCopy::External).check();
}

#[test]
fn a_volume_that_is_pulled_out_at_any_moment_catches_up() {
    let mut dice = Dice::thrown_for("pulled out");
    let mut stick = Stick::new(160);
    let at = stick.place("disk");
    stick.plug_in(&at);
    let backups = Backups::new();
    backups.set("backup.external.path", at.join("copy"));
    let _ = backups.snapshot();
    let restic = Restic::on(at.join("copy"), &backups.code());
    for _ in 0..rounds(USUAL_ROUNDS).min(20) {
        for name in ["one", "two", "three", "four"] {
            let file = backups.file(".claude/file-history").join(name);
            fs::write(file, dice.bytes(1 << 20)).unwrap();
        }
        backups.ok(["backup", "now", "--copy", "local"]);
        let complete = restic.snapshots();
        let running = backups.drydock(["backup", "now", "--copy", "external"]).start();
        thread::sleep(Duration::from_millis(150).mul_f64(dice.fraction()));
        stick.pull_out();

        let done = running.done();

        assert!(
            done.code == Some(0) || done.exits(1).stdout.contains("[copy.absent]"),
            "neither done nor said"
        );
        assert_eq!(Tree::of(&at), Tree::default(), "something was written into {}", at.display());
        stick.plug_in(&at);
        restic.check_structure();
        let there = restic.snapshots();
        assert!(complete.iter().all(|id| there.contains(id)), "{complete:?}, and there are {there:?}");
        until("the stick is written", Duration::from_secs(60), || {
            let done = backups.drydock(["backup", "now", "--copy", "external"]).done();
            (done.code == Some(0)).then_some(())
        });
        restic.check();
    }
    assert_whole(&backups);
    assert_nothing_unfinished(&backups, BackupCopy::Local);
}
