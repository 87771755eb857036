//! Snapshots that are taken while Claude Code writes, and of what was damaged before.

use drydock_tests::rig::{
    ASKED, BackupCopy, Backups, Damage, ELSEWHERE, HISTORY, Home, NOTED, SIDECARS, Tree, WORKED,
    assert_whole_records, record,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::{fs::symlink, net::UnixListener},
    process::Command,
    slice,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, SystemTime},
};

/// The document that a snapshot has as `.claude.json`.
fn state_in(backups: &Backups, snapshot: &str) -> Vec<u8> {
    fs::read(backups.restored(snapshot).join(".claude.json")).unwrap()
}

fn damaged_in(snapshot: &Value) -> Vec<&str> {
    let damaged = snapshot["damaged"].as_array().map(Vec::as_slice).unwrap_or_default();
    damaged.iter().map(|document| document["name"].as_str().expect("a name")).collect()
}

#[test]
fn a_document_that_is_being_written_in_place_is_captured_whole() {
    const ITEMS: usize = 400;
    let backups = Backups::new();
    let (path, stop) = (backups.home.claude_json(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for version in 0.. {
                let items: Vec<_> = (0..ITEMS).map(|item| format!("{version}.{item}")).collect();
                let text = json!({ "version": version, "items": items }).to_string();
                let mut file = File::create(&path).unwrap();
                for part in text.as_bytes().chunks(text.len() / 20 + 1) {
                    file.write_all(part).unwrap();
                    thread::sleep(Duration::from_millis(8));
                }
                thread::sleep(Duration::from_millis(150));
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        for _ in 0..5 {
            backups.append(ASKED, 1);
            backups.ok(["backup", "now"]);
        }
        stop.store(true, Ordering::Relaxed);
    });

    let snapshots = backups.snapshots();
    assert_eq!(snapshots.len(), 5);
    let mut versions = Vec::new();
    for snapshot in &snapshots {
        assert_eq!(damaged_in(snapshot), [""; 0], "{snapshot:#}");
        let document: Value =
            serde_json::from_slice(&state_in(&backups, snapshot["id"].as_str().unwrap())).unwrap();
        let version = document["version"].as_u64().expect("a version of the writer's");
        let wanted: Vec<_> = (0..ITEMS).map(|item| format!("{version}.{item}")).collect();
        assert_eq!(document["items"], json!(wanted), "a mixture of two versions");
        versions.push(version);
    }
    assert!(versions.is_sorted(), "{versions:?}");
}

#[test]
fn a_damaged_claude_json_never_counts_as_the_newest_good_state() {
    let backups = Backups::with_three_copies();
    let whole = fs::read(backups.home.claude_json()).unwrap();
    let good = backups.snapshot();
    for damage in [Damage::Truncated, Damage::Empty, Damage::TwoObjects] {
        fs::write(backups.home.claude_json(), &whole).unwrap();
        let broken = backups.home.damage(damage);
        backups.append(ASKED, 1);

        let done = backups.ok(["backup", "now"]);

        assert!(done.stdout.contains("DAMAGED on this computer: .claude.json"), "{damage:?}: {done:?}");
        let newest = backups.snapshots().pop().unwrap();
        assert_eq!(damaged_in(&newest), [".claude.json"], "{damage:?}");
        assert_eq!(newest["good"], false);
        let listed = backups.ok(["backup", "list"]);
        assert!(listed.stdout.contains("DAMAGED: .claude.json"), "{listed:?}");
        // It is kept all the same: there may be something in it that is nowhere else.
        assert_eq!(state_in(&backups, newest["id"].as_str().unwrap()), broken);
        assert_eq!(state_in(&backups, "latest"), whole, "{damage:?}");
        for copy in BackupCopy::ALL {
            let drill = backups.ok(["backup", "drill", "--copy", copy.word()]);
            assert!(
                drill.stdout.contains(&format!("proven: snapshot {}", &good[..8])),
                "{damage:?}: {drill:?}"
            );
        }
    }
    let seen = backups.ok(["backup", "verify"]);
    assert!(seen.stdout.contains("the newest snapshot is of a damaged .claude.json"), "{seen:?}");

    fs::write(backups.home.claude_json(), &whole).unwrap();
    let mended = backups.snapshot();
    let drill = backups.ok(["backup", "drill"]);
    assert!(drill.stdout.contains(&mended[..8]), "{drill:?}");
}

#[test]
fn a_damage_that_stays_is_said_again_although_nothing_has_changed() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    let _ = backups.home.damage(Damage::Truncated);
    let _ = backups.snapshot();

    let again = backups.ok(["backup", "now"]);

    assert!(again.stdout.contains("nothing has changed"), "{again:?}");
    assert!(again.stdout.contains("DAMAGED on this computer: .claude.json"), "{again:?}");
}

