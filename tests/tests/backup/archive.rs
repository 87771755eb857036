//! Conversations that are gone from the home: kept in every later snapshot, found again, and brought back.

use drydock_tests::rig::{ASKED, BackupCopy, Backups, ELSEWHERE, NOTED, SIDECARS, Tree, WORKED, record};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Where a file of the home is in a snapshot's archive.
fn archived(name: &str) -> String {
    name.replacen(".claude/", "archive/", 1)
}

/// Claude Code deletes a conversation, and what is beside it.
fn delete(backups: &Backups, conversation: &str) {
    fs::remove_file(backups.file(conversation)).unwrap();
    let beside = backups.file(conversation.trim_end_matches(".jsonl"));
    if beside.exists() {
        fs::remove_dir_all(beside).unwrap();
    }
}

/// The files in the archive of a snapshot.
fn archive_of(backups: &Backups, snapshot: &str) -> BTreeSet<PathBuf> {
    let to = backups.restored(snapshot);
    let names = Tree::of(&to).only(&["archive"]).names();
    names.into_iter().filter(|name| to.join(name).is_file()).collect()
}

fn size(backups: &Backups) -> u64 {
    backups.repository_files(BackupCopy::Local).values().sum()
}

#[test]
fn a_deleted_conversation_is_in_every_later_snapshot() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    let gone: Vec<_> = [&[WORKED][..], SIDECARS].concat();
    let contents: Vec<_> = gone.iter().map(|name| fs::read(backups.file(name)).unwrap()).collect();
    delete(&backups, WORKED);

    for _ in 0..3 {
        backups.append(ASKED, 1);
        let snapshot = backups.snapshot();
        let wanted: BTreeSet<_> = gone.iter().map(|name| PathBuf::from(archived(name))).collect();
        assert_eq!(archive_of(&backups, &snapshot), wanted);
    }

    for copy in BackupCopy::ALL {
        let to = backups.scratch(copy.word());
        let restic = backups.restic(copy);
        restic.check();
        restic.restore("latest", &to);
        for (name, content) in gone.iter().zip(&contents) {
            assert_eq!(fs::read(to.join(archived(name))).unwrap(), *content, "{name} in {copy:?}");
        }
        Tree::of(&to).without(&["archive"]).assert_is(&backups.tree());
    }
    let listed = backups.json(["backup", "list", "latest", "archive/projects/-home-ann-shop"]);
    assert!(listed.to_string().contains("11111111-1111-4111-8111-111111111111.jsonl"), "{listed:#}");
    backups.ok(["backup", "drill"]);
    backups.ok(["backup", "verify", "--all"]);
}

#[test]
fn a_deleted_conversation_is_found_by_what_was_said_and_brought_back() {
    let backups = Backups::new();
    let said = "the Парусник has a \"blue\" hull";
    fs::write(backups.file(NOTED), record(NOTED, said)).unwrap();
    File::open(backups.file(NOTED)).unwrap().set_modified(SystemTime::now() - 25 * DAY).unwrap();
    let content = fs::read(backups.file(NOTED)).unwrap();
    let _ = backups.snapshot();
    delete(&backups, NOTED);
    let _ = backups.snapshot();
    backups.append(ASKED, 1);
    let _ = backups.snapshot();
    assert!(backups.ok(["backup", "list", "--find", "green hull"]).stdout.contains("no conversation"));

    for text in ["парусник", "a \"Blue\" hull"] {
        let found = backups.ok(["backup", "list", "--find", text]);
        assert!(found.stdout.contains("has a \"blue\" hull"), "{found:?}");
    }

    // As it says how, typed into a shell.
    let found = backups.ok(["backup", "list", "--find", "парусник"]);
    let command = found.stdout.lines().find_map(|line| line.trim().strip_prefix("bring it back: drydock "));
    let arguments: Vec<_> = command
        .unwrap_or_else(|| panic!("{found:?}"))
        .split(' ')
        .map(|word| word.trim_matches('\''))
        .collect();
    let before = SystemTime::now() - Duration::from_secs(2);
    let back = backups.ok(arguments);
    assert!(back.stdout.contains(&format!("back: {}", backups.file(NOTED).display())), "{back:?}");
    assert_eq!(fs::read(backups.file(NOTED)).unwrap(), content);
    let written = fs::metadata(backups.file(NOTED)).unwrap().modified().unwrap();
    assert!(written >= before, "it is as old as it was: Claude Code would delete it again");

    let newest = backups.snapshot();
    assert_eq!(archive_of(&backups, &newest), BTreeSet::new(), "it is not gone any more");
}

#[test]
fn a_conversation_comes_back_with_what_was_beside_it() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    let before = backups.tree();
    delete(&backups, WORKED);
    let _ = backups.snapshot();

    backups.ok(["restore", "latest", "archive/projects/-home-ann-shop", "--back"]);

    let after = backups.tree();
    assert_eq!(after.names(), before.names());
    for name in [&[WORKED][..], SIDECARS].concat() {
        assert!(fs::metadata(backups.file(name)).unwrap().modified().unwrap() > SystemTime::now() - DAY);
    }
}

