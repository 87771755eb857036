//! What Drydock keeps for its user, in a real keyring, and what it says where there is none to keep it in.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{
    Account, Auth, Done, Home, Invocation, Login, ProcWatch, Project, Rig, Running, SecretService, SignIn,
    StoredItem, conversation_id, holds,
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

const HOUR: Duration = Duration::from_secs(3600);
/// What the user is called on this computer.
const NAME: &str = "ann";

/// Somebody at a computer, with whatever there is to keep secrets in.
struct User {
    keyring: SecretService,
    home: Home,
}

impl User {
    fn new() -> Self {
        Self::with(SecretService::start())
    }

    /// On a desktop that has no keyring.
    fn without_keyring() -> Self {
        Self::with(SecretService::bus_only())
    }

    fn with(keyring: SecretService) -> Self {
        Self { keyring, home: Home::new() }
    }

    fn drydock(&self, arguments: &[&str]) -> Invocation {
        Rig::drydock_at(&self.home)
            .variable("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
            .variable("USER", NAME)
            .args(arguments)
    }

    /// `drydock credentials store WHAT`, with the secret from a pipe.
    fn store(&self, what: &str, secret: &str) -> Done {
        self.drydock(&["credentials", "store", what]).input(&format!("{secret}\n")).done()
    }

    fn forget(&self, what: &str) -> Done {
        self.drydock(&["credentials", "forget", what]).done()
    }

    /// `drydock credentials status --json` where sessions log in this way, and how it ended.
    fn status(&self, mode: &str) -> (Value, Option<i32>) {
        let status = self.drydock(&["credentials", "status", "--json"]);
        let done = status.variable("DRYDOCK_LOGIN_MODE", mode).done();
        (done.json(), done.code)
    }

    /// What the keyring has: under which service and name, and what.
    fn kept(&self) -> Vec<(String, String, String)> {
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
    fn names(&self) -> Vec<String> {
        self.kept()
            .into_iter()
            .filter(|(service, ..)| service == "Drydock")
            .map(|(_, name, _)| name)
            .collect()
    }

    /// The value of the one thing that Drydock keeps.
    fn only(&self) -> String {
        let mut kept = self.kept();
        assert_eq!(kept.len(), 1, "{:?}", kept.iter().map(|(_, name, _)| name).collect::<Vec<_>>());
        kept.remove(0).2
    }

    fn assert_on_no_disk(&self, secrets: &[&str]) {
        let secrets: Vec<_> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        assert_eq!(holds(self.home.path(), &secrets), []);
    }

    /// The login of sessions, where Drydock keeps it.
    fn keep_own(&self, login: &Login) {
        let attributes = [("service", "Drydock"), ("username", "login")];
        self.keyring.store("the login of sessions", &attributes, &login.json().to_string());
    }

    /// A login of this computer's user, as Claude Code keeps it.
    fn sign_in(&self, login: &Value) -> Vec<u8> {
        self.home.keep_login(login);
        self.login_file().unwrap()
    }

    fn login_file(&self) -> Option<Vec<u8>> {
        fs::read(self.home.claude_dir().join(".credentials.json")).ok()
    }
}

/// Somebody who signed in inside a session, and is in the middle of a turn of the next one.
struct InATurn {
    running: Running,
    rig: Rig,
    sign_in: SignIn,
    account: Account,
    keyring: SecretService,
    project: Project,
}

impl InATurn {
    fn start() -> Self {
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
    fn renew_and_end(self) -> (Afterwards, Done) {
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
struct Afterwards {
    rig: Rig,
    sign_in: SignIn,
    account: Account,
    keyring: SecretService,
    project: Project,
}

impl Afterwards {
    /// `drydock status`, which goes on with what could not be done before.
    fn look_again(&self) {
        let drydock = self.rig.drydock().variable("DBUS_SESSION_BUS_ADDRESS", self.keyring.address());
        drydock.arg("status").done().ok();
        self.rig.assert_nothing_left();
    }

    /// Fails unless the next session is let in by what the last one renewed.
    fn assert_goes_on(&self) {
        run_own(&self.rig, &self.project, &self.sign_in, &self.keyring).claude(["-p", "go on"]).done().ok();
        let Auth::Bearer(token) = self.sign_in.wait_for_turn("go on").auth else { panic!("not by a login") };
        let renewed = self.sign_in.issued();
        let newest = renewed.iter().rfind(|token| token.starts_with("sk-ant-oat"));
        assert_eq!(Some(&token), newest);
        assert!(self.sign_in.is_alive(&self.account));
    }

    fn assert_in_the_keyring_alone(&self) {
        let current = self.sign_in.current_refresh(&self.account);
        let items = self.keyring.items();
        let kept = items.iter().filter(|item| String::from_utf8_lossy(&item.secret).contains(&current));
        assert_eq!(kept.count(), 1, "the renewed login is not in the keyring");
        assert_eq!(holds(self.rig.home.path(), &self.sign_in.issued()), []);
    }
}

/// `drydock run` for a session that uses the login of sessions.
fn run_own(rig: &Rig, project: &Project, sign_in: &SignIn, keyring: &SecretService) -> Invocation {
    rig.run_signed_in(project.path(), sign_in)
        .variable("DRYDOCK_LOGIN_MODE", "own")
        .variable("DRYDOCK_SYNC_INTERVAL_SECONDS", "1")
        .variable("DBUS_SESSION_BUS_ADDRESS", keyring.address())
}

/// A setup token that nobody else has.
fn setup_token() -> String {
    format!("sk-ant-oat01-FAKE-{}-FAKE", conversation_id())
}

fn assert_shows_none(done: &Done, secrets: &[&str]) {
    for secret in secrets {
        assert!(!done.stdout.contains(secret), "it is printed: {}", done.stdout);
        assert!(!done.stderr.contains(secret), "it is said: {}", done.stderr);
    }
}

/// Two logins of one user, the first ending sooner than the second.
fn two_logins() -> (Login, Login) {
    let sign_in = SignIn::start();
    let account = sign_in.account("ann");
    (sign_in.login(&account, HOUR), sign_in.login(&account, 8 * HOUR))
}

fn mode_of(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

/// A time, as JSON has it, to the second.
fn time_in(what: &str) -> String {
    let done = Command::new("date")
        .args(["--utc", "+%Y-%m-%dT%H:%M:%S", &format!("--date={what}")])
        .output()
        .expect("date can be run");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_setup_token_is_in_the_keyring_and_in_no_file() {
    let user = User::new();
    let token = setup_token();
    let watch = ProcWatch::start(vec![token.clone()]);

    let stored = user.store("setup-token", &token).ok();

    assert_eq!(watch.stop(), [], "others could read it meanwhile");
    assert_eq!(stored.stdout, "kept in the keyring\n");
    assert_shows_none(&stored, &[&token]);
    let kept = user.kept();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].0.as_str(), kept[0].1.as_str()), ("Drydock", "setup-token"));
    assert!(kept[0].2.contains(&token), "the keyring has something else");
    user.assert_on_no_disk(&[&token]);
}

#[test]
fn a_kept_setup_token_is_shown_by_kind_and_end_alone() {
    let user = User::new();
    let token = setup_token();
    let earliest = time_in("365 days");
    user.store("setup-token", &token).ok();
    let latest = time_in("365 days");

    let status = user.drydock(&["credentials", "status", "--json"]);
    let status = status.variable("DRYDOCK_LOGIN_MODE", "setup-token").done().ok();

    let shown = status.json();
    assert_eq!(shown["setup_token"]["kind"], json!("token"), "{shown}");
    assert_eq!(shown["setup_token"]["expired"], json!(false), "{shown}");
    let ends = &shown["setup_token"]["expires"].as_str().unwrap()[..earliest.len()];
    assert!((earliest.as_str()..=latest.as_str()).contains(&ends), "{ends} is not in a year");
    assert_shows_none(&status, &[&token]);
    let text =
        user.drydock(&["credentials", "status"]).variable("DRYDOCK_LOGIN_MODE", "setup-token").done().ok();
    assert!(text.stdout.contains("setup token: a setup token, its access token ends in"), "{}", text.stdout);
    assert!(text.stdout.contains("keyring: answers"), "{}", text.stdout);
    assert_shows_none(&text, &[&token]);
}

#[test]
fn another_setup_token_takes_the_place_of_the_first() {
    let user = User::new();
    let (first, second) = (setup_token(), setup_token());
    user.store("setup-token", &first).ok();
    let before = user.status("setup-token").0["setup_token"]["access"].clone();

    user.store("setup-token", &second).ok();

    let kept = user.only();
    assert!(kept.contains(&second) && !kept.contains(&first), "the keyring has the first");
    assert_ne!(user.status("setup-token").0["setup_token"]["access"], before);
    user.assert_on_no_disk(&[&first, &second]);
}

#[test]
fn a_forgotten_secret_is_gone_and_nothing_else_is() {
    let user = User::new();
    user.keyring.store("a mailbox", &[("service", "mail"), ("username", "setup-token")], "FAKE-of-another");
    user.store("setup-token", &setup_token()).ok();
    user.store("datadog-key", "FAKE-key").ok();

    assert_eq!(user.forget("setup-token").ok().stdout, "forgotten\n");

    assert_eq!(user.names(), ["datadog-key"]);
    assert_eq!(user.kept().len(), 2, "another program's secret went too");
    let (status, code) = user.status("setup-token");
    assert_eq!((&status["setup_token"], code), (&Value::Null, Some(4)));
    assert!(status["findings"][0]["remedy"].as_str().unwrap().contains("store setup-token"), "{status}");
    user.forget("setup-token").ok();
    assert_eq!(user.names(), ["datadog-key"]);
}

#[test]
fn secrets_for_alerts_are_kept_replaced_and_forgotten_likewise() {
    let user = User::new();
    for what in ["slack-webhook", "datadog-key"] {
        let secrets =
            [(); 2].map(|()| format!("https://hooks.slack.com/services/FAKE/{}", conversation_id()));
        for secret in &secrets {
            let stored = user.store(what, secret).ok();
            assert_eq!(stored.stdout, "kept in the keyring\n");
            assert_shows_none(&stored, &[secret]);
            assert_eq!(user.kept(), [("Drydock".to_owned(), what.to_owned(), secret.clone())]);
        }
        user.assert_on_no_disk(&[&secrets[0], &secrets[1]]);

        user.forget(what).ok();
        assert_eq!(user.kept(), []);
        user.forget(what).ok();
    }
}

#[test]
fn what_is_no_setup_token_is_not_kept() {
    let user = User::new();
    for wrong in
        ["sk-ant-api03-FAKE-a-key", "sk-ant-ort01-FAKE-a-refresh-token", "FAKE", "sk-ant-oat01-FAKE two"]
    {
        let refused = user.store("setup-token", wrong).exits(2).tells("usage");
        assert_shows_none(&refused, &["FAKE"]);
    }
    assert_eq!(user.kept(), []);
}

#[test]
fn nothing_is_no_secret() {
    let user = User::new();
    for what in ["setup-token", "login", "slack-webhook", "datadog-key"] {
        for nothing in ["", " \n "] {
            user.store(what, nothing).exits(2).tells("usage");
        }
    }
    assert_eq!(user.kept(), []);
    assert_eq!(user.login_file(), None);
}

#[test]
fn a_locked_keyring_is_said_and_not_gone_around() {
    let user = User::new();
    let (kept, refused) = (setup_token(), setup_token());
    let project = Project::make(&user.home.path().join("proj"));
    user.store("setup-token", &kept).ok();
    user.keyring.lock();

    for what in ["setup-token", "slack-webhook", "datadog-key"] {
        let stored = user.store(what, &refused).exits(4).tells("keychain.locked");
        assert_shows_none(&stored, &[&kept, &refused]);
    }
    user.forget("setup-token").exits(4).tells("keychain.locked");
    let launch = user.drydock(&["run", project.path().to_str().unwrap()]);
    let launch = launch.variable("DRYDOCK_LOGIN_MODE", "setup-token").claude(["-p", "hi"]);
    assert_shows_none(&launch.done().exits(4).tells("keychain.locked"), &[&kept]);
    assert_eq!(user.drydock(&["list", "--json"]).done().ok().json(), json!([]), "a session is left");
    let doctor = user.drydock(&["doctor"]).variable("DRYDOCK_LOGIN_MODE", "setup-token").done().exits(1);
    let mut lines = doctor.stdout.lines().skip_while(|line| !line.starts_with("BAD   login"));
    assert!(lines.next().is_some_and(|line| line.contains("the keyring is locked")), "{}", doctor.stdout);
    assert!(lines.next().is_some_and(|line| line.contains("try: unlock it")), "{}", doctor.stdout);

    user.assert_on_no_disk(&[&kept, &refused]);
    user.keyring.unlock();
    assert!(user.only().contains(&kept), "the one that was kept is another now");
    assert_eq!(user.status("setup-token").1, Some(0), "it is open again");
}

#[test]
fn the_status_says_that_the_keyring_is_locked() {
    let user = User::new();
    let token = setup_token();
    user.store("setup-token", &token).ok();
    user.keyring.lock();

    let status =
        user.drydock(&["credentials", "status"]).variable("DRYDOCK_LOGIN_MODE", "setup-token").done();

    let status = status.exits(4);
    assert!(status.stdout.contains("keyring: no; the keyring is locked"), "{}", status.stdout);
    assert!(status.stdout.contains("try: unlock it"), "{}", status.stdout);
    assert!(!status.stdout.contains("no setup token is kept"), "it is there: {}", status.stdout);
    assert_shows_none(&status, &[&token]);
}

#[test]
fn a_locked_login_of_sessions_is_not_replaced_by_a_file() {
    let user = User::new();
    let (login, _) = two_logins();
    let project = Project::make(&user.home.path().join("proj"));
    user.keep_own(&login);
    user.keyring.lock();

    let launch = user.drydock(&["run", project.path().to_str().unwrap()]);
    let launch = launch.variable("DRYDOCK_LOGIN_MODE", "own").claude(["-p", "hi"]).done();

    launch.exits(4).tells("keychain.locked");
    assert_eq!(user.status("own").1, Some(4));
    user.forget("own").exits(4).tells("keychain.locked");
    user.assert_on_no_disk(&[login.access(), login.refresh()]);
    user.keyring.unlock();
    assert_eq!(user.names(), ["login"]);
}

#[test]
fn without_a_keyring_no_secret_is_kept_and_that_is_said() {
    let user = User::without_keyring();
    let token = setup_token();
    let project = Project::make(&user.home.path().join("proj"));
    let nowhere = format!("unix:path={}/no-bus", user.home.path().display());

    for bus in [user.keyring.address(), &nowhere] {
        let drydock = |arguments: &[&str]| user.drydock(arguments).variable("DBUS_SESSION_BUS_ADDRESS", bus);
        for what in ["setup-token", "slack-webhook", "datadog-key"] {
            let stored = drydock(&["credentials", "store", what]).input(&token).done();
            assert_shows_none(&stored.exits(3).tells("keychain.none"), &[&token]);
            drydock(&["credentials", "forget", what]).done().exits(3).tells("keychain.none");
        }
        let run = drydock(&["run", project.path().to_str().unwrap()]).claude(["-p", "hi"]);
        run.variable("DRYDOCK_LOGIN_MODE", "setup-token").done().exits(3).tells("keychain.none");
        let status = drydock(&["credentials", "status"]).variable("DRYDOCK_LOGIN_MODE", "setup-token").done();
        assert!(status.exits(4).stdout.contains("keyring: no; there is no keyring to keep secrets in"));
    }

    assert!(!user.keyring.has_keyring(), "one was started");
    user.assert_on_no_disk(&[&token]);
}

#[test]
fn a_keyring_that_stops_is_said_like_one_that_is_not_there() {
    let mut user = User::new();
    let (kept, refused) = (setup_token(), setup_token());
    let project = Project::make(&user.home.path().join("proj"));
    user.store("setup-token", &kept).ok();
    user.keyring.stop_keyring();

    let stored = user.store("setup-token", &refused).exits(3).tells("keychain.none");

    assert_shows_none(&stored, &[&kept, &refused]);
    user.forget("setup-token").exits(3).tells("keychain.none");
    let run = user.drydock(&["run", project.path().to_str().unwrap()]).claude(["-p", "hi"]);
    run.variable("DRYDOCK_LOGIN_MODE", "setup-token").done().exits(3).tells("keychain.none");
    assert!(user.status("setup-token").0["keyring"].to_string().contains("no keyring"));
    user.assert_on_no_disk(&[&kept, &refused]);
}

#[test]
fn the_pair_is_a_copy_of_this_computers_login() {
    let user = User::new();
    let (login, newer) = two_logins();
    user.home.sign_in_with(&login);
    let item = |service: &str, token: &str| (service.to_owned(), NAME.to_owned(), token.to_owned());

    let stored = user.drydock(&["credentials", "store", "pair"]).done().ok();

    assert_shows_none(&stored, &[login.access(), login.refresh()]);
    let pair = [item("claude.ai", login.access()), item("claude.ai.refresh", login.refresh())];
    assert_eq!(user.kept(), pair);
    user.home.sign_in_with(&newer);
    user.drydock(&["credentials", "store", "pair"]).done().ok();
    let pair = [item("claude.ai", newer.access()), item("claude.ai.refresh", newer.refresh())];
    assert_eq!(user.kept(), pair);
}

#[test]
fn the_pair_is_found_where_claude_codes_own_login_is_gone() {
    let user = User::new();
    let (login, _) = two_logins();
    user.home.sign_in_with(&login);
    user.drydock(&["credentials", "store", "pair"]).done().ok();
    let extract = || user.drydock(&["credentials", "extract", "--json"]).done().ok();
    assert_eq!(extract().json()["store"], json!("file"), "the copy is asked before the original");
    fs::remove_file(user.home.claude_dir().join(".credentials.json")).unwrap();

    let found = extract();

    assert_eq!(found.json()["store"], json!("pair"));
    assert_eq!(found.json()["login"]["kind"], json!("full"));
    assert_shows_none(&found, &[login.access(), login.refresh()]);
    let status =
        user.drydock(&["credentials", "status"]).variable("DRYDOCK_LOGIN_MODE", "lease").done().exits(4);
    assert!(status.stdout.contains("nobody renews that"), "{}", status.stdout);
    user.assert_on_no_disk(&[login.access(), login.refresh()]);
}

#[test]
fn the_pair_is_forgotten_whole() {
    let user = User::new();
    let (login, _) = two_logins();
    let original = user.sign_in(&login.json());
    user.drydock(&["credentials", "store", "pair"]).done().ok();
    user.store("datadog-key", "FAKE-key").ok();

    user.forget("pair").ok();

    assert_eq!(user.kept(), [("Drydock".into(), "datadog-key".into(), "FAKE-key".into())]);
    assert_eq!(user.login_file(), Some(original), "the login itself went too");
    user.forget("pair").ok();
    fs::remove_file(user.home.claude_dir().join(".credentials.json")).unwrap();
    user.drydock(&["credentials", "extract"]).done().exits(4).tells("login.none");
}

#[test]
fn there_is_no_pair_without_a_whole_login() {
    let user = User::new();
    let store = || user.drydock(&["credentials", "store", "pair"]).done();
    store().exits(4).tells("login.none");
    let (login, _) = two_logins();
    let mut lease = login.json();
    lease["claudeAiOauth"].as_object_mut().unwrap().remove("refreshToken");
    user.home.keep_login(&lease);
    assert_shows_none(&store().exits(4).tells("login.none"), &[login.access()]);
    assert_eq!(user.kept(), []);
}

#[test]
fn there_is_no_pair_without_a_keyring() {
    let user = User::without_keyring();
    let (login, _) = two_logins();
    user.home.sign_in_with(&login);

    let stored = user.drydock(&["credentials", "store", "pair"]).done();

    assert_shows_none(&stored.exits(3).tells("keychain.none"), &[login.access(), login.refresh()]);
    user.forget("pair").exits(3).tells("keychain.none");
}

#[test]
fn another_home_keeps_secrets_of_its_own() {
    let user = User::new();
    let other = Home::new();
    let at_other = |arguments: &[&str]| {
        user.drydock(&["--home", other.path().to_str().unwrap()]).args(["credentials"]).args(arguments)
    };
    let (mine, theirs) = (setup_token(), setup_token());
    user.store("setup-token", &mine).ok();
    at_other(&["store", "setup-token"]).input(&theirs).done().ok();

    let names = user.names();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(names[0], "setup-token");
    assert!(names[1].starts_with("setup-token ("), "{names:?}");
    at_other(&["forget", "setup-token"]).done().ok();
    assert!(user.only().contains(&mine), "the other home's is left, or the own one went");
}

#[test]
fn the_pair_is_the_users_own_and_no_other_homes() {
    let user = User::new();
    let other = Home::new();
    let (login, newer) = two_logins();
    let at_other = |what: &str| {
        let home = other.path().to_str().unwrap();
        user.drydock(&["--home", home, "credentials", what, "pair"]).done()
    };

    user.home.sign_in_with(&login);
    user.drydock(&["credentials", "store", "pair"]).done().ok();
    let pair = user.kept();

    at_other("forget");

    assert_eq!(user.kept(), pair, "another home's command has removed the user's own");
    other.sign_in_with(&newer);
    at_other("store").exits(3).tells("keychain.none");
    assert_eq!(user.kept(), pair);
}

#[test]
fn a_lease_is_written_for_its_owner_alone_and_shown_to_nobody() {
    let user = User::new();
    let (login, _) = two_logins();
    let mut all = login.json();
    all["mcpOAuth"] =
        json!({ "a-server": { "accessToken": "FAKE-of-a-server", "refreshToken": "FAKE-too" } });
    user.sign_in(&all);
    let file = user.home.write("leases/lease.json", "what was there, for all to read");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();

    for arguments in [&["--json"][..], &[]] {
        let extract = user.drydock(&["credentials", "extract", "--to", file.to_str().unwrap()]);
        let extracted = extract.args(arguments).done().ok();

        assert_shows_none(&extracted, &[login.access(), login.refresh(), "FAKE-"]);
        assert!(extracted.stdout.contains(file.to_str().unwrap()), "{}", extracted.stdout);
        assert_eq!(mode_of(&file), 0o600);
        let lease: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(lease["claudeAiOauth"]["accessToken"], json!(login.access()));
        assert_eq!(lease["claudeAiOauth"]["expiresAt"], json!(login.expires_at_ms()));
        let text = lease.to_string();
        for left_out in [login.refresh(), "refresh", "FAKE-of-a-server", "mcpOAuth"] {
            assert!(!text.contains(left_out), "{left_out} is in the lease");
        }
    }
    let kept = fs::read_dir(file.parent().unwrap()).unwrap().count();
    assert_eq!(kept, 1, "more than the lease was written");
}

#[test]
fn a_lease_is_written_beside_where_drydock_is_called() {
    let user = User::new();
    let (login, _) = two_logins();
    user.home.sign_in_with(&login);

    user.drydock(&["credentials", "extract", "--to", "lease.json"]).done().ok();

    let file = user.home.path().join("lease.json");
    assert!(fs::read_to_string(&file).unwrap().contains(login.access()));
    assert_eq!(mode_of(&file), 0o600);
}

#[test]
fn without_a_login_no_lease_is_written() {
    let user = User::new();
    let file = user.home.path().join("lease.json");
    let extract = || user.drydock(&["credentials", "extract", "--to", file.to_str().unwrap()]).done();
    extract().exits(4).tells("login.none");
    user.home
        .keep_login(&json!({ "claudeAiOauth": { "accessToken": "", "refreshToken": "", "expiresAt": 0 } }));
    extract().exits(4).tells("login.none");
    assert!(!file.exists());
}

#[test]
fn a_login_that_is_brought_is_claude_codes_from_then_on() {
    let user = User::new();
    let (login, newer) = two_logins();

    let stored = user.store("login", &login.json().to_string()).ok();

    assert!(stored.stdout.contains(".credentials.json"), "{}", stored.stdout);
    assert!(stored.stdout.contains("Keychain skipped: only macOS has a Keychain"), "{}", stored.stdout);
    assert_shows_none(&stored, &[login.access(), login.refresh()]);
    assert_eq!(user.home.credentials(), login.json());
    assert_eq!(mode_of(&user.home.claude_dir().join(".credentials.json")), 0o600);
    assert_eq!(user.kept(), [], "Claude Code does not look into the keyring");
    user.store("login", &newer.json().to_string()).ok();
    assert_eq!(user.home.credentials(), newer.json());
    let old = [login.access(), login.refresh()].map(str::to_owned);
    assert_eq!(holds(user.home.path(), &old), [], "what was replaced lies about");
}

#[test]
fn a_login_that_is_brought_leaves_other_logins_of_the_file_alone() {
    let user = User::new();
    let (login, newer) = two_logins();
    let mut there = login.json();
    there["mcpOAuth"] = json!({ "a-server": { "accessToken": "FAKE-of-a-server", "expiresAt": 5 } });
    there["ofTheFuture"] = json!([1, { "two": "Томск" }]);
    user.sign_in(&there);

    user.store("login", &newer.json().to_string()).ok();

    there["claudeAiOauth"] = newer.json()["claudeAiOauth"].clone();
    assert_eq!(user.home.credentials(), there);
}

#[test]
fn an_older_login_is_not_put_over_a_newer_one() {
    let user = User::new();
    let (older, newer) = two_logins();
    let mut blank = newer.json();
    blank["claudeAiOauth"]["accessToken"] = json!("");
    blank["claudeAiOauth"]["refreshToken"] = json!("");
    let mut lease = newer.json();
    lease["claudeAiOauth"].as_object_mut().unwrap().remove("refreshToken");
    lease["claudeAiOauth"]["expiresAt"] = json!(newer.expires_at_ms() + 1000);
    let only_mcp = json!({ "mcpOAuth": { "a-server": { "accessToken": "FAKE-of-a-server" } } });
    let before = user.sign_in(&newer.json());

    for (what, brought) in
        [("older", older.json()), ("blank", blank), ("a lease", lease), ("no login", only_mcp)]
    {
        let refused = user.store("login", &brought.to_string());
        assert_eq!(refused.code, Some(4), "{what}: {}{}", refused.stdout, refused.stderr);
        let refused = refused.tells("login.refused");
        assert_shows_none(&refused, &[older.access(), older.refresh(), newer.access(), newer.refresh()]);
        assert_eq!(user.login_file().as_deref(), Some(before.as_slice()), "{what}: the file changed");
    }
}

#[test]
fn where_no_login_is_a_part_of_one_is_not_taken_either() {
    let user = User::new();
    let (login, _) = two_logins();
    let mut lease = login.json();
    lease["claudeAiOauth"].as_object_mut().unwrap().remove("refreshToken");
    let blank = json!({ "claudeAiOauth": { "accessToken": "", "refreshToken": "", "expiresAt": 0 } });

    for brought in [lease, blank, json!({})] {
        user.store("login", &brought.to_string()).exits(4).tells("login.refused");
        assert_eq!(user.login_file(), None);
    }
}

#[test]
fn another_accounts_login_is_not_taken_over_somebodys() {
    let user = User::new();
    let (login, later) = two_logins();
    let mut anns = login.json();
    anns["claudeAiOauth"]["accountUuid"] = json!("the-account-of-ann");
    let mut bobs = later.json();
    bobs["claudeAiOauth"]["accountUuid"] = json!("the-account-of-bob");
    let before = user.sign_in(&anns);

    let refused = user.store("login", &bobs.to_string()).exits(4).tells("login.refused");

    assert_shows_none(&refused, &[login.access(), later.access(), later.refresh()]);
    assert_eq!(user.login_file(), Some(before.clone()));
    // The same by what Claude Code here says whose login it has.
    let before = user.sign_in(&login.json());
    let state =
        json!({ "hasCompletedOnboarding": true, "oauthAccount": { "accountUuid": "the-account-of-ann" } });
    user.home.write(".claude.json", &state.to_string());
    user.store("login", &bobs.to_string()).exits(4).tells("login.refused");
    assert_eq!(user.login_file(), Some(before));
}

#[test]
fn what_is_no_login_at_all_is_said_and_not_shown() {
    let user = User::new();
    let (login, _) = two_logins();
    let before = user.sign_in(&login.json());
    let cut = &login.json().to_string()[..60];

    for wrong in [cut, "sk-ant-oat01-FAKE-alone", "[\"FAKE\"]", "\"FAKE\""] {
        let refused = user.store("login", wrong).exits(2).tells("usage");
        assert_shows_none(&refused, &["FAKE"]);
    }
    assert_eq!(user.login_file(), Some(before));
}

#[test]
fn what_is_typed_at_the_question_does_not_show() {
    let user = User::new();
    let token = setup_token();
    let mut terminal = user.drydock(&["credentials", "store", "setup-token"]).in_terminal(100, 30);
    terminal.wait_for("claude setup-token");

    terminal.press(&format!("{token}\r"));

    // It looks at the terminal as well.
    let done = terminal.done().ok();
    assert!(done.stdout.contains("kept in the keyring"), "{}", done.stdout);
    assert!(!done.stdout.contains("FAKE"), "it shows: {}", done.stdout);
    assert!(user.only().contains(&token));
}

#[test]
fn a_wrong_answer_to_the_question_leaves_the_terminal_as_it_was() {
    let user = User::new();
    let mut terminal = user.drydock(&["credentials", "store", "setup-token"]).in_terminal(100, 30);
    terminal.wait_for("claude setup-token");

    terminal.press("sk-ant-api03-FAKE-a-key\r");

    let done = terminal.done().exits(2);
    assert!(!done.stdout.contains("FAKE"), "it shows: {}", done.stdout);
}

#[test]
fn giving_up_at_the_question_leaves_the_terminal_as_it_was() {
    let user = User::new();
    let mut terminal = user.drydock(&["credentials", "store", "setup-token"]).in_terminal(100, 30);
    terminal.wait_for("claude setup-token");
    terminal.press("sk-ant-oat01-FAKE");

    // Ctrl-C
    terminal.press("\x03");

    let done = terminal.done();
    assert_ne!(done.code, Some(0));
    assert!(!done.stdout.contains("FAKE"), "it shows: {}", done.stdout);
    assert_eq!(user.kept(), []);
}

#[test]
fn the_login_of_sessions_is_read_from_the_keyring_and_forgotten_there() {
    let user = User::new();
    let (login, _) = two_logins();
    user.keep_own(&login);

    let (status, code) = user.status("own");

    assert_eq!(code, Some(0), "{status}");
    assert_eq!(
        (&status["own"][0]["kind"], &status["own"][1]),
        (&json!("full"), &json!("keyring")),
        "{status}"
    );
    assert!(!status.to_string().contains("FAKE"), "{status}");
    user.forget("own").ok();
    assert_eq!(user.kept(), []);
    assert_eq!(user.status("own").0["own"], Value::Null);
    user.assert_on_no_disk(&[login.access(), login.refresh()]);
}

#[test]
fn what_a_session_renewed_waits_in_it_while_the_keyring_is_locked() {
    let turn = InATurn::start();
    turn.keyring.lock();

    let (user, done) = turn.renew_and_end();

    let done = done.exits(4).tells("keychain.locked");
    let issued = user.sign_in.issued();
    assert_shows_none(&done, &issued.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(holds(user.rig.home.path(), &issued), [], "it was gone around the keyring");
    user.keyring.unlock();
    user.look_again();
    user.assert_in_the_keyring_alone();
    user.assert_goes_on();
}

#[test]
fn a_session_outlives_a_restart_of_the_keyring() {
    let mut turn = InATurn::start();
    turn.keyring.stop_keyring();
    turn.keyring.start_keyring();

    let (user, done) = turn.renew_and_end();

    done.ok();
    user.rig.assert_nothing_left();
    user.assert_in_the_keyring_alone();
    user.assert_goes_on();
}

#[test]
fn what_a_session_renewed_is_not_lost_with_the_keyring() {
    let mut turn = InATurn::start();
    turn.keyring.stop_keyring();

    // Whether it waits in the session, as at a locked keyring, or in a file: it is still somewhere.
    let (mut user, done) = turn.renew_and_end();

    let issued = user.sign_in.issued();
    assert_shows_none(&done, &issued.iter().map(String::as_str).collect::<Vec<_>>());
    user.keyring.start_keyring();
    user.look_again();
    user.assert_goes_on();
    user.assert_in_the_keyring_alone();
}

#[test]
fn a_log_of_everything_shows_no_secret() {
    let user = User::new();
    let (token, (login, newer)) = (setup_token(), two_logins());
    user.home.sign_in_with(&login);
    let file = user.home.path().join("lease.json");
    let brought = newer.json().to_string();

    for (arguments, input) in [
        (&["store", "setup-token"][..], token.as_str()),
        (&["store", "slack-webhook"], &token),
        (&["store", "login"], &brought),
        (&["store", "pair"], ""),
        (&["status"], ""),
        (&["extract", "--to", file.to_str().unwrap()], ""),
        (&["forget", "setup-token"], ""),
    ] {
        let drydock = user.drydock(&["credentials"]).args(arguments).variable("DRYDOCK_LOG", "trace");
        let done = drydock.input(input).done();
        assert!(done.stderr.contains("TRACE"), "there is no log: {}", done.stderr);
        let of_logins = [&login, &newer].map(|login| [login.access(), login.refresh()]).concat();
        assert_shows_none(&done, &[of_logins.as_slice(), &[&token]].concat());
    }
}
