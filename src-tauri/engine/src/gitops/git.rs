//! Running the user's own `git`: without hooks, without questions, with an end, and with all that it starts.

use crate::{
    error_handling::{Code, Error, HalfMade, Result},
    observability::redacted,
    program::{installed, without_keys},
};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// What only looks at what is here.
const HERE: Duration = Duration::from_secs(60);
/// What speaks with another computer.
const AWAY: Duration = Duration::from_secs(60);
/// More than any answer that is understood.
const MOST: u64 = 64 << 20;

/// The variables by which a git that runs us would have ours work on its own repository.
/// Source: `git rev-parse --local-env-vars`.
const OF_ANOTHER_REPOSITORY: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// The user's `git`, for one folder.
#[derive(Debug, Clone)]
pub(super) struct Git {
    program: PathBuf,
    folder: PathBuf,
    home: PathBuf,
    variables: Vec<(&'static str, OsString)>,
    keeps: Keeps,
    /// Held by each git as well: one that outlives us is waited for by the next.
    lock: Option<Arc<File>>,
}

/// Whether the variables that a hook got are for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    Nothing,
    /// The index and the repository of the commit that is being made.
    HooksRepository,
}

/// What git said.
pub(super) struct Answer {
    pub(super) status: ExitStatus,
    pub(super) out: Vec<u8>,
    /// In words for a person, without logins.
    pub(super) errors: String,
}

/// How a call that speaks with another computer came out.
#[derive(Debug)]
pub(super) enum Away {
    Done,
    /// Why not, in git's words.
    Not(String),
}

impl Git {
    /// That of this computer.
    ///
    /// # Errors
    /// [`Code::GitNone`].
    pub(super) fn find(folder: &Path, home: &Path) -> Result<Self> {
        let program = installed("git").ok_or_else(|| {
            Error::new(Code::GitNone, "git is not installed")
                .why("the configuration's repository is read by your own git")
                .remedy(if cfg!(target_os = "macos") { "xcode-select --install" } else { "install git" })
        })?;
        Ok(Self {
            program,
            folder: folder.to_path_buf(),
            home: home.to_path_buf(),
            variables: Vec::new(),
            keeps: Keeps::Nothing,
            lock: None,
        })
    }

    /// With the lock of the configuration, which each git then holds as long as it runs.
    pub(super) fn holding(mut self, lock: Option<Arc<File>>) -> Self {
        self.lock = lock;
        self
    }

    pub(super) fn keeping(mut self, keeps: Keeps) -> Self {
        self.keeps = keeps;
        self
    }

