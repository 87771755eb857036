//! All three copies are read by the restic that Debian has, without Drydock, and hold what was in the home.

use drydock_tests::rig::{
    ASKED, BackupCopy, Backups, Damage, ELSEWHERE, HISTORY, Restic, SIDECARS, Tree, WORKED, record,
};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    slice,
};

/// Fails unless restic finds every copy whole and restores its newest snapshot as what the home is now.
fn assert_restic_restores(backups: &Backups, copies: &[BackupCopy]) {
    let wanted = backups.tree();
    for copy in copies {
        let restic = backups.restic(*copy);
        restic.check();
        let to = backups.scratch("by-restic");
        restic.restore("latest", &to);
        Tree::of(&to).without(&["archive"]).assert_is(&wanted);
        fs::remove_dir_all(to).unwrap();
    }
}

#[test]
fn restic_restores_from_each_copy_what_was_in_the_home() {
    let backups = Backups::with_three_copies();
    let snapshot = backups.snapshot();

    for copy in BackupCopy::ALL {
        assert_eq!(backups.restic(copy).snapshots(), slice::from_ref(&snapshot), "{copy:?}");
    }
    assert_restic_restores(&backups, &BackupCopy::ALL);
}

#[test]
fn names_of_every_kind_come_back() {
    let backups = Backups::with_three_copies();
    let folder = backups.file(".claude/skills/odd names");
    fs::create_dir(&folder).unwrap();
    for name in [
        &b"two words.md"[..],
        "заметки.md".as_bytes(),
        b"it's \"quoted\".md",
        b"two\nlines.md",
        b"back\\slash.md",
        b"a\\x0atab\t.md",
        b"\xff\xfe not UTF-8.md",
        b"-rf",
        b"%41$HOME*?[a].md",
        b".hidden",
        b"empty",
    ] {
        let text: &[u8] = if name == b"empty" { b"" } else { name };
        fs::write(folder.join(OsStr::from_bytes(name)), text).unwrap();
    }
    symlink("заметки.md", folder.join("ссылка")).unwrap();
    let project = backups.file(".claude/projects").join(OsStr::from_bytes(b"-home-ann-caf\xe9"));
    fs::create_dir(&project).unwrap();
    fs::write(project.join("55555555-5555-4555-8555-555555555555.jsonl"), record(ASKED, "hi")).unwrap();
    let _ = backups.snapshot();

    assert_restic_restores(&backups, &BackupCopy::ALL);
    // restic learned to read such a target long after the version that Debian has.
    symlink(OsStr::from_bytes(b"\xff\xfe not UTF-8.md"), folder.join("link to no UTF-8")).unwrap();
    let _ = backups.snapshot();
    Tree::of(&backups.restored("latest")).assert_is(&backups.tree());
}

#[test]
fn a_long_conversation_and_an_empty_one_come_back() {
    let backups = Backups::with_three_copies();
    let long: String =
        (0..42_000).map(|n| record(ELSEWHERE, &format!("{n} {}", "word ".repeat(80)))).collect();
    assert!(long.len() > 30 << 20, "{} bytes", long.len());
    fs::write(backups.file(ELSEWHERE), long).unwrap();
    fs::write(backups.file(ASKED), "").unwrap();
    let _ = backups.snapshot();
    assert_restic_restores(&backups, &BackupCopy::ALL);

    backups.append(ELSEWHERE, 3);
    let before = backups.repository_files(BackupCopy::Local).values().sum::<u64>();
    let _ = backups.snapshot();

    let after = backups.repository_files(BackupCopy::Local).values().sum::<u64>();
    assert!(after - before < 8 << 20, "three records took {} bytes", after - before);
    assert_restic_restores(&backups, &BackupCopy::ALL);
}

#[test]
fn every_snapshot_is_what_the_home_was_then() {
    let backups = Backups::with_three_copies();
    let mut taken = vec![(backups.snapshot(), backups.tree())];
    for conversation in [WORKED, SIDECARS[0], HISTORY] {
        backups.append(conversation, 5);
        fs::remove_file(backups.file(".claude/CLAUDE.md")).unwrap();
        backups.home.write(".claude/CLAUDE.md", conversation);
        taken.push((backups.snapshot(), backups.tree()));
    }

    for copy in BackupCopy::ALL {
        let restic = backups.restic(copy);
        restic.check();
        for (snapshot, then) in &taken {
            let to = backups.scratch("then");
            restic.restore(snapshot, &to);
            Tree::of(&to).assert_is(then);
            fs::remove_dir_all(to).unwrap();
        }
    }
    for (snapshot, then) in &taken {
        Tree::of(&backups.restored(snapshot)).assert_is(then);
    }
}

#[test]
fn the_cloud_copy_is_read_by_way_of_rclone() {
    let backups = Backups::with_three_copies();
    let snapshot = backups.snapshot();

    let restic = Restic::at_remote("r:copy", backups.rclone_config(), &backups.code());

    restic.check();
    assert_eq!(restic.snapshots(), [snapshot]);
    let to = backups.scratch("by-rclone");
    restic.restore("latest", &to);
    Tree::of(&to).assert_is(&backups.tree());
}

#[test]
fn what_the_page_on_restoring_without_drydock_says_is_so() {
    let backups = Backups::with_three_copies();
    let good = backups.snapshot();
    let _ = backups.home.damage(Damage::Truncated);
    let _ = backups.snapshot();
    let restic = backups.restic(BackupCopy::External);

    let told = String::from_utf8(restic.run(["snapshots", "--compact"]).stdout).unwrap();

    let damaged: Vec<_> = told.lines().filter(|line| line.contains("damaged")).collect();
    assert_eq!(damaged.len(), 1, "{told}");
    assert!(!damaged[0].starts_with(&good[..8]), "{told}");
    let to = backups.scratch("a-part");
    let to_name = to.to_str().unwrap();
    let done = restic.run(["restore", "latest", "--target", to_name, "--include", "/.claude/projects"]);
    assert!(done.status.success(), "{done:?}");
    let projects = [".claude/projects"];
    Tree::of(&to).only(&projects).assert_is(&backups.tree().only(&projects));
    // A copy that has lost its key file takes it from another one.
    let keys = backups.folder(BackupCopy::External).join("keys");
    fs::remove_dir_all(&keys).unwrap();
    assert!(!restic.run(["snapshots"]).status.success());
    fs::create_dir(&keys).unwrap();
    for entry in fs::read_dir(backups.folder(BackupCopy::Cloud).join("keys")).unwrap().flatten() {
        fs::copy(entry.path(), keys.join(entry.file_name())).unwrap();
    }
    restic.check();
}

#[test]
fn a_lock_of_restics_is_in_nobodys_way() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    // What a restic leaves that was ended while it read.
    for copy in BackupCopy::ALL {
        let lock = backups.folder(copy).join("locks").join("c0".repeat(32));
        fs::create_dir_all(lock.parent().unwrap()).unwrap();
        fs::write(lock, "not even one").unwrap();
    }
    backups.append(WORKED, 1);

    let _ = backups.snapshot();

    backups.ok(["backup", "verify", "--all"]);
    Tree::of(&backups.restored("latest")).assert_is(&backups.tree());
}
