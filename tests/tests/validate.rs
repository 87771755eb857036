//! `drydock validate`, by the eyes of somebody whose data is damaged: what is told, where, what to do, and what
//! is mended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{ASKED, BackupCopy, Backups, Done, HISTORY, Home, Rig, Tree, WORKED};
use serde_json::Value;
use std::{
    fs::{self, OpenOptions, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

/// A home with a past, in which nothing is wrong.
fn sound() -> Backups {
    let past = Backups::new();
    set_mode(&past.home.claude_json(), 0o600);
    past
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn validate(past: &Backups) -> Done {
    past.drydock(["validate"]).done()
}

fn last_line(done: &Done) -> &str {
    done.stdout.lines().last().unwrap_or_default()
}

#[test]
fn a_lived_in_home_is_sound_in_one_line_and_left_as_it_is() {
    let past = sound();
    let before = Tree::of(past.home.path());

    let done = validate(&past).ok();

    assert_eq!(done.stdout.lines().count(), 1, "{}", done.stdout);
    assert!(
        done.stdout.contains(" files, ") && done.stdout.contains("386 records: sound\n"),
        "{}",
        done.stdout
    );
    assert_eq!(done.stderr, "");
    let answer = past.json(["validate"]);
    assert_eq!(answer["sound"], true);
    assert_eq!(answer["findings"], Value::Array(vec![]));
    assert_eq!(answer["records"], 386);
    past.ok(["validate", "--fix"]);
    assert!(
        !past.folder(BackupCopy::Local).exists(),
        "a snapshot was taken although nothing was to be mended"
    );
    Tree::of(past.home.path()).assert_is(&before);
}

#[test]
fn a_home_without_claudes_data_is_no_fault() {
    let home = Home::bare();
    let done = Rig::drydock_at(&home).arg("validate").done().ok();
    assert!(done.stdout.starts_with("note  ~/.claude: there is no Claude Code data"), "{}", done.stdout);
    assert!(done.stdout.ends_with("0 files, 0 kB, 0 records: sound\n"), "{}", done.stdout);
}

/// What somebody sees of one damage: the beginning of its line, words in it, a remedy, the exit code.
struct Seen {
    line: &'static str,
    words: &'static str,
    remedy: &'static str,
    exit: i32,
}

#[test]
fn every_damage_is_told_with_its_place_and_its_remedy() {
    type Deed = fn(&Backups);
    fn state(past: &Backups, text: &str) {
        fs::write(past.home.claude_json(), text).unwrap();
    }
    let cases: &[(Deed, Seen)] = &[
        (
            |past| state(past, "{\n  \"projects\": {\n"),
            Seen {
                line: "BAD   ~/.claude.json, line 2, column 16: ",
                words: "ends in the middle",
                remedy: "drydock recover",
                exit: 1,
            },
        ),
        (
            |past| state(past, ""),
            Seen {
                line: "BAD   ~/.claude.json: ",
                words: "the file is empty",
                remedy: "drydock recover",
                exit: 1,
            },
        ),
        (
            |past| state(past, &"\0".repeat(500)),
            Seen {
                line: "BAD   ~/.claude.json: ",
                words: "only zero bytes",
                remedy: "drydock recover",
                exit: 1,
            },
        ),
        (
            |past| state(past, "{\"a\":1}{\"b\":2}"),
            Seen {
                line: "BAD   ~/.claude.json, line 1, column 8: ",
                words: "two documents",
                remedy: "drydock recover",
                exit: 1,
            },
        ),
        (
            |past| state(past, "{\"oauthAccount\":{},\n\"mcpServers\":[]}"),
            Seen {
                line: "BAD   ~/.claude.json, line 2, column 1: ",
                words: "`mcpServers` is a list, and must be an object",
                remedy: "drydock recover",
                exit: 1,
            },
        ),
        (
            |past| state(past, "{\"oauthAccount\":{},\n\"theme\":1,\"theme\":2}"),
            Seen {
                line: "note  ~/.claude.json, line 2, column 11: ",
                words: "`theme` is in it twice",
                remedy: "mend that place in ",
                exit: 0,
            },
        ),
        (
            |past| fs::remove_file(past.home.claude_json()).unwrap(),
            Seen {
                line: "BAD   ~/.claude.json: ",
                words: "it is missing",
                remedy: "drydock recover",
                exit: 1,
            },
        ),
        (
            |past| {
                fs::remove_file(past.home.claude_json()).unwrap();
                symlink("dotfiles/gone.json", past.home.claude_json()).unwrap();
            },
            Seen {
                line: "BAD   ~/.claude.json: ",
                words: "leads nowhere",
                remedy: "drydock recover",
                exit: 1,
            },
        ),
        (
            |past| {
                drop(past.home.write(".claude/settings.json", "{\n<<<<<<< HEAD\n=======\n>>>>>>> mine\n}"));
            },
            Seen {
                line: "BAD   ~/.claude/settings.json, line 2, column 1: ",
                words: "conflict markers",
                remedy: "drydock recover",
                exit: 1,
            },
        ),
        (
            |past| fs::write(past.home.claude_dir().join("settings.json"), b"{\"model\":\"\xff\"}").unwrap(),
            Seen {
                line: "BAD   ~/.claude/settings.json, line 1, column 11: ",
                words: "not UTF-8",
                remedy: "drydock recover",
                exit: 1,
            },
        ),
        (
            |past| drop(past.home.write(".claude/settings.json", "\u{feff}{}")),
            Seen {
                line: "note  ~/.claude/settings.json, line 1, column 1: ",
                words: "byte-order mark",
                remedy: "drydock validate --fix",
                exit: 0,
            },
        ),
        (
            |past| {
                past.home.keep_login(
                    &serde_json::json!({ "claudeAiOauth": { "accessToken": "", "refreshToken": "" } }),
                );
            },
            Seen {
                line: "note  ~/.claude/.credentials.json: ",
                words: "blank",
                remedy: "claude auth login",
                exit: 0,
            },
        ),
        (
            |past| set_mode(&past.home.claude_dir().join(".credentials.json"), 0o644),
            Seen {
                line: "note  ~/.claude/.credentials.json: ",
                words: "(mode 644)",
                remedy: "drydock validate --fix",
                exit: 0,
            },
        ),
        (
            |past| set_mode(&past.home.path().join(WORKED), 0o000),
            Seen {
                line: "BAD   ~/.claude/projects/-home-ann-shop/1111",
                words: "its owner cannot read it",
                remedy: "drydock validate --fix",
                exit: 1,
            },
        ),
        (
            |past| {
                let mut text = fs::read(past.home.path().join(ASKED)).unwrap();
                text.extend_from_slice(b"not a record\n{\"a\": }\n{}\n");
                fs::write(past.home.path().join(ASKED), text).unwrap();
            },
            Seen {
                line: "note  ~/.claude/projects/-home-ann-shop/22222222-2222-4222-8222-222222222222.jsonl, line 7, column 1: ",
                words: "2 records cannot be read",
                remedy: "drydock recover",
                exit: 0,
            },
        ),
        (
            |past| {
                let file = OpenOptions::new().write(true).open(past.home.path().join(HISTORY)).unwrap();
                file.set_len(file.metadata().unwrap().len() - 3).unwrap();
            },
            Seen {
                line: "note  ~/.claude/history.jsonl, line 50, ",
                words: "its last record is not whole",
                remedy: "drydock recover",
                exit: 0,
            },
        ),
        (
            |past| drop(past.home.write(ASKED, &"\0".repeat(4096))),
            Seen {
                line: "BAD   ~/.claude/projects/-home-ann-shop/2222",
                words: "only zero bytes",
                remedy: "drydock recover",
                exit: 1,
            },
        ),
        (
            |past| {
                drop(past.home.write(".claude/CLAUDE.md", "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> mine\n"));
            },
            Seen {
                line: "note  ~/.claude/CLAUDE.md, line 2, column 1: ",
                words: "conflict markers",
                remedy: "mend that place in ",
                exit: 0,
            },
        ),
        (
            |past| {
                fs::remove_dir_all(past.home.claude_dir()).unwrap();
                fs::write(past.home.claude_dir(), "").unwrap();
            },
            Seen { line: "BAD   ~/.claude: ", words: "it is no folder", remedy: "drydock recover", exit: 1 },
        ),
    ];
    for (deed, seen) in cases {
        let past = sound();
        deed(&past);
        let before = Tree::of(past.home.path());

        let done = validate(&past).exits(seen.exit);

        let line = done.stdout.lines().next().unwrap();
        assert!(
            line.starts_with(seen.line) && line.contains(seen.words),
            "not {}…{}: {}",
            seen.line,
            seen.words,
            done.stdout
        );
        let remedy = format!("      try: {}", seen.remedy);
        assert!(
            done.stdout.lines().any(|line| line.starts_with(&remedy)),
            "no {}: {}",
            seen.remedy,
            done.stdout
        );
        let end = if seen.exit == 0 { ": sound" } else { " wrong" };
        assert!(last_line(&done).contains(end), "{}", done.stdout);
        assert!(!done.stdout.contains("FAKE"), "a secret is told: {}", done.stdout);
        let answer = past.drydock(["validate", "--json"]).done().exits(seen.exit).json();
        assert_eq!(answer["sound"], seen.exit == 0);
        assert!(!answer["findings"][0]["reason"].as_str().unwrap().is_empty());
        Tree::of(past.home.path()).assert_is(&before);
    }
}

#[test]
fn each_remedy_is_told_once() {
    let past = sound();
    fs::write(past.home.claude_json(), "{").unwrap();
    past.home.write(".claude/settings.json", "{");
    let done = validate(&past).exits(1);
    assert_eq!(done.stdout.matches("try: drydock recover").count(), 1, "{}", done.stdout);
    assert!(last_line(&done).ends_with(": 2 things are wrong"), "{}", done.stdout);
}

#[test]
fn dotfiles_are_as_good_as_a_folder_and_a_file() {
    let past = sound();
    let elsewhere = past.home.path().join("dotfiles");
    fs::create_dir(&elsewhere).unwrap();
    for (link, name) in [(past.home.claude_dir(), "claude"), (past.home.claude_json(), "state.json")] {
        fs::rename(&link, elsewhere.join(name)).unwrap();
        symlink(elsewhere.join(name), link).unwrap();
    }
    let done = validate(&past).ok();
    assert!(
        done.stdout.ends_with("386 records: sound\n") && done.stdout.lines().count() == 1,
        "{}",
        done.stdout
    );
}

#[test]
fn fix_mends_what_loses_nothing_after_a_snapshot() {
    let past = sound();
    let (settings, login) =
        (past.home.claude_dir().join("settings.json"), past.home.claude_dir().join(".credentials.json"));
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("\u{feff}{text}")).unwrap();
    set_mode(&login, 0o644);
    set_mode(&past.home.path().join(WORKED), 0o040);

    let done = past.ok(["validate", "--fix"]);

    assert_eq!(fs::read_to_string(&settings).unwrap(), text);
    assert_eq!([mode_of(&login), mode_of(&past.home.path().join(WORKED))], [0o600, 0o640]);
    assert_eq!(done.stdout.matches("mended  ~/.claude/").count(), 3, "{}", done.stdout);
    assert!(done.stdout.ends_with(": sound\n") && !done.stdout.contains("try: "), "{}", done.stdout);
    let snapshots = past.snapshots();
    assert_eq!(snapshots.len(), 1);
    assert_eq!(snapshots[0]["reason"], "pre-recovery", "{snapshots:#?}");
}

#[test]
fn fix_leaves_what_a_backup_must_mend() {
    let past = sound();
    fs::write(past.home.claude_json(), "{\"projects\":").unwrap();
    set_mode(&past.home.claude_json(), 0o644);

    let done = past.drydock(["validate", "--fix"]).done().exits(1);

    assert_eq!(fs::read_to_string(past.home.claude_json()).unwrap(), "{\"projects\":");
    assert_eq!(mode_of(&past.home.claude_json()), 0o600);
    assert!(done.stdout.contains("try: drydock recover"), "{}", done.stdout);
    assert!(last_line(&done).ends_with(": one thing is wrong"), "{}", done.stdout);
}

#[test]
fn without_a_snapshot_only_permissions_are_changed() {
    let past = sound();
    // Something that is no repository is where the backups would be.
    past.home.write(".claude-backups", "a file");
    let settings = past.home.claude_dir().join("settings.json");
    set_mode(&past.home.path().join(WORKED), 0o000);

    let done = past.ok(["validate", "--fix"]);

    assert!(done.stderr.contains("only permissions will be changed"), "{}", done.stderr);
    assert_eq!(mode_of(&past.home.path().join(WORKED)), 0o600);
    fs::write(&settings, "\u{feff}{}").unwrap();
    let refused = past.drydock(["validate", "--fix"]).done();
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.starts_with("error: "), "{}", refused.stderr);
    assert_eq!(fs::read(&settings).unwrap(), "\u{feff}{}".as_bytes());
}
