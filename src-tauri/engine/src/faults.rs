//! Running a piece of work in a process of its own, with a fault planned for one of its deeds on the disk.
//!
//! The process is this test program itself, started again for one ignored test; see
//! `drydock_inside::disk`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
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

/// How many deeds the work consists of; at least as many as the caller knows of.
pub(crate) fn deeds(child: &str, folder: &Path, at_least: usize) -> usize {
    let list = tempfile::NamedTempFile::new().unwrap();
    assert!(run(child, folder, &format!("count:{}", list.path().display())).success());
    let count = fs::read_to_string(list.path()).unwrap().lines().count();
    assert!(count >= at_least, "only {count} deeds: the faults are not compiled in");
    count
}
