//! Damage of the data and of its backups at once: newest snapshots that are no good, copies that are gone.

use super::{
    members::{intact, members},
    model::Model,
    person::{BEGUN_SINCE, Person, SETTINGS, STATE},
};
use drydock_tests::rig::{BackupCopy, Done, ELSEWHERE, HISTORY, WORKED, damage_a_pack, repository_files};
use std::{fs, path::Path};

/// Damages documents, a conversation and a folder.
fn damage_much(person: &Person) {
    for name in [STATE, SETTINGS, ELSEWHERE] {
        person.cut(name);
    }
    fs::remove_dir_all(person.file(".claude/commands")).unwrap();
}

/// Recovers, and fails unless all is there that was in the snapshot or intact.
fn recover_all(person: &Person) -> Done {
    let damaged = person.files();
    let done = person.recover(&["--yes"]).ok();
    let model = Model { then: &person.then, now: &person.now, damaged: &damaged };
    let faults = model.faults(person.home());
    assert!(faults.is_empty(), "{}\n{done:?}", faults.join("\n"));
    person.assert_nothing_is_damaged();
    done
}

#[test]
fn the_newest_three_snapshots_are_of_a_broken_state() {
    let person = Person::new();
    person.cut(STATE);
    let mut broken = Vec::new();
    for _ in 0..3 {
        person.backups.append(WORKED, 1);
        broken.push(person.backups.snapshot());
    }
    let damaged = person.files();

    let plan = person.recover(&["--plan"]).ok();

    for id in &broken {
        let line = format!("snapshot {} is not good: ", &id[..8]);
        assert!(plan.stdout.contains(&line), "{plan:?}");
    }
    let chosen = format!("from snapshot {}, taken ", &person.snapshot[..8]);
    assert!(plan.stdout.contains(&chosen), "{plan:?}");
    person.recover(&["--yes"]).ok();
    let now = damaged.clone().with(STATE, &person.now);
    let model = Model { then: &person.then, now: &now, damaged: &damaged };
    assert_eq!(model.faults(person.home()), Vec::<String>::new());
    person.assert_nothing_is_damaged();
}

#[test]
fn what_only_newer_snapshots_have_comes_from_them_though_their_state_is_broken() {
    let person = Person::new();
    person.cut(STATE);
    let broken = person.backups.snapshot();
    fs::remove_dir_all(person.file(".claude/projects")).unwrap();

    person.recover(&["--yes"]).ok();

    // It goes on since the good snapshot, and was begun since.
    for name in [WORKED, BEGUN_SINCE] {
        assert_eq!(fs::read(person.file(name)).unwrap(), person.now(name), "{name}, which {broken} has");
    }
    person.assert_nothing_is_damaged();
}

#[test]
fn a_conversation_that_shrank_before_the_newest_snapshots_is_whole_again() {
    let person = Person::new();
    for name in [WORKED, HISTORY] {
        let cut = person.now(name).len() / 2;
        let end = person.now(name)[..cut].iter().rposition(|byte| *byte == b'\n').unwrap();
        fs::write(person.file(name), &person.now(name)[..=end]).unwrap();
    }
    for _ in 0..3 {
        person.backups.append(ELSEWHERE, 1);
        let _ = person.backups.snapshot();
    }
    let damaged = person.files();

    let plan = person.recover(&["--plan"]).ok();

    for name in [WORKED, HISTORY] {
        assert!(plan.stdout.contains(&format!("  ~/{name}  ")), "{plan:?}");
    }
    person.recover(&["--yes"]).ok();
    let now = person.now.clone().with(ELSEWHERE, &damaged);
    let model = Model { then: &person.then, now: &now, damaged: &damaged };
    assert_eq!(model.faults(person.home()), Vec::<String>::new());
    person.assert_nothing_is_damaged();
}

#[test]
fn without_its_local_copy_the_data_comes_from_the_external_one() {
    let person = Person::with_three_copies();
    damage_much(&person);
    fs::remove_dir_all(person.backups.folder(BackupCopy::Local)).unwrap();

    recover_all(&person);

    person.backups.ok(["backup", "verify", "--copy", "local", "--all"]);
}

#[test]
fn without_its_local_and_its_external_copy_the_data_comes_from_the_cloud() {
    let person = Person::with_three_copies();
    damage_much(&person);
    for copy in [BackupCopy::Local, BackupCopy::External] {
        fs::remove_dir_all(person.backups.folder(copy)).unwrap();
    }

    recover_all(&person);

    person.backups.ok(["backup", "verify", "--copy", "local", "--all"]);
}

#[test]
fn a_local_copy_with_a_damaged_pack_is_mended_on_the_way() {
    let person = Person::with_three_copies();
    damage_much(&person);
    damage_a_pack(&person.backups.folder(BackupCopy::Local));

    recover_all(&person);
}

#[test]
fn a_local_copy_without_an_index_or_a_snapshot_is_mended_on_the_way() {
    let person = Person::with_three_copies();
    for part in ["snapshots", "data", "index"] {
        person.back();
        damage_much(&person);
        fs::remove_dir_all(person.backups.folder(BackupCopy::Local).join(part)).unwrap();

        recover_all(&person);
    }
}

#[test]
fn a_ledger_that_is_cut_or_gone_keeps_nothing_from_coming_back() {
    let person = Person::new();
    let ledger = person.backups.folder(BackupCopy::Local).join("drydock/ledger.jsonl");
    let whole = fs::read(&ledger).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 0] {
        person.back();
        damage_much(&person);
        fs::write(&ledger, &whole[..length]).unwrap();

        recover_all(&person);
    }
}

/// Nothing of the files' contents is left in the largest pack.
fn empty_a_pack(folder: &Path) {
    let files = repository_files(folder).into_iter();
    let packs = files.filter(|(name, _)| name.starts_with("data/"));
    let (pack, length) = packs.max_by_key(|(_, size)| *size).expect("a pack");
    fs::write(folder.join(pack), vec![0; usize::try_from(length).unwrap()]).unwrap();
}

#[test]
fn what_no_copy_has_any_more_is_named_and_what_is_whole_stays() {
    let person = Person::new();
    damage_much(&person);
    let damaged = person.files();
    empty_a_pack(&person.backups.folder(BackupCopy::Local));

    let done = person.recover(&["--yes"]);

    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(done.code != Some(0) && said.contains("  try: "), "{done:?}");
    assert!(said.contains("~/.claude/commands/fix.md"), "what is lost is not named: {done:?}");
    let is = person.files();
    for name in [STATE, SETTINGS] {
        let left = intact(person.now(name), damaged.bytes(name).unwrap());
        let (is, now) = (members(is.bytes(name).unwrap()), members(person.now(name)).unwrap());
        for member in left {
            let is = is.as_ref().and_then(|is| is.get(&member));
            assert_eq!(is, now.get(&member), "{name}: {member:?}: {done:?}");
        }
    }
    let records = damaged.bytes(ELSEWHERE).unwrap().split_inclusive(|byte| *byte == b'\n');
    let whole = records.filter(|record| record.ends_with(b"\n")).collect::<Vec<_>>().concat();
    assert!(is.bytes(ELSEWHERE).unwrap().starts_with(&whole), "{done:?}");
}
