//! Everything is gone, with Drydock's own state: back with another copy and the recovery sheet alone.

use super::{
    files::Files,
    person::{NOTHING, Person},
};
use drydock_tests::rig::{BackupCopy, Backups, Done, LEFT_OUT, Tree, WORKED};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// Somebody with three copies, who has the sheet, and loses all that is on the computer.
struct Loser {
    person: Person,
    code: String,
}

impl Loser {
    fn new() -> Self {
        let person = Person::with_three_copies();
        let code = person.backups.code();
        person.backups.ok(["backup", "now"]);
        let loser = Self { person, code };
        for name in [".claude", ".claude-backups", ".local", ".cache", ".config/drydock"] {
            let _ = fs::remove_dir_all(loser.person.file(name));
        }
        fs::remove_file(loser.person.file(".claude.json")).unwrap();
        loser
    }

    fn backups(&self) -> &Backups {
        &self.person.backups
    }

    fn recover(&self, copy: &str, code: &str) -> Done {
        self.backups().drydock(["recover", "--yes", "--copy", copy]).input(&format!("{code}\n")).done()
    }

    /// Fails unless everything is back that was in the newest snapshot.
    fn assert_all_is_back(&self) {
        let wanted = self.person.now.clone().without(LEFT_OUT);
        let differing = Files::of(self.person.home()).differing(&wanted);
        assert!(differing.is_empty(), "{differing:?}");
        let script = self.person.file(".claude/skills/release-notes/collect.sh");
        assert_eq!(mode(&script), 0o755, "{}", script.display());
        assert_eq!(mode(&self.person.file(".claude")), 0o700);
    }
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

/// A code that is right but for one letter.
fn nearly(code: &str) -> String {
    let last = if code.ends_with('7') { '8' } else { '7' };
    format!("{}{last}", &code[..code.len() - 1])
}

#[test]
fn after_a_total_loss_the_external_copy_and_the_sheet_bring_all_back() {
    let loser = Loser::new();
    let folder = loser.backups().folder(BackupCopy::External);

    let done = loser.recover(folder.to_str().unwrap(), &loser.code).ok();

    assert!(done.stdout.contains("recovered in ") && done.stdout.contains("checked"), "{done:?}");
    loser.assert_all_is_back();
    // From now on it is a computer as before.
    let plan = loser.backups().ok(["recover", "--plan"]);
    assert_eq!(plan.stdout, NOTHING);
    loser.backups().append(WORKED, 1);
    let newest = loser.backups().snapshot();
    assert_eq!(loser.backups().standing(BackupCopy::External)["newest"], newest.as_str());
    loser.backups().ok(["backup", "verify", "--all"]);
}

#[test]
fn after_a_total_loss_the_cloud_copy_and_the_sheet_bring_all_back() {
    let loser = Loser::new();
    fs::remove_dir_all(loser.backups().folder(BackupCopy::External)).unwrap();

    loser.recover("r:copy", &loser.code).ok();

    loser.assert_all_is_back();
    assert_eq!(loser.backups().ok(["recover", "--plan"]).stdout, NOTHING);
    loser.backups().append(WORKED, 1);
    let newest = loser.backups().snapshot();
    assert_eq!(loser.backups().standing(BackupCopy::Cloud)["newest"], newest.as_str());
}

#[test]
fn the_code_is_taken_as_people_type_it() {
    let loser = Loser::new();
    let folder = loser.backups().folder(BackupCopy::External);
    let typed = loser.code.to_lowercase().replace('-', " ").replace('0', "o");

    loser.recover(folder.to_str().unwrap(), &typed).ok();

    loser.assert_all_is_back();
}

#[test]
fn a_wrong_code_changes_nothing_and_the_right_one_still_works() {
    let loser = Loser::new();
    let folder = loser.backups().folder(BackupCopy::External);
    let copy = Tree::of(&folder);
    for wrong in [nearly(&loser.code), "hello".to_owned(), String::new()] {
        let refused = loser.recover(folder.to_str().unwrap(), &wrong).exits(4).tells("backup.key");

        assert!(!refused.stderr.contains(&loser.code[..19]), "{refused:?}");
        assert!(
            Files::of(loser.person.home()).iter().next().is_none(),
            "something of Claude Code's was made"
        );
        Tree::of(&folder).assert_is(&copy);
    }
    loser.recover(folder.to_str().unwrap(), &loser.code).ok();
    loser.assert_all_is_back();
}

#[test]
fn a_folder_without_backups_is_said_to_be_one() {
    let loser = Loser::new();
    let nothing = loser.backups().scratch("photos");
    fs::create_dir(&nothing).unwrap();

    let refused = loser.recover(nothing.to_str().unwrap(), &loser.code);

    assert!(matches!(refused.code, Some(3 | 4)), "{refused:?}");
    assert!(refused.stderr.contains("  try: "), "{refused:?}");
    assert!(Files::of(loser.person.home()).iter().next().is_none(), "something of Claude Code's was made");
    assert_eq!(Tree::of(&nothing), Tree::default(), "something was written into it");
}

#[test]
fn a_total_loss_without_a_copy_named_says_what_to_do() {
    let loser = Loser::new();

    let refused = loser.backups().fails(["recover", "--yes"], 4, "recovery.no_backup");

    assert!(refused.stderr.contains("drydock recover --copy"), "{refused:?}");
    assert!(refused.stderr.contains("recovery sheet"), "{refused:?}");
}
