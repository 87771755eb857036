//! Recoveries in bad circumstances: two at once, a full disk, a writer that goes on.

use super::{
    files::Files,
    members::members,
    person::{Person, SETTINGS, STATE},
};
use drydock_tests::rig::{Backups, ELSEWHERE, Home, SmallDisk, WORKED, noise, until};
use rustix::process::Signal;
use std::{fs, thread, time::Duration};

#[test]
fn of_two_recoveries_at_once_the_second_is_refused() {
    let person = Person::new();
    person.cut(STATE);
    fs::remove_dir_all(person.file(".claude/skills")).unwrap();
    let records = person.file(".local/share/drydock/recovery");
    let is_begun = || {
        let entries = fs::read_dir(&records).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join("record.json")).find(|record| record.exists())
    };
    let first = person.backups.drydock(["recover", "--yes"]).start();
    until("the first is begun", Duration::from_secs(30), is_begun);
    first.signal(Signal::STOP);

    let second = person.backups.drydock(["recover", "--yes"]).done();
    let undo = person.backups.drydock(["recover", "--undo"]).done();

    first.signal(Signal::CONT);
    first.done().ok();
    second.exits(1).tells("recovery.running");
    undo.exits(1).tells("recovery.running");
    person.assert_nothing_is_damaged();
}

#[test]
fn a_full_disk_leaves_the_home_as_it_was_and_is_said() {
    let disk = SmallDisk::mount(96);
    fs::create_dir(disk.path().join("home")).unwrap();
    let backups = Backups::furnished(Home::at(&disk.path().join("home")));
    backups.set("backup.local.path", backups.scratch("elsewhere"));
    backups.home.write(ELSEWHERE, &noise(ELSEWHERE, 8 << 20));
    let _ = backups.snapshot();
    let whole = Files::of(backups.home.path());
    for name in [STATE, ".claude/settings.json"] {
        fs::write(backups.file(name), "{").unwrap();
    }
    fs::remove_file(backups.file(ELSEWHERE)).unwrap();
    fs::remove_dir_all(backups.file(".claude/skills")).unwrap();
    let damaged = Files::of(backups.home.path());
    for free in [0, 64, 512, 2048, 6000] {
        let ballast = disk.fill_but(free);

        let full = backups.drydock(["recover", "--yes"]).done();

        fs::remove_file(ballast).unwrap();
        let full = full.exits(1).tells("disk.full");
        assert!(full.stderr.contains("free space"), "{free} kB free: {full:?}");
        let left = Files::of(backups.home.path());
        for name in left.differing(&damaged) {
            assert_eq!(left.bytes(&name), whole.bytes(&name), "{free} kB free: {}", name.display());
        }
        let lying: Vec<_> = left
            .iter()
            .map(|(name, _)| name)
            .filter(|name| name.to_string_lossy().contains(".drydock"))
            .collect();
        assert!(lying.is_empty(), "{free} kB free: {lying:?}");
    }
    backups.ok(["recover", "--yes"]);
    let differing = Files::of(backups.home.path()).differing(&whole);
    assert!(differing.is_empty(), "{differing:?}");
    assert_eq!(backups.ok(["recover", "--plan"]).stdout, super::person::NOTHING);
}

#[test]
fn a_conversation_that_goes_on_meanwhile_loses_nothing() {
    let person = Person::new();
    person.cut(STATE);
    let mut text = person.now(WORKED).to_vec();
    let second = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    text[second..second + 40].fill(0);
    fs::write(person.file(WORKED), &text).unwrap();
    let recovery = person.backups.drydock(["recover", "--yes"]).start();
    let stat = format!("/proc/{}/stat", recovery.process());
    let mut written = 0;
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        person.backups.append(WORKED, 1);
        written += 1;
        // About as fast as Claude Code writes.
        thread::sleep(Duration::from_millis(150));
    }

    let done = recovery.done().ok();

    let is = fs::read_to_string(person.file(WORKED)).unwrap();
    let whole = String::from_utf8(person.now(WORKED).to_vec()).unwrap();
    assert!(is.starts_with(&whole), "{done:?}");
    assert_eq!(is.lines().count(), whole.lines().count() + written, "{done:?}");
    assert!(members(&fs::read(person.file(STATE)).unwrap()).is_some());
}

#[test]
fn documents_that_are_links_stay_links() {
    let person = Person::new();
    let dotfiles = person.backups.scratch("dotfiles");
    fs::create_dir(&dotfiles).unwrap();
    let own = dotfiles.join("settings.json");
    fs::rename(person.file(SETTINGS), &own).unwrap();
    std::os::unix::fs::symlink(&own, person.file(SETTINGS)).unwrap();
    let whole = fs::read(&own).unwrap();
    fs::write(&own, &whole[..whole.len() / 2]).unwrap();

    person.recover(&["--yes"]).ok();

    assert!(person.file(SETTINGS).is_symlink());
    assert!(members(&fs::read(&own).unwrap()).is_some());
    person.assert_nothing_is_damaged();
}
