//! The recovery sheet: asked for until it is saved, and the way into the backups on another computer.

use drydock_tests::rig::{
    ASKED, BackupCopy, Backups, Done, Home, Tree, WORKED, record, recovery_code, repository_files,
};
use std::{ffi::OsStr, fs, os::unix::fs::PermissionsExt, path::PathBuf};

const REMINDER: &str = "the recovery sheet is not saved yet";

fn import(backups: &Backups, typed: &str) -> Done {
    backups.drydock(["backup", "key", "import"]).input(typed).done()
}

/// A code that is right but for one letter.
fn nearly(code: &str) -> String {
    let last = if code.ends_with('7') { '8' } else { '7' };
    format!("{}{last}", &code[..code.len() - 1])
}

/// Another computer's user, who can reach a copy.
fn elsewhere(home: Home, backups: &Backups, copy: BackupCopy) -> Backups {
    let other = Backups::of(home);
    match copy {
        BackupCopy::External => other.set("backup.external.path", backups.folder(copy)),
        _ => {
            other.add_folder_remote("r", &backups.scratch("remote"));
            other.set("backup.cloud.remote", "r:copy");
        }
    }
    other
}

#[test]
fn the_sheet_is_asked_for_until_it_is_saved() {
    let backups = Backups::with_three_copies();
    for arguments in [&["backup", "now"][..], &["backup", "now"], &["backup", "copies"]] {
        assert!(backups.ok(arguments).stdout.contains(REMINDER), "{arguments:?}");
    }
    assert_eq!(backups.json(["backup", "copies"])["sheet_wanted"], true);
    let code = backups.code();
    assert!(backups.ok(["backup", "now"]).stdout.contains(REMINDER), "to look at it is not to save it");
    let last = &code[35..];
    for wrong in [&nearly(&code)[35..], "", "-", &code[..4], &code] {
        if wrong != last {
            backups.fails(["backup", "key", "confirm", wrong], 4, "backup.key");
        }
    }
    assert!(backups.ok(["backup", "now"]).stdout.contains(REMINDER));

    backups.ok(["backup", "key", "confirm", &last.to_lowercase()]);

    for arguments in [&["backup", "now"][..], &["backup", "copies"]] {
        assert!(!backups.ok(arguments).stdout.contains(REMINDER), "{arguments:?}");
    }
    assert_eq!(backups.json(["backup", "copies"])["sheet_wanted"], false);
}

