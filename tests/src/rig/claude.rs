//! The user's own Claude Code on the host, against the same stand-in.

use super::{API_KEY, Done, Release, Terminal};
#[cfg(target_os = "linux")]
use super::{Home, SignIn};
use std::{
    env,
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

/// A call of the real `claude` that is being put together.
#[must_use]
pub struct HostClaude {
    command: Command,
}

impl HostClaude {
    /// With a key for the stand-in at `api`.
    pub(super) fn new(release: Release, home: &Path, folder: &Path, api: &str) -> Self {
        Self::bare(release, home, folder)
            .variable("ANTHROPIC_BASE_URL", api)
            .variable("ANTHROPIC_API_KEY", API_KEY)
    }

    /// With what it needs to take the stand-in for the real servers, and no key: it has the home's login alone.
    #[cfg(target_os = "linux")]
    pub fn signed_in(release: Release, home: &Home, folder: &Path, sign_in: &SignIn) -> Self {
        Self::bare(release, home.path(), folder)
            .variable("HTTPS_PROXY", sign_in.proxy_here())
            .variable("NODE_EXTRA_CA_CERTS", sign_in.ca_file())
    }

    fn bare(release: Release, home: &Path, folder: &Path) -> Self {
        let mut command = Command::new(release.program_here());
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("LANG", "C.UTF-8")
            .env("SHELL", "/bin/bash")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .current_dir(folder);
        Self { command }
    }

    /// A variable of its environment.
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// More arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Runs it to its end.
    pub fn done(mut self) -> Done {
        let output = self.command.stdin(Stdio::null()).output().expect("claude can be run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Done::new(output.status, text(&output.stdout), text(&output.stderr))
    }

    /// Starts it in a terminal.
    #[must_use]
    pub fn in_terminal(mut self, columns: u16, rows: u16) -> Terminal {
        self.command.env("TERM", "xterm-256color");
        Terminal::start(self.command, columns, rows)
    }
}
