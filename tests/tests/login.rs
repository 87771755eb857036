//! One login, everywhere: each way to log in, with the real Claude Code on both sides and a sign-in server
//! that takes each refresh token once.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{
    API_KEY, Account, Auth, HostClaude, Invocation, Login, Paths, Project, Release, Rig, SecretService,
    SignIn, Terminal, log, session_image, until,
};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};

const HOUR: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(150);
/// Claude Code renews what ends within five minutes, and so does Drydock have it renewed: this is over in a
/// moment, and no session's turn ever meets a dead token.
const A_MOMENT: Duration = Duration::from_secs(308);

/// A user with an account, at a computer with a project.
struct User {
    rig: Rig,
    sign_in: SignIn,
    account: Account,
    project: Project,
}

impl User {
    /// Signed out everywhere.
    fn new() -> Self {
        Self::at(Rig::new())
    }

    fn at(rig: Rig) -> Self {
        let sign_in = SignIn::start();
        let account = sign_in.account("ann");
        let project = rig.project("proj");
        Self { rig, sign_in, account, project }
    }

    /// Signed in on this computer.
    fn signed_in(lifetime: Duration) -> (Self, Login) {
        Self::new().sign_in(lifetime)
    }

    fn sign_in(self, lifetime: Duration) -> (Self, Login) {
        let login = self.sign_in.login(&self.account, lifetime);
        self.rig.home.sign_in_with(&login);
        (self, login)
    }

    fn run(&self, mode: &str) -> Invocation {
        self.rig
            .run_signed_in(self.project.path(), &self.sign_in)
            .variable("DRYDOCK_LOGIN_MODE", mode)
            .variable("DRYDOCK_SYNC_INTERVAL_SECONDS", "1")
    }

    /// `claude auth login` in a session, as a machine without a browser does it.
    fn sign_in_inside(&self, mode: &str, login: &Login) -> Invocation {
        self.run(mode)
            .args(["--env", &format!("CLAUDE_CODE_OAUTH_REFRESH_TOKEN={}", login.refresh())])
            .args(["--env", "CLAUDE_CODE_OAUTH_SCOPES=user:inference user:profile"])
            .claude(["auth", "login"])
    }

    fn drydock(&self, mode: &str) -> Invocation {
        self.rig.drydock().variable("DRYDOCK_LOGIN_MODE", mode)
    }

    /// `drydock credentials status --json`, whatever it finds.
    fn status(&self, mode: &str) -> Value {
        self.drydock(mode).args(["credentials", "status", "--json"]).done().json()
    }

    /// What a session has to log in with.
    fn inside(&self, session: &str) -> Value {
        let read = self.rig.engine.exec(session, &["sh", "-c", "cat ~/.claude/.credentials.json"]).printed;
        serde_json::from_str(&read).unwrap_or_else(|_| json!({ "unreadable": read }))
    }

    fn host_turn(&self, words: &str) {
        // The current one: an older one renews nothing through this proxy.
        let claude =
            HostClaude::signed_in(Release::Current, &self.rig.home, self.project.path(), &self.sign_in);
        let done = claude.args(["-p", words]).done().ok();
        assert!(done.stdout.contains(words), "{}", done.stdout);
    }

    /// How each posted refresh token was answered.
    fn answers(&self) -> Vec<u16> {
        self.sign_in.token_requests().into_iter().map(|request| request.status).collect()
    }
}

/// A person at a session's prompt.
fn at_prompt(invocation: Invocation) -> (Terminal, String) {
    let mut terminal = invocation.in_terminal(100, 30);
    let session = terminal.session();
    wait_for_prompt(&mut terminal);
    (terminal, session)
}

fn wait_for_prompt(terminal: &mut Terminal) {
    // An older one has another sign before what is typed.
    let is_there = |screen: &str| screen.contains('❯') || screen.contains("? for shortcuts");
    terminal.wait_until("Claude Code waits for the user", is_there);
    terminal.wait_until_still();
}

fn say(terminal: &mut Terminal, words: &str) {
    terminal.type_line(words);
    terminal.wait_for(&format!("You said: {words}"));
}

fn leave(mut terminal: Terminal) {
    terminal.type_line("/exit");
    terminal.done().ok();
}

