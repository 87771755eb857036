//! The `drydock` program, run as a person or a script runs it.

use super::{Apart, Paths, Release, Terminal, image::image_base, places, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    env,
    ffi::{OsStr, OsString},
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Longer than anything here takes; a test that meets it hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// The address of a session bus that is not there.
const NO_BUS: &str = "unix:path=/nonexistent/bus";

/// A call of `drydock` that is being put together.
#[derive(Debug)]
#[must_use]
pub struct Invocation {
    before: Vec<OsString>,
    claude: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: PathBuf,
    input: Vec<u8>,
    limit: Duration,
}

impl Invocation {
    /// In an environment with nothing of this process's but what finding the engine needs.
    pub(super) fn new(home: &Path) -> Self {
        let mut variables: Vec<(OsString, OsString)> = vec![
            ("HOME".into(), home.into()),
            ("DRYDOCK_CACHE_DIR".into(), places::cache_dir().into()),
            ("DRYDOCK_IMAGE_BASE".into(), image_base().into()),
            ("LANG".into(), "C.UTF-8".into()),
            // Without it the keyring of whoever runs the tests would be found, where they have a desktop.
            ("DBUS_SESSION_BUS_ADDRESS".into(), NO_BUS.into()),
        ];
        for name in
            ["PATH", "TMPDIR", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "XDG_RUNTIME_DIR"]
        {
            variables.extend(env::var_os(name).map(|value| (name.into(), value)));
        }
        Self {
            before: Vec::new(),
            claude: Vec::new(),
            variables,
            folder: home.to_path_buf(),
            input: Vec::new(),
            limit: LIMIT,
        }
    }

    /// One more argument of drydock's.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.before.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments of drydock's.
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Arguments of Claude Code's, after `--`.
    pub fn claude<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.claude.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// A variable of drydock's own environment.
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// With this Claude Code in the session.
    pub(super) fn release(self, release: Release) -> Self {
        match release {
            // What a user has who set nothing.
            Release::Current => self,
            other => self.variable("DRYDOCK_IMAGE_CLAUDE_VERSION", other.version()),
        }
    }

    /// With the host's folders under these names in the session.
    pub(super) fn paths(self, paths: Paths) -> Self {
        match paths {
            Paths::Same => self,
            Paths::Mapped => self.variable("DRYDOCK_SESSION_PATHS", "mapped"),
        }
    }

    /// The folder it is called in; the home if nothing is said.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = folder.to_path_buf();
        self
    }

    /// What comes in by its standard input.
    pub fn input(mut self, text: &str) -> Self {
        self.input = text.into();
        self
    }

    /// How long it may take, when that is more than usual.
    pub(super) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// As a process that is not started yet, for somebody who measures it.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(places::drydock_program());
        command.args(&self.before);
        if !self.claude.is_empty() {
            command.arg("--").args(&self.claude);
        }
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.folder);
        command
    }

    /// Runs it in pipes to its end.
    pub fn done(self) -> Done {
        self.start().done()
    }

    /// Runs it in pipes to its end, and tells how long it took to print something.
    #[must_use]
    pub fn until_first_output(self) -> Duration {
        let begun = Instant::now();
        let running = self.start();
        let mut first = None;
        until("it prints something", running.limit, || {
            first = running.stdout.first();
            first
        });
        running.done().ok();
        first.expect("something was printed") - begun
    }

    /// Starts it in pipes.
    #[must_use]
    pub fn start(self) -> Running {
        let command = self.command();
        self.start_as(command)
    }

    /// Starts it in pipes, apart from the test: it and all it starts can be ended at one stroke.
    #[must_use]
    pub fn start_apart(self) -> Apart {
        let mut command = self.command();
        command.process_group(0);
        Apart::new(self.start_as(command))
    }

    /// Runs it in pipes to its end, as somebody whom permissions hold back, also where the tests run as root.
    pub fn done_without_privileges(self) -> Done {
        let mut command = self.command();
        if rustix::process::geteuid().is_root() {
            let mut held_back = Command::new("setpriv");
            held_back.args(["--bounding-set=-all", "--inh-caps=-all", "--"]);
            held_back.arg(command.get_program()).args(command.get_args());
            held_back.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
            held_back.current_dir(&self.folder);
            command = held_back;
        }
        self.start_as(command).done()
    }

    fn start_as(self, mut command: Command) -> Running {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("drydock can be run");
        let mut stdin = child.stdin.take().unwrap();
        let input = self.input;
        thread::spawn(move || {
            // It may well have ended without reading.
            let _ = stdin.write_all(&input);
        });
        let stdout = Captured::read(child.stdout.take().unwrap());
        let stderr = Captured::read(child.stderr.take().unwrap());
        Running { child, stdout, stderr, limit: self.limit, ended: false }
    }

    /// Starts it in a terminal of this size.
    #[must_use]
    pub fn in_terminal(self, columns: u16, rows: u16) -> Terminal {
        let mut command = self.command();
        command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor");
        Terminal::start(command, columns, rows)
    }
}

