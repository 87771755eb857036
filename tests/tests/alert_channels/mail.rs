use super::user::{LIMIT, User};
use drydock_tests::rig::{Invocation, MailServer, ProcWatch, Protection, until};
use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

const PASSWORD: &str = "FAKE-password-0123456789-FAKE";
/// Not for a mail program: the keys of the user's environment are Claude Code's.
const KEY: &str = "sk-ant-api03-FAKEfakeFAKE0123456789";

/// A folder before all others on the path.
fn programs(user: &User) -> PathBuf {
    let folder = user.home.path().join("bin");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn with(invocation: Invocation, folder: &Path) -> Invocation {
    let path = format!("{}:{}", folder.display(), env::var("PATH").unwrap());
    invocation.variable("PATH", path)
}

fn sendmail(user: &User, script: &str) {
    let file = programs(user).join("sendmail");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn test(user: &User) -> Invocation {
    with(user.drydock(&["alerts", "test", "email", "--json"]), &programs(user))
        .variable("ANTHROPIC_API_KEY", KEY)
}

fn fails(user: &User, outcome: &str) -> String {
    let done = test(user).done().exits(1);
    let why = done.json()["error"]["why"][0].as_str().unwrap().to_owned();
    assert_eq!(user.view("email")["last"]["delivery"]["outcome"], outcome, "{why}");
    why
}

fn reader() -> User {
    let user = User::without_keyring();
    user.set("alerts.email.to", "ann@example.org");
    user
}

#[test]
fn a_real_mail_program_brings_it_to_a_server() {
    let (user, server) = (reader(), MailServer::open());
    symlink("/usr/bin/msmtp", programs(&user).join("sendmail")).unwrap();
    let account = format!("account default\nhost 127.0.0.1\nport {}\ntls off\nauth off\n", server.port());
    let file = user.home.write(".msmtprc", &account);
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();

    let done = test(&user).done().ok();

    assert!(done.json()["sent_means"].as_str().unwrap().contains("this computer's mail system has it"));
    let taken = server.taken();
    assert_eq!(taken.len(), 1);
    let mail = &taken[0];
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("ann@example.org", &["ann@example.org".to_owned()][..])
    );
    assert_eq!(mail.header("Subject").unwrap(), "[Drydock] Drydock can reach you here");
    assert_eq!(mail.header("Auto-Submitted").unwrap(), "auto-generated");
    assert!(mail.header("Message-ID").unwrap().ends_with("@example.org>"), "{}", mail.text);
    assert!(mail.text.contains("Nothing is the matter."), "{}", mail.text);
    assert!(!mail.text.contains(KEY));
}

#[test]
fn a_mail_program_that_fails_is_understood() {
    let user = reader();
    sendmail(&user, "cat >/dev/null; echo 'the queue is full' >&2; exit 75");
    assert_eq!(fails(&user, "later"), "sendmail did not take the mail, not now: the queue is full");
    sendmail(&user, "cat >/dev/null; exit 67");
    assert!(fails(&user, "refused").contains("no such recipient"));
    // msmtp, without anything that says where mails go.
    fs::remove_file(programs(&user).join("sendmail")).unwrap();
    symlink("/usr/bin/msmtp", programs(&user).join("sendmail")).unwrap();
    assert!(fails(&user, "refused").contains("not set up"));
}

#[test]
fn a_mail_program_gets_no_key_and_shows_none() {
    let user = reader();
    sendmail(
        &user,
        "env >\"$HOME/environment\"; echo \"it says $ANTHROPIC_API_KEY $(printf 'sk-ant-%s' api03-FAKEechoed99)\" >&2; exit 75",
    );
    let why = fails(&user, "later");
    assert!(why.contains("[hidden]"), "{why}");
    assert!(!fs::read_to_string(user.home.path().join("environment")).unwrap().contains(KEY));
    user.assert_nowhere("sk-ant-api03-FAKEechoed99", &[]);
}

#[test]
fn a_mail_program_that_hangs_is_ended() {
    let user = reader();
    sendmail(&user, "echo $$ >\"$HOME/pid\"; exec sleep 600");
    assert!(fails(&user, "later").contains("did not end within"));
    let pid = fs::read_to_string(user.home.path().join("pid")).unwrap();
    // One that has ended, and that nobody has asked for its end yet, has no command line.
    let words = Path::new("/proc").join(pid.trim()).join("cmdline");
    until("it has ended", LIMIT, || fs::read(&words).unwrap_or_default().is_empty().then_some(()));
}

/// Somebody whose mail goes by a server that wants a password.
fn customer(server: &MailServer, tls: &str) -> User {
    let user = User::new();
    user.set("alerts.email.to", "ann@example.org, bob@example.org");
    user.set("alerts.email.via", "smtp");
    user.set("alerts.email.smtp.server", "localhost");
    user.set("alerts.email.smtp.port", &server.port().to_string());
    user.set("alerts.email.smtp.tls", tls);
    user.set("alerts.email.smtp.user", "ann");
    user
}

#[test]
fn a_mail_server_gets_it_over_tls_with_the_password() {
    for (protection, tls) in [(Protection::Tls, "tls"), (Protection::Starttls, "starttls")] {
        let server = MailServer::for_user(protection, "ann", PASSWORD);
        let user = customer(&server, tls);
        let without = user.drydock(&["alerts", "test", "email"]).done().exits(1);
        assert!(without.stderr.contains("drydock alerts email set-password"), "{}", without.stderr);
        // The server itself is started with the password.
        let watch = ProcWatch::start(vec![PASSWORD.to_owned()]);
        let kept = user.drydock(&["alerts", "email", "set-password"]).input(PASSWORD).done().ok();
        assert!(kept.stdout.contains("kept in the keyring"), "{}", kept.stdout);
        let trusting = |invocation: Invocation| invocation.variable("SSL_CERT_FILE", server.authority());

        let sent = trusting(user.drydock(&["alerts", "test", "email"])).done().ok();

        assert_eq!(sent.stdout, "sent: the mail server has it\n");
        let taken = server.taken();
        assert_eq!(taken.len(), 1);
        assert!(taken[0].tls && taken[0].authenticated, "{tls}");
        assert_eq!(taken[0].to, ["ann@example.org", "bob@example.org"]);
        let seen =
            watch.stop().into_iter().filter(|seen| !seen.program.starts_with("python")).collect::<Vec<_>>();
        assert_eq!(seen, []);
        user.assert_nowhere(PASSWORD, &[&without, &kept, &sent]);
    }
}

#[test]
fn a_mail_server_that_is_not_who_it_says_learns_nothing() {
    let server = MailServer::for_user(Protection::Tls, "ann", PASSWORD);
    let user = customer(&server, "tls");
    user.drydock(&["alerts", "email", "set-password"]).input(PASSWORD).done().ok();
    // Nobody vouches for its certificate here.
    let why = user.fails("email");
    assert!(why.to_lowercase().contains("certificate"), "{why}");
    assert!(server.taken().is_empty());
    assert_eq!(user.view("email")["last"]["delivery"]["outcome"], "later");
}

#[test]
fn what_a_mail_server_answers_is_told_apart() {
    let server = MailServer::open();
    let user = User::without_keyring();
    user.set("alerts.email.via", "smtp");
    user.set("alerts.email.smtp.server", "127.0.0.1");
    user.set("alerts.email.smtp.port", &server.port().to_string());
    user.set("alerts.email.smtp.tls", "none");
    for (to, outcome, words) in [
        ("nobody@example.org", "refused", "no such mailbox"),
        ("busy@example.org", "later", "try again later"),
    ] {
        user.set("alerts.email.to", to);
        let why = user.fails("email");
        assert!(why.contains(words), "{why}");
        assert_eq!(user.view("email")["last"]["delivery"]["outcome"], outcome, "{why}");
    }
    user.set("alerts.email.to", "ann@example.org");
    user.drydock(&["alerts", "test", "email"]).done().ok();
    assert_eq!(server.taken().len(), 1);
    assert!(!server.taken()[0].tls);
}

#[test]
fn a_wrong_password_is_refused_and_not_repeated() {
    let server = MailServer::for_user(Protection::Starttls, "ann", PASSWORD);
    let user = customer(&server, "starttls");
    let wrong = "FAKE-wrong-password-0123-FAKE";
    user.drydock(&["alerts", "email", "set-password"]).input(wrong).done().ok();
    let failed = user
        .drydock(&["alerts", "test", "email"])
        .variable("SSL_CERT_FILE", server.authority())
        .done()
        .exits(1);
    assert!(failed.stderr.contains("535"), "{}", failed.stderr);
    assert_eq!(user.view("email")["last"]["delivery"]["outcome"], "refused");
    user.assert_nowhere(wrong, &[&failed]);
}

#[test]
fn mail_that_is_not_set_up_says_what_is_missing() {
    let user = User::without_keyring();
    assert_eq!(user.view("email")["state"], "off");
    user.set("alerts.email.to", "ann@example.org");
    user.set("alerts.email.via", "smtp");
    let done = user.drydock(&["alerts", "test", "email"]).done().exits(4);
    assert!(done.stderr.contains("alerts.email.smtp.server is empty"), "{}", done.stderr);
    let wrong = ["settings", "set", "alerts.email.to", "ann@example.org\r\nBcc: all@example.org"];
    user.drydock(&wrong).done().exits(2);
}
