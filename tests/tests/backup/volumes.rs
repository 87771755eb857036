//! The external copy on a disk that is plugged in and out, fills up, or is somebody else's.

use drydock_tests::rig::{
    BackupCopy, Backups, Restic, Stick, Tree, WORKED, conversation_id, noise, recovery_code,
    repository_files, until,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Somebody with an external copy on a stick.
struct Person {
    backups: Backups,
    stick: Stick,
    at: PathBuf,
}

impl Person {
    fn new(megabytes: u64) -> Self {
        let mut stick = Stick::new(megabytes);
        let at = stick.place("disk");
        stick.plug_in(&at);
        let backups = Backups::new();
        backups.set("backup.external.path", at.join("claude copy"));
        Self { backups, stick, at }
    }

    fn restic(&self, at: &Path) -> Restic {
        Restic::on(at.join("claude copy"), &self.backups.code())
    }

    /// Fails unless the copy is whole and restores as what the home is now.
    fn assert_caught_up(&self, at: &Path) {
        let external = self.backups.standing(BackupCopy::External);
        assert!(external["failure"].is_null(), "{external:#}");
        assert_eq!(external["newest"], self.backups.standing(BackupCopy::Local)["newest"]);
        let restic = self.restic(at);
        restic.check();
        let to = self.backups.scratch("from-the-stick");
        restic.restore("latest", &to);
        Tree::of(&to).assert_is(&self.backups.tree());
        fs::remove_dir_all(to).unwrap();
    }
}

fn assert_bare(folder: &Path) {
    assert_eq!(Tree::of(folder), Tree::default(), "something was written into {}", folder.display());
}

#[test]
fn an_unplugged_volume_is_no_failure_and_catches_up() {
    let mut person = Person::new(64);
    let _ = person.backups.snapshot();
    person.assert_caught_up(&person.at);
    person.stick.pull_out();
    for _ in 0..2 {
        person.backups.append(WORKED, 2);
        let done = person.backups.ok(["backup", "now"]);
        assert!(done.stdout.contains("external copy: behind"), "{done:?}");
        assert!(done.stdout.contains("[copy.absent]"), "{done:?}");
    }
    assert_bare(&person.at);
    let failure = person.backups.standing(BackupCopy::External)["failure"].clone();
    assert_eq!((&failure["error"]["code"], &failure["times"]), (&"copy.absent".into(), &2.into()));
    person.backups.drydock(["backup", "now", "--copy", "external"]).done().exits(1);
    person.backups.fails(["backup", "drill", "--copy", "external"], 3, "copy.absent");
    person.backups.drydock(["backup", "verify", "--copy", "external"]).done().exits(1);
    let all = person.backups.ok(["backup", "verify"]);
    assert!(all.stdout.contains("external copy: not looked at"), "{all:?}");
    assert_bare(&person.at);

    person.stick.plug_in(&person.at.clone());
    person.backups.ok(["backup", "now"]);
    person.assert_caught_up(&person.at);
    assert_eq!(person.restic(&person.at).snapshots().len(), 3, "what was taken meanwhile is there too");
}

#[test]
fn a_volume_under_another_name_beside_it_is_the_same_one() {
    let mut person = Person::new(64);
    let _ = person.backups.snapshot();
    person.stick.pull_out();
    let other = person.stick.place("disk 1");
    person.stick.plug_in(&other);
    person.backups.append(WORKED, 2);

    let done = person.backups.ok(["backup", "now"]);

    assert!(done.stdout.contains("external copy: ") && !done.stdout.contains("behind"), "{done:?}");
    person.assert_caught_up(&other);
    person.backups.ok(["backup", "verify", "--copy", "external", "--all"]);
    person.backups.ok(["backup", "drill", "--copy", "external"]);
    assert_bare(&person.at);
}

#[test]
fn a_volume_that_is_pulled_out_in_the_middle_leaves_nothing_on_the_disk_inside() {
    /// Now and then everything is copied before the hand is there.
    const TRIES: usize = 8;
    let mut person = Person::new(512);
    let copy = person.at.join("claude copy");
    let _ = person.backups.snapshot();
    let was_in_the_middle = (0..TRIES).any(|_| {
        let before = repository_files(&copy).len();
        for _ in 0..12 {
            let name = format!(".claude/projects/-home-ann-shop/{}.jsonl", conversation_id());
            person.backups.home.write(&name, &noise(&name, 2 << 20));
        }
        let running = person.backups.drydock(["backup", "now"]).start();
        until("the first new file is on the stick", Duration::from_secs(60), || {
            (repository_files(&copy).len() > before).then_some(())
        });
        person.stick.pull_out();

        let done = running.done().ok();

        assert!(done.stdout.contains("snapshot "), "{done:?}");
        assert_bare(&person.at);
        person.stick.plug_in(&person.at.clone());
        person.backups.ok(["backup", "now"]);
        done.stdout.contains("external copy: behind")
    });
    assert!(was_in_the_middle, "it was copied before the stick was pulled out, {TRIES} times");
    person.assert_caught_up(&person.at);
}

#[test]
fn a_volume_that_was_never_here_is_not_made_up() {
    let backups = Backups::new();
    let place = Stick::place_in_mnt();
    backups.set("backup.external.path", place.join("copy"));

    for wanted in [false, true] {
        // Without and with the empty folder that volumes leave behind.
        let mut stick = Stick::new(32);
        if wanted {
            stick.make_place(&place);
        }
        let done = backups.ok(["backup", "now"]);
        assert!(done.stdout.contains("external copy: not set up"), "{done:?}");
        assert_eq!(place.exists(), wanted, "{} was made", place.display());
        assert!(!place.join("copy").exists());
        assert!(backups.standing(BackupCopy::External)["failure"].is_null());
    }
    let mut stick = Stick::new(32);
    stick.plug_in(&place);
    // On a disk's own top folder nobody but root may write where it is mounted.
    backups.ok(["backup", "now"]);
    Restic::on(place.join("copy"), &backups.code()).check();
}

#[test]
fn a_full_volume_is_said_and_catches_up_once_there_is_space() {
    let person = Person::new(32);
    let backups = &person.backups;
    let first = backups.snapshot();
    let ballast = person.stick.fill();
    fs::write(backups.file(WORKED), noise(WORKED, 2 << 20)).unwrap();

    for _ in 0..2 {
        let full = backups.drydock(["backup", "now"]).done().exits(1);
        assert!(full.stdout.contains("external copy: behind"), "{full:?}");
        assert!(full.stdout.contains("[disk.full]"), "{full:?}");
    }

    assert_eq!(person.restic(&person.at).snapshots(), [first]);
    assert_eq!(backups.snapshots().len(), 2, "the local copy has it");
    fs::remove_file(ballast).unwrap();
    // What is there was whole all the time.
    person.restic(&person.at).check();
    backups.ok(["backup", "now"]);
    person.assert_caught_up(&person.at);
}

#[test]
fn a_volume_that_nobody_can_write_to_is_said_and_catches_up() {
    let person = Person::new(32);
    let backups = &person.backups;
    let _ = backups.snapshot();
    person.stick.make_read_only(true);
    backups.append(WORKED, 2);

    let refused = backups.drydock(["backup", "now"]).done().exits(1);

    assert!(refused.stdout.contains("external copy: behind"), "{refused:?}");
    assert!(refused.stdout.contains("Read-only file system"), "{refused:?}");
    // Reading takes no writing.
    backups.ok(["backup", "verify", "--copy", "external", "--all"]);
    backups.ok(["backup", "drill", "--copy", "external"]);
    person.stick.make_read_only(false);
    backups.ok(["backup", "now"]);
    person.assert_caught_up(&person.at);
}

#[test]
fn a_folder_of_something_else_is_refused_and_left_alone() {
    let backups = Backups::new();
    let photos = backups.scratch("photos");
    fs::create_dir(&photos).unwrap();
    fs::write(photos.join("summer.jpg"), "x").unwrap();
    let before = Tree::of(&photos);
    backups.set("backup.external.path", &photos);

    let refused = backups.drydock(["backup", "now"]).done().exits(1);

    assert!(refused.stdout.contains("[copy.foreign]"), "{refused:?}");
    assert!(refused.stdout.contains(photos.to_str().unwrap()), "{refused:?}");
    Tree::of(&photos).assert_is(&before);
    assert_eq!(backups.snapshots().len(), 1);
}

#[test]
fn the_copy_of_another_home_is_refused_and_left_alone() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    let copy = backups.folder(BackupCopy::External);
    let before = Tree::of(&copy);
    let other = Backups::new();
    other.set("backup.external.path", &copy);

    for _ in 0..2 {
        let refused = other.drydock(["backup", "now"]).done().exits(1);
        assert!(refused.stdout.contains("[copy.foreign]"), "{refused:?}");
    }

    Tree::of(&copy).assert_is(&before);
    assert_eq!(other.snapshots().len(), 1);
    backups.append(WORKED, 1);
    backups.ok(["backup", "now"]);
    backups.restic(BackupCopy::External).check();
}