fn token<'a>(login: &'a Value, key: &str) -> &'a str {
    login["claudeAiOauth"][key].as_str().unwrap_or_default()
}

#[test]
fn two_sessions_and_the_host_share_one_login_over_three_expiries() {
    let (user, _) = User::signed_in(A_MOMENT);
    user.sign_in.set_lifetime(A_MOMENT);
    let (mut one, first) = at_prompt(user.run("lease"));
    let (mut two, second) = at_prompt(user.run("lease"));
    say(&mut one, "one begins");
    say(&mut two, "two begins");

    // The host's own Claude Code is used meanwhile or not: each expiry costs one request in all.
    for expiry in 1..=3 {
        until("the login is renewed", PATIENCE, || (user.answers().len() >= expiry).then_some(()));
        if expiry == 2 {
            user.sign_in.set_lifetime(8 * HOUR);
        }
        let renewed = until("both sessions have it", PATIENCE, || {
            let host = user.rig.home.credentials();
            let access = token(&host, "accessToken").to_owned();
            let has = |session: &str| token(&user.inside(session), "accessToken") == access;
            (has(&first) && has(&second)).then_some(access)
        });
        say(&mut one, &format!("one after {expiry}"));
        say(&mut two, &format!("two after {expiry}"));
        if expiry == 3 {
            let auth = user.sign_in.wait_for_turn("two after 3").auth;
            assert_eq!(auth, Auth::Bearer(renewed));
        }
    }
    user.host_turn("and the host");

    assert_eq!(user.answers(), [200, 200, 200], "one token request for each expiry, by the host alone");
    let turns = user.sign_in.turns();
    assert!(turns.iter().all(|turn| turn.status == 200), "a turn met a dead token: {turns:#?}");
    for session in [&first, &second] {
        let inside = user.inside(session);
        assert!(inside["claudeAiOauth"].get("refreshToken").is_none(), "a refresh token is in {session}");
    }
    assert!(user.sign_in.is_alive(&user.account));
    leave(one);
    leave(two);
    log("lease: two sessions and the host, three expiries, three token requests, no turn refused");
}

#[test]
fn a_login_that_the_server_ended_early_is_followed_by_the_sessions() {
    let (user, _) = User::signed_in(8 * HOUR);
    let (mut terminal, session) = at_prompt(user.run("lease"));
    say(&mut terminal, "before");

    user.sign_in.expire_access_tokens();
    user.host_turn("the host meets it");

    until("the session has the new one", PATIENCE, || {
        let host = user.rig.home.credentials();
        (token(&user.inside(&session), "accessToken") == token(&host, "accessToken")).then_some(())
    });
    say(&mut terminal, "after");
    assert_eq!(user.answers(), [200]);
    leave(terminal);
}

#[test]
fn an_older_claude_code_under_other_paths_begins_with_a_good_lease() {
    session_image();
    let (user, _) = User::at(Rig::of(Release::YearOld, Paths::Mapped)).sign_in(8 * HOUR);
    user.run("lease").claude(["-p", "before"]).done().ok();
    user.sign_in.expire_access_tokens();
    user.host_turn("the host meets it");

    user.run("lease").claude(["-p", "after"]).done().ok();

    let access = token(&user.rig.home.credentials(), "accessToken").to_owned();
    assert_eq!(user.sign_in.wait_for_turn("after").auth, Auth::Bearer(access));
    assert_eq!(user.answers(), [200]);
}

#[test]
fn a_session_that_ran_alone_has_a_good_login_when_it_is_joined_again() {
    let (user, _) = User::signed_in(8 * HOUR);
    let (terminal, session) = at_prompt(user.run("lease"));
    terminal.press("\x1e\x1e");
    terminal.done().ok();
    user.sign_in.expire_access_tokens();
    user.host_turn("renewed meanwhile");

    let mut again = user.drydock("lease").args(["attach", &session]).in_terminal(100, 30);
    wait_for_prompt(&mut again);
    say(&mut again, "good morning");

    assert_eq!(user.answers(), [200]);
    leave(again);
}

