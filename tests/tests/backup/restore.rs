//! Files of a snapshot, restored into a folder: all of it or nothing.

use drydock_tests::rig::{
    BackupCopy, Backups, NOTED, Project, SmallDisk, Tree, WORKED, conversation_id, damage_a_pack, noise,
    until,
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const LIMIT: Duration = Duration::from_secs(60);

/// The arguments for a restore of the newest snapshot.
fn restore(paths: &[&str], to: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["restore".into(), "latest".into()];
    arguments.extend(paths.iter().map(OsString::from));
    arguments.extend(["--to".into(), to.into()]);
    arguments
}

/// What is in a folder of this test's.
fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// A home that takes a while to restore.
fn large() -> Backups {
    let backups = Backups::new();
    for _ in 0..60 {
        let name = format!(".claude/projects/-home-ann-shop/{}.jsonl", conversation_id());
        backups.home.write(&name, &noise(&name, 1 << 20));
    }
    let _ = backups.snapshot();
    backups
}

/// The process that another has started, if it has.
fn child_of(process: u32) -> Option<i32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    children.flat_map(|text| text.split_whitespace().map(str::parse).collect::<Vec<_>>()).find_map(Result::ok)
}

#[test]
fn a_whole_snapshot_is_restored() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    let to = backups.scratch("restored");

    let done = backups.ok(restore(&[], &to));

    Tree::of(&to).assert_is(&backups.tree());
    assert!(done.stdout.contains(to.to_str().unwrap()), "{done:?}");
    assert!(done.stdout.contains("are what the snapshot holds"), "{done:?}");
    assert_eq!(names_in(to.parent().unwrap()), ["restored".to_owned()].into());
}

#[test]
fn one_file_or_one_folder_is_restored_under_its_own_name() {
    let backups = Backups::new();
    let _ = backups.snapshot();

    let (file, folder, both) = (backups.scratch("file"), backups.scratch("folder"), backups.scratch("both"));
    backups.ok(restore(&[WORKED], &file));
    backups.ok(restore(&[".claude/skills/"], &folder));
    backups.ok(restore(&[".claude.json", ".claude/skills"], &both));

    let files = |tree: &Tree, below: &Path| -> BTreeSet<PathBuf> {
        tree.names().into_iter().filter(|name| !below.join(name).is_dir()).collect()
    };
    assert_eq!(files(&Tree::of(&file), &file), [PathBuf::from(WORKED)].into());
    Tree::of(&file).only(&[WORKED]).assert_is(&backups.tree().only(&[WORKED]));
    Tree::of(&folder).only(&[".claude/skills"]).assert_is(&backups.tree().only(&[".claude/skills"]));
    assert!(files(&Tree::of(&folder), &folder).iter().all(|name| name.starts_with(".claude/skills")));
    let wanted = [".claude.json", ".claude/skills"];
    Tree::of(&both).only(&wanted).assert_is(&backups.tree().only(&wanted));
}

#[test]
fn a_folder_that_is_there_and_empty_is_taken() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    let to = backups.scratch("empty");
    fs::create_dir(&to).unwrap();
    backups.ok(restore(&[], &to));
    Tree::of(&to).assert_is(&backups.tree());

    let done = backups.drydock(restore(&[], Path::new("here"))).in_folder(&backups.scratch("")).done().ok();
    assert!(done.stdout.contains(backups.scratch("here").to_str().unwrap()), "{done:?}");
    Tree::of(&backups.scratch("here")).assert_is(&backups.tree());
}

#[test]
fn an_empty_volume_is_taken() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    let disk = SmallDisk::mount(32);

    backups.ok(restore(&[], &disk.path()));

    Tree::of(&disk.path()).assert_is(&backups.tree());
}

