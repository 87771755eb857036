//! Where the secrets of a login can be seen while a session has it, and what of them is left behind.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use bollard::{Docker, models::ContainerInspectResponse};
use drydock_tests::rig::{
    API_KEY, Account, Auth, Invocation, Login, Place, ProcWatch, Processes, Project, Rig, Running,
    SecretService, Sighting, SignIn, holds,
};
use memchr::memmem;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};
use tempfile::TempDir;

const HOUR: Duration = Duration::from_secs(3600);
/// What all processes of a session were started with, as a tool of Claude Code's can read it.
const LOOK: &str = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ > seen; true";
/// The same without the environments, which a key is in by right.
const LOOK_AT_ARGUMENTS: &str = "cat /proc/[0-9]*/cmdline > seen; true";

/// Somebody who is signed in on this computer, and perhaps has keys.
struct User {
    rig: Rig,
    sign_in: SignIn,
    account: Account,
    login: Login,
    keys: Vec<String>,
    keyring: SecretService,
    project: Project,
    scratch: TempDir,
}

impl User {
    fn new() -> Self {
        let (rig, sign_in, keyring) = (Rig::new(), SignIn::start(), SecretService::start());
        let account = sign_in.account("ann");
        let login = sign_in.login(&account, 8 * HOUR);
        rig.home.sign_in_with(&login);
        let project = rig.project("proj");
        let scratch = TempDir::with_prefix("drydock-scratch-").unwrap();
        Self { rig, sign_in, account, login, keys: Vec::new(), keyring, project, scratch }
    }

    /// All that must not be seen.
    fn secrets(&self) -> Vec<String> {
        [self.sign_in.issued(), self.keys.clone()].concat()
    }

    /// With a log of everything, the keyring, and temporary files in a place of their own.
    fn watched(&self, drydock: Invocation) -> Invocation {
        drydock
            .variable("DRYDOCK_LOG", "trace")
            .variable("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
            .variable("TMPDIR", self.scratch.path())
    }

    fn run(&self, mode: &str) -> Invocation {
        let run = self.rig.run_signed_in(self.project.path(), &self.sign_in);
        self.watched(run).variable("DRYDOCK_LOGIN_MODE", mode)
    }

    /// Has these programs of this computer write down their environment, each into its file of the folder.
    fn note_environment_of(&self, programs: &[&str]) -> TempDir {
        let notes = TempDir::with_prefix("drydock-notes-").unwrap();
        for program in programs {
            let note = notes.path().join(program);
            // The first folder where programs are looked for is the user's own, which this is in.
            let script =
                format!("#!/bin/sh\nenv >>'{}'\nPATH=${{PATH#*:}} exec {program} \"$@\"\n", note.display());
            let file = self.rig.home.write(&format!("bin/{program}"), &script);
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        notes
    }

    /// Fails if a secret is in a file of this computer that is not Claude Code's own login.
    fn assert_has_nothing_but_its_login(&self) {
        let file = self.rig.home.claude_dir().join(".credentials.json");
        let of_claude = [self.login.access(), self.login.refresh()];
        let of_claude = of_claude.map(|token| (file.clone(), token.to_owned()));
        assert_eq!(holds(self.rig.home.path(), &self.secrets()), of_claude);
        assert_eq!(holds(self.scratch.path(), &self.secrets()), []);
    }
}

/// A session in the middle of a turn that has used a tool.
struct Live<'a> {
    user: &'a User,
    running: Running,
    session: String,
}

impl<'a> Live<'a> {
    fn start(user: &'a User, run: Invocation) -> Self {
        allow_core_dumps();
        let look = if user.keys.is_empty() { LOOK } else { LOOK_AT_ARGUMENTS };
        let prompt = format!("look around [[bash:{look}]] [[hold]]");
        // It prints each step as it is done, and not only the end.
        let stepwise = ["--output-format", "stream-json", "--verbose"];
        let mut running = run.claude(["-p", &prompt, "--allowedTools", "Bash"]).claude(stepwise).start();
        let session = running.session();
        user.sign_in.wait_for_hold();
        Self { user, running, session }
    }

    /// How the turn was let in.
    fn auth(&self) -> Auth {
        self.user.sign_in.wait_for_turn("look around").auth
    }

    fn container(&self) -> ContainerInspectResponse {
        self.user.rig.engine.container(&self.session)
    }

    /// The first process of the session, as this computer counts it.
    fn main_process(&self) -> u32 {
        let process = self.container().state.unwrap().pid.unwrap();
        u32::try_from(process).unwrap()
    }

    /// Which of these are in which file of the session's, but for those where they belong.
    fn strays(&self, folder: &Path, secrets: &[String]) -> Vec<(String, usize)> {
        let belongs = "/.claude/.credentials.json";
        self.inside(folder, secrets).into_iter().filter(|(name, _)| !name.ends_with(belongs)).collect()
    }