#[test]
fn what_is_there_is_not_written_over() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    delete(&backups, WORKED);
    let _ = backups.snapshot();
    // The conversation was gone on with from another place.
    let newer = record(WORKED, "a new one of this name");
    fs::write(backups.file(WORKED), &newer).unwrap();
    let time = fs::metadata(backups.file(WORKED)).unwrap().modified().unwrap();

    let done = backups.ok(["restore", "latest", "archive/projects/-home-ann-shop", "--back"]);

    assert!(done.stdout.contains("left as it is, since something is there"), "{done:?}");
    assert!(done.stdout.contains(WORKED), "{done:?}");
    assert_eq!(fs::read_to_string(backups.file(WORKED)).unwrap(), newer);
    assert_eq!(fs::metadata(backups.file(WORKED)).unwrap().modified().unwrap(), time);
    assert!(backups.file(SIDECARS[0]).exists(), "the others are back");
    // Documents neither.
    backups.home.write(".claude/CLAUDE.md", "mine");
    backups.ok(["restore", "latest", ".claude/CLAUDE.md", ".claude.json", "--back"]);
    assert_eq!(fs::read_to_string(backups.file(".claude/CLAUDE.md")).unwrap(), "mine");
}

#[test]
fn a_conversation_of_a_renamed_project_is_not_gone() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    let projects = backups.file(".claude/projects");
    fs::rename(projects.join("-home-ann-shop"), projects.join("-home-ann-store")).unwrap();

    let snapshot = backups.snapshot();

    assert_eq!(archive_of(&backups, &snapshot), BTreeSet::new());
}

#[test]
fn the_oldest_go_when_the_archive_is_full() {
    let backups = Backups::new();
    backups.set("backup.archive_size", "1m");
    let conversations = [(NOTED, 20), (ELSEWHERE, 10), (WORKED, 5), (ASKED, 1)];
    for (name, days) in conversations {
        let text: String = (0..1_300).map(|_| record(name, "and on")).collect();
        assert!((400_000..500_000).contains(&text.len()), "{}", text.len());
        fs::write(backups.file(name), text).unwrap();
        File::open(backups.file(name)).unwrap().set_modified(SystemTime::now() - days * DAY).unwrap();
    }
    let _ = backups.snapshot();
    for (name, _) in conversations {
        fs::remove_file(backups.file(name)).unwrap();
    }
    let kept = backups.snapshot();
    let names = archive_of(&backups, &kept);
    for (name, wanted) in [(NOTED, false), (ELSEWHERE, false), (WORKED, true), (ASKED, true)] {
        assert_eq!(names.contains(Path::new(&archived(name))), wanted, "{name}: {names:?}");
    }
    // The snapshot of before has them all the same.
    let first = backups.snapshots()[0]["id"].as_str().unwrap().to_owned();
    assert!(backups.restored(&first).join(NOTED).exists());

    let wrong = backups.drydock(["settings", "set", "backup.archive_size", "10k"]).done();
    wrong.exits(2).tells("settings.value");
}

#[test]
fn the_archive_takes_no_space_again() {
    let backups = Backups::new();
    let text: String = (0..12_000).map(|_| record(WORKED, "and on")).collect();
    assert!(text.len() > 3 << 20);
    fs::write(backups.file(WORKED), text).unwrap();
    let _ = backups.snapshot();
    let before = size(&backups);
    assert!(before > 1 << 19, "there is nothing to be stored twice: {before}");
    fs::remove_file(backups.file(WORKED)).unwrap();

    let _ = backups.snapshot();

    let grown = size(&backups) - before;
    assert!(grown < 32 << 10, "the archive took {grown} bytes of {before}");
}

#[test]
fn a_project_that_was_deleted_altogether_is_in_the_archive() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    fs::remove_dir_all(backups.file(".claude/projects")).unwrap();

    let snapshot = backups.snapshot();

    let names = archive_of(&backups, &snapshot);
    for name in [&[WORKED, ASKED, ELSEWHERE, NOTED][..], SIDECARS].concat() {
        assert!(names.contains(Path::new(&archived(name))), "{name}: {names:?}");
    }
    backups.ok(["restore", "latest", "archive/projects", "--back"]);
    assert!(backups.file(SIDECARS[2]).exists() && backups.file(NOTED).exists());
}

#[test]
fn a_text_is_found_in_whatever_snapshot_has_it() {
    let backups = Backups::new();
    fs::write(backups.file(ASKED), record(ASKED, "about the zebra crossing")).unwrap();
    let _ = backups.snapshot();
    // A compaction, or somebody with an editor.
    fs::write(backups.file(ASKED), record(ASKED, "about nothing at all")).unwrap();
    let _ = backups.snapshot();

    let found = backups.json(["backup", "list", "--find", "zebra CROSSING"]);

    let hits = found.as_array().unwrap();
    assert_eq!(hits.len(), 1, "{found:#}");
    assert_eq!(hits[0]["path"], ASKED);
    assert_eq!(hits[0]["snapshot"], backups.snapshots()[0]["id"]);
    // Only what was said counts.
    assert_eq!(backups.json(["backup", "list", "--find", "parentUuid"]), Value::Array(Vec::new()));
    backups.fails(["backup", "list", "--find", " "], 2, "usage");
}