#[test]
fn a_settings_file_that_is_damaged_is_said_too() {
    let backups = Backups::new();
    let good = backups.snapshot();
    backups.home.write(".claude/settings.json", "{\n  \"model\": \"opus\",\n  \"env\": {,}\n}\n");

    let done = backups.ok(["backup", "now"]);

    assert!(done.stdout.contains("DAMAGED on this computer: .claude/settings.json: line 3"), "{done:?}");
    let drill = backups.ok(["backup", "drill"]);
    assert!(drill.stdout.contains(&good[..8]), "{drill:?}");
}

#[test]
fn a_record_that_is_half_written_waits_for_the_next_snapshot() {
    let backups = Backups::with_three_copies();
    let conversations = [WORKED, ASKED, HISTORY, SIDECARS[0]];
    let mut wholes = BTreeMap::new();
    for name in conversations {
        let path = backups.file(name);
        wholes.insert(name, fs::read(&path).unwrap());
        let next = record(name, "this one is on the way");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&next.as_bytes()[..next.len() / 2]).unwrap();
    }

    let snapshot = backups.snapshot();

    let to = backups.restored(&snapshot);
    let by_restic = backups.scratch("by-restic");
    backups.restic(BackupCopy::External).restore(&snapshot, &by_restic);
    for (name, whole) in &wholes {
        assert_eq!(fs::read(to.join(name)).unwrap(), *whole, "{name}");
        assert_eq!(fs::read(by_restic.join(name)).unwrap(), *whole, "{name}");
        assert!(fs::read(backups.file(name)).unwrap().len() > whole.len(), "the host's {name} was touched");
    }
    for name in conversations {
        fs::write(backups.file(name), [&wholes[name][..], record(name, "now whole").as_bytes()].concat())
            .unwrap();
    }
    let _ = backups.snapshot();
    Tree::of(&backups.restored("latest")).assert_is(&backups.tree());
}

#[test]
fn a_record_that_was_never_finished_is_kept_as_it_is() {
    let backups = Backups::new();
    let conversation = backups.file(NOTED);
    let torn = [fs::read(&conversation).unwrap(), b"{\"type\":\"assis".to_vec()].concat();
    fs::write(&conversation, &torn).unwrap();
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 3600);
    File::open(&conversation).unwrap().set_modified(yesterday).unwrap();
    let _ = backups.snapshot();

    assert_eq!(fs::read(backups.restored("latest").join(NOTED)).unwrap(), torn);
    backups.ok(["backup", "drill"]);
}

