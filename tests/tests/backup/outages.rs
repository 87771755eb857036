//! Remotes that are away, full, or let nobody write: said, remembered, tried again, and nothing lost.

use drydock_tests::rig::{
    Access, BackupCopy, Backups, Protocol, RcloneServer, Restic, SmallDisk, Tree, WORKED, noise,
    repository_files,
};
use std::fs;

/// Somebody whose cloud copy is at a server on this computer.
struct Person {
    backups: Backups,
    server: RcloneServer,
}

impl Person {
    /// With one snapshot that is in the copy.
    fn with(protocol: Protocol) -> Self {
        let backups = Backups::new();
        let files = backups.scratch("remote");
        fs::create_dir(&files).unwrap();
        let server = RcloneServer::start(protocol, &files);
        backups.add_remote("there", &server.remote());
        backups.set("backup.cloud.remote", "there:copy");
        let _ = backups.snapshot();
        Self { backups, server }
    }

    /// Fails unless the copy is whole, and has this one as its newest.
    fn assert_caught_up(&self, newest: &str) {
        let cloud = self.backups.standing(BackupCopy::Cloud);
        assert_eq!((&cloud["newest"], cloud["failure"].is_null()), (&newest.into(), true), "{cloud:#}");
        let restic = self.backups.restic(BackupCopy::Cloud);
        restic.check();
        assert_eq!(restic.snapshots().last().map(String::as_str), Some(newest));
        let to = self.backups.scratch("caught-up");
        restic.restore(newest, &to);
        Tree::of(&to).assert_is(&self.backups.tree());
    }
}

#[test]
fn a_remote_that_is_away_is_no_failure_and_catches_up() {
    for protocol in [Protocol::WebDav, Protocol::Sftp, Protocol::S3] {
        let mut person = Person::with(protocol);
        let backups = &person.backups;
        let there = repository_files(&backups.folder(BackupCopy::Cloud));
        person.server.go();
        for _ in 0..2 {
            backups.append(WORKED, 1);
            let done = backups.ok(["backup", "now"]);
            assert!(done.stdout.contains("cloud copy: behind"), "{protocol:?}: {done:?}");
            assert!(done.stdout.contains("[copy.absent]"), "{protocol:?}: {done:?}");
        }
        let newest = backups.snapshots()[2]["id"].as_str().unwrap().to_owned();
        let failure = backups.standing(BackupCopy::Cloud)["failure"].clone();
        assert_eq!((&failure["error"]["code"], &failure["times"]), (&"copy.absent".into(), &2.into()));
        let copies = backups.ok(["backup", "copies"]);
        assert!(copies.stdout.contains("cloud copy: failing since"), "{copies:?}");
        backups.drydock(["backup", "now", "--copy", "cloud"]).done().exits(1);
        backups.fails(["backup", "drill", "--copy", "cloud"], 3, "copy.absent");
        let all = backups.ok(["backup", "verify", "--all"]);
        assert!(all.stdout.contains("local copy: whole"), "{all:?}");
        assert!(all.stdout.contains("cloud copy: not looked at"), "{all:?}");
        backups.drydock(["backup", "verify", "--copy", "cloud"]).done().exits(1);
        assert_eq!(repository_files(&backups.folder(BackupCopy::Cloud)), there);

        person.server.come_back(Access::Full);
        // Nothing has changed since, and the copy is brought up all the same.
        person.backups.ok(["backup", "now"]);
        person.assert_caught_up(&newest);
    }
}

#[test]
fn a_remote_that_lets_nobody_write_is_said_and_tried_again() {
    let mut person = Person::with(Protocol::WebDav);
    let first = person.backups.snapshots()[0]["id"].as_str().unwrap().to_owned();
    person.server.come_back(Access::ReadOnly);
    person.backups.append(WORKED, 4);

    let refused = person.backups.drydock(["backup", "now"]).done().exits(1);

    assert!(refused.stdout.contains("[copy.failed]"), "{refused:?}");
    let newest = person.backups.snapshots()[1]["id"].as_str().unwrap().to_owned();
    let restic = person.backups.restic(BackupCopy::Cloud);
    restic.check();
    assert_eq!(restic.snapshots(), [first]);
    // What is there can still be read, and is whole.
    person.backups.ok(["backup", "drill", "--copy", "cloud"]);

    person.server.come_back(Access::Full);
    person.backups.ok(["backup", "now"]);
    person.assert_caught_up(&newest);
}

#[test]
fn a_full_disk_behind_a_remote_is_said_and_catches_up_once_there_is_space() {
    let disk = SmallDisk::mount(64);
    let backups = Backups::new();
    backups.add_folder_remote("r", &disk.path());
    backups.set("backup.cloud.remote", "r:copy");
    let first = backups.snapshot();
    let ballast = disk.fill();
    fs::write(backups.file(WORKED), noise(WORKED, 3 << 20)).unwrap();

    let full = backups.drydock(["backup", "now"]).done().exits(1);

    assert!(full.stdout.contains("[disk.full]"), "{full:?}");
    let folder = disk.path().join("copy");
    let restic = Restic::on(&folder, &backups.code());
    assert_eq!(restic.snapshots(), [first]);

    fs::remove_file(ballast).unwrap();
    backups.ok(["backup", "now"]);
    restic.check();
    assert_eq!(repository_files(&folder), backups.repository_files(BackupCopy::Local));
}

#[test]
fn a_full_server_is_a_failure_and_catches_up_once_there_is_space() {
    let disk = SmallDisk::mount(64);
    let backups = Backups::new();
    let server = RcloneServer::start(Protocol::WebDav, &disk.path());
    backups.add_remote("there", &server.remote());
    backups.set("backup.cloud.remote", "there:copy");
    let first = backups.snapshot();
    let ballast = disk.fill();
    fs::write(backups.file(WORKED), noise(WORKED, 3 << 20)).unwrap();

    let full = backups.drydock(["backup", "now"]).done().exits(1);

    assert!(full.stdout.contains("cloud copy: behind"), "{full:?}");
    let restic = Restic::on(disk.path().join("copy"), &backups.code());
    assert_eq!(restic.snapshots(), [first]);

    fs::remove_file(ballast).unwrap();
    backups.ok(["backup", "now"]);
    restic.check();
    assert_eq!(repository_files(&disk.path().join("copy")), backups.repository_files(BackupCopy::Local));
}
