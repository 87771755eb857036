//! Processes that end at every deed of the state database, and several that work at once: the deployment goes on where
//! it was, and each of its transitions is made once.

use super::{
    Again, Candidate, Decision, Deployment, Identity, Outcome, Policy, Side, State, Weight, Why,
    machine::Event,
    store::{Ended, Kept, NewLaunch, Store, With},
};
use crate::{error_handling::Result, faults, paths::Locations};
use chrono::{DateTime, TimeDelta, Utc};
use std::{collections::BTreeSet, path::Path};

const GOOD: &str = "deployment::crash::child_tries_a_good_one";
const BAD: &str = "deployment::crash::child_tries_a_bad_one";
const MANY: &str = "deployment::crash::child_launches_beside_others";

fn locations(folder: &Path) -> Locations {
    let home = folder.join("home");
    std::fs::create_dir_all(&home).unwrap();
    Locations::find(Some(&home)).unwrap()
}

fn identity(name: &str) -> Identity {
    Identity {
        digest: format!("sha256:{name}"),
        claude_version: "2.1.400".into(),
        recipe: "r".into(),
        tag: format!("drydock/session:{name}"),
    }
}

/// Stages of few launches, which the clock does not hold up.
fn policy() -> Policy {
    let mut policy = Policy { least_time: TimeDelta::zero(), ..Policy::usual() };
    for (stage, launches) in policy.stages.iter_mut().zip([2, 4, 6]) {
        stage.launches = launches;
    }
    policy
}

fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Does what the state asks for until the deployment is over, as a process that was just started does.
fn work_to_the_end(folder: &Path, outcome: Outcome) -> Result<Deployment> {
    let policy = policy();
    let with = || With { policy: &policy, asked: "2.1.330", now: now() };
    let mut store = Store::open(&locations(folder))?;
    if store.newest()?.is_none() {
        let candidate = Candidate { claude_version: "2.1.400".into(), built: None, again: Again::No };
        store.begin(&Deployment::begin(candidate, identity("stable"), &policy, now()), with())?;
    }
    // Bounded, so that a state that does not change is a failure and no hang.
    for _ in 0..200 {
        super::observed::tell(&mut store)?;
        let Some(Kept { deployment, version }) = store.newest()? else { panic!("it is gone") };
        match &deployment.state {
            State::Building => {
                store.happen(&deployment.id, Some(version), &Event::Built(identity("new")), with())?;
            }
            State::Smoke => {
                store.happen(&deployment.id, Some(version), &Event::SmokePassed, with())?;
            }
            State::RollingBack { .. } => {
                store.happen(&deployment.id, Some(version), &Event::Restored, with())?;
            }
            State::Stage { .. } => {
                store.happen(&deployment.id, Some(version), &Event::SmokePassed, with())?;
                launch(&mut store, &deployment, outcome, with())?;
            }
            _ => return Ok(deployment),
        }
    }
    panic!("it does not come to an end")
}

fn launch(store: &mut Store, deployment: &Deployment, outcome: Outcome, with: With<'_>) -> Result<()> {
    let id = uuid::Uuid::new_v4().to_string();
    let decision = Decision {
        side: Side::Canary,
        deployment: Some(deployment.id.clone()),
        u: Some(0.0),
        weight: Weight::ALL,
        why: Why::Weight,
    };
    store.launch(&NewLaunch { id: &id, image: &identity("new"), decision: &decision, at: with.now })?;
    store.ready(&id, 1.0)?;
    store.end(&id, Ended { outcome, seconds: None }, with).map(drop)
}