#[test]
fn the_sheet_says_all_that_one_needs() {
    let backups = Backups::with_three_copies();
    backups.fails(["backup", "key", "export"], 4, "backup.none");
    let _ = backups.snapshot();
    let file = backups.scratch("sheet.txt");

    let done = backups.ok([
        OsStr::new("backup"),
        "key".as_ref(),
        "export".as_ref(),
        "--to".as_ref(),
        file.as_os_str(),
    ]);

    let code = backups.code();
    assert!(!done.stdout.contains(&code[..19]), "{done:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let sheet = fs::read_to_string(&file).unwrap();
    assert_eq!(recovery_code(&sheet), code);
    for place in [
        backups.folder(BackupCopy::Local).to_str().unwrap(),
        backups.folder(BackupCopy::External).to_str().unwrap(),
        "rclone:r:copy",
        "drydock backup key import",
        "restic -r",
    ] {
        assert!(sheet.contains(place), "{place} is not on it:\n{sheet}");
    }
    let again =
        backups.drydock(["backup", "key", "export", "--to"]).arg(&file).done().exits(2).tells("usage");
    assert!(again.stderr.contains("is there already"), "{again:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), sheet);
}

#[test]
fn another_computer_takes_over_from_the_external_copy() {
    let backups = Backups::with_three_copies();
    backups.append(WORKED, 1);
    let snapshot = backups.snapshot();
    let tree = backups.tree();
    // One who has used Claude Code there already.
    let home = Home::new();
    let conversation = ".claude/projects/-home-ann-new/66666666-6666-4666-8666-666666666666.jsonl";
    home.write(conversation, &record(conversation, "hello"));
    let other = elsewhere(home, &backups, BackupCopy::External);
    let code = backups.code();
    // As somebody types it from paper.
    let typed = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");

    let done = import(&other, &typed).ok();

    assert!(done.stdout.contains("the backups are open"), "{done:?}");
    assert_eq!(other.code(), code);
    assert_eq!(other.snapshots().last().unwrap()["id"], snapshot.as_str());
    Tree::of(&other.restored("latest")).assert_is(&tree);
    assert_eq!(other.json(["backup", "copies"])["sheet_wanted"], false, "who typed it has it");

    let newest = other.snapshot();
    let to = other.restored(&newest);
    assert!(to.join(conversation).exists());
    assert!(to.join(WORKED.replacen(".claude", "archive", 1)).exists(), "the other computer's are lost");
    let restic = other.restic(BackupCopy::Local);
    restic.check();
    assert!(restic.snapshots().contains(&snapshot));
    assert_eq!(other.standing(BackupCopy::External)["newest"], newest.as_str());
    other.ok(["backup", "verify", "--all"]);

    // The first one is still in use, and does not write over what the other wrote.
    backups.append(ASKED, 1);
    let before = repository_files(&backups.folder(BackupCopy::External));
    let refused = backups.drydock(["backup", "now", "--copy", "external"]).done().exits(1);
    assert!(refused.stdout.contains("[copy.diverged]"), "{refused:?}");
    assert_eq!(repository_files(&backups.folder(BackupCopy::External)), before);
}

#[test]
fn a_new_computer_gets_everything_back_from_the_cloud_copy() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    let tree = backups.tree();
    let other = elsewhere(Home::bare(), &backups, BackupCopy::Cloud);
    let code = backups.code();

    let refused = import(&other, &nearly(&code)).exits(4).tells("backup.key");
    assert!(!refused.stderr.contains(&code[..19]), "{refused:?}");
    import(&other, &code).ok();
    other.ok(["restore", "latest", ".claude", ".claude.json", "--back"]);

    // Not in their times: Claude Code would delete what is old.
    other.tree().untimed().assert_is(&tree.clone().untimed());
    Tree::of(&other.restored("latest")).assert_is(&tree);
    other.append(WORKED, 1);
    let _ = other.snapshot();
    other.ok(["backup", "drill", "--copy", "cloud"]);
}

#[test]
fn a_copy_that_cannot_be_used_is_passed_over_for_the_next() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    let (code, tree) = (backups.code(), backups.tree());
    let external = backups.folder(BackupCopy::External);
    let marker = external.join("drydock/copy.json");
    for harm in ["unplugged", "damaged", "lost"] {
        let other = elsewhere(Home::bare(), &backups, BackupCopy::Cloud);
        other.set(
            "backup.external.path",
            if harm == "unplugged" { PathBuf::from("/media/nowhere/copy") } else { external.clone() },
        );
        match harm {
            "damaged" => fs::write(&marker, "{}").unwrap(),
            "lost" => fs::remove_file(&marker).unwrap(),
            _ => {}
        }
        import(&other, &code).ok();
        Tree::of(&other.restored("latest")).assert_is(&tree);
    }
    // Its files are all there; what Drydock wrote beside them is not needed to read them.
    let other = elsewhere(Home::bare(), &backups, BackupCopy::External);
    import(&other, &code).ok();
    Tree::of(&other.restored("latest")).assert_is(&tree);
}

#[test]
fn a_wrong_code_opens_nothing_and_changes_nothing() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    let code = backups.code();
    let key = fs::read(backups.file(".local/share/drydock/backup/key.json")).unwrap();
    for wrong in
        [nearly(&code).as_str(), "", "hello", &code[..35], &"U".repeat(32), &format!("{code}-{code}")]
    {
        let refused = import(&backups, wrong).exits(4).tells("backup.key");
        assert!(wrong.len() < 8 || !refused.stderr.contains(&wrong[..8]), "it is shown: {refused:?}");
    }
    assert_eq!(fs::read(backups.file(".local/share/drydock/backup/key.json")).unwrap(), key);
    backups.append(ASKED, 1);
    let _ = backups.snapshot();
    assert!(backups.ok(["backup", "copies"]).stdout.contains(REMINDER), "a wrong code is no sheet");
}

#[test]
fn where_there_are_no_backups_a_code_opens_none() {
    let backups = Backups::new();
    let code = "0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ";
    let refused = import(&backups, code).exits(4).tells("backup.none");
    assert!(refused.stderr.contains("backup.external.path"), "{refused:?}");
    assert!(!backups.folder(BackupCopy::Local).join("config").exists());
    let _ = backups.snapshot();
}
