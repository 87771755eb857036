//! The cloud copy at remotes of several kinds: written, read back, away for a while, and back.

use drydock_tests::rig::{
    ASKED, BackupCopy, Backups, Done, Protocol, RcloneServer, Restic, Tree, WORKED, damage_a_pack,
    repository_files,
};
use std::{fs, path::Path};

/// What became of the cloud copy in a `backup now --json`.
fn cloud_in(done: &Done) -> serde_json::Value {
    let report = done.json();
    let mut copies = report["copies"].as_array().expect("copies").iter();
    copies.find(|one| one["copy"] == "cloud").unwrap_or_else(|| panic!("{report:#}")).clone()
}

/// Goes through all that one does with a cloud copy whose files are in `folder`.
fn goes_through_a_life(backups: &Backups, folder: &Path) {
    let snapshot = backups.snapshot();
    let restic = Restic::on(folder, &backups.code());
    restic.check();
    assert_eq!(restic.snapshots(), [snapshot]);

    let again = backups.ok(["backup", "now", "--json"]);
    let cloud = cloud_in(&again);
    assert_eq!((&cloud["outcome"], &cloud["report"]["copied"]), (&"written".into(), &0.into()), "{cloud:#}");

    backups.append(WORKED, 3);
    let newest = backups.snapshot();
    assert_eq!(backups.standing(BackupCopy::Cloud)["newest"], newest.as_str());
    let drill = backups.ok(["backup", "drill", "--copy", "cloud"]);
    assert!(
        drill.stdout.contains(&format!("proven: snapshot {} of the cloud copy", &newest[..8])),
        "{drill:?}"
    );
    let seen = backups.ok(["backup", "verify", "--copy", "cloud", "--all"]);
    assert!(seen.stdout.contains("cloud copy: whole"), "{seen:?}");
    restic.check();
    assert_eq!(repository_files(folder), backups.repository_files(BackupCopy::Local));

    damage_a_pack(folder);
    let seen = backups.drydock(["backup", "verify", "--copy", "cloud", "--all"]).done().exits(1);
    assert!(seen.stdout.contains("cloud copy: DAMAGED"), "{seen:?}");
    let healed = backups.ok(["backup", "verify", "--copy", "cloud", "--all", "--heal"]);
    assert!(healed.stdout.contains("cloud copy: healed"), "{healed:?}");
    restic.check();
}

/// A home whose cloud copy is at a server with the files of a folder.
fn at_a_server(protocol: Protocol) -> (Backups, RcloneServer) {
    let backups = Backups::new();
    let files = backups.scratch("served");
    fs::create_dir(&files).unwrap();
    let server = RcloneServer::start(protocol, &files);
    backups.add_remote("there", &server.remote());
    backups.set("backup.cloud.remote", "there:claude/copy");
    (backups, server)
}

#[test]
fn a_folder_of_this_computer_can_be_a_remote() {
    let backups = Backups::new();
    let folder = backups.scratch("a folder");
    backups.add_remote("here", "type = local\n");
    backups.set("backup.cloud.remote", format!("here:{}", folder.display()));
    goes_through_a_life(&backups, &folder);
}

#[test]
fn a_remote_can_stand_for_another_and_its_folder_have_any_name() {
    let backups = Backups::new();
    backups
        .add_remote("my cloud", &format!("type = alias\nremote = {}\n", backups.scratch("files").display()));
    backups.set("backup.cloud.remote", "my cloud:Ann's copies/заметки, \"too\"");
    goes_through_a_life(&backups, &backups.scratch("files/Ann's copies/заметки, \"too\""));
}

#[test]
fn a_web_server_can_be_a_remote() {
    let (backups, _server) = at_a_server(Protocol::WebDav);
    goes_through_a_life(&backups, &backups.scratch("served/claude/copy"));
}

#[test]
fn another_computer_can_be_a_remote() {
    let (backups, _server) = at_a_server(Protocol::Sftp);
    goes_through_a_life(&backups, &backups.scratch("served/claude/copy"));
}

#[test]
fn an_object_store_can_be_a_remote() {
    let (backups, _server) = at_a_server(Protocol::S3);
    goes_through_a_life(&backups, &backups.scratch("served/claude/copy"));
}