/// What must hold of a store, whatever happened to the processes that worked with it.
fn look(folder: &Path, what: &str) {
    let Some(store) = Store::open_if_there(&locations(folder)).unwrap() else { return };
    let mut history = store.history(1000).unwrap();
    history.reverse();
    let Some(newest) = store.newest().unwrap() else {
        assert!(history.is_empty(), "{what}: a history of nothing");
        return;
    };
    // One row for each transition, each beginning where the one before ended, and the last is how it stands.
    assert_eq!(history.len(), usize::try_from(newest.version).unwrap(), "{what}: {history:?}");
    let mut before = String::new();
    let mut stage = 0;
    for transition in &history {
        assert_eq!(transition.before, before, "{what}");
        before.clone_from(&transition.after);
        if let Some(at) = transition.deployment.state.stage() {
            assert!(at.index == stage || at.index == stage + 1, "{what}: from stage {stage} to {}", at.index);
            stage = at.index;
        }
    }
    assert_eq!(history.last().unwrap().deployment, newest.deployment, "{what}");
    // What follows from a transition is there exactly when the transition is.
    let went = |word: &str| history.iter().any(|transition| transition.after == word);
    assert_eq!(store.denied().unwrap().len(), usize::from(went("rolling-back")), "{what}");
    assert_eq!(store.promoted().unwrap().len(), usize::from(went("succeeded")), "{what}");
}

#[test]
#[ignore = "the process that a fault is planned for"]
fn child_tries_a_good_one() {
    let Some(folder) = faults::folder() else { return };
    // A failing disk is told; how, the parent does not ask.
    let _ = work_to_the_end(&folder, Outcome::Ok);
}

#[test]
#[ignore = "the process that a fault is planned for"]
fn child_tries_a_bad_one() {
    let Some(folder) = faults::folder() else { return };
    let _ = work_to_the_end(&folder, Outcome::Died);
}

fn at_every_deed(child: &str, outcome: Outcome, at_least: usize, fault: &str, expected: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let template = scratch.path().join("template");
    std::fs::create_dir_all(&template).unwrap();
    faults::at_every_deed(child, &template, at_least, fault, 1, |folder, what| {
        look(folder, what);
        let end = work_to_the_end(folder, outcome).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(end.state.word(), expected, "{what}");
        look(folder, what);
        let store = Store::open(&locations(folder)).unwrap();
        assert!(store.untold().unwrap().is_empty(), "{what}: nobody was told");
    });
}

#[test]
fn killed_at_every_deed_a_good_candidate_still_becomes_stable() {
    at_every_deed(GOOD, Outcome::Ok, 60, "kill", "succeeded");
}

#[test]
fn killed_at_every_deed_a_bad_candidate_is_still_taken_back() {
    at_every_deed(BAD, Outcome::Died, 25, "kill", "rolled-back");
}

#[test]
fn a_full_disk_at_any_deed_leaves_a_whole_state() {
    at_every_deed(BAD, Outcome::Died, 25, "enospc", "rolled-back");
}

#[test]
#[ignore = "one of several processes that work at once"]
fn child_launches_beside_others() {
    let Some(folder) = faults::folder() else { return };
    work_to_the_end(&folder, Outcome::Ok).unwrap();
}

#[test]
fn of_several_processes_each_transition_is_made_by_one() {
    for round in 0..3 {
        let scratch = tempfile::tempdir().unwrap();
        let policy = policy();
        let with = With { policy: &policy, asked: "2.1.330", now: now() };
        let candidate = Candidate { claude_version: "2.1.400".into(), built: None, again: Again::No };
        let deployment = Deployment::begin(candidate, identity("stable"), &policy, now());
        Store::open(&locations(scratch.path())).unwrap().begin(&deployment, with).unwrap();

        let children: Vec<_> = (0..6).map(|_| faults::start(MANY, scratch.path())).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success(), "round {round}");
        }

        look(scratch.path(), &format!("round {round}"));
        let store = Store::open(&locations(scratch.path())).unwrap();
        let end = store.newest().unwrap().unwrap();
        assert_eq!(end.deployment.state, State::Succeeded);
        let advances: Vec<_> = store.history(1000).unwrap().into_iter().map(|one| one.after).collect();
        // Built, tested; two promotions with their tests; the end.
        assert_eq!(advances.len(), 8, "{advances:?}");
        let ids: BTreeSet<_> =
            store.launches(Some(&deployment.id)).unwrap().into_iter().map(|launch| launch.id).collect();
        assert!(ids.len() >= 6, "{}", ids.len());
    }
}

