//! The parts that tests of logins stand on, tried with the real Claude Code: a stand-in that behaves
//! otherwise than the real servers would prove nothing.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{
    Account, Auth, Done, Home, HostClaude, Login, Place, ProcWatch, Project, Release, SecretService, SignIn,
    StoredItem, conversation_id, holds,
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Command, Stdio},
    slice, thread,
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Somebody at a computer where they have signed in.
struct User {
    sign_in: SignIn,
    account: Account,
    login: Login,
    home: Home,
    project: Project,
}

impl User {
    /// With a login whose access token lasts this long.
    fn signed_in(lifetime: Duration) -> Self {
        let sign_in = SignIn::start();
        let account = sign_in.account("ann");
        let login = sign_in.login(&account, lifetime);
        let home = Home::new();
        home.sign_in_with(&login);
        let project = Project::make(&home.path().join("proj"));
        home.trust(project.path());
        Self { sign_in, account, login, home, project }
    }

    fn claude(&self, arguments: &[&str]) -> Done {
        self.claude_of(&self.home).args(arguments).done()
    }

    fn claude_of(&self, home: &Home) -> HostClaude {
        HostClaude::signed_in(Release::Current, home, self.project.path(), &self.sign_in)
    }
}

#[test]
fn an_expired_login_is_renewed_once_and_kept() {
    let user = User::signed_in(Duration::ZERO);
    let (old, server) = (user.login.refresh(), &user.sign_in);

    let status = user.claude(&["auth", "status"]).ok().json();

    assert_eq!(status["loggedIn"], json!(true), "{status}");
    assert_eq!(posted(server), [(old.to_owned(), 200)]);
    let kept = user.home.credentials();
    let oauth = &kept["claudeAiOauth"];
    assert_eq!(oauth["refreshToken"], json!(server.current_refresh(&user.account)));
    assert!(server.issued().contains(&text(&oauth["accessToken"])), "{kept}");
    assert_ne!(oauth["accessToken"], json!(user.login.access()));
    assert!(oauth["expiresAt"].as_u64() > Some(user.login.expires_at_ms()), "{kept}");
    assert!(server.is_alive(&user.account));
}

#[test]
fn the_loser_of_two_copies_of_a_login_blanks_its_own() {
    let user = User::signed_in(Duration::ZERO);
    let mut kept = user.login.json();
    kept["mcpOAuth"] = json!({ "a-server|0123456789abcdef": { "accessToken": "FAKE-of-a-server" } });
    user.home.keep_login(&kept);
    let other = Home::new();
    other.sign_in_with(&user.login);
    user.claude_of(&other).args(["auth", "status"]).done().ok();

    let status = user.claude(&["auth", "status"]).exits(1).json();

    assert_eq!(status["loggedIn"], json!(false), "{status}");
    let refresh = user.login.refresh().to_owned();
    assert_eq!(posted(&user.sign_in), [(refresh.clone(), 200), (refresh, 400)]);
    let oauth = json!({
        "accessToken": "", "refreshToken": "", "expiresAt": 0,
        "scopes": ["user:inference", "user:profile"], "subscriptionType": "max",
    });
    kept["claudeAiOauth"] = oauth;
    assert_eq!(user.home.credentials(), kept);
    assert!(user.sign_in.is_alive(&user.account), "the winner's login went too");
}

#[test]
fn three_at_once_on_one_home_renew_once() {
    let user = User::signed_in(Duration::ZERO);

    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| user.claude(&["auth", "status"]).ok());
        }
    });

    assert_eq!(posted(&user.sign_in), [(user.login.refresh().to_owned(), 200)]);
    let kept = user.home.credentials();
    assert_eq!(kept["claudeAiOauth"]["refreshToken"], json!(user.sign_in.current_refresh(&user.account)));
}

#[test]
fn a_refused_access_token_is_renewed_within_the_turn() {
    let user = User::signed_in(HOUR);
    assert_eq!(user.claude(&["-p", "the first words"]).ok().stdout, "You said: the first words\n");
    assert_eq!(posted(&user.sign_in), []);

    user.sign_in.expire_access_tokens();
    user.claude(&["-p", "the second words"]).ok();

    assert_eq!(posted(&user.sign_in), [(user.login.refresh().to_owned(), 200)]);
    let renewed = text(&user.home.credentials()["claudeAiOauth"]["accessToken"]);
    let turns = user.sign_in.turns();
    let shown: Vec<_> = turns.iter().map(|turn| (turn.auth.clone(), turn.status)).collect();
    let old = Auth::Bearer(user.login.access().into());
    assert_eq!(shown, [(old.clone(), 200), (old, 401), (Auth::Bearer(renewed), 200)]);
}

