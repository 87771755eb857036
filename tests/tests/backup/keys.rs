//! The key of the backups: in the keyring and nowhere else, missed when it is gone, and in a file of its owner's
//! where there is no keyring.

use drydock_tests::rig::{
    BackupCopy, Backups, Done, ProcWatch, SecretService, StoredItem, Tree, WORKED, holds,
};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    slice,
};

/// What the keyring has of Drydock's.
fn kept(keyring: &SecretService) -> Vec<StoredItem> {
    let items = keyring.items().into_iter();
    items.filter(|item| item.attributes.get("service").is_some_and(|service| service == "Drydock")).collect()
}

/// Every part of the key: whoever has one of them is on the way in.
fn secrets_of(backups: &Backups, keyring: &SecretService) -> Vec<String> {
    let kept = kept(keyring);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let kept: Value = serde_json::from_slice(&kept[0].secret).expect("a document");
    let mut secrets = vec![backups.code()];
    secrets.push(secrets[0].replace('-', ""));
    collect(&kept["master"], &mut secrets);
    assert!(secrets.len() >= 5, "these are not all parts of the key");
    secrets
}

fn collect(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::String(text) => secrets.push(text.clone()),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, secrets)),
        _ => {}
    }
}

fn assert_shows_none(done: &Done, secrets: &[String]) {
    for secret in secrets {
        assert!(!done.stdout.contains(secret), "it is printed: {}", done.stdout);
        assert!(!done.stderr.contains(secret), "it is said: {}", done.stderr);
    }
}

