//! The state machine by itself, and against what must hold of any history.

use super::*;
use crate::deployment::{Again, Policy};
use chrono::TimeDelta;
use proptest::prelude::*;

fn identity(name: &str) -> Identity {
    Identity {
        digest: format!("sha256:{name}"),
        claude_version: "2.1.400".into(),
        recipe: "r".into(),
        tag: format!("drydock/session:{name}"),
    }
}

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn begun() -> Deployment {
    let candidate = Candidate { claude_version: "2.1.400".into(), built: None, again: Again::No };
    Deployment::begin(candidate, identity("stable"), &Policy::usual(), at(0))
}

fn advance(launches: u32) -> Event {
    Event::Judged { verdict: Verdict::Advance, launches }
}

fn bad() -> Event {
    Event::Judged { verdict: Verdict::RollBack(Trigger::InARow { times: 2, launches: 2 }), launches: 2 }
}

/// Lets events happen, each of which must mean something.
fn after(events: &[Event]) -> (Deployment, Vec<Effect>) {
    let mut all = Vec::new();
    let end = events.iter().enumerate().fold(begun(), |deployment, (n, event)| {
        let step = deployment.step(event, &Policy::usual(), at(i64::try_from(n).unwrap()));
        let step = step.unwrap_or_else(|| panic!("{event:?} means nothing in {:?}", deployment.state));
        all.extend(step.effects);
        step.deployment
    });
    (end, all)
}

fn to_the_first_stage() -> Vec<Event> {
    vec![Event::Built(identity("new")), Event::SmokePassed]
}

#[test]
fn a_good_candidate_goes_through_its_stages_and_becomes_stable() {
    let mut events = to_the_first_stage();
    events.extend([advance(5), Event::SmokePassed, advance(15), Event::SmokePassed, advance(30)]);
    let (end, effects) = after(&events);
    assert_eq!(end.state, State::Succeeded);
    assert_eq!(effects, [Effect::MakeStable]);
}

#[test]
fn a_promotion_asks_for_the_smoke_tests_again() {
    let (end, _) = after(&[to_the_first_stage(), vec![advance(5)]].concat());
    let State::Stage { at } = &end.state else { panic!("{:?}", end.state) };
    assert_eq!((at.index, at.launches_before, at.proof), (1, 5, Proof::Due));
    let failed = Event::SmokeFailed(vec!["version".into()]);
    let (end, effects) = after(&[to_the_first_stage(), vec![advance(5), failed]].concat());
    assert_eq!(end.state.word(), "rolling-back");
    assert_eq!(effects, [Effect::Deny]);
}

#[test]
fn a_bad_candidate_is_taken_back_in_every_state_in_which_it_is_launched_and_denied() {
    let stage = to_the_first_stage();
    let environment = Event::Judged { verdict: Verdict::Environment(Trigger::Unverified), launches: 2 };
    let inconclusive = Event::Judged { verdict: Verdict::Inconclusive, launches: 40 };
    for before in [
        stage.clone(),
        [stage.clone(), vec![Event::Pause]].concat(),
        [stage.clone(), vec![environment]].concat(),
        [stage.clone(), vec![inconclusive]].concat(),
        [stage.clone(), vec![advance(5)]].concat(),
    ] {
        let (end, effects) = after(&[before, vec![bad(), Event::Restored]].concat());
        assert_eq!(end.state, State::RolledBack { trigger: Trigger::InARow { times: 2, launches: 2 } });
        assert_eq!(effects, [Effect::Deny]);
    }
}

#[test]
fn what_was_the_environments_fault_goes_on_by_itself_and_what_the_user_stopped_does_not() {
    let wait = Event::Judged { verdict: Verdict::Wait(Vec::new()), launches: 3 };
    let environment = Event::Judged { verdict: Verdict::Environment(Trigger::Unverified), launches: 2 };
    let (end, _) = after(&[to_the_first_stage(), vec![environment, wait.clone()]].concat());
    assert_eq!(end.state.word(), "stage");
    let (paused, _) = after(&[to_the_first_stage(), vec![Event::Pause]].concat());
    assert_eq!(paused.step(&wait, &Policy::usual(), at(9)), None);
    assert_eq!(paused.step(&advance(9), &Policy::usual(), at(9)), None);
}

#[test]
fn who_goes_on_after_an_inconclusive_trial_is_asked_again_only_after_more_launches() {
    let inconclusive = Event::Judged { verdict: Verdict::Inconclusive, launches: 40 };
    let (end, _) =
        after(&[to_the_first_stage(), vec![inconclusive, Event::Resume { launches: 40 }]].concat());
    assert_eq!((end.state.word(), end.patience), ("stage", 50));
}

#[test]
fn what_succeeded_can_be_taken_back_by_hand_and_what_was_stable_is_stable_again() {
    let full = Event::Promote { promotion: Promotion::Full, launches: 0 };
    let (end, effects) =
        after(&[to_the_first_stage(), vec![full, Event::RollBack, Event::Restored]].concat());
    assert_eq!(end.state, State::RolledBack { trigger: Trigger::User });
    assert_eq!(effects, [Effect::MakeStable, Effect::Deny, Effect::Restore]);
}