#[test]
fn what_was_decided_by_an_older_state_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let policy = policy();
    let with = With { policy: &policy, asked: "2.1.330", now: now() };
    let mut store = Store::open(&locations(scratch.path())).unwrap();
    let candidate = Candidate { claude_version: "2.1.400".into(), built: None, again: Again::No };
    let first = Deployment::begin(candidate, identity("stable"), &policy, now());
    store.begin(&first, with).unwrap();
    let seen = store.active().unwrap().unwrap().version;
    assert!(store.happen(&first.id, Some(seen), &Event::Built(identity("new")), with).unwrap().is_some());
    assert_eq!(store.happen(&first.id, Some(seen), &Event::Built(identity("other")), with).unwrap(), None);
    // A newer candidate takes the place of the older one, in one transaction.
    let newer = Deployment { id: super::DeploymentId::of("z"), began: now(), ..first.clone() };
    store.begin(&newer, with).unwrap();
    assert_eq!(store.active().unwrap().unwrap().deployment.id, newer.id);
    assert_eq!(store.happen(&first.id, None, &Event::SmokePassed, with).unwrap(), None);
    let words: Vec<_> = store.history(9).unwrap().into_iter().map(|one| one.after).collect();
    assert_eq!(words, ["building", "superseded", "smoke", "building"]);
}

#[test]
fn images_that_are_tried_used_or_gone_back_to_are_needed() {
    let scratch = tempfile::tempdir().unwrap();
    let locations = locations(scratch.path());
    let dir = tempfile::tempdir().unwrap();
    let settings = crate::settings::Settings::load(&dir.path().join("none")).unwrap();
    let deployments = super::Deployments::of(&locations, &settings);
    assert_eq!(deployments.needed_images().unwrap(), Vec::<String>::new());
    let policy = policy();
    let with = With { policy: &policy, asked: "2.1.330", now: now() };
    let candidate = Candidate { claude_version: "2.1.400".into(), built: None, again: Again::No };
    let deployment = Deployment::begin(candidate, identity("stable"), &policy, now());
    let mut store = Store::open(&locations).unwrap();
    store.begin(&deployment, with).unwrap();
    store.happen(&deployment.id, None, &Event::Built(identity("new")), with).unwrap();
    let needed = || BTreeSet::from_iter(deployments.needed_images().unwrap());
    let both = BTreeSet::from(["sha256:new".to_owned(), "sha256:stable".to_owned()]);
    assert_eq!(needed(), both);
    store.happen(&deployment.id, None, &Event::SmokePassed, with).unwrap();
    let full = Event::Promote { promotion: super::Promotion::Full, launches: 0 };
    store.happen(&deployment.id, None, &full, with).unwrap();
    assert_eq!(needed(), both, "what sessions use now, and the way back");
    // What was taken back is nothing that anybody needs.
    store.happen(&deployment.id, None, &Event::RollBack, with).unwrap();
    store.happen(&deployment.id, None, &Event::Restored, with).unwrap();
    assert!(needed().contains("sha256:stable"));
}

#[test]
fn an_outcome_counts_once() {
    let scratch = tempfile::tempdir().unwrap();
    let policy = policy();
    let with = With { policy: &policy, asked: "2.1.330", now: now() };
    let mut store = Store::open(&locations(scratch.path())).unwrap();
    let candidate = Candidate { claude_version: "2.1.400".into(), built: None, again: Again::No };
    let deployment = Deployment::begin(candidate, identity("stable"), &policy, now());
    store.begin(&deployment, with).unwrap();
    store.happen(&deployment.id, None, &Event::Built(identity("new")), with).unwrap();
    store.happen(&deployment.id, None, &Event::SmokePassed, with).unwrap();
    let decision = Decision {
        side: Side::Canary,
        deployment: Some(deployment.id.clone()),
        u: Some(0.0),
        weight: Weight::ALL,
        why: Why::Weight,
    };
    let launch = NewLaunch { id: "one", image: &identity("new"), decision: &decision, at: now() };
    store.launch(&launch).unwrap();
    for outcome in [Outcome::Died, Outcome::Died, Outcome::Ok] {
        store.end("one", Ended { outcome, seconds: None }, with).unwrap();
    }
    let standing = store.standing(&deployment, &policy).unwrap();
    assert_eq!((standing.candidate.launches, standing.candidate.faults), (1, 1));
    assert_eq!(store.active().unwrap().unwrap().deployment.state.word(), "stage");
}