    /// Which of these are in which file of the session's.
    fn inside(&self, folder: &Path, secrets: &[String]) -> Vec<(String, usize)> {
        let files = self.user.rig.engine.files(&self.session, folder);
        let held = |name: &str, content: &[u8]| {
            let held = secrets.iter().enumerate().filter(|(_, secret)| contains(content, secret));
            held.map(|(secret, _)| (name.to_owned(), secret)).collect::<Vec<_>>()
        };
        files.iter().flat_map(|(name, content)| held(name, content)).collect()
    }

    /// Fails unless the session has this secret in its login, and in no other file.
    fn assert_has_in_its_login(&self, secret: &str) {
        let found = self.inside(self.user.rig.home.path(), &[secret.to_owned()]);
        assert_eq!(found, [("./.claude/.credentials.json".to_owned(), 0)]);
    }

    /// Fails if the session has this secret in any file.
    fn assert_has_not(&self, secret: &str) {
        assert_eq!(self.inside(self.user.rig.home.path(), &[secret.to_owned()]), []);
    }

    /// Fails if engine, log, image, or a file that is no login tells a secret.
    fn assert_tells_nothing(&self) {
        let secrets = self.user.secrets();
        let container = self.container();
        let inspected = format!("{container:?}");
        assert!(inspected.contains(&self.session), "that is not the container: {inspected}");
        let image = told_of_image(container.image.as_deref().unwrap());
        let logs = self.user.watched(self.user.rig.drydock()).args(["logs", &self.session]).done().ok();
        assert!(logs.stdout.contains("tool_use"), "there is no log: {}", logs.stdout);
        let seen = fs::read(self.user.project.path().join("seen")).unwrap();
        assert!(contains(&seen, "look around"), "the tool has seen no arguments");
        assert_eq!(contains(&seen, "HOME="), self.user.keys.is_empty(), "the tool has seen no environment");
        for secret in &secrets {
            assert!(!inspected.contains(secret), "docker inspect shows it");
            assert!(!image.contains(secret), "the image has it");
            assert!(!logs.stdout.contains(secret) && !logs.stderr.contains(secret), "docker logs shows it");
            assert!(!contains(&seen, secret), "a tool reads it");
        }
        // What is mounted in a folder, such as the home, is a part of it here.
        for folder in [
            self.user.rig.home.path(),
            "/tmp".as_ref(),
            "/var/tmp".as_ref(),
            "/run".as_ref(),
            "/dev/shm".as_ref(),
        ] {
            assert_eq!(self.strays(folder, &secrets), [], "in {}", folder.display());
        }
        self.user.assert_has_nothing_but_its_login();
    }

    /// Fails if a crash could write a secret to a disk.
    fn assert_dumps_no_core(&self) {
        let limits = self.container().host_config.unwrap().ulimits.unwrap_or_default();
        let core = limits.iter().find(|limit| limit.name.as_deref() == Some("core")).expect("a limit");
        assert_eq!((core.soft, core.hard), (Some(0), Some(0)));
        for process in [self.main_process(), self.running.process()] {
            assert_eq!(core_limits(process), ["0", "0"], "process {process} may leave its memory on a disk");
        }
    }

