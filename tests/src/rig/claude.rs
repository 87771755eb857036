//! The user's own Claude Code on the host, against the same stand-in.

use super::{API_KEY, Done, Release, Terminal, places};
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
    pub(super) fn new(release: Release, home: &Path, folder: &Path, api: &str) -> Self {
        let program = release.program().unwrap_or_else(|| {
            panic!(
                "Claude Code {} is not in {}; `drydock image build --fresh` puts it there",
                release.version(),
                places::cache_dir().display()
            )
        });
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("LANG", "C.UTF-8")
            .env("SHELL", "/bin/bash")
            .env("ANTHROPIC_BASE_URL", api)
            .env("ANTHROPIC_API_KEY", API_KEY)
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .current_dir(folder);
        Self { command }
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
