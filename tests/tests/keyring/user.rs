//! Somebody at a computer with a keyring, and somebody in the middle of a session.

use drydock_tests::rig::{
    Account, Auth, Done, Home, Invocation, Login, Project, Rig, Running, SecretService, SignIn, StoredItem,
    conversation_id, holds,
};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// What the user is called on this computer.
pub(crate) const NAME: &str = "ann";

/// Somebody at a computer, with whatever there is to keep secrets in.
pub(crate) struct User {
    pub(crate) keyring: SecretService,
    pub(crate) home: Home,
}

impl User {
    pub(crate) fn new() -> Self {
        Self::with(SecretService::start())
    }

    /// On a desktop that has no keyring.
    pub(crate) fn without_keyring() -> Self {
        Self::with(SecretService::bus_only())
    }

    pub(crate) fn with(keyring: SecretService) -> Self {
        Self { keyring, home: Home::new() }
    }

    pub(crate) fn drydock(&self, arguments: &[&str]) -> Invocation {
        Rig::drydock_at(&self.home)
            .variable("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
            .variable("USER", NAME)
            .args(arguments)
    }

    /// `drydock credentials store WHAT`, with the secret from a pipe.
    pub(crate) fn store(&self, what: &str, secret: &str) -> Done {
        self.drydock(&["credentials", "store", what]).input(&format!("{secret}\n")).done()
    }

    pub(crate) fn forget(&self, what: &str) -> Done {
        self.drydock(&["credentials", "forget", what]).done()
    }

    /// `drydock credentials status --json` where sessions log in this way, and how it ended.
    pub(crate) fn status(&self, mode: &str) -> (Value, Option<i32>) {
        let status = self.drydock(&["credentials", "status", "--json"]);
        let done = status.variable("DRYDOCK_LOGIN_MODE", mode).done();
        (done.json(), done.code)
    }

    /// What the keyring has: under which service and name, and what.
    pub(crate) fn kept(&self) -> Vec<(String, String, String)> {
        let text = |item: &StoredItem, name: &str| item.attributes.get(name).cloned().unwrap_or_default();
        let items = self.keyring.items();
        let mut kept: Vec<_> = items
            .iter()
            .map(|item| {
                let secret = String::from_utf8(item.secret.clone()).unwrap();
                (text(item, "service"), text(item, "username"), secret)
            })
            .collect();
        kept.sort();
        kept
    }

    /// The names of what Drydock keeps.
    pub(crate) fn names(&self) -> Vec<String> {
        self.kept()
            .into_iter()
            .filter(|(service, ..)| service == "Drydock")
            .map(|(_, name, _)| name)
            .collect()
    }

    /// The value of the one thing that Drydock keeps.
    pub(crate) fn only(&self) -> String {
        let mut kept = self.kept();
        assert_eq!(kept.len(), 1, "{:?}", kept.iter().map(|(_, name, _)| name).collect::<Vec<_>>());
        kept.remove(0).2
    }

    pub(crate) fn assert_on_no_disk(&self, secrets: &[&str]) {
        let secrets: Vec<_> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        assert_eq!(holds(self.home.path(), &secrets), []);
    }

    /// The login of sessions, where Drydock keeps it.
    pub(crate) fn keep_own(&self, login: &Login) {
        let attributes = [("service", "Drydock"), ("username", "login")];
        self.keyring.store("the login of sessions", &attributes, &login.json().to_string());
    }

    /// A login of this computer's user, as Claude Code keeps it.
    pub(crate) fn sign_in(&self, login: &Value) -> Vec<u8> {
        self.home.keep_login(login);
        self.login_file().unwrap()
    }

    pub(crate) fn login_file(&self) -> Option<Vec<u8>> {
        fs::read(self.home.claude_dir().join(".credentials.json")).ok()
    }
}

/// Somebody who signed in inside a session, and is in the middle of a turn of the next one.
pub(crate) struct InATurn {
    pub(crate) running: Running,
    pub(crate) rig: Rig,
    pub(crate) sign_in: SignIn,
    pub(crate) account: Account,
    pub(crate) keyring: SecretService,
    pub(crate) project: Project,
}

impl InATurn {
    pub(crate) fn start() -> Self {
        let (rig, sign_in, keyring) = (Rig::new(), SignIn::start(), SecretService::start());
        let account = sign_in.account("ann");
        let made = sign_in.login(&account, 8 * HOUR);
        let project = rig.project("proj");
        let by_token = run_own(&rig, &project, &sign_in, &keyring)
            .args(["--env", &format!("CLAUDE_CODE_OAUTH_REFRESH_TOKEN={}", made.refresh())])
            .args(["--env", "CLAUDE_CODE_OAUTH_SCOPES=user:inference user:profile"]);
        by_token.claude(["auth", "login"]).done().ok();
        let wait = "look around [[bash:until test -e go; do sleep 0.1; done]]";
        let run = run_own(&rig, &project, &sign_in, &keyring).claude(["-p", wait, "--allowedTools", "Bash"]);
        let running = run.start();
        sign_in.wait_for_turn("look around");
        Self { running, rig, sign_in, account, keyring, project }
    }

