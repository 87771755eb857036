//! Which snapshots go, which stay whatever happens, and what the other copies keep.

use drydock_tests::rig::{ASKED, BackupCopy, Backups, Damage, HISTORY, Tree, WORKED};
use std::collections::BTreeSet;

/// With settings under which everything goes that has no reason of its own to stay.
fn short_lived(backups: &Backups) {
    backups.set("backup.retention_days", "1");
    backups.set("backup.hourly_hours", "0");
}

fn take(backups: &Backups) -> String {
    backups.append(WORKED, 2);
    backups.snapshot()
}

fn ids(backups: &Backups) -> BTreeSet<String> {
    backups.snapshots().iter().map(|snapshot| snapshot["id"].as_str().unwrap().to_owned()).collect()
}

fn set_of<'a>(ids: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    ids.into_iter().cloned().collect()
}

#[test]
fn nothing_goes_while_the_newest_is_not_proven() {
    let backups = Backups::new();
    short_lived(&backups);
    backups.fails(["backup", "prune"], 4, "backup.none");
    for _ in 0..6 {
        let _ = take(&backups);
    }
    let before = ids(&backups);

    for arguments in [&["backup", "prune"][..], &["backup", "prune", "--plan"]] {
        let refused = backups.fails(arguments, 4, "backup.unverified");
        assert!(refused.stderr.contains("drydock backup verify"), "{refused:?}");
    }

    assert_eq!(ids(&backups), before);
    backups.ok(["backup", "verify"]);
    backups.ok(["backup", "prune"]);
    assert!(ids(&backups).len() < before.len());
}

#[test]
fn the_last_three_the_verified_and_the_pinned_stay() {
    let backups = Backups::with_three_copies();
    short_lived(&backups);
    let mut taken = Vec::new();
    let mut trees = Vec::new();
    for n in 0..8 {
        taken.push(take(&backups));
        trees.push(backups.tree());
        if n == 2 {
            backups.ok(["backup", "verify", "--copy", "external"]);
        }
    }
    backups.ok(["backup", "pin", &taken[1][..8]]);
    let listed = backups.ok(["backup", "list"]);
    let pinned = listed.stdout.lines().find(|line| line.contains("pinned")).expect("a pinned one");
    assert!(pinned.starts_with(&taken[1][..8]), "{listed:?}");
    backups.ok(["backup", "verify", "--copy", "local"]);
    let must_stay = set_of(&[&taken[5..], &taken[1..3]].concat());
    let files = backups.repository_files(BackupCopy::Local);

    let plan = backups.json(["backup", "prune", "--plan"]);
    assert_eq!(ids(&backups), set_of(&taken), "a plan is no deed");
    let done = backups.json(["backup", "prune"]);

    assert_eq!(done["gone"], plan["gone"]);
    let left = ids(&backups);
    assert!(left.is_superset(&must_stay), "{left:?}");
    // At midnight the last one of the day before has a reason to stay.
    assert!(left.len() <= must_stay.len() + 1, "{left:?}");
    for (snapshot, tree) in taken.iter().zip(&trees).filter(|(snapshot, _)| left.contains(*snapshot)) {
        Tree::of(&backups.restored(snapshot)).assert_is(tree);
    }
    // Whoever is reading at this moment still finds all data.
    let now = backups.repository_files(BackupCopy::Local);
    let data = |name: &&String| name.starts_with("data/");
    assert!(files.keys().filter(data).all(|name| now.contains_key(name)), "data went at once");
    let restic = backups.restic(BackupCopy::Local);
    restic.check();
    assert_eq!(set_of(&restic.snapshots()), left);
    backups.ok(["backup", "verify", "--all"]);
    backups.ok(["backup", "drill"]);
}

#[test]
fn the_other_copies_keep_what_a_prune_removed() {
    let backups = Backups::with_three_copies();
    short_lived(&backups);
    let mut taken = vec![take(&backups)];
    let tree = backups.tree();
    taken.extend((0..5).map(|_| take(&backups)));
    backups.ok(["backup", "verify"]);

    backups.ok(["backup", "prune"]);
    let left = ids(&backups);
    assert!(left.len() < taken.len());
    taken.push(take(&backups));

    for copy in [BackupCopy::External, BackupCopy::Cloud] {
        let restic = backups.restic(copy);
        restic.check();
        assert_eq!(set_of(&restic.snapshots()), set_of(&taken), "{copy:?}");
        if !left.contains(&taken[0]) {
            let to = backups.scratch(copy.word());
            restic.restore(&taken[0], &to);
            Tree::of(&to).assert_is(&tree);
        }
        backups.ok(["backup", "drill", "--copy", copy.word()]);
    }
    let seen = backups.ok(["backup", "verify", "--all"]);
    assert_eq!(seen.stdout.matches("copy: whole").count(), 3, "{seen:?}");
}

#[test]
fn an_unpinned_snapshot_goes() {
    let backups = Backups::new();
    short_lived(&backups);
    let pinned = take(&backups);
    backups.ok(["backup", "pin", &pinned[..12]]);
    for _ in 0..5 {
        let _ = take(&backups);
    }
    backups.ok(["backup", "verify"]);
    backups.ok(["backup", "prune"]);
    assert!(ids(&backups).contains(&pinned));
    backups.fails(["backup", "pin", "ffffffff"], 2, "snapshot.unknown");

    backups.ok(["backup", "unpin", &pinned]);
    backups.ok(["backup", "prune"]);

    assert!(!ids(&backups).contains(&pinned));
    let gone = backups.drydock(["restore", &pinned, "--to"]).arg(backups.scratch("x")).done();
    gone.exits(2).tells("snapshot.unknown");
    backups.restic(BackupCopy::Local).check();
}

#[test]
fn damaged_snapshots_push_no_good_one_out() {
    let backups = Backups::new();
    short_lived(&backups);
    let good: Vec<_> = (0..3).map(|_| take(&backups)).collect();
    let tree = backups.tree();
    let _ = backups.home.damage(Damage::Truncated);
    for _ in 0..5 {
        let _ = take(&backups);
    }
    backups.ok(["backup", "verify"]);

    backups.ok(["backup", "prune"]);

    let left = ids(&backups);
    assert!(left.is_superset(&set_of(&good)), "{left:?}");
    assert!(left.len() < 8, "nothing went");
    Tree::of(&backups.restored("latest")).assert_is(&tree);
    backups.restic(BackupCopy::Local).check();
}

#[test]
fn without_short_settings_a_day_of_snapshots_stays_for_its_hours() {
    let backups = Backups::new();
    for conversation in [WORKED, ASKED, HISTORY, WORKED, ASKED, HISTORY] {
        backups.append(conversation, 1);
        let _ = backups.snapshot();
    }
    backups.ok(["backup", "verify"]);

    let done = backups.ok(["backup", "prune"]);

    // The last three, and the last of this hour and of this day, which are among them.
    assert!(done.stdout.contains("snapshots went"), "{done:?}");
    assert!((3..=4).contains(&ids(&backups).len()), "{done:?}");
    for wrong in
        [("backup.retention_days", "0"), ("backup.hourly_hours", "some"), ("backup.quarantine_days", "0")]
    {
        backups.fails(["settings", "set", wrong.0, wrong.1], 2, "settings.value");
    }
}
