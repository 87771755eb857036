//! The user's own Claude Code is asked whether it can read what came back.

use super::person::{Person, STATE};
use drydock_tests::rig::{Done, Release};
use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

/// Recovers with a program called `claude` that comes first in the path.
fn recover_with(person: &Person, make: impl FnOnce(&Path)) -> Done {
    let folder = person.backups.scratch("bin");
    fs::create_dir_all(&folder).unwrap();
    make(&folder.join("claude"));
    let mut path = OsString::from(&folder);
    path.push(":");
    path.push(env::var_os("PATH").unwrap());
    person.backups.drydock(["recover", "--yes"]).variable("PATH", path).done()
}

#[test]
fn the_real_claude_code_reads_what_came_back() {
    let person = Person::new();
    fs::write(person.file(STATE), "{").unwrap();
    let before = fs::read_dir(person.file(".claude")).unwrap().count();

    let told = recover_with(&person, |claude| symlink(Release::Current.program_here(), claude).unwrap()).ok();

    assert!(told.stdout.contains("checked, and Claude Code reads it"), "{}", told.stdout);
    // It was asked in a home of its own.
    assert_eq!(fs::read_dir(person.file(".claude")).unwrap().count(), before);
}

#[test]
fn one_that_refuses_it_makes_the_recovery_fail_and_it_can_be_undone() {
    let person = Person::new();
    fs::write(person.file(STATE), "{").unwrap();

    let failed = recover_with(&person, |claude| {
        fs::write(claude, "#!/bin/sh\n[ ! -e \"$HOME/.claude.json\" ]\n").unwrap();
        fs::set_permissions(claude, fs::Permissions::from_mode(0o755)).unwrap();
    });

    let failed = failed.exits(1).tells("recovery.unproven");
    assert!(failed.stderr.contains("cannot read it"), "{}", failed.stderr);
    person.recover(&["--undo"]).ok();
    assert_eq!(fs::read_to_string(person.file(STATE)).unwrap(), "{");
}