/// What a program writes, while it writes.
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// When the first of it came.
    first: Arc<OnceLock<Instant>>,
    reader: Option<JoinHandle<()>>,
}

impl Captured {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let first = Arc::new(OnceLock::new());
        let (sink, came) = (Arc::clone(&bytes), Arc::clone(&first));
        let reader = thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                came.get_or_init(Instant::now);
                sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
        });
        Self { bytes, first, reader: Some(reader) }
    }

    fn first(&self) -> Option<Instant> {
        self.first.get().copied()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.text()
    }
}

/// A `drydock` that runs in pipes. Dropping it kills it.
pub struct Running {
    child: Child,
    stdout: Captured,
    stderr: Captured,
    limit: Duration,
    ended: bool,
}

impl Running {
    /// Its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        self.stdout.text()
    }

    /// Waits until it says which session it launched.
    pub fn session(&mut self) -> String {
        until("drydock names its session", self.limit, || {
            if let Some(session) = session_in(&self.stderr.text()) {
                return Some(session);
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("drydock ended with {status} before it named a session: {}", self.stderr.text());
            }
            None
        })
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("drydock runs");
    }

    /// Ends it as nothing can keep it from ending, and leaves what it started as it is.
    pub fn kill(mut self) {
        self.child.kill().expect("drydock runs");
        self.child.wait().unwrap();
        self.ended = true;
    }

    /// Waits for its end.
    pub fn done(mut self) -> Done {
        let limit = self.limit;
        let begun = Instant::now();
        let mut status = None;
        while status.is_none() {
            assert!(
                begun.elapsed() < limit,
                "drydock goes on; it has said:\n{}\n{}",
                self.stdout.text(),
                self.stderr.text()
            );
            thread::sleep(Duration::from_millis(5));
            status = self.child.try_wait().unwrap();
        }
        self.ended = true;
        Done::new(status.expect("it ended"), self.stdout.whole(), self.stderr.whole())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// How a call of `drydock` ended.
#[derive(Debug)]
pub struct Done {
    /// Its exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
}

impl Done {
    pub(super) fn new(status: ExitStatus, stdout: String, stderr: String) -> Self {
        Self { code: status.code(), stdout, stderr }
    }

    /// Fails unless the exit code is 0.
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Fails unless the exit code is this one.
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "the exit code\n--- printed ---\n{}\n--- said ---\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails unless an error with this code is told as the errors of Drydock are: what happened in the
    /// first line, then why, then a remedy that is not empty.
    pub fn tells(self, code: &str) -> Self {
        let first = self.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(first.contains(&format!("[{code}]")), "not an error [{code}]: {}", self.stderr);
        assert!(
            self.stderr
                .lines()
                .any(|line| line.strip_prefix("  try: ").is_some_and(|try_| !try_.trim().is_empty())),
            "no remedy: {}",
            self.stderr
        );
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// What it printed, as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|cause| panic!("not JSON: {cause}\n{}\n{}", self.stdout, self.stderr))
    }

    /// The session that it launched.
    #[must_use]
    pub fn session(&self) -> String {
        session_in(&self.stderr).unwrap_or_else(|| panic!("no session is named: {}", self.stderr))
    }
}

/// The session that a run names: the word after `session`.
pub(super) fn session_in(text: &str) -> Option<String> {
    text.lines()
        // A line that is still being written is not read.
        .filter_map(|line| line.trim_end().strip_prefix("drydock: session "))
        .next()
        .filter(|_| text.contains('\n'))
        .map(str::to_owned)
}
