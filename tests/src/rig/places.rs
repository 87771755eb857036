//! Where the programs under test and the shared cache are.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The version of Claude Code that Drydock pins, and that the host of these tests has too.
pub const CLAUDE_VERSION: &str = "2.1.330";

/// What all scratch homes share: downloads, and the lock around the image.
#[must_use]
pub fn cache_dir() -> PathBuf {
    if let Some(dir) = env::var_os("DRYDOCK_CACHE_DIR") {
        return dir.into();
    }
    let base = env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(env::var_os("HOME").expect("HOME is set")).join(".cache"),
        PathBuf::from,
    );
    base.join("drydock")
}

/// The program under test.
pub(super) fn drydock_program() -> PathBuf {
    program("DRYDOCK_BIN", || {
        // A test's own program is in target/<profile>/deps.
        let test = env::current_exe().expect("the path of this test");
        test.ancestors().skip(1).take(2).map(|dir| dir.join("drydock")).find(|found| found.is_file())
    })
    .unwrap_or_else(|| panic!("drydock is not built: cargo build -p drydock-cli, or set DRYDOCK_BIN"))
}

/// The host's Claude Code, once it has been downloaded.
pub(super) fn claude_program() -> Option<PathBuf> {
    program("DRYDOCK_TEST_CLAUDE", || downloaded(CLAUDE_VERSION, "claude"))
}

/// A file of a version of Claude Code, where Drydock keeps what it downloaded.
pub(super) fn downloaded(version: &str, file: &str) -> Option<PathBuf> {
    let prefix = format!("{version}-");
    fs::read_dir(cache_dir().join("claude-code"))
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path().join(file))
        .find(|found| found.is_file())
}

/// What a variable names must be there: a wrong path is not a reason to test something else.
fn program(variable: &str, otherwise: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
    let Some(named) = env::var_os(variable) else { return otherwise() };
    assert!(Path::new(&named).is_file(), "{variable} names {}, which is not there", named.display());
    Some(named.into())
}
