//! A backup, its mirror and a prune, ended, and met with a full and a failing disk, at every deed on the disk:
//! what was complete before can be restored, and the next run finishes.

use super::{Backups, Copies, CopyName, CopyOutcome, Depth, Heal, IfDamaged, PrunePlan, Reason, Verdict};
use crate::{error_handling::Result, faults, paths::Locations, progress::ProgressSink, settings::Settings};
use chrono::{TimeDelta, Utc};
use std::{
    fs,
    path::{Path, PathBuf},
};

const CHILD: &str = "backup::crash::child_works";
const NAMES: [&str; 4] =
    [".claude.json", ".claude/settings.json", ".claude/projects/-p/1.jsonl", ".claude/projects/-p/2.jsonl"];

/// A home whose backups, and their mirror, stand in one folder.
struct Home(PathBuf);

impl Home {
    fn furnish(folder: &Path) -> Self {
        let home = folder.join("home");
        fs::create_dir_all(home.join(".claude/projects/-p")).unwrap();
        fs::create_dir_all(folder.join("disk")).unwrap();
        for (n, name) in NAMES.iter().enumerate() {
            fs::write(home.join(name), format!("{{\"n\": {n}}}\n").repeat(if n < 2 { 1 } else { 2000 }))
                .unwrap();
        }
        Self(folder.to_path_buf())
    }

    fn backups(&self) -> Backups {
        let locations = Locations::find(Some(&self.0.join("home"))).unwrap();
        let mut settings = Settings::load(&locations.settings_file).unwrap();
        let disk = self.0.join("disk/copy").display().to_string();
        for (key, value) in [
            ("backup.external.path", disk.as_str()),
            ("backup.hourly_hours", "0"),
            ("backup.retention_days", "1"),
        ] {
            settings.use_for_now(key, value).unwrap();
        }
        Backups::of(&locations, &settings)
    }

    fn change(&self, n: usize) {
        let home = self.0.join("home");
        fs::write(home.join(NAMES[3]), format!("{{\"changed\": {n}}}\n").repeat(3000)).unwrap();
        fs::write(home.join(format!(".claude/projects/-p/new-{n}.jsonl")), format!("{{\"new\": {n}}}\n"))
            .unwrap();
    }
}

/// What is ended in the middle: a snapshot, its mirror, their proof, and two prunes a long time later, so that
/// much of the repository goes.
fn work(backups: &Backups) -> Result<()> {
    let nobody = ProgressSink::none();
    let now = Utc::now();
    let report = backups.backup_claude_data(Reason::Manual, Copies::All, now, &nobody)?;
    for outcome in report.copies {
        if let CopyOutcome::Failed { error, .. } = outcome {
            return Err(error);
        }
    }
    backups.verify_backup(&[CopyName::Local, CopyName::External], Depth::Part, Heal::No, now, &nobody)?;
    let later = now + TimeDelta::days(40);
    backups.prune(PrunePlan::Do, later, &nobody)?;
    backups.prune(PrunePlan::Do, later, &nobody)?;
    backups.mirror(CopyName::External, later, &nobody).map(drop)
}

#[test]
#[ignore = "the process that a fault is planned for"]
fn child_works() {
    let Some(folder) = faults::folder() else { return };
    // A failing disk is told; how, the parent does not ask.
    let _ = work(&Home(folder).backups());
}

/// What is there must be whole and restorable, and the work can be done again.
fn look(folder: &Path, what: &str) {
    let home = Home(folder.to_path_buf());
    let backups = home.backups();
    let nobody = ProgressSink::none();
    for listed in backups.list().unwrap() {
        let to = folder.join(format!("restored-{}", listed.snapshot.id));
        let restored = backups.restore(&listed.snapshot.id, &[], &to, IfDamaged::Refuse, &nobody);
        let restored = restored.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(restored.files, listed.snapshot.files, "{what}");
        assert_eq!(fs::read(to.join(NAMES[1])).unwrap(), b"{\"n\": 1}\n", "{what}");
    }
    work(&backups).unwrap_or_else(|error| panic!("{what}: the next run: {error}"));
    let copies = [CopyName::Local, CopyName::External];
    for verified in backups.verify_backup(&copies, Depth::Everything, Heal::No, Utc::now(), &nobody).unwrap()
    {
        assert!(matches!(verified.verdict, Verdict::Whole(_)), "{what}: {verified:?}");
    }
    let left = walkdir::WalkDir::new(folder.join("home/.claude-backups")).into_iter().flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().ends_with(".tmp")).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
}

/// Every deed, or every one of so many, for one kind of fault.
fn at_every_deed(fault: &str, step: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let template = scratch.path().join("template");
    let home = Home::furnish(&template);
    for n in 0..4 {
        home.change(n);
        home.backups().snapshot(Reason::Manual, &ProgressSink::none()).unwrap();
    }
    home.backups().mirror(CopyName::External, Utc::now(), &ProgressSink::none()).unwrap();
    home.change(4);
    faults::at_every_deed(CHILD, &template, 40, fault, step, look);
}

#[test]
fn killed_at_every_deed() {
    at_every_deed("kill", faults::EACH);
}

#[test]
fn a_full_disk_at_every_deed() {
    at_every_deed("enospc", faults::SOME);
}

#[test]
fn a_failing_disk_at_every_deed() {
    at_every_deed("eio", faults::SOME);
}