#[test]
fn a_folder_with_something_in_it_is_refused_and_left_alone() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    let project = Project::make(&backups.scratch("proj"));
    let before = Tree::of(project.path());
    let file = project.path().join("README.md");
    for to in [project.path(), &file, backups.home.path()] {
        let refused = backups.fails(restore(&[], to), 2, "restore.target");
        assert!(refused.stderr.contains(to.to_str().unwrap()), "{refused:?}");
    }
    Tree::of(project.path()).assert_is(&before);
    let nowhere = backups.scratch("no/such/folder");
    backups.fails(restore(&[], &nowhere), 2, "restore.target");
    assert_eq!(names_in(&backups.scratch("")), ["proj".to_owned()].into());
}

#[test]
fn a_snapshot_or_a_file_that_is_not_there_is_said() {
    let backups = Backups::new();
    backups.fails(restore(&[], &backups.scratch("x")), 4, "backup.none");
    let mut ids = vec![backups.snapshot()];
    for unknown in ["ffffffffffff", "zzzz", &ids[0][..2], "latest1", &format!("{}0", ids[0])] {
        let refused = backups.drydock(["restore", unknown, "--to"]).arg(backups.scratch("x")).done();
        let refused = refused.exits(2).tells("snapshot.unknown");
        assert!(refused.stderr.contains("drydock backup list"), "{refused:?}");
    }
    backups.fails(restore(&["nothing/here"], &backups.scratch("x")), 2, "snapshot.path");
    backups.fails(restore(&[".claude/CLAUDE.md/x"], &backups.scratch("x")), 2, "snapshot.path");
    // Two that begin alike: among seventeen there are some.
    let first = |ids: &[String]| -> Option<String> {
        let letters: Vec<_> = ids.iter().map(|id| &id[..1]).collect();
        letters
            .iter()
            .find(|one| letters.iter().filter(|other| other == one).count() > 1)
            .map(|one| (*one).to_owned())
    };
    while first(&ids).is_none() {
        backups.append(NOTED, 1);
        ids.push(backups.snapshot());
    }
    let refused =
        backups.drydock(["restore", &first(&ids).unwrap(), "--to"]).arg(backups.scratch("x")).done();
    refused.exits(2).tells("snapshot.ambiguous");
    for id in &ids {
        backups.ok([
            OsStr::new("restore"),
            OsStr::new(&id[..8]),
            OsStr::new("--to"),
            backups.scratch(id).as_os_str(),
        ]);
    }
    assert!(!backups.scratch("x").exists());
    for arguments in [&["restore", "latest"][..], &["restore", "latest", "--back"]] {
        backups.drydock(arguments).done().exits(2);
    }
}

#[test]
fn damage_is_refused_by_name_and_the_others_can_be_had() {
    let backups = Backups::new();
    let snapshot = backups.snapshot();
    damage_a_pack(&backups.folder(BackupCopy::Local));
    let to = backups.scratch("restored");

    let refused = backups.fails(restore(&[], &to), 1, "backup.incomplete");

    assert!(!to.exists(), "half of it is there");
    assert!(refused.stderr.contains("--partial") && refused.stderr.contains("verify --heal"), "{refused:?}");
    assert_eq!(names_in(&backups.scratch("")), BTreeSet::new());

    let partial = backups.drydock(restore(&[], &to)).arg("--partial").done().exits(1);
    let wanted = backups.tree();
    let got = Tree::of(&to);
    let missing: BTreeSet<_> = wanted.names().difference(&got.names()).cloned().collect();
    assert!(!missing.is_empty(), "nothing was damaged after all");
    for name in &missing {
        let name = name.to_str().unwrap();
        assert!(partial.stdout.contains(&format!("MISSING: {name}: ")), "{name}: {partial:?}");
        assert!(refused.stderr.contains(name), "{name}: {refused:?}");
    }
    let missing: Vec<_> = missing.iter().map(|name| name.to_str().unwrap()).collect();
    got.assert_is(&wanted.without(&missing));
    // What is whole can be had one by one.
    backups.ok(restore(&[".claude.json"], &backups.scratch("one")));
    backups.drydock(["restore", &snapshot, missing[0], "--back"]).done().exits(1).tells("backup.incomplete");
}