    /// Goes on with the turn, in which the login is renewed, and waits for the session's end.
    pub(crate) fn renew_and_end(self) -> (Afterwards, Done) {
        let Self { running, rig, sign_in, account, keyring, project } = self;
        sign_in.expire_access_tokens();
        fs::write(project.path().join("go"), "").unwrap();
        let done = running.done();
        assert!(done.stdout.contains("You said: look around"), "{}{}", done.stdout, done.stderr);
        let answers: Vec<_> = sign_in.token_requests().iter().map(|request| request.status).collect();
        assert_eq!(answers, [200, 200], "it was to be renewed once: {}", done.stderr);
        (Afterwards { rig, sign_in, account, keyring, project }, done)
    }
}

/// Where that session has ended.
pub(crate) struct Afterwards {
    pub(crate) rig: Rig,
    pub(crate) sign_in: SignIn,
    pub(crate) account: Account,
    pub(crate) keyring: SecretService,
    pub(crate) project: Project,
}

impl Afterwards {
    /// `drydock status`, which goes on with what could not be done before.
    pub(crate) fn look_again(&self) {
        let drydock = self.rig.drydock().variable("DBUS_SESSION_BUS_ADDRESS", self.keyring.address());
        drydock.arg("status").done().ok();
        self.rig.assert_nothing_left();
    }

    /// Fails unless the next session is let in by what the last one renewed.
    pub(crate) fn assert_goes_on(&self) {
        run_own(&self.rig, &self.project, &self.sign_in, &self.keyring).claude(["-p", "go on"]).done().ok();
        let Auth::Bearer(token) = self.sign_in.wait_for_turn("go on").auth else { panic!("not by a login") };
        let renewed = self.sign_in.issued();
        let newest = renewed.iter().rfind(|token| token.starts_with("sk-ant-oat"));
        assert_eq!(Some(&token), newest);
        assert!(self.sign_in.is_alive(&self.account));
    }

    pub(crate) fn assert_in_the_keyring_alone(&self) {
        let current = self.sign_in.current_refresh(&self.account);
        let items = self.keyring.items();
        let kept = items.iter().filter(|item| String::from_utf8_lossy(&item.secret).contains(&current));
        assert_eq!(kept.count(), 1, "the renewed login is not in the keyring");
        assert_eq!(holds(self.rig.home.path(), &self.sign_in.issued()), []);
    }
}

/// `drydock run` for a session that uses the login of sessions.
pub(crate) fn run_own(rig: &Rig, project: &Project, sign_in: &SignIn, keyring: &SecretService) -> Invocation {
    rig.run_signed_in(project.path(), sign_in)
        .variable("DRYDOCK_LOGIN_MODE", "own")
        .variable("DRYDOCK_SYNC_INTERVAL_SECONDS", "1")
        .variable("DBUS_SESSION_BUS_ADDRESS", keyring.address())
}

/// A setup token that nobody else has.
pub(crate) fn setup_token() -> String {
    format!("sk-ant-oat01-FAKE-{}-FAKE", conversation_id())
}

pub(crate) fn assert_shows_none(done: &Done, secrets: &[&str]) {
    for secret in secrets {
        assert!(!done.stdout.contains(secret), "it is printed: {}", done.stdout);
        assert!(!done.stderr.contains(secret), "it is said: {}", done.stderr);
    }
}

/// Two logins of one user, the first ending sooner than the second.
pub(crate) fn two_logins() -> (Login, Login) {
    let sign_in = SignIn::start();
    let account = sign_in.account("ann");
    (sign_in.login(&account, HOUR), sign_in.login(&account, 8 * HOUR))
}

pub(crate) fn mode_of(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

/// A time, as JSON has it, to the second.
pub(crate) fn time_in(what: &str) -> String {
    let done = Command::new("date")
        .args(["--utc", "+%Y-%m-%dT%H:%M:%S", &format!("--date={what}")])
        .output()
        .expect("date can be run");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}
