//! Killing a copy-back at every single deed on the disk, and failing each.

use super::{Authority, Offered};
use crate::{faults, keychain::Credentials, paths::Locations, settings::LoginMode};
use serde_json::json;
use std::{fs, os::unix::process::ExitStatusExt, path::Path, process::ExitStatus};

const CHILD: &str = "keychain::authority::crash::child";

fn login(n: u32) -> Credentials {
    let text = json!({"claudeAiOauth": {
        "accessToken": format!("FAKE-a{n}"), "refreshToken": format!("FAKE-r{n}"), "expiresAt": 4_000_000_000_000_i64,
    }});
    Credentials::parse(text.to_string().as_bytes()).unwrap()
}

fn locations(dir: &Path) -> Locations {
    Locations::find(Some(dir)).unwrap()
}

fn authority(dir: &Path) -> Authority {
    Authority::of(&locations(dir), LoginMode::Copy).unwrap()
}

fn prepare(dir: &Path) {
    let claude = locations(dir).claude_dir;
    fs::create_dir_all(&claude).unwrap();
    fs::write(claude.join(".credentials.json"), login(1).text().reveal()).unwrap();
    let given = authority(dir).launch("s", &|_| true).unwrap().unwrap();
    assert!(given.is_full());
}

/// The session renewed the login, and is over.
fn come_back(dir: &Path) -> crate::error_handling::Result<()> {
    let offered = Offered { login: Some(login(2)), account: None };
    authority(dir).release(&offered, "s").map(drop)
}

/// The host's login, and the names of everything else in Claude Code's folder.
fn host(dir: &Path) -> (Credentials, Vec<String>) {
    let claude = locations(dir).claude_dir;
    let login = Credentials::parse(&fs::read(claude.join(".credentials.json")).unwrap()).unwrap();
    let names = fs::read_dir(claude).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    (login, names.filter(|name| name != ".credentials.json").collect())
}

#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn child() {
    if let Some(dir) = faults::folder() {
        come_back(&dir).unwrap();
    }
}

fn sweep_through(fault: &str, is_met: impl Fn(ExitStatus) -> bool) {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let deeds = faults::deeds(CHILD, dir.path(), 8);
    let mut met = 0;
    for deed in 1..=deeds {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        met += usize::from(is_met(faults::run(CHILD, dir.path(), &format!("{fault}:{deed}"))));
        let (found, _) = host(dir.path());
        assert!(found == login(1) || found == login(2), "{fault} at {deed}: {found:?}");
        // Locks of a dead owner are taken over once they are old.
        let claude = locations(dir.path()).claude_dir;
        for lock in [".oauth_refresh.lock", ".storage-write.lock"] {
            let _ = fs::remove_dir(claude.join(lock));
        }
        let _ = fs::remove_dir(dir.path().canonicalize().unwrap().join(".claude.lock"));

        come_back(dir.path()).unwrap();

        let (found, left) = host(dir.path());
        assert_eq!(found, login(2), "{fault} at {deed}: the renewed login is lost");
        assert_eq!(left, Vec::<String>::new(), "{fault} at {deed}");
        assert_eq!(authority(dir.path()).holder().unwrap(), None, "{fault} at {deed}");
        let next = authority(dir.path()).launch("t", &|_| true).unwrap().unwrap();
        assert_eq!(next, login(2), "{fault} at {deed}: the next session gets something else");
    }
    assert!(met * 2 > deeds, "{fault}: only {met} of {deeds} deeds were met");
}

#[test]
fn killed_at_any_deed_the_login_is_old_or_new_and_comes_back_the_next_time() {
    sweep_through("kill", |status| status.signal() == Some(9));
}

#[test]
fn a_full_disk_at_any_deed_loses_no_login() {
    sweep_through("enospc", |status| !status.success());
}

#[test]
fn a_failing_disk_at_any_deed_loses_no_login() {
    sweep_through("eio", |status| !status.success());
}