#[test]
fn an_expired_login_is_renewed_before_it_is_lent() {
    let (user, login) = User::signed_in(Duration::ZERO);

    user.run("lease").claude(["-p", "good morning"]).done().ok();

    assert_eq!(user.answers(), [200]);
    let host = user.rig.home.credentials();
    assert_ne!(token(&host, "refreshToken"), login.refresh());
    assert_eq!(
        user.sign_in.wait_for_turn("good morning").auth,
        Auth::Bearer(token(&host, "accessToken").to_owned())
    );
}

#[test]
fn signing_out_inside_does_not_sign_the_host_out() {
    let (user, login) = User::signed_in(8 * HOUR);
    let before = user.rig.home.credentials();

    user.run("lease").claude(["auth", "logout"]).done().ok();

    assert_eq!(user.rig.home.credentials(), before);
    assert!(user.sign_in.is_alive(&user.account), "the host's login was revoked");
    user.host_turn("still here");
    assert_eq!(user.sign_in.current_refresh(&user.account), login.refresh());
}

#[test]
fn a_login_of_the_sessions_own_is_made_once_and_kept_for_all() {
    let user = User::new();
    let made = user.sign_in.login(&user.account, 8 * HOUR);
    user.sign_in_inside("own", &made).done().ok();
    assert!(!user.rig.home.claude_dir().join(".credentials.json").exists(), "it is not this computer's");
    let status = user.status("own");
    assert_eq!(status["own"]["kind"], "full", "{status}");
    let posted = user.answers().len();

    // Two at once: one holds it, the other has a lease.
    let (mut one, first) = at_prompt(user.run("own"));
    let (mut two, second) = at_prompt(user.run("own"));
    say(&mut one, "one is in");
    say(&mut two, "two is in");
    assert!(!token(&user.inside(&first), "refreshToken").is_empty());
    assert!(user.inside(&second)["claudeAiOauth"].get("refreshToken").is_none());
    assert_eq!(user.status("own")["holder"], json!(first));

    // The holder renews; the other follows.
    user.sign_in.expire_access_tokens();
    say(&mut one, "one renews");
    until("the other follows", PATIENCE, || {
        let access = |session: &str| token(&user.inside(session), "accessToken").to_owned();
        (access(&first) == access(&second)).then_some(())
    });
    say(&mut two, "two follows");

    // The holder goes; the other can renew from then on.
    leave(one);
    until("the other holds it", PATIENCE, || {
        (!token(&user.inside(&second), "refreshToken").is_empty()).then_some(())
    });
    user.sign_in.expire_access_tokens();
    say(&mut two, "two renews");
    leave(two);

    assert_eq!(&user.answers()[posted..], [200, 200]);
    let current = user.sign_in.current_refresh(&user.account);
    assert!(user.sign_in.is_alive(&user.account));
    user.run("own").claude(["-p", "and later"]).done().ok();
    assert_eq!(user.sign_in.current_refresh(&user.account), current, "nothing had to be renewed for it");
    log("own: signed in once, two sessions at once, the holder renewed and went, the other took over");
}

#[test]
fn a_lease_is_renewed_by_the_session_that_holds_the_login() {
    let user = User::new();
    let made = user.sign_in.login(&user.account, 8 * HOUR);
    user.sign_in.set_lifetime(A_MOMENT);
    user.sign_in_inside("own", &made).done().ok();
    let before = user.answers().len();
    user.sign_in.set_lifetime(8 * HOUR);
    let (holder, first) = at_prompt(user.run("own"));
    let (mut other, second) = at_prompt(user.run("own"));
    assert_eq!(user.status("own")["holder"], json!(first));

    // Nobody types anything: the lease is about to end all the same.
    until("the lease is another one", PATIENCE, || {
        let inside = user.inside(&second);
        let ends = inside["claudeAiOauth"]["expiresAt"].as_u64().unwrap_or_default();
        let in_an_hour = std::time::SystemTime::now() + HOUR;
        let in_an_hour = in_an_hour.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        (u128::from(ends) > in_an_hour).then_some(())
    });
    say(&mut other, "goes on");

    assert_eq!(&user.answers()[before..], [200]);
    leave(other);
    leave(holder);
}

