//! The commands as a person uses them, beside their own sops.

use crate::team::Team;
use drydock_tests::rig::{Home, ProcWatch, Rig, SecretService, holds, sops};
use std::{fs, os::unix::fs::PermissionsExt, slice};

const PLAIN: &str = "slack:\n  webhook: FAKE-hook\nmail: FAKE-mail\n";

fn changed_lines(before: &str, after: &str) -> Vec<String> {
    let known: Vec<_> = before.lines().collect();
    let new = after.lines().filter(|line| !known.contains(line));
    new.map(|line| line.trim().split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn one_value_changes_and_both_go_on_from_there() {
    let team = Team::new();
    team.write("secrets.yaml", PLAIN);
    team.encrypt_by_drydock("secrets.yaml").ok();
    let first = team.read("secrets.yaml");

    let set = team.drydock(&["set", "secrets.yaml", "slack.webhook"]).input("FAKE-new\n").done().ok();
    assert!(!set.stdout.contains("FAKE") && !set.stderr.contains("FAKE"), "{set:?}");
    let second = team.read("secrets.yaml");
    let changed = changed_lines(&first, &second);
    assert!(changed == ["webhook", "lastmodified", "mac"] || changed == ["webhook", "mac"], "{changed:?}");
    assert_eq!(team.sops_reads("secrets.yaml")["slack"]["webhook"], "FAKE-new");

    team.sops(&["set", "secrets.yaml", r#"["mail"]"#, r#""FAKE-by-sops""#]).ok();
    assert_eq!(team.drydock_reads("secrets.yaml")["mail"], "FAKE-by-sops");
    team.drydock(&["set", "secrets.yaml", "slack.channel"]).input("FAKE-channel").done().ok();
    team.drydock(&["set", "secrets.yaml", "key"]).input("FAKE one\nFAKE two\n").done().ok();
    let read = team.sops_reads("secrets.yaml");
    assert_eq!(read["slack"]["channel"], "FAKE-channel");
    assert_eq!(read["key"], "FAKE one\nFAKE two\n");
    assert_eq!(read["mail"], "FAKE-by-sops");
}

#[test]
fn a_change_in_a_file_of_sops_keeps_its_comments() {
    let team = Team::new();
    team.write("secrets.yaml", "# FAKE note\nport: 80\nlist:\n  # FAKE inside\n  - one\nmail: x\n");
    team.encrypt_by_sops("secrets.yaml", &[]);
    let before = team.read("secrets.yaml");
    team.drydock(&["set", "secrets.yaml", "mail"]).input("y").done().ok();
    let changed = changed_lines(&before, &team.read("secrets.yaml"));
    assert!(changed == ["mail", "lastmodified", "mac"] || changed == ["mail", "mac"], "{changed:?}");
    let shown = team.sops(&["decrypt", "secrets.yaml"]).ok().stdout;
    for kept in ["# FAKE note", "# FAKE inside", "port: 80", "mail: \"y\""] {
        assert!(shown.contains(kept), "{kept}: {shown}");
    }
}

#[test]
fn what_would_be_lost_is_not_encrypted() {
    let team = Team::new();
    for (text, code, line) in [
        ("a: x\n# ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:comment]\nb: y\n", "secrets.encrypted", 2),
        ("a: x\nport: 80\n", "secrets.shape", 2),
        ("a: x\n b: y\n", "secrets.syntax", 2),
    ] {
        team.write("secrets.yaml", text);
        let refused = team.encrypt_by_drydock("secrets.yaml").tells(code);
        assert!(refused.stderr.contains(&format!("line {line}:")), "{}", refused.stderr);
        assert_eq!(team.read("secrets.yaml"), text);
    }
    team.write("secrets.yaml", PLAIN);
    team.encrypt_by_drydock("secrets.yaml").ok();
    let once = team.read("secrets.yaml");
    team.encrypt_by_drydock("secrets.yaml").exits(2).tells("secrets.encrypted");
    assert_eq!(team.read("secrets.yaml"), once);
}

#[test]
fn both_follow_the_same_rules_and_a_new_recipient_is_let_in() {
    let (team, recovery) = (Team::new(), Team::new());
    let rules = |recipients: &str| {
        format!(
            "creation_rules:\n  - path_regex: ^secrets/.*\\.yaml$\n    encrypted_regex: ^(webhook|mail)$\n    age: {recipients}\n"
        )
    };
    team.write(".sops.yaml", &rules(&team.recipient));
    for name in ["secrets/drydock.yaml", "secrets/sops.yaml"] {
        team.write(name, "user: ann\nwebhook: FAKE-hook\n");
    }
    team.encrypt_by_drydock("secrets/drydock.yaml").ok();
    team.sops(&["encrypt", "--in-place", "secrets/sops.yaml"]).ok();
    for name in ["secrets/drydock.yaml", "secrets/sops.yaml"] {
        let text = team.read(name);
        assert!(text.starts_with("user: ann\nwebhook: ENC["), "{text}");
        assert!(text.contains("encrypted_regex: ^(webhook|mail)$\n"), "{text}");
    }
    team.write("elsewhere.yaml", PLAIN);
    team.encrypt_by_drydock("elsewhere.yaml").exits(4).tells("secrets.rules");

    // Somebody else's key alone: Drydock could not read its own file afterwards.
    team.write(".sops.yaml", &rules(&recovery.recipient));
    let refused = team.drydock(&["encrypt", "--rewrap", "secrets/drydock.yaml"]).done();
    refused.exits(4).tells("secrets.for_others");

    team.write(".sops.yaml", &rules(&format!("{}, {}", team.recipient, recovery.recipient)));
    for name in ["secrets/drydock.yaml", "secrets/sops.yaml"] {
        let before = team.read(name);
        team.drydock(&["encrypt", "--rewrap", name]).done().ok();
        let after = team.read(name);
        assert!(after.len() > before.len());
        for kept in before.lines() {
            assert!(after.lines().any(|line| line == kept), "{kept} is gone: {after}");
        }
        recovery.write("theirs.yaml", &after);
        assert_eq!(recovery.sops_reads("theirs.yaml")["webhook"], "FAKE-hook");
        // sops agrees that nothing is to be done.
        team.sops(&["updatekeys", "--yes", name]).ok();
        assert_eq!(team.read(name), after);
        let again = team.drydock(&["encrypt", "--rewrap", "--json", name]).done().ok();
        assert_eq!(again.json()["done"], "unchanged");
        assert_eq!(team.read(name), after);
    }
}

#[test]
fn sops_asks_drydock_for_the_key() {
    let team = Team::new();
    team.write("secrets.yaml", PLAIN);
    team.encrypt_by_drydock("secrets.yaml").ok();
    let program = team.drydock(&[]).command().get_program().to_str().unwrap().to_owned();
    let command = format!("{program} --home {} gitops key export", team.home.path().display());
    let bus = ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");

    let read = sops(team.folder(), &[("SOPS_AGE_KEY_CMD", &command), bus], &["decrypt", "secrets.yaml"]).ok();

    assert!(read.stdout.contains("FAKE-mail"), "{}", read.stdout);
}

#[test]
fn the_key_is_made_once_and_shown_only_when_it_is_asked_for() {
    let home = Home::new();
    let drydock = |arguments: &[&str]| Rig::drydock_at(&home).args(["gitops", "key"]).args(arguments);
    drydock(&["export"]).done().exits(4).tells("secrets.key");
    let recipient = drydock(&["show-recipient"]).done().ok().stdout;
    assert!(recipient.starts_with("age1"), "{recipient}");
    assert_eq!(drydock(&["show-recipient"]).done().ok().stdout, recipient);
    let file = home.path().join(".local/share/drydock/gitops/identity.txt");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = drydock(&["export"]).done().ok().stdout;
    assert!(key.starts_with("AGE-SECRET-KEY-1") && key.ends_with('\n'));

    // Onto a terminal it goes only when that is said.
    let refused = drydock(&["export"]).in_terminal(100, 30).ended();
    assert!(!refused.stdout.contains("AGE-SECRET-KEY"), "{}", refused.stdout);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    let shown = drydock(&["export", "--show"]).in_terminal(100, 30).ended();
    assert!(shown.stdout.contains(key.trim()), "{}", shown.stdout);

    // On another computer it opens the same files; one that is there is not lost by that.
    let other = Home::new();
    let elsewhere = |arguments: &[&str]| Rig::drydock_at(&other).args(["gitops", "key"]).args(arguments);
    let import = |more: &[&str]| elsewhere(&[&["import"], more].concat()).input(&key).done();
    let theirs = elsewhere(&["show-recipient"]).done().ok().stdout;
    import(&[]).exits(4).tells("secrets.key");
    assert_eq!(elsewhere(&["show-recipient"]).done().ok().stdout, theirs);
    import(&["--replace"]).ok();
    assert_eq!(elsewhere(&["show-recipient"]).done().ok().stdout, recipient);
    import(&[]).ok();
    elsewhere(&["import"]).input("FAKE").done().exits(4).tells("secrets.key");
}

#[test]
fn two_at_the_same_time_make_one_key() {
    let home = Home::new();
    let start = || Rig::drydock_at(&home).args(["gitops", "key", "show-recipient"]).start();
    let running: Vec<_> = (0..8).map(|_| start()).collect();
    let mut made: Vec<_> = running.into_iter().map(|running| running.done().ok().stdout).collect();
    made.dedup();
    assert_eq!(made.len(), 1, "{made:?}");
}

#[test]
fn of_changes_at_the_same_time_none_is_lost() {
    let team = Team::new();
    team.write("secrets.yaml", PLAIN);
    team.encrypt_by_drydock("secrets.yaml").ok();
    let set = |at| team.drydock(&["set", "secrets.yaml", &format!("key{at}")]).input("FAKE").start();
    let running: Vec<_> = (0..8).map(set).collect();
    running.into_iter().for_each(|running| drop(running.done().ok()));
    let read = team.sops_reads("secrets.yaml");
    assert_eq!(read.as_object().unwrap().len(), 10, "{read}");
}

#[test]
fn no_secret_is_in_an_argument_a_file_or_a_log() {
    let keyring = SecretService::start();
    let (home, folder) = (Home::new(), tempfile::TempDir::new().unwrap());
    let drydock = |arguments: &[&str]| {
        Rig::drydock_at(&home)
            .variable("DBUS_SESSION_BUS_ADDRESS", keyring.address())
            .variable("DRYDOCK_LOG", "trace")
            .in_folder(folder.path())
            .arg("gitops")
            .args(arguments)
    };
    drydock(&["key", "show-recipient"]).done().ok();
    let items = keyring.items();
    let key =
        items.iter().find(|item| item.attributes.get("service").is_some_and(|service| service == "Drydock"));
    let key = String::from_utf8(key.unwrap().secret.clone()).unwrap();
    assert!(key.starts_with("AGE-SECRET-KEY-1"));
    let secrets = vec!["FAKE-value-6f1c".to_owned(), "FAKE-later-9d2e".to_owned(), key.clone()];
    let watch = ProcWatch::start(secrets.clone());

    let file = folder.path().join("secrets.yaml");
    fs::write(&file, "a: FAKE-value-6f1c\n").unwrap();
    let mut all = vec![drydock(&["encrypt", "secrets.yaml"]).done().ok()];
    all.push(drydock(&["set", "secrets.yaml", "b"]).input("FAKE-later-9d2e").done().ok());
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, whole.replace("a: ENC", "renamed: ENC")).unwrap();
    all.push(drydock(&["decrypt", "secrets.yaml"]).done().exits(1));
    fs::write(&file, &whole).unwrap();

    assert_eq!(watch.stop(), [], "others could read it meanwhile");
    for done in &all {
        assert!(done.stderr.contains("TRACE"), "there is no log: {}", done.stderr);
        for secret in &secrets {
            assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret), "{done:?}");
        }
    }
    assert_eq!(holds(home.path(), &secrets), []);
    assert_eq!(holds(folder.path(), &secrets), []);
    let shown = drydock(&["decrypt", "secrets.yaml"]).done().ok();
    assert!(shown.stdout.contains("FAKE-value-6f1c") && shown.stdout.contains("FAKE-later-9d2e"));
    assert_eq!(holds(home.path(), slice::from_ref(&secrets[0])), []);
}

#[test]
fn a_link_and_permissions_stay_as_they_are() {
    let team = Team::new();
    let real = team.write("real/secrets.yaml", PLAIN);
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real/secrets.yaml", team.folder().join("link.yaml")).unwrap();
    team.encrypt_by_drydock("link.yaml").ok();
    assert!(fs::symlink_metadata(team.folder().join("link.yaml")).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(team.sops_reads("real/secrets.yaml")["mail"], "FAKE-mail");
    assert_eq!(fs::read_dir(real.parent().unwrap()).unwrap().count(), 1, "something was left beside it");
}