#[test]
fn what_was_never_launched_is_given_up_without_a_denial() {
    for events in [vec![Event::RollBack], vec![Event::Built(identity("new")), Event::RollBack]] {
        let (end, effects) = after(&events);
        assert_eq!((end.state, effects), (State::Aborted { abort: Abort::User }, Vec::new()));
    }
}

#[test]
fn every_state_is_read_back_as_it_was_written() {
    let at = Stage { index: 1, since: at(7), launches_before: 5, proof: Proof::Due };
    let triggers = [
        Trigger::Errors { faults: 2, launches: 8 },
        Trigger::InARow { times: 2, launches: 2 },
        Trigger::Slow { slow: 3, timed: 21, limit_ms: 15_000, p95_ms: Some(16_250) },
        Trigger::Unverified,
        Trigger::Smoke { failed: vec!["version".into()] },
        Trigger::User,
    ];
    let mut states = vec![
        State::Building,
        State::Smoke,
        State::Stage { at },
        State::Paused { pause: Pause::User, at },
        State::Paused { pause: Pause::Inconclusive, at },
        State::Succeeded,
        State::Aborted { abort: Abort::User },
        State::Aborted { abort: Abort::Build { code: Code::ImageBuild, message: "no".into() } },
        State::Superseded,
    ];
    for trigger in triggers {
        states.push(State::RollingBack { trigger: trigger.clone() });
        states.push(State::RolledBack { trigger: trigger.clone() });
        states.push(State::Paused { pause: Pause::Environment { trigger }, at });
    }
    for state in states {
        let deployment = Deployment { state, ..begun() };
        let text = serde_json::to_string(&deployment).unwrap();
        assert_eq!(serde_json::from_str::<Deployment>(&text).unwrap(), deployment, "{text}");
    }
}

#[test]
fn reasons_are_told_with_their_numbers() {
    let slow = |timed| Trigger::Slow { slow: 3, timed, limit_ms: 15_000, p95_ms: Some(16_250) }.to_string();
    assert_eq!(slow(5), "3 of its 5 launches took longer than 15 s");
    assert_eq!(slow(21), "3 of its 21 launches took longer than 15 s (P95 16.2 s)");
    assert_eq!(Trigger::Errors { faults: 2, launches: 8 }.to_string(), "2 of its 8 launches failed (25 %)");
}

fn any_event() -> impl Strategy<Value = Event> {
    let launches = 0_u32..60;
    prop_oneof![
        Just(Event::Built(identity("new"))),
        Just(Event::NotBuilt { code: Code::ImageBuild, message: "no".into() }),
        Just(Event::SmokePassed),
        Just(Event::SmokeFailed(vec!["x".into()])),
        launches.clone().prop_map(advance),
        Just(bad()),
        launches.clone().prop_map(|launches| Event::Judged { verdict: Verdict::Inconclusive, launches }),
        Just(Event::Judged { verdict: Verdict::Environment(Trigger::Unverified), launches: 3 }),
        Just(Event::Judged { verdict: Verdict::Wait(Vec::new()), launches: 3 }),
        Just(Event::Pause),
        launches.clone().prop_map(|launches| Event::Resume { launches }),
        launches.clone().prop_map(|launches| Event::Promote { promotion: Promotion::Next, launches }),
        launches.prop_map(|launches| Event::Promote { promotion: Promotion::Full, launches }),
        Just(Event::RollBack),
        Just(Event::Restored),
        Just(Event::Supersede),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn of_any_history(events in prop::collection::vec(any_event(), 0..40)) {
        let policy = Policy::usual();
        let mut deployment = begun();
        let mut smoked = 0;
        let (mut denied, mut stable_is_new) = (false, false);
        for (n, event) in events.iter().enumerate() {
            let Some(step) = deployment.step(event, &policy, at(i64::try_from(n).unwrap())) else { continue };
            let (before, after) = (&deployment.state, &step.deployment.state);
            // Nothing follows an end, but a way back from what became stable.
            prop_assert!(before.is_active() || (*before == State::Succeeded && *event == Event::RollBack));
            // No launch tries what is not built or has not passed its tests.
            smoked += usize::from(*event == Event::SmokePassed);
            prop_assert!(after.stage().is_none() || (step.deployment.candidate.built.is_some() && smoked > 0));
            // A stage is left only for the next one.
            if let (Some(from), Some(to)) = (before.stage(), after.stage()) {
                prop_assert!(to.index == from.index || to.index == from.index + 1);
                prop_assert!(to.index < policy.stages.len());
            }
            // Only a verdict, the tests or the user take it back, and then it is denied.
            if after.word() == "rolling-back" {
                prop_assert!(step.effects.contains(&Effect::Deny));
            }
            // Of any state in which it is launched, a bad verdict takes it back.
            if before.stage().is_some() && *event == bad() {
                prop_assert_eq!(after.word(), "rolling-back");
            }
            denied |= step.effects.contains(&Effect::Deny);
            for effect in &step.effects {
                match effect {
                    Effect::MakeStable => stable_is_new = true,
                    Effect::Restore => stable_is_new = false,
                    Effect::Deny => {}
                }
            }
            deployment = step.deployment;
        }
        prop_assert_eq!(deployment.state == State::Succeeded, stable_is_new);
        prop_assert!(!(denied && stable_is_new), "what is denied is stable");
    }
}