#[test]
fn signing_out_ends_the_login_at_the_server() {
    let user = User::signed_in(HOUR);

    user.claude(&["auth", "logout"]).ok();

    assert_eq!(user.sign_in.revocations(), [user.login.refresh()]);
    assert!(!user.sign_in.is_alive(&user.account));
    assert!(!user.home.claude_dir().join(".credentials.json").exists());
}

#[test]
fn a_setup_token_lets_in_and_is_kept_nowhere() {
    let user = User::signed_in(HOUR);
    let home = Home::new();
    home.trust(user.project.path());
    let token = user.sign_in.setup_token(&user.account);
    user.sign_in.expire_access_tokens();

    let claude = user.claude_of(&home).variable("CLAUDE_CODE_OAUTH_TOKEN", &token);
    claude.args(["-p", "look around"]).done().ok();

    assert_eq!(user.sign_in.wait_for_turn("look around").auth, Auth::Bearer(token.clone()));
    assert_eq!(holds(home.path(), &[token]), []);
    assert_eq!(posted(&user.sign_in), []);
    let login = user.login.refresh().to_owned();
    let found = holds(user.home.path(), slice::from_ref(&login));
    assert_eq!(found, [(user.home.claude_dir().join(".credentials.json"), login)]);
}

#[test]
fn nothing_but_anthropics_servers_is_behind_the_proxy() {
    let sign_in = SignIn::start();
    let proxy = sign_in.proxy_here();

    for (asked, refused) in [
        ("CONNECT example.com:443 HTTP/1.1", Some("example.com:443")),
        ("CONNECT api.anthropic.com:80 HTTP/1.1", Some("api.anthropic.com:80")),
        ("GET http://api.anthropic.com/ HTTP/1.1", Some("GET http://api.anthropic.com/ HTTP/1.1")),
        ("CONNECT api.anthropic.com:443 HTTP/1.1", None),
    ] {
        let mut connection = TcpStream::connect(proxy.trim_start_matches("http://")).unwrap();
        write!(connection, "{asked}\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        BufReader::new(connection).read_line(&mut answer).unwrap();
        assert_eq!(answer.contains(" 502 "), refused.is_some(), "{asked}: {answer}");
        assert_eq!(answer.contains(" 200 "), refused.is_none(), "{asked}: {answer}");
        if let Some(refused) = refused {
            assert_eq!(sign_in.refused().last().map(String::as_str), Some(refused));
        }
    }
    assert_eq!(sign_in.refused().len(), 3);
}

#[test]
fn a_secret_that_a_process_is_started_with_is_seen() {
    let secrets = ["in-the-arguments", "in-the-environment", "nowhere", "told-later"];
    let secrets = secrets.map(|place| format!("sk-ant-FAKE-{}-{place}", conversation_id()));
    let watch = ProcWatch::start(secrets[..3].to_vec());
    watch.add(secrets[3].clone());
    let mut process = Command::new("sh")
        .args(["-c", "read -r _", &secrets[0]])
        .env("SECRET", &secrets[1])
        .env("LATER", format!("x{}x", secrets[3]))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();

    let mut seen: Vec<_> = watch.stop().into_iter().map(|one| (one.secret, one.place, one.program)).collect();

    seen.sort_by_key(|(secret, ..)| *secret);
    let (arguments, environment) = (Place::Arguments, Place::Environment);
    let wanted = [(0, arguments), (1, environment), (3, environment)];
    assert_eq!(seen, wanted.map(|(secret, place)| (secret, place, "sh".to_owned())));
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn the_keyring_keeps_things_until_it_goes() {
    let mut keyring = SecretService::start();
    assert_eq!(keyring.items(), []);
    keyring.store("a login", &[("account", "ann"), ("service", "test")], "FAKE-secret");

    let attributes = [("account", "ann"), ("service", "test")];
    let item = StoredItem {
        label: "a login".into(),
        attributes: attributes.map(|(name, value)| (name.into(), value.into())).into(),
        secret: b"FAKE-secret".to_vec(),
    };
    assert_eq!(keyring.items(), [item]);

    keyring.lock();
    keyring.stop_keyring();
    assert!(!keyring.has_keyring());
}

#[test]
fn a_bus_without_a_keyring_starts_none() {
    let bus = SecretService::bus_only();
    assert!(!bus.has_keyring());
    let asked = zbus::blocking::connection::Builder::address(bus.address()).unwrap().build().unwrap();
    let started = zbus::blocking::fdo::DBusProxy::new(&asked)
        .unwrap()
        .start_service_by_name("org.freedesktop.secrets".try_into().unwrap(), 0);
    assert!(started.is_err(), "a keyring was started: {started:?}");
}

/// The refresh tokens that were posted, and how they were answered.
fn posted(sign_in: &SignIn) -> Vec<(String, u16)> {
    sign_in.token_requests().into_iter().map(|request| (request.refresh, request.status)).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