fn key_file(backups: &Backups) -> PathBuf {
    backups.file(".local/share/drydock/backup/key.json")
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_key_is_in_the_keyring_and_nowhere_else() {
    let keyring = SecretService::start();
    let backups = Backups::with_three_copies().with_keyring(keyring.address());
    let traced = |arguments: &[&str]| backups.drydock(arguments).variable("DRYDOCK_LOG", "trace").done();

    let first = traced(&["backup", "now"]).ok();

    assert!(first.stderr.contains("TRACE"), "there is no log: {}", first.stderr);
    let secrets = secrets_of(&backups, &keyring);
    assert_shows_none(&first, &secrets);
    let watch = ProcWatch::start(secrets.clone());
    backups.append(WORKED, 1);
    let to = backups.scratch("restored").display().to_string();
    for arguments in [
        &["backup", "now"][..],
        &["backup", "now", "--json"],
        &["backup", "verify", "--all", "--heal"],
        &["backup", "drill", "--copy", "cloud"],
        &["backup", "list", "--json"],
        &["backup", "list", "--find", "till"],
        &["backup", "copies", "--json"],
        &["backup", "prune"],
        &["backup", "pin", "latest"],
        &["restore", "latest", "--to", &to],
        &["settings", "list"],
        &["status", "--json"],
    ] {
        let done = traced(arguments);
        assert!(done.stderr.contains("TRACE"), "there is no log: {}", done.stderr);
        assert_shows_none(&done, &secrets);
    }
    assert_eq!(watch.stop(), [], "others could read it meanwhile");
    for folder in [backups.home.path(), &backups.scratch("")] {
        assert_eq!(holds(folder, &secrets), []);
    }
    assert!(!key_file(&backups).exists());
}

#[test]
fn the_sheet_shows_the_code_to_whoever_asks_and_to_no_log() {
    let keyring = SecretService::start();
    let backups = Backups::new().with_keyring(keyring.address());
    let _ = backups.snapshot();
    let code = backups.code();

    let shown = backups.drydock(["backup", "key", "export"]).variable("DRYDOCK_LOG", "trace").done().ok();

    assert!(!shown.stderr.contains(&code) && !shown.stderr.contains(&code[..19]), "{}", shown.stderr);
    let imported = backups.drydock(["backup", "key", "import"]).variable("DRYDOCK_LOG", "trace").input(&code);
    let imported = imported.done().ok();
    assert_shows_none(&imported, slice::from_ref(&code));
    let confirmed = backups.drydock(["backup", "key", "confirm"]).input(&code[35..]).done().ok();
    assert_shows_none(&confirmed, slice::from_ref(&code));
    assert_eq!(holds(backups.home.path(), &[code]), []);
}

#[test]
fn a_locked_keyring_begins_nothing() {
    let keyring = SecretService::start();
    keyring.lock();
    let backups = Backups::new().with_keyring(keyring.address());

    backups.fails(["backup", "now"], 4, "keychain.locked");

    assert!(!backups.folder(BackupCopy::Local).join("config").exists(), "backups were begun");
    assert!(!key_file(&backups).exists(), "the keyring was gone around");
    keyring.unlock();
    assert_eq!(kept(&keyring), []);
    let _ = backups.snapshot();
    backups.restic(BackupCopy::Local).check();
}

#[test]
fn a_keyring_that_is_locked_later_is_said_and_not_gone_around() {
    let keyring = SecretService::start();
    let backups = Backups::with_three_copies().with_keyring(keyring.address());
    let _ = backups.snapshot();
    let before = Tree::of(&backups.folder(BackupCopy::Local)).only(&["config", "data", "keys", "snapshots"]);
    backups.append(WORKED, 1);
    keyring.lock();

    let to = backups.scratch("x").display().to_string();
    for arguments in [
        &["backup", "now"][..],
        &["backup", "list"],
        &["backup", "prune"],
        &["backup", "drill"],
        &["backup", "drill", "--copy", "external"],
        &["backup", "key", "export"],
        &["restore", "latest", "--to", &to],
        &["restore", "latest", ".claude/CLAUDE.md", "--back"],
        &["backup", "verify"],
        &["backup", "verify", "--heal"],
    ] {
        let done = backups.drydock(arguments).done();
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(done.code == Some(4) && said.contains("[keychain.locked]"), "{arguments:?}: {done:?}");
        assert!(!said.contains("DAMAGED"), "{arguments:?}: {done:?}");
    }

    let now = Tree::of(&backups.folder(BackupCopy::Local)).only(&["config", "data", "keys", "snapshots"]);
    now.assert_is(&before);
    assert!(!key_file(&backups).exists());
    keyring.unlock();
    let _ = backups.snapshot();
    assert_eq!(backups.snapshots().len(), 2);
}

#[test]
fn a_keyring_that_is_gone_is_no_reason_to_begin_anew() {
    let mut keyring = SecretService::start();
    let backups = Backups::new().with_keyring(keyring.address());
    let _ = backups.snapshot();
    keyring.stop_keyring();

    backups.fails(["backup", "now"], 3, "keychain.none");
    backups.fails(["backup", "verify", "--heal"], 3, "keychain.none");

    assert!(!key_file(&backups).exists(), "another key was begun in a file");
    keyring.start_keyring();
    backups.append(WORKED, 1);
    let _ = backups.snapshot();
    backups.restic(BackupCopy::Local).check();
}

#[test]
fn a_lost_key_is_missed_and_its_code_brings_it_back() {
    let lost = SecretService::start();
    let backups = Backups::with_three_copies().with_keyring(lost.address());
    let _ = backups.snapshot();
    let code = backups.code();
    // The same user after the keyring was reset.
    let keyring = SecretService::start();
    let backups = backups.with_keyring(keyring.address());
    backups.append(WORKED, 1);

    for arguments in
        [&["backup", "now"][..], &["backup", "list"], &["backup", "verify"], &["backup", "key", "export"]]
    {
        let missed = backups.fails(arguments, 4, "backup.key");
        assert!(missed.stderr.contains("drydock backup key import"), "{missed:?}");
    }
    assert_eq!(kept(&keyring), [], "another key was begun");

    backups.drydock(["backup", "key", "import"]).input(&code).done().ok();

    assert_eq!(kept(&keyring).len(), 1);
    assert_eq!(backups.code(), code);
    let _ = backups.snapshot();
    assert_eq!(backups.snapshots().len(), 2);
    for copy in BackupCopy::ALL {
        backups.restic(copy).check();
        backups.ok(["backup", "drill", "--copy", copy.word()]);
    }
}

#[test]
fn without_a_keyring_the_key_is_in_a_file_for_its_owner_alone() {
    let backups = Backups::new();
    let _ = backups.snapshot();

    let file = key_file(&backups);
    assert_eq!(mode_of(&file), 0o600);
    assert_eq!(mode_of(file.parent().unwrap()), 0o700);
    let code = backups.code();
    let holders: Vec<_> =
        holds(backups.home.path(), slice::from_ref(&code)).into_iter().map(|(path, _)| path).collect();
    assert_eq!(holders, slice::from_ref(&file));

    fs::remove_file(&file).unwrap();
    backups.fails(["backup", "now"], 4, "backup.key");
    backups.drydock(["backup", "key", "import"]).input(&code).done().ok();
    assert_eq!(mode_of(&file), 0o600);
    backups.append(WORKED, 1);
    let _ = backups.snapshot();
}

#[test]
fn a_key_file_moves_into_a_keyring_that_comes() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    let code = backups.code();
    let keyring = SecretService::start();
    let backups = backups.with_keyring(keyring.address());
    backups.append(WORKED, 1);
    // It is used where it is.
    let _ = backups.snapshot();

    backups.drydock(["backup", "key", "import"]).input(&code).done().ok();

    assert_eq!(kept(&keyring).len(), 1);
    assert!(!key_file(&backups).exists(), "it is in the file too");
    assert_eq!(backups.code(), code);
}

#[test]
fn what_is_backed_up_is_for_its_owner_alone() {
    let backups = Backups::with_three_copies();
    let _ = backups.snapshot();
    for copy in [BackupCopy::Local, BackupCopy::External] {
        let folder = backups.folder(copy);
        assert_eq!(mode_of(&folder), 0o700, "{}", folder.display());
        for name in backups.repository_files(copy).keys().filter(|_| copy == BackupCopy::External) {
            assert_eq!(mode_of(&folder.join(name)), 0o600, "{name}");
        }
    }
}