#[test]
fn a_copy_comes_back_renewed_and_the_second_session_gets_a_lease() {
    let (user, login) = User::signed_in(8 * HOUR);
    let (mut one, first) = at_prompt(user.run("copy"));
    let (mut two, second) = at_prompt(user.run("copy"));
    assert_eq!(token(&user.inside(&first), "refreshToken"), login.refresh());
    assert!(user.inside(&second)["claudeAiOauth"].get("refreshToken").is_none());

    user.sign_in.expire_access_tokens();
    say(&mut one, "one renews");

    until("it is back on the host", PATIENCE, || {
        let host = user.rig.home.credentials();
        (token(&host, "refreshToken") == user.sign_in.current_refresh(&user.account)).then_some(())
    });
    until("the other follows", PATIENCE, || {
        let host = user.rig.home.credentials();
        (token(&user.inside(&second), "accessToken") == token(&host, "accessToken")).then_some(())
    });
    say(&mut two, "two follows");
    leave(one);
    leave(two);
    user.host_turn("the host has it");
    assert_eq!(user.answers(), [200]);
}

#[test]
fn a_copy_comes_back_although_drydock_was_killed() {
    let (user, login) = User::signed_in(Duration::ZERO);
    let mut running = user
        .run("copy")
        .variable("DRYDOCK_SYNC_INTERVAL_SECONDS", "3600")
        .claude(["-p", "renew, then wait [[hold]]"])
        .start();
    let session = running.session();
    user.sign_in.wait_for_hold();
    running.kill();
    assert_eq!(token(&user.rig.home.credentials(), "refreshToken"), login.refresh(), "nothing came out yet");

    user.sign_in.release();
    until("the session ends", PATIENCE, || (!user.rig.engine.has_running(&session)).then_some(()));
    user.drydock("copy").arg("list").done().ok();

    let host = user.rig.home.credentials();
    assert_eq!(token(&host, "refreshToken"), user.sign_in.current_refresh(&user.account));
    user.host_turn("nothing is lost");
    assert_eq!(user.answers(), [200]);
    assert_eq!(user.status("copy")["holder"], Value::Null);
    user.rig.assert_nothing_left();
}

#[test]
fn a_login_that_was_refused_is_said_and_never_blanks_the_hosts() {
    let (user, login) = User::signed_in(Duration::ZERO);
    // Signed out elsewhere.
    let elsewhere = Rig::new();
    elsewhere.home.sign_in_with(&login);
    elsewhere.signed_in_claude(elsewhere.home.path(), &user.sign_in).args(["auth", "logout"]).done().ok();
    let before = user.rig.home.credentials();

    let done = user.run("copy").claude(["-p", "hello"]).done().exits(1);

    assert!(done.stderr.contains("has ended"), "the user is told nothing: {}", done.stderr);
    assert_eq!(user.rig.home.credentials(), before, "a blank was put in the place of the login");
    let refused = user.run("copy").claude(["-p", "again"]).done().exits(4).tells("login.none");
    assert!(refused.stderr.contains("claude auth login"), "{}", refused.stderr);
    let status = user.drydock("copy").args(["credentials", "status"]).done().exits(4);
    assert!(status.stdout.contains("refused to renew"), "{}", status.stdout);

    // The user signs in again, and all is well.
    let again = user.sign_in.login(&user.account, 8 * HOUR);
    user.rig.home.sign_in_with(&again);
    user.run("copy").claude(["-p", "well again"]).done().ok();
}

#[test]
fn nothing_is_written_while_claude_code_renews_the_login() {
    let (user, _) = User::signed_in(8 * HOUR);
    let before = user.rig.home.credentials();
    // What Claude Code makes before it posts its refresh token, and removes after it has saved the next.
    let lock = user.rig.home.claude_dir().join(".oauth_refresh.lock");
    fs::create_dir(&lock).unwrap();
    let newer = user.sign_in.login(&user.account, 9 * HOUR).json().to_string();
    let store = || user.drydock("copy").args(["credentials", "store", "login"]).input(&newer);

    store().done().exits(1).tells("login.busy");

    assert_eq!(user.rig.home.credentials(), before);
    fs::remove_dir(&lock).unwrap();
    store().done().ok();
    assert_ne!(user.rig.home.credentials(), before);
}