    /// The same with a variable more.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn command(&self, arguments: &[&OsStr]) -> Command {
        let mut command = without_keys(&self.program);
        // No hook, no monitor and no pager of a repository's is ever run.
        for option in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "core.askPass=",
            "protocol.allow=user",
            "protocol.ext.allow=never",
            "fetch.fsckObjects=true",
            // One that outlives us must end as well when nothing comes any more.
            "http.lowSpeedLimit=1",
            "http.lowSpeedTime=30",
            "gc.autoDetach=false",
            "maintenance.autoDetach=false",
        ] {
            command.args(["-c", option]);
        }
        command.arg("--no-pager").args(arguments).current_dir(&self.folder);
        if self.keeps == Keeps::Nothing {
            OF_ANOTHER_REPOSITORY.iter().for_each(|name| _ = command.env_remove(name));
        }
        command
            .env("HOME", &self.home)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "")
            .env("SSH_ASKPASS", "")
            .env("SSH_ASKPASS_REQUIRE", "never")
            // Git Credential Manager asks in windows of its own.
            .env("GCM_INTERACTIVE", "never")
            .env("GIT_OPTIONAL_LOCKS", "0")
            // In a group of its own, so that all it starts ends with it.
            .process_group(0);
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// Runs it on what is here.
    ///
    /// # Errors
    /// When it cannot be run, or does not end.
    pub(super) fn run<A: AsRef<OsStr>>(&self, arguments: &[A], input: Option<&[u8]>) -> Result<Answer> {
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        self.end(&mut self.command(&arguments), input, HERE)
    }

    /// Runs it, and gives its output.
    ///
    /// # Errors
    /// [`Code::GitopsRepository`] when it fails.
    pub(super) fn output<A: AsRef<OsStr>>(&self, arguments: &[A], input: Option<&[u8]>) -> Result<Vec<u8>> {
        let answer = self.run(arguments, input)?;
        if answer.status.success() {
            return Ok(answer.out);
        }
        let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        Err(Error::new(Code::GitopsRepository, format!("git {} failed", words.first().map_or("", |w| w)))
            .why(answer.errors)
            .remedy(format!("if it is damaged, remove {}: it is fetched anew", self.folder.display())))
    }

    /// The first line of its output.
    ///
    /// # Errors
    /// As [`Git::output`].
    pub(super) fn line<A: AsRef<OsStr>>(&self, arguments: &[A], input: Option<&[u8]>) -> Result<String> {
        let out = self.output(arguments, input)?;
        Ok(String::from_utf8_lossy(&out).lines().next().unwrap_or_default().to_owned())
    }

    /// Runs it where it speaks with another computer: it asks nobody, and ssh neither.
    ///
    /// # Errors
    /// When it cannot be run at all.
    pub(super) fn away<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<Away> {
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        let mut command = self.command(&arguments);
        command.env("GIT_SSH_COMMAND", self.ssh()?);
        match self.end(&mut command, None, AWAY) {
            Ok(answer) if answer.status.success() => Ok(Away::Done),
            Ok(answer) => Ok(Away::Not(answer.errors)),
            Err(error) if error.code() == Code::GitopsUnreachable => {
                Ok(Away::Not(error.message().to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// The user's own way to run ssh, which is told that nobody is there to answer.
    fn ssh(&self) -> Result<String> {
        let own = match env::var("GIT_SSH_COMMAND") {
            Ok(own) if !own.is_empty() => own,
            _ => {
                let set = self.run(&["config", "--get", "core.sshCommand"], None)?;
                let set = String::from_utf8_lossy(&set.out).trim().to_owned();
                if set.is_empty() { "ssh".to_owned() } else { set }
            }
        };
        Ok(format!(
            "{own} -oBatchMode=yes -oConnectTimeout=10 -oServerAliveInterval=15 -oServerAliveCountMax=2"
        ))
    }

    /// Runs a command to its end, or ends it with all that it started.
    fn end(&self, command: &mut Command, input: Option<&[u8]>, patience: Duration) -> Result<Answer> {
        let failed = |cause: std::io::Error| {
            Error::new(Code::GitopsRepository, format!("{} cannot be run", self.program.display())).why(cause)
        };
        // The lock's file is empty: reading it is reading nothing.
        let held = self.lock.as_ref().map(|lock| lock.try_clone()).transpose().map_err(failed)?;
        let nothing = || held.map_or_else(Stdio::null, Stdio::from);
        let started = command
            .stdin(if input.is_some() { Stdio::piped() } else { nothing() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.map_err(failed)?;
        // It is in a group of its own, which a signal to ours does not reach.
        let _ends_with_us = HalfMade::process(child.id());
        let (told, read) = mpsc::channel();
        listen(child.stdout.take(), told.clone(), true);
        listen(child.stderr.take(), told, false);
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
            let input = input.to_vec();
            // It answers while it reads: both sides have to go on.
            thread::spawn(move || pipe.write_all(&input));
        }
        let deadline = Instant::now() + patience;
        let (mut out, mut errors) = (None, None);
        while out.is_none() || errors.is_none() {
            match read.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((true, text)) => out = Some(text),
                Ok((false, text)) => errors = Some(text),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let (Some(out), Some(errors)) = (out, errors) else {
            end_all(&mut child).map_err(failed)?;
            return Err(Error::new(
                Code::GitopsUnreachable,
                format!("git did not end within {} s", patience.as_secs()),
            ));
        };
        let status = child.wait().map_err(failed)?;
        Ok(Answer { status, out, errors: said(&errors, &self.home) })
    }
}

fn listen(pipe: Option<impl Read + Send + 'static>, told: mpsc::Sender<(bool, Vec<u8>)>, is_out: bool) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = pipe.take(MOST).read_to_end(&mut text);
        let _ = told.send((is_out, text));
    });
}

/// Ends a program and all that it started.
fn end_all(child: &mut Child) -> std::io::Result<()> {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.kill()?;
    child.wait().map(drop)
}

/// What git said to a person: the last lines, without logins.
fn said(errors: &[u8], home: &Path) -> String {
    let text = String::from_utf8_lossy(errors);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.len().saturating_sub(4);
    redacted(&lines[last..].join("; "), &home.to_string_lossy())
}

/// Where a repository is, as the setting `gitops.repository` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remote {
    /// On this computer.
    Here(PathBuf),
    /// By https or ssh.
    There(String),
}

/// Whether a text says where a repository is.
pub(crate) fn is_repository(text: &str) -> bool {
    Remote::read(text, Path::new("/")).is_ok()
}

impl Remote {
    /// Reads an address.
    ///
    /// # Errors
    /// Why it is none, in words that follow "it".
    pub(super) fn read(text: &str, home: &Path) -> std::result::Result<Self, &'static str> {
        if text.starts_with('-') || text.chars().any(char::is_control) {
            return Err("is no address of a repository");
        }
        if let Some(path) = text.strip_prefix("file://") {
            return if path.starts_with('/') {
                Ok(Self::Here(path.into()))
            } else {
                Err("must be an absolute path")
            };
        }
        if let Some(rest) = text.strip_prefix("~/") {
            return Ok(Self::Here(home.join(rest)));
        }
        if text.starts_with('/') {
            return Ok(Self::Here(text.into()));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let login = rest.split('/').next().and_then(|host| host.rsplit_once('@')).map(|(login, _)| login);
            return match scheme {
                _ if login.is_some_and(|login| login.contains(':')) => {
                    Err("has a password in it, which others could read; let git's credential helper keep it")
                }
                "https" if login.is_some_and(|login| login.len() > 30) => Err(
                    "seems to have a token in it, which others could read; let git's credential helper keep it",
                ),
                "https" | "ssh" => Ok(Self::There(text.to_owned())),
                _ => Err("must begin with https://, ssh:// or file://"),
            };
        }
        // As ssh has it: me@example.org:configuration.git
        match text.split_once(':') {
            Some((host, path))
                if !host.is_empty() && !host.contains('/') && !path.is_empty() && !path.starts_with(':') =>
            {
                Ok(Self::There(text.to_owned()))
            }
            _ => Err("must begin with https://, ssh://, file:// or /, or be written like me@host:path"),
        }
    }

    /// As git takes it.
    pub(super) fn address(&self) -> OsString {
        match self {
            // By its protocol, so that nothing is linked or shared between the two repositories.
            Self::Here(path) => {
                let mut address = OsString::from("file://");
                address.push(path);
                address
            }
            Self::There(address) => address.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_what_would_run_or_tell_something_is_refused() {
        let home = Path::new("/home/me");
        let read = |text: &str| Remote::read(text, home);
        assert_eq!(read("~/conf"), Ok(Remote::Here("/home/me/conf".into())));
        assert_eq!(read("file:///srv/conf.git"), Ok(Remote::Here("/srv/conf.git".into())));
        for there in
            ["https://example.org/me/conf.git", "ssh://me@example.org:22/conf", "me@example.org:conf.git"]
        {
            assert_eq!(read(there), Ok(Remote::There(there.to_owned())), "{there}");
        }
        for wrong in [
            "-oProxyCommand=x",
            "ext::sh -c id",
            "http://example.org/x",
            "git://example.org/x",
            "https://me:FAKE@example.org/x",
            "https://FAKE_token_0123456789_0123456789_abc@example.org/x",
            "relative/path",
            "file://relative",
            "",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_does_not_end_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::find(dir.path(), dir.path()).unwrap();
        let mut command = git.command(&[]);
        // A shell in git's place, with a child that keeps the output open.
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 1000 & echo $!; wait"]).process_group(0);
        let error = git.end(&mut shell, None, Duration::from_millis(200)).err().unwrap();
        assert_eq!(error.code(), Code::GitopsUnreachable);
        assert!(git.end(&mut command, None, HERE).is_ok());
    }

    #[test]
    fn a_hook_and_a_setting_of_the_repository_run_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::find(dir.path(), dir.path()).unwrap();
        git.output(&["init", "--quiet", "."], None).unwrap();
        let hook = dir.path().join(".git/hooks/reference-transaction");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, "#!/bin/sh\ntouch ran\n").unwrap();
        std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let object = git.line(&["hash-object", "-w", "--stdin"], Some(b"x")).unwrap();
        git.output(&["update-ref", "refs/tags/t", &object], None).unwrap();
        assert!(!dir.path().join("ran").exists() && !dir.path().join(".git/ran").exists());
    }
}
