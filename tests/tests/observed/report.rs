//! The report for who looks for a fault: it tells of the fault, and not of the user.

use super::SECRET;
use drydock_tests::rig::Backups;
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// The files of a report, as `tar` reads them.
fn parts(report: &Path) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new("tar").arg("-xzf").arg(report).arg("-C").arg(folder.path()).status().unwrap();
    assert!(done.success());
    let top = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let read = |entry: walkdir::DirEntry| {
        let name = entry.path().strip_prefix(&top).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    let files = walkdir::WalkDir::new(&top).into_iter().map(Result::unwrap);
    files.filter(|entry| entry.file_type().is_file()).map(read).collect()
}

#[test]
fn a_report_has_what_happened_and_nothing_of_the_user() {
    let backups = Backups::new();
    backups.ok(["backup", "now"]);
    // An error that names a folder, a secret in a place where none belongs, and a report of a fault.
    let folder = backups.scratch("Tax papers");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("x"), "").unwrap();
    backups.set("backup.external.path", folder.to_str().unwrap());
    backups.drydock(["backup", "now"]).done();
    backups.drydock(["restore", "latest", "--to"]).arg(&folder).done();
    backups.drydock(["backup", "drill", "--copy", "external"]).done();
    let crashes = backups.home.path().join(".local/share/drydock/crashes");
    fs::create_dir_all(&crashes).unwrap();
    fs::write(
        crashes.join("crash-20261101T000000000-1.txt"),
        format!("at {}/proj/x.rs said {SECRET}", backups.home.path().display()),
    )
    .unwrap();
    let file = backups.scratch("report.tar.gz");

    let told = backups.drydock(["report", "--to"]).arg(&file).done().ok().stdout;

    assert!(told.contains("Nothing was sent") && told.contains("events.jsonl"), "{told}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
    let parts = parts(&file);
    for name in ["about.json", "checks.json", "settings.json", "backups.json", "metrics.json", "events.jsonl"]
    {
        assert!(parts.contains_key(name), "{name} of {:?}", parts.keys());
    }
    assert!(parts["events.jsonl"].contains("backup.taken"));
    assert!(parts["settings.json"].contains("backup.external.path"), "{}", parts["settings.json"]);
    assert!(parts.keys().any(|name| name.starts_with("crashes/")));
    let home = backups.home.path().to_str().unwrap();
    for (name, text) in &parts {
        for private in [home, "Tax papers", SECRET, "Tax"] {
            assert!(!text.contains(private), "{private} in {name}: {text}");
        }
    }
    // A report is never written over.
    let refused = backups.drydock(["report", "--to"]).arg(&file).done().exits(2);
    assert!(refused.stderr.contains("is there already"), "{}", refused.stderr);
}
