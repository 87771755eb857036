//! What is in no snapshot: logins, and what is of one machine at one time. Nothing that a person wrote is among it.

use drydock_tests::rig::{BackupCopy, Backups, LEFT_OUT, Tree, holds};
use std::{collections::BTreeSet, path::Path};

#[test]
fn logins_and_what_is_of_one_machine_are_in_no_snapshot() {
    let backups = Backups::with_three_copies();
    let login = backups.home.credentials();
    let tokens: Vec<_> = ["accessToken", "refreshToken"]
        .map(|name| login["claudeAiOauth"][name].as_str().expect("a token").to_owned())
        .into();
    for name in LEFT_OUT {
        assert!(backups.file(name).exists(), "{name} is not even in the home");
    }
    let _ = backups.snapshot();

    for copy in BackupCopy::ALL {
        let to = backups.scratch(copy.word());
        backups.restic(copy).restore("latest", &to);
        let names = Tree::of(&to).names();
        let there: Vec<_> = LEFT_OUT.iter().filter(|name| names.contains(Path::new(name))).collect();
        assert!(there.is_empty(), "in the {} copy: {there:?}", copy.word());
        assert_eq!(holds(&to, &tokens), []);
    }
}

#[test]
fn a_login_alone_is_no_change() {
    let backups = Backups::new();
    let _ = backups.snapshot();
    backups.home.sign_in("sk-ant-oat01-FAKE-another-access-token-FAKE");
    backups.home.write(".claude/sessions/4712.json", "{}");

    let again = backups.ok(["backup", "now"]);

    assert!(again.stdout.contains("nothing has changed"), "{again:?}");
}

#[test]
fn what_only_looks_like_it_is_captured() {
    let backups = Backups::new();
    let mut wanted = BTreeSet::new();
    for name in [
        "uv.lock",
        "Cargo.lock",
        "yarn.lock",
        "page.tmp.md",
        "logs/of-the-year.md",
        "cache/kept.json",
        "debug/how.md",
        "local/here.md",
        "sessions/notes.md",
        "downloads/list.md",
        "ide/setup.md",
        ".credentials.json.example",
    ] {
        for folder in ["skills/tool", "plugins/cache/market/tool/1.0.0"] {
            let name = format!(".claude/{folder}/{name}");
            backups.home.write(&name, &name);
            wanted.insert(name);
        }
    }
    let _ = backups.snapshot();

    let names = Tree::of(&backups.restored("latest")).names();
    let missing: Vec<_> = wanted.iter().filter(|name| !names.contains(Path::new(name))).collect();
    assert!(missing.is_empty(), "not in the snapshot: {missing:#?}");
}
