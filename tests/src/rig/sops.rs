//! The program `sops` itself, with a key of its own for each person.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Output},
};

/// What sops said.
#[derive(Debug)]
pub struct SopsDone {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
}

impl SopsDone {
    /// Fails unless it did what it was asked.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "sops: {}", self.stderr);
        self
    }
}

/// sops in a folder, with a secret key or with a variable that says where one is.
#[must_use]
pub fn sops<A: AsRef<OsStr>>(folder: &Path, variables: &[(&str, &str)], arguments: &[A]) -> SopsDone {
    let mut command = Command::new("sops");
    command.arg("--disable-version-check").args(arguments).current_dir(folder).env_clear();
    // Its own keys.txt would be looked for in the home.
    command.env("HOME", folder).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(variables.iter().copied());
    let output = command.output().expect("the program sops: scripts/setup.sh test");
    let Output { status, stdout, stderr } = output;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    SopsDone { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}
