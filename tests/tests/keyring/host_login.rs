//! This computer's own login: lent to a file, and brought.

use crate::user::{User, assert_shows_none, mode_of, two_logins};
use drydock_tests::rig::holds;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};

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