#[test]
fn another_account_is_asked_about() {
    let (user, login) = User::signed_in(8 * HOUR);
    // This computer knows whose login it has.
    user.host_turn("who am I");
    let claude = user.rig.signed_in_claude(user.project.path(), &user.sign_in);
    claude
        .variable("CLAUDE_CODE_OAUTH_REFRESH_TOKEN", user.sign_in.login(&user.account, 8 * HOUR).refresh())
        .variable("CLAUDE_CODE_OAUTH_SCOPES", "user:inference user:profile")
        .args(["auth", "login"])
        .done()
        .ok();
    let before = user.rig.home.credentials();
    assert_ne!(token(&before, "refreshToken"), login.refresh());
    let bob = user.sign_in.account("bob");
    let bobs = user.sign_in.login(&bob, 8 * HOUR);

    let done = user.sign_in_inside("copy", &bobs).done().ok();

    let session = done.session();
    assert!(done.stderr.contains("another account"), "{}", done.stderr);
    assert_eq!(user.rig.home.credentials(), before, "the host is somebody else now");
    let waiting = user.status("copy");
    assert_eq!(waiting["others"][0]["session"], json!(session), "{waiting}");
    user.drydock("copy").args(["credentials", "adopt", &session]).done().ok();
    assert_eq!(
        token(&user.rig.home.credentials(), "refreshToken"),
        user.sign_in.current_refresh(&bob),
        "it was adopted, and the host has another"
    );
    assert_eq!(user.status("copy")["others"], json!([]));
    user.drydock("copy").args(["credentials", "drop", &session]).done().exits(2).tells("session.unknown");
}

#[test]
fn a_setup_token_is_kept_in_the_keyring_and_used() {
    let user = User::new();
    let keyring = SecretService::start();
    let token = user.sign_in.setup_token(&user.account);
    let with_keyring =
        |invocation: Invocation| invocation.variable("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    with_keyring(user.run("setup-token")).claude(["-p", "too early"]).done().exits(4).tells("login.none");
    with_keyring(user.drydock("setup-token"))
        .args(["credentials", "store", "setup-token"])
        .input(&format!("{token}\n"))
        .done()
        .ok();

    with_keyring(user.run("setup-token")).claude(["-p", "by token"]).done().ok();

    assert_eq!(user.sign_in.wait_for_turn("by token").auth, Auth::Bearer(token));
    assert_eq!(user.answers(), Vec::<u16>::new(), "a setup token is not renewed");
    user.rig.assert_nothing_left();
}

#[test]
fn the_own_login_is_in_the_keyring_where_there_is_one() {
    let user = User::new();
    let keyring = SecretService::start();
    let with_keyring =
        |invocation: Invocation| invocation.variable("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    let made = user.sign_in.login(&user.account, 8 * HOUR);

    with_keyring(user.sign_in_inside("own", &made)).done().ok();
    with_keyring(user.run("own")).claude(["-p", "from the keyring"]).done().ok();

    let current = user.sign_in.current_refresh(&user.account);
    let items = keyring.items();
    let kept = items.iter().filter(|item| String::from_utf8_lossy(&item.secret).contains(&current));
    assert_eq!(kept.count(), 1, "the login is not in the keyring");
    let found = drydock_tests::rig::holds(user.rig.home.path(), &user.sign_in.issued());
    assert!(found.is_empty(), "a token lies about: {found:?}");
}

#[test]
fn an_api_key_helper_is_asked_here_for_a_key() {
    let user = User::new();
    let helper = user.rig.home.write("bin/key", &format!("#!/bin/sh\necho {API_KEY}\n"));
    make_executable(&helper);
    user.rig.home.write(".claude/settings.json", &json!({ "apiKeyHelper": helper }).to_string());

    user.run("api-key").claude(["-p", "by helper"]).done().ok();

    assert_eq!(user.sign_in.wait_for_turn("by helper").auth, Auth::Key(API_KEY.into()));
}

#[test]
fn doctor_names_what_wins_over_the_login() {
    let (user, _) = User::signed_in(8 * HOUR);
    user.rig.home.write(".claude/settings.json", r#"{"apiKeyHelper":"/bin/false"}"#);
    let said = user.drydock("lease").variable("ANTHROPIC_API_KEY", API_KEY).arg("doctor").done().stdout;
    assert!(said.contains("apiKeyHelper in settings.json wins over the login"), "{said}");
    assert!(said.contains("ANTHROPIC_API_KEY is set here"), "{said}");
    assert!(!said.contains(API_KEY));
}

fn make_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}
