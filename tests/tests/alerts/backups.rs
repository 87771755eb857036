//! The rules about backups, disks and logins, each by its cause.

use super::{
    asleep::later,
    watched::{daemon, set, until_fires, until_firing, until_looked},
};
use drydock_tests::rig::{BackupCopy, Backups, Home, SmallDisk, WORKED, damage_a_pack};
use serde_json::json;
use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// No snapshot can be taken any more: a file is in the place of the folder in which the repository keeps them.
fn break_the_repository(backups: &Backups) {
    let snapshots = backups.folder(BackupCopy::Local).join("snapshots");
    fs::rename(&snapshots, backups.scratch("snapshots-away")).unwrap();
    fs::write(&snapshots, "not a folder").unwrap();
}

#[test]
fn an_old_backup_is_told_the_more_the_older_it_is() {
    let backups = Backups::new();
    backups.ok(["backup", "now"]);
    break_the_repository(&backups);
    set(&|words| backups.drydock(words), &[("alerts.rules.backup-old.grace", "0m")]);
    for (offset, severity) in [("+3h", "low"), ("+8h", "medium"), ("+8d", "high")] {
        let drydock = |words: &[&str]| later(backups.drydock(words), offset);
        let watching = daemon(&drydock);
        let alert = until_firing(&drydock, &format!("{offset} is {severity}"), |one| {
            one["rule"] == "backup-old" && one["severity"] == severity
        });
        assert!(alert["text"].as_str().unwrap().contains("is in no backup"), "{alert}");
        drop(watching);
    }
}

#[test]
fn a_copy_that_was_long_away_is_told() {
    let backups = Backups::with_three_copies();
    backups.ok(["backup", "now"]);
    fs::rename(backups.folder(BackupCopy::External), backups.scratch("unplugged")).unwrap();
    // Of what has not changed it has everything.
    backups.append(WORKED, 1);
    set(&|words| backups.drydock(words), &[("alerts.rules.copy-old.grace", "0m")]);
    // The cloud copy would be written at once; the external one cannot be.
    fs::remove_file(backups.rclone_config()).unwrap();
    let drydock = |words: &[&str]| later(backups.drydock(words), "+8d");
    let _daemon = daemon(&drydock);
    let alert = until_fires(&drydock, "copy-old");
    assert!(alert["text"].as_str().unwrap().contains("8 days"), "{alert}");
}

#[test]
fn a_damaged_copy_and_a_drill_that_fails_are_told() {
    let backups = Backups::new();
    backups.ok(["backup", "now"]);
    damage_a_pack(&backups.folder(BackupCopy::Local));
    backups.fails(["backup", "drill"], 1, "drill.failed");
    let drydock = |words: &[&str]| backups.drydock(words);
    let watching = daemon(&drydock);
    assert_eq!(until_fires(&drydock, "drill-failed")["about"], "local");
    drop(watching);

    let backups = Backups::new();
    backups.ok(["backup", "now"]);
    damage_a_pack(&backups.folder(BackupCopy::Local));
    backups.drydock(["backup", "verify", "--all"]).done().exits(1);
    let drydock = |words: &[&str]| backups.drydock(words);
    let _watching = daemon(&drydock);
    let alert = until_fires(&drydock, "damage");
    assert_eq!(
        (&alert["about"], &alert["remedy"]),
        (&"local copy".into(), &"drydock backup verify --heal".into())
    );
}

#[test]
fn a_recovery_sheet_that_is_not_saved_is_told() {
    let backups = Backups::new();
    backups.ok(["backup", "now"]);
    let drydock = |words: &[&str]| backups.drydock(words);
    set(&drydock, &[("alerts.rules.sheet-unsaved.for", "0m")]);
    let _daemon = daemon(&drydock);
    assert_eq!(until_fires(&drydock, "sheet-unsaved")["severity"], "low");
}

#[test]
fn a_disk_that_fills_up_is_told() {
    let disk = SmallDisk::mount(64);
    let home = disk.path().join("home");
    fs::create_dir(&home).unwrap();
    let backups = Backups::furnished(Home::at(&home));
    let drydock = |words: &[&str]| backups.drydock(words);
    // The others are those of whoever runs the tests.
    set(&drydock, &[("alerts.rules.disk.for", "0m"), ("backup.external.path", "")]);
    let _ballast = disk.fill_but(8 << 10);
    let _daemon = daemon(&drydock);
    let alert = until_firing(&drydock, "the home's disk is told", |one| {
        one["rule"] == "disk" && one["about"] == "home"
    });
    assert_eq!(alert["severity"], "medium");
    assert!(alert["text"].as_str().unwrap().starts_with("8"), "{alert}");
}

#[test]
fn a_login_that_is_about_to_end_is_told() {
    let backups = Backups::new();
    let ends = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(3 * 86_400);
    backups.home.keep_login(&json!({ "claudeAiOauth": {
        "accessToken": "sk-ant-oat01-FAKE", "refreshToken": "", "expiresAt": u64::try_from(ends.as_millis()).unwrap(),
        "scopes": ["user:inference"],
    } }));
    let drydock = |words: &[&str]| backups.drydock(words);
    set(&drydock, &[("login.mode", "lease")]);
    let _daemon = daemon(&drydock);
    let alert = until_fires(&drydock, "login-ending");
    assert_eq!(alert["severity"], "medium");
    assert!(alert["text"].as_str().unwrap().contains("in 3 days"), "{alert}");
    assert!(!alert.to_string().contains("FAKE"));
}

#[test]
fn all_is_well_where_all_is_well() {
    let backups = Backups::new();
    let sheet = backups.scratch("sheet.txt");
    backups.ok(["backup", "now"]);
    backups.drydock(["backup", "key", "export", "--to"]).arg(&sheet).done().ok();
    let drydock = |words: &[&str]| backups.drydock(words);
    let _daemon = daemon(&drydock);
    let rules = until_looked(&drydock);
    // The disk of whoever runs the tests is theirs.
    let firing: Vec<_> =
        rules.iter().filter(|rule| rule["standing"] == "fires" && rule["id"] != "disk").collect();
    assert!(firing.is_empty(), "{firing:?}");
}
