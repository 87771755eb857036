//! Every kind of damage: each is found, each is recovered, nothing intact is lost, and each can be taken back.

use super::{
    damages::{self, Kind},
    model::Model,
    person::{NOTHING, Person},
};
use drydock_tests::rig::{Done, log};

#[test]
fn every_damage_of_the_state_is_recovered() {
    go_through(&damages::of_state());
}

#[test]
fn every_damage_of_the_settings_is_recovered() {
    go_through(&damages::of_settings());
}

#[test]
fn every_damage_of_conversations_is_recovered() {
    go_through(&damages::of_conversations());
}

#[test]
fn every_damage_of_folders_is_recovered() {
    go_through(&damages::of_folders());
}

/// Goes through all of them, so that one that is not recovered hides no other.
fn go_through(kinds: &[Kind]) {
    let person = Person::on_a_fast_disk();
    let names: Vec<_> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    log(&format!("{} kinds of damage: {}", names.len(), names.join("; ")));
    let mut faults = Vec::new();
    for kind in kinds {
        person.back();
        kind.strike(&person);
        let found = faults_of(&person, kind);
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", kind.name)));
    }
    assert!(faults.is_empty(), "{} of {} kinds:\n{}", faults.len(), names.len(), faults.join("\n"));
}

fn faults_of(person: &Person, kind: &Kind) -> Vec<String> {
    let damaged = person.files();
    let plan = person.recover(&["--plan"]);
    if plan.stdout == NOTHING {
        return vec!["it is not found".to_owned()];
    }
    let mut faults = Vec::new();
    if !plan.stdout.contains(&format!("  {}  ", kind.named)) {
        faults.push(format!("its plan does not name {}: {}", kind.named, said(&plan)));
    }
    if !person.files().differing(&damaged).is_empty() {
        faults.push("its plan changed something".to_owned());
    }
    let done = person.recover(&["--yes"]);
    if done.code != Some(0) {
        faults.push(format!("it is not recovered: {}", said(&done)));
    }
    let model = Model { then: &person.then, now: &person.now, damaged: &damaged };
    faults.extend(model.faults(person.home()));
    let again = person.recover(&["--plan"]);
    if again.stdout != NOTHING || again.code != Some(0) {
        faults.push(format!("it is damaged still: {}", said(&again)));
    }
    let undone = person.recover(&["--undo"]);
    let differing = person.files().differing(&damaged);
    if undone.code != Some(0) || !differing.is_empty() {
        faults.push(format!("it is not taken back: {differing:?} {}", said(&undone)));
    }
    faults
}

fn said(done: &Done) -> String {
    format!("{:?} {} {}", done.code, done.stdout.trim_end(), done.stderr.trim_end())
}