#[test]
fn a_restore_that_is_killed_leaves_nothing_half_made() {
    let backups = large();
    let to = backups.scratch("restored");
    let running = backups.drydock(restore(&[], &to)).start();
    let staged = until("some files are restored", LIMIT, || {
        let name =
            names_in(&backups.scratch("")).into_iter().find(|name| name.starts_with(".drydock-restore-"))?;
        let staged = backups.scratch(&name);
        staged.join(".claude/projects").exists().then_some(staged)
    });
    running.kill();
    assert!(!to.exists(), "half of it is there");

    backups.ok(restore(&[], &to));

    Tree::of(&to).assert_is(&backups.tree());
    assert!(!staged.exists(), "the remains are still there");
    assert_eq!(names_in(&backups.scratch("")), ["restored".to_owned()].into());
}

#[test]
fn a_restore_whose_worker_dies_says_so_and_leaves_nothing() {
    let backups = large();
    let to = backups.scratch("restored");
    let running = backups.drydock(restore(&[], &to)).start();
    let worker = until("its worker is at work", LIMIT, || {
        let staged =
            names_in(&backups.scratch("")).into_iter().any(|name| name.starts_with(".drydock-restore-"));
        if staged { child_of(running.process()) } else { None }
    });
    kill_process(Pid::from_raw(worker).unwrap(), Signal::KILL).unwrap();

    running.done().exits(1).tells("backup.repository");

    assert_eq!(names_in(&backups.scratch("")), BTreeSet::new());
    backups.ok(restore(&[], &to));
    Tree::of(&to).assert_is(&backups.tree());
}

#[test]
fn a_target_without_space_is_said_and_left_clean() {
    let backups = large();
    let disk = SmallDisk::mount(16);
    let to = disk.path().join("restored");

    backups.fails(restore(&[], &to), 1, "disk.full");

    assert_eq!(names_in(&disk.path()), BTreeSet::new());
}

#[test]
fn a_lost_home_comes_back_where_it_was() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    let before = backups.tree();
    fs::remove_dir_all(backups.home.claude_dir()).unwrap();
    fs::remove_file(backups.home.claude_json()).unwrap();

    backups.ok(["restore", "latest", ".claude", ".claude.json", "--back"]);

    let after = backups.tree();
    assert_eq!(after.names(), before.names());
    after.untimed().assert_is(&before.untimed());
}

#[test]
fn times_of_every_kind_come_back() {
    let backups = Backups::with_three_copies();
    let epoch = SystemTime::UNIX_EPOCH;
    let day = Duration::from_secs(24 * 3600);
    for (n, time) in [
        epoch,
        epoch - 400 * day - Duration::from_nanos(1),
        epoch + Duration::from_nanos(999_999_999),
        epoch + 365 * 200 * day + Duration::from_nanos(1),
    ]
    .into_iter()
    .enumerate()
    {
        let path = backups.home.write(&format!(".claude/plans/{n}.md"), "# Plan\n");
        File::open(path).unwrap().set_modified(time).unwrap();
    }
    let _ = backups.snapshot();
    let wanted = backups.tree();

    Tree::of(&backups.restored("latest")).assert_is(&wanted);
    let to = backups.scratch("by-restic");
    backups.restic(BackupCopy::External).restore("latest", &to);
    Tree::of(&to).assert_is(&wanted);
    // A time alone is a change too: conversations live and die by it.
    File::open(backups.file(".claude/plans/0.md")).unwrap().set_modified(epoch + day).unwrap();
    let _ = backups.snapshot();
    let modified = fs::metadata(backups.restored("latest").join(".claude/plans/0.md")).unwrap().modified();
    assert_eq!(modified.unwrap(), epoch + day);
}