#[test]
fn a_copy_that_is_gone_for_good_is_forgotten() {
    let mut stick = Stick::new(32);
    let place = Stick::place_in_mnt();
    stick.plug_in(&place);
    let backups = Backups::new();
    backups.set("backup.external.path", place.join("copy"));
    let _ = backups.snapshot();
    stick.pull_out();
    let behind = backups.ok(["backup", "now"]);
    assert!(behind.stdout.contains("drydock backup copies forget external"), "{behind:?}");

    backups.ok(["backup", "copies", "forget", "external"]);

    let done = backups.ok(["backup", "now"]);
    assert!(done.stdout.contains("external copy: not set up"), "{done:?}");
    let external = backups.standing(BackupCopy::External);
    assert!(external["failure"].is_null() && external["set_up"] == false, "{external:#}");
    assert_bare(&place);
    // It was not gone for good after all.
    stick.plug_in(&place);
    backups.append(WORKED, 1);
    let newest = backups.snapshot();
    let code = recovery_code(&backups.ok(["backup", "key", "export"]).stdout);
    assert_eq!(Restic::on(place.join("copy"), &code).snapshots().last(), Some(&newest));
}

#[test]
fn the_local_copy_is_not_forgotten() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    backups.fails(["backup", "copies", "forget", "local"], 2, "usage");
    assert_eq!(backups.snapshots().len(), 1);
}