    /// Lets the session end, and fails if that leaves a secret anywhere but in this computer's login.
    fn end(self) {
        let Self { user, running, .. } = self;
        user.sign_in.release();
        let done = running.done().ok();

        assert!(done.stdout.contains("You said: look around"), "{}", done.stdout);
        assert!(done.stderr.contains("TRACE"), "there is no log: {}", done.stderr);
        let secrets = user.secrets();
        for secret in &secrets {
            assert!(!done.stdout.contains(secret), "it is printed: {}", done.stdout);
            assert_eq!(done.stderr.lines().find(|line| line.contains(secret)), None, "it is in the log");
        }
        user.assert_has_nothing_but_its_login();
        user.rig.assert_nothing_left();
    }
}

#[test]
fn a_lease_is_seen_in_the_sessions_login_and_nowhere_else() {
    let user = User::new();
    let watch = ProcWatch::start(user.secrets());

    let live = Live::start(&user, user.run("lease"));

    assert_eq!(live.auth(), Auth::Bearer(user.login.access().into()));
    live.assert_has_in_its_login(user.login.access());
    live.assert_has_not(user.login.refresh());
    live.assert_has_not("refreshToken");
    live.assert_tells_nothing();
    live.assert_dumps_no_core();
    live.end();
    assert_eq!(watch.stop(), []);
}

#[test]
fn a_copied_login_is_seen_in_the_sessions_login_and_nowhere_else() {
    let user = User::new();
    let watch = ProcWatch::start(user.secrets());

    let live = Live::start(&user, user.run("copy"));

    assert_eq!(live.auth(), Auth::Bearer(user.login.access().into()));
    live.assert_has_in_its_login(user.login.access());
    live.assert_has_in_its_login(user.login.refresh());
    live.assert_tells_nothing();
    live.assert_dumps_no_core();
    live.end();
    assert_eq!(watch.stop(), []);
}

#[test]
fn a_setup_token_is_seen_in_the_sessions_login_and_nowhere_else() {
    let user = User::new();
    let token = user.sign_in.setup_token(&user.account);
    let watch = ProcWatch::start(user.secrets());
    let store = user.watched(user.rig.drydock()).args(["credentials", "store", "setup-token"]);
    store.input(&token).done().ok();

    let live = Live::start(&user, user.run("setup-token"));

    assert_eq!(live.auth(), Auth::Bearer(token.clone()));
    live.assert_has_in_its_login(&token);
    live.assert_has_not(user.login.access());
    live.assert_has_not(user.login.refresh());
    live.assert_tells_nothing();
    live.assert_dumps_no_core();
    live.end();
    assert_eq!(watch.stop(), []);
}

#[test]
fn the_login_of_sessions_is_seen_in_the_sessions_login_and_nowhere_else() {
    let user = User::new();
    let made = user.sign_in.login(&user.account, 8 * HOUR);
    let sign_in = user.run("own").args(["--env", "CLAUDE_CODE_OAUTH_SCOPES=user:inference user:profile"]);
    let sign_in = sign_in.args(["--env", &format!("CLAUDE_CODE_OAUTH_REFRESH_TOKEN={}", made.refresh())]);
    sign_in.claude(["auth", "login"]).done().ok();
    let watch = ProcWatch::start(user.secrets());

    let live = Live::start(&user, user.run("own"));

    let Auth::Bearer(access) = live.auth() else { panic!("let in by {:?}", live.auth()) };
    live.assert_has_in_its_login(&access);
    live.assert_has_in_its_login(&user.sign_in.current_refresh(&user.account));
    live.assert_has_not(user.login.access());
    live.assert_has_not(user.login.refresh());
    live.assert_tells_nothing();
    live.assert_dumps_no_core();
    live.end();
    assert_eq!(watch.stop(), []);
}

// One test for all of a key: the stand-in takes no other one, and a second test would be seen by this one.
#[test]
fn a_key_is_in_the_environment_of_claude_code_and_nowhere_else() {
    let user = User { keys: vec![API_KEY.to_owned()], ..User::new() };
    let notes = user.note_environment_of(&["git", "unshare"]);
    let watch = ProcWatch::start(user.secrets());

    let run = user.run("api-key").variable("ANTHROPIC_API_KEY", API_KEY);
    let live = Live::start(&user, run);

    assert_eq!(live.auth(), Auth::Key(API_KEY.into()));
    for secret in user.secrets() {
        live.assert_has_not(&secret);
    }
    live.assert_tells_nothing();
    live.assert_dumps_no_core();
    let session = Processes::of(live.main_process()).unwrap();
    let drydock = fs::read_link(format!("/proc/{}/exe", live.running.process())).unwrap();
    live.end();
    let seen = watch.stop();
    assert!(notes.path().join("git").exists(), "drydock did not run git");
    assert_eq!(holds(notes.path(), &user.secrets()), [], "what drydock runs on this computer gets the key");
    assert!(seen.iter().any(|sighting| sighting.among == session), "the watch saw nothing: {seen:?}");
    let belongs = |sighting: &Sighting| {
        let has_it = sighting.among == session || sighting.file == drydock;
        has_it && sighting.place == Place::Environment
    };
    let strays: Vec<_> = seen.iter().filter(|sighting| !belongs(sighting)).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

/// Lets what this starts leave its memory on a disk, unless it forbids that itself.
fn allow_core_dumps() {
    if setrlimit(Resource::Core, Rlimit { current: None, maximum: None }).is_err() {
        // Only an administrator may allow more than was allowed before.
        let Rlimit { maximum, .. } = getrlimit(Resource::Core);
        setrlimit(Resource::Core, Rlimit { current: maximum, maximum }).unwrap();
    }
}

/// What the kernel allows a process to write when it crashes: now, and at most.
fn core_limits(process: u32) -> Vec<String> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    line.split_whitespace().take(2).map(str::to_owned).collect()
}

/// All that the engine tells of an image and of how it was made.
fn told_of_image(image: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let docker = Docker::connect_with_defaults().unwrap().negotiate_version().await.unwrap();
        let (inspected, history) =
            (docker.inspect_image(image).await.unwrap(), docker.image_history(image).await.unwrap());
        assert!(!history.is_empty());
        format!("{inspected:?} {history:?}")
    })
}

fn contains(content: &[u8], secret: &str) -> bool {
    memmem::find(content, secret.as_bytes()).is_some()
}