#[test]
fn a_home_that_is_named_has_its_own_remotes() {
    let backups = Backups::with_three_copies();
    let other = Backups::new();

    let done = other.drydock(["--home", backups.home.path().to_str().unwrap(), "backup", "now"]).done().ok();

    assert!(done.stdout.contains("cloud copy: ") && !done.stdout.contains("not set up"), "{done:?}");
    backups.restic(BackupCopy::Cloud).check();
}

#[test]
fn without_rclone_that_is_said_and_the_rest_is_done() {
    let backups = Backups::with_three_copies();
    let nothing = backups.scratch("no programs");
    fs::create_dir(&nothing).unwrap();

    let done = backups.drydock(["backup", "now"]).variable("PATH", &nothing).done().ok();

    assert!(done.stdout.contains("cloud copy: behind"), "{done:?}");
    assert!(done.stdout.contains("the program rclone") && done.stdout.contains("try: "), "{done:?}");
    backups.restic(BackupCopy::External).check();
    let only = backups.drydock(["backup", "now", "--copy", "cloud"]).variable("PATH", &nothing).done();
    assert!(only.exits(1).stdout.contains("the program rclone"));
    let failure = backups.standing(BackupCopy::Cloud)["failure"].clone();
    assert_eq!(failure["error"]["code"], "copy.absent", "{failure:#}");

    backups.ok(["backup", "now"]);
    backups.restic(BackupCopy::Cloud).check();
    assert!(backups.standing(BackupCopy::Cloud)["failure"].is_null());
}

#[test]
fn a_remote_that_rclone_does_not_know_is_named() {
    let backups = Backups::new();
    backups.set("backup.cloud.remote", "nowhere:copy");

    let done = backups.ok(["backup", "now"]);

    assert!(done.stdout.contains("cloud copy: behind"), "{done:?}");
    assert!(done.stdout.contains("rclone knows no remote of the name in nowhere:copy"), "{done:?}");
    backups.drydock(["backup", "now", "--copy", "cloud"]).done().exits(1);
    backups.fails(["backup", "drill", "--copy", "cloud"], 3, "copy.absent");
    assert_eq!(backups.snapshots().len(), 1);
}

#[test]
fn a_configuration_that_wants_a_password_is_said_and_nobody_waits_for_it() {
    let backups = Backups::with_three_copies();
    // As rclone writes it, of nothing that any password opens.
    let locked = "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\n";
    backups.home.write(".config/rclone/rclone.conf", &format!("{locked}{}\n", "RkFLRQ".repeat(20)));

    let done = backups.drydock(["backup", "now"]).done().exits(1);

    assert!(done.stdout.contains("cloud copy: behind"), "{done:?}");
    assert!(done.stdout.contains("RCLONE_CONFIG_PASS"), "{done:?}");
    backups.restic(BackupCopy::External).check();
}

#[test]
fn a_folder_with_other_backups_is_refused_and_left_alone() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    let other = Backups::new();
    other.add_folder_remote("r", &backups.scratch("remote"));
    other.set("backup.cloud.remote", "r:copy");
    let before = Tree::of(&backups.folder(BackupCopy::Cloud));

    let refused = other.drydock(["backup", "now"]).done().exits(1);

    assert!(refused.stdout.contains("[copy.foreign]"), "{refused:?}");
    Tree::of(&backups.folder(BackupCopy::Cloud)).assert_is(&before);
    assert_eq!(other.snapshots().len(), 1);
}

#[test]
fn a_forgotten_cloud_copy_is_found_again_where_it_was() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    backups.ok(["backup", "copies", "forget", "cloud"]);
    let before = repository_files(&backups.folder(BackupCopy::Cloud));
    backups.append(ASKED, 1);

    let newest = backups.snapshot();

    assert_eq!(backups.standing(BackupCopy::Cloud)["newest"], newest.as_str());
    let after = repository_files(&backups.folder(BackupCopy::Cloud));
    assert!(before.keys().all(|name| after.contains_key(name)), "something was removed");
    backups.restic(BackupCopy::Cloud).check();
}
