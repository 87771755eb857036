//! Several pieces of work on the same backups at once: the daemon's, the app's, and somebody's at a terminal.

use drydock_tests::rig::{ASKED, BackupCopy, Backups, Tree, WORKED};

#[test]
fn many_at_once_are_in_nobodys_way() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    backups.ok(["backup", "verify"]);
    for round in 0..4 {
        let mut running = Vec::new();
        for arguments in [
            &["backup", "now"][..],
            &["backup", "now", "--copy", "external"],
            &["backup", "verify"],
            &["backup", "now"],
            &["backup", "drill"],
            &["backup", "list"],
            &["backup", "now", "--copy", "cloud"],
            &["backup", "copies"],
        ] {
            backups.append(WORKED, 1);
            running.push((arguments, backups.drydock(arguments).start()));
        }
        for (arguments, running) in running {
            let done = running.done();
            assert_eq!(done.code, Some(0), "round {round}: {arguments:?}: {done:?}");
            assert!(!done.stdout.contains("behind"), "round {round}: {arguments:?}: {done:?}");
        }
    }
    backups.ok(["backup", "now"]);

    let tree = backups.tree();
    for copy in BackupCopy::ALL {
        assert!(backups.standing(copy)["failure"].is_null(), "{:#}", backups.standing(copy));
        let restic = backups.restic(copy);
        restic.check();
        let to = backups.scratch(copy.word());
        restic.restore("latest", &to);
        Tree::of(&to).assert_is(&tree);
    }
    let seen = backups.ok(["backup", "verify", "--all"]);
    assert_eq!(seen.stdout.matches("copy: whole").count(), 3, "{seen:?}");
}

#[test]
fn a_first_backup_that_is_asked_for_twice_is_begun_once() {
    let backups = Backups::with_three_copies();

    let running: Vec<_> = (0..4).map(|_| backups.drydock(["backup", "now"]).start()).collect();
    for running in running {
        running.done().ok();
    }

    assert_eq!(
        backups.repository_files(BackupCopy::Local).keys().filter(|name| name.starts_with("keys/")).count(),
        1
    );
    for copy in BackupCopy::ALL {
        backups.restic(copy).check();
    }
    backups.append(ASKED, 1);
    let _ = backups.snapshot();
    backups.ok(["backup", "verify", "--all"]);
}

#[test]
fn a_prune_waits_for_those_who_read() {
    let backups = Backups::with_three_copies();
    backups.set("backup.retention_days", "1");
    backups.set("backup.hourly_hours", "0");
    for _ in 0..6 {
        backups.append(WORKED, 1);
        let _ = backups.snapshot();
    }
    backups.ok(["backup", "verify"]);
    let tree = backups.tree();
    let targets: Vec<_> = (0..3).map(|n| backups.scratch(&format!("restored {n}"))).collect();

    let restores: Vec<_> =
        targets.iter().map(|to| backups.drydock(["restore", "latest", "--to"]).arg(to).start()).collect();
    let prunes: Vec<_> = (0..2).map(|_| backups.drydock(["backup", "prune"]).start()).collect();
    for running in restores.into_iter().chain(prunes) {
        running.done().ok();
    }

    for to in targets {
        Tree::of(&to).assert_is(&tree);
    }
    backups.restic(BackupCopy::Local).check();
}