#[test]
fn conversations_that_grow_meanwhile_are_true_to_a_record_in_every_snapshot() {
    let backups = Backups::with_three_copies();
    let names = [WORKED, ASKED, ELSEWHERE, NOTED, SIDECARS[0]];
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for name in names {
            let (path, stop) = (backups.file(name), &stop);
            scope.spawn(move || {
                let mut file = OpenOptions::new().append(true).open(path).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let text = record(name, &"on and on ".repeat(30));
                    // In two writes, so that there is a half record half of the time.
                    let (first, second) = text.as_bytes().split_at(text.len() / 2);
                    for part in [first, second] {
                        file.write_all(part).unwrap();
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        for _ in 0..5 {
            backups.ok(["backup", "now"]);
        }
        stop.store(true, Ordering::Relaxed);
    });

    let finals = names.map(|name| fs::read(backups.file(name)).unwrap());
    let mut lengths = [0; 5];
    let snapshots = backups.snapshots();
    assert_eq!(snapshots.len(), 5);
    for snapshot in snapshots {
        let to = backups.restored(snapshot["id"].as_str().unwrap());
        for (n, name) in names.iter().enumerate() {
            assert_whole_records(&to.join(name));
            let then = fs::read(to.join(name)).unwrap();
            assert!(finals[n].starts_with(&then), "{name} of {} is not its beginning", snapshot["id"]);
            assert!(then.len() >= lengths[n], "{name} got shorter from snapshot to snapshot");
            lengths[n] = then.len();
        }
    }
    assert!(lengths.iter().zip(&finals).all(|(length, last)| *length <= last.len()));
    for copy in BackupCopy::ALL {
        backups.restic(copy).check();
    }
}

#[test]
fn a_home_without_claudes_data_is_not_taken_for_its_newest_state() {
    let backups = Backups::with_three_copies();
    let before = backups.snapshot();
    let tree = backups.tree();
    fs::remove_dir_all(backups.home.claude_dir()).unwrap();
    fs::remove_file(backups.home.claude_json()).unwrap();

    let refused = backups.fails(["backup", "now"], 4, "backup.nothing");

    assert!(refused.stderr.contains("drydock restore latest --to"), "{refused:?}");
    assert_eq!(backups.snapshots().len(), 1);
    Tree::of(&backups.restored("latest")).assert_is(&tree);
    for copy in BackupCopy::ALL {
        assert_eq!(backups.restic(copy).snapshots(), slice::from_ref(&before));
    }
}

#[test]
fn a_home_that_never_had_claudes_data_begins_no_backups() {
    let backups = Backups::of(Home::bare());

    backups.fails(["backup", "now"], 4, "backup.nothing");

    assert!(!backups.folder(BackupCopy::Local).exists());
    backups.fails(["backup", "list"], 4, "backup.none");
    backups.fails(["backup", "key", "export"], 4, "backup.none");
}

#[test]
fn a_part_that_every_home_has_and_this_one_lost_is_damage() {
    for (lost, left) in [(".claude.json", ".claude"), (".claude", ".claude.json")] {
        let backups = Backups::new();
        let good = backups.snapshot();
        let tree = backups.tree();
        if lost == ".claude" {
            fs::remove_dir_all(backups.file(lost)).unwrap();
        } else {
            fs::remove_file(backups.file(lost)).unwrap();
        }

        let done = backups.ok(["backup", "now"]);

        assert!(
            done.stdout.contains(&format!("DAMAGED on this computer: {lost}: it is missing")),
            "{done:?}"
        );
        let newest = backups.snapshots().pop().unwrap();
        assert_eq!(damaged_in(&newest), [lost]);
        Tree::of(&backups.restored("latest")).assert_is(&tree);
        let drill = backups.ok(["backup", "drill"]);
        assert!(drill.stdout.contains(&good[..8]), "{drill:?}");
        assert!(backups.restored(newest["id"].as_str().unwrap()).join(left).exists());
    }
}

#[test]
fn a_loss_is_damage_as_long_as_it_lasts() {
    let backups = Backups::new();
    let good = backups.snapshot();
    let tree = backups.tree();
    fs::remove_file(backups.home.claude_json()).unwrap();
    for n in 0..3 {
        backups.append(ASKED, 1);
        let done = backups.ok(["backup", "now"]);
        assert!(done.stdout.contains("DAMAGED on this computer: .claude.json"), "time {n}: {done:?}");
        let drill = backups.ok(["backup", "drill"]);
        assert!(drill.stdout.contains(&good[..8]), "time {n}: {drill:?}");
    }
    Tree::of(&backups.restored("latest")).assert_is(&tree);

    backups.home.write(".claude.json", "{}");
    let back = backups.snapshot();
    assert!(backups.ok(["backup", "drill"]).stdout.contains(&back[..8]));
}

#[test]
fn what_is_no_file_is_in_nobodys_way() {
    let backups = Backups::new();
    let _socket = UnixListener::bind(backups.file(".claude/daemon.sock")).unwrap();
    let made = Command::new("mkfifo").arg(backups.file(".claude/projects/pipe.jsonl")).status().unwrap();
    assert!(made.success());

    let done = backups.ok(["backup", "now"]);

    assert!(!done.stdout.contains("not read"), "{done:?}");
    let names = Tree::of(&backups.restored("latest")).names();
    assert!(!names.iter().any(|name| name.ends_with("daemon.sock") || name.ends_with("pipe.jsonl")));
    backups.ok(["backup", "drill"]);
}

#[test]
fn a_home_whose_claude_data_is_linked_from_elsewhere_is_captured() {
    let backups = Backups::new();
    let tree = backups.tree();
    let dotfiles = backups.home.path().join("dotfiles");
    fs::create_dir(&dotfiles).unwrap();
    for name in [".claude", ".claude.json"] {
        let target = dotfiles.join(name);
        fs::rename(backups.file(name), &target).unwrap();
        symlink(target, backups.file(name)).unwrap();
    }
    let _ = backups.snapshot();

    Tree::of(&backups.restored("latest")).assert_is(&tree);
    backups.ok(["backup", "drill"]);
}
