//! Claude Code's data in another place than usual: in a snapshot it has the same names all the same.

use drydock_tests::rig::{BackupCopy, Backups, Done, LEFT_OUT, Tree, WORKED};
use std::{ffi::OsStr, fs};

/// Somebody who has Claude Code's data in `~/elsewhere`, as `CLAUDE_CONFIG_DIR` says.
struct Moved(Backups);

impl Moved {
    fn new() -> Self {
        let backups = Backups::new();
        fs::rename(backups.file(".claude"), backups.file("elsewhere")).unwrap();
        // There it is inside.
        fs::rename(backups.file(".claude.json"), backups.file("elsewhere/.claude.json")).unwrap();
        Self(backups)
    }

    fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Done {
        self.0.drydock(arguments).variable("CLAUDE_CONFIG_DIR", self.0.file("elsewhere")).done()
    }
}

#[test]
fn a_snapshot_has_the_same_names_wherever_the_data_is() {
    let usual = Backups::new();
    let moved = Moved::new();

    moved.run(["backup", "now"]).ok();

    let to = moved.0.scratch("restored");
    moved.run([OsStr::new("restore"), OsStr::new("latest"), OsStr::new("--to"), to.as_os_str()]).ok();
    assert_eq!(Tree::of(&to).names(), usual.tree().names());
    assert!(!LEFT_OUT.iter().any(|name| to.join(name).exists()));
    moved.0.restic(BackupCopy::Local).check();
}

#[test]
fn what_is_damaged_or_lost_there_is_said() {
    let moved = Moved::new();
    moved.run(["backup", "now"]).ok();
    let state = moved.0.file("elsewhere/.claude.json");
    fs::write(&state, "{\"a\": ").unwrap();
    let damaged = moved.run(["backup", "now"]).ok();
    assert!(
        damaged.stdout.contains("DAMAGED on this computer") && damaged.stdout.contains(".claude.json"),
        "{damaged:?}"
    );
    fs::remove_file(&state).unwrap();

    let lost = moved.run(["backup", "now"]).ok();

    assert!(lost.stdout.contains("DAMAGED on this computer"), "{lost:?}");
    assert!(lost.stdout.contains("it is missing"), "{lost:?}");
}

#[test]
fn what_is_lost_there_comes_back_there() {
    let moved = Moved::new();
    moved.run(["backup", "now"]).ok();
    let place = moved.0.file("elsewhere").join(WORKED.trim_start_matches(".claude/"));
    let content = fs::read(&place).unwrap();
    fs::remove_file(&place).unwrap();

    moved.run(["restore", "latest", WORKED, "--back"]).ok();

    assert_eq!(fs::read(&place).unwrap(), content);
    assert!(!moved.0.file(".claude").exists(), "it is where it never was");
}
