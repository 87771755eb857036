//! Running a piece of work in a process of its own, with a fault planned for one of its deeds on the disk.
//!
//! The process is this test program itself, started again for one ignored test; see
//! `drydock_inside::disk`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

const FOLDER: &str = "DRYDOCK_TEST_FAULTS_FOLDER";

/// The folder to work in, in the process that the fault is for.
pub(crate) fn folder() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs the ignored test `child` on a folder, with a fault such as `kill:7`.
pub(crate) fn run(child: &str, folder: &Path, fault: &str) -> ExitStatus {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", child, "--ignored", "--quiet", "--test-threads=1"])
        .env(FOLDER, folder)
        .env("DRYDOCK_FAULT", fault)
        .output()
        .unwrap()
        .status
}

/// Starts the ignored test `child` on a folder, beside others.
pub(crate) fn start(child: &str, folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", child, "--ignored", "--quiet", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// How many deeds the work consists of; at least as many as the caller knows of.
pub(crate) fn deeds(child: &str, folder: &Path, at_least: usize) -> usize {
    let list = tempfile::NamedTempFile::new().unwrap();
    assert!(run(child, folder, &format!("count:{}", list.path().display())).success());
    let count = fs::read_to_string(list.path()).unwrap().lines().count();
    assert!(count >= at_least, "only {count} deeds: the faults are not compiled in");
    count
}

/// Runs the work once for every `step`th of its deeds, with the fault at it, each time on a copy of `template`, and has
/// `look` see what became of that copy.
pub(crate) fn at_every_deed(
    child: &str,
    template: &Path,
    at_least: usize,
    fault: &str,
    step: usize,
    look: impl Fn(&Path, &str),
) {
    let scratch = tempfile::tempdir().unwrap();
    let counted = scratch.path().join("counted");
    copied(template, &counted);
    let deeds = deeds(child, &counted, at_least);
    for deed in (1..=deeds).step_by(step) {
        let folder = scratch.path().join("one");
        copied(template, &folder);
        let _ = run(child, &folder, &format!("{fault}:{deed}"));
        look(&folder, &format!("{fault} at deed {deed} of {deeds}"));
        fs::remove_dir_all(&folder).unwrap();
    }
}

/// A copy of a folder.
pub(crate) fn copied(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// All of them take minutes: they are tried when `DRYDOCK_TEST_EVERY_DEED` is set while this is compiled.
pub(crate) const EACH: usize = if option_env!("DRYDOCK_TEST_EVERY_DEED").is_some() { 1 } else { 3 };
/// For faults that a process survives.
pub(crate) const SOME: usize = if option_env!("DRYDOCK_TEST_EVERY_DEED").is_some() { 1 } else { 7 };
