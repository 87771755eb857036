//! Alerting in simulated days: random values, sleep, restarts, crashes, channels that fail, people who react.
//! What was sent is then looked at as a whole.

mod reference;
mod world;

use super::{
    AlertState, Awake, Before, ChannelName, Fingerprint, Moment, Occasion, Page, Quantity, QuietHours,
    Reading, Readings, Rule, Severity, check_alert_rules, defaults::rule, due::due, rule::Measure,
};
use chrono::DateTime;
use proptest::prelude::*;
use reference::Reference;
use world::{Answer, Deed, TICK, World, deed, policy, start};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens: nothing is said twice within the throttle, no High is lost, and who was told the
    /// beginning is told the end, once.
    #[test]
    fn what_is_said_can_be_trusted(deeds in prop::collection::vec(deed(), 1..80)) {
        let mut world = World::new(None);
        for deed in &deeds {
            world.deed(deed);
        }
        // All is well again, and channels work: what is owed is paid.
        world.answers = [Answer::Sent; 3];
        world.values.iter_mut().for_each(|value| *value = Ok(0.0));
        (0..400).for_each(|_| world.look());
        prop_assert!(world.state.incidents.is_empty(), "{:?}", world.state);
        world.assert_throttled();
        world.assert_resolved_once();
    }

    /// What fires is what a look at the whole history says.
    #[test]
    fn the_state_machine_does_as_its_model(deeds in prop::collection::vec(deed(), 1..80)) {
        let mut world = World::new(None);
        for deed in &deeds {
            // A crash repeats a look's messages, not its conclusions.
            let quiet = matches!(deed, Deed::Crash);
            if !quiet {
                world.deed(deed);
            }
            for (rule, reference) in world.rules.iter().zip(&world.reference) {
                let fires = world.state.firing().any(|one| one.rule == rule.id);
                prop_assert_eq!(fires, reference.fires, "{} {:?}", rule.id, deed);
            }
        }
    }

    /// A High one that nobody takes on climbs in time, by the time awake, across sleep and restarts.
    #[test]
    fn escalation_is_on_time(
        sleeps in prop::collection::vec((1_i64..200, 5_i64..700), 0..6),
        restarts in prop::collection::vec(0_i64..240, 0..6),
    ) {
        let mut world = World::new(None);
        world.values[0] = Ok(2.0);
        let mut told_at: Vec<i64> = Vec::new();
        // Awake time as alerting knows it: a gap's own look counts for nothing.
        let mut awake = 0;
        for look in 0..240 {
            if let Some((_, minutes)) = sleeps.iter().find(|(at, _)| *at == look) {
                world.deed(&Deed::Sleep(*minutes));
            }
            if restarts.contains(&look) {
                world.restart();
            }
            if world.gap == Before::Awake {
                awake += TICK;
            }
            let before = world.arrived.len();
            world.look();
            told_at.extend(world.arrived[before..].iter().map(|_| awake));
        }
        let channels: Vec<_> = world.arrived.iter().map(|one| one.channel).collect();
        use ChannelName::{Desktop, Email, Slack};
        for (at, (minutes, channel)) in [(0, Desktop), (15, Slack), (30, Email), (90, Desktop)].into_iter().enumerate() {
            if awake >= minutes * 60 {
                prop_assert_eq!(channels[at], channel);
                prop_assert_eq!(told_at[at], minutes * 60);
            }
        }
    }
}

#[test]
fn a_night_asleep_brings_no_storm_and_nothing_is_missed() {
    let mut world = World::new(None);
    let late = Rule {
        grace: Awake::minutes(30),
        ..rule("late", Measure::Standing(Quantity::BackupAge), &[(7200.0, Severity::Medium)], "words")
    };
    world.rules.push(late);
    world.values.push(Ok(0.0));
    world.reference.push(Reference::of(&world.rules[6]));
    (0..10).for_each(|_| world.look());
    // Something fires before the night, something else is about to.
    world.values[2] = Ok(2.0);
    world.values[1] = Ok(2.0);
    (0..5).for_each(|_| world.look());
    assert_eq!(world.arrived.len(), 1);
    world.deed(&Deed::Sleep(9 * 60));
    world.values[6] = Ok(32_400.0);

    // In the morning: neither the escalation nor what was pending counts the night; the backup may be made up for.
    world.look();
    assert_eq!(world.arrived.len(), 1, "{:#?}", world.arrived);
    world.values[6] = Ok(60.0);
    (0..20).for_each(|_| world.look());
    let said: Vec<_> = world.arrived.iter().map(|one| one.of.len()).collect();
    assert_eq!(said, [1, 1], "what was pending has lasted long enough by now: {:#?}", world.arrived);

    // One that is not made up for is said when its grace is over.
    world.deed(&Deed::Sleep(9 * 60));
    world.values[6] = Ok(64_800.0);
    (0..58).for_each(|_| world.look());
    assert!(!world.state.firing().any(|one| one.rule.as_str() == "late"));
    (0..4).for_each(|_| world.look());
    assert!(world.state.firing().any(|one| one.rule.as_str() == "late"));
}

#[test]
fn a_cause_mutes_its_consequence_and_what_outlasts_it_is_said() {
    let mut world = World::new(None);
    (world.values[4], world.values[5]) = (Ok(2.0), Ok(2.0));
    (0..10).for_each(|_| world.look());
    assert_eq!(world.arrived.len(), 1);
    assert_eq!(world.arrived[0].of[0].1, Fingerprint::of(&world.rules[4].id, ""));
    world.values[4] = Ok(0.0);
    world.look();
    let occasions: Vec<_> = world.arrived.iter().map(|one| one.message.occasion).collect();
    assert_eq!(occasions, [Occasion::Firing, Occasion::Resolved, Occasion::Firing]);
}

#[test]
fn a_channel_that_refuses_is_stood_in_for_at_once() {
    let mut world = World::new(None);
    world.answers[0] = Answer::Refused;
    world.values[2] = Ok(2.0);
    world.look();
    assert_eq!(world.arrived.iter().map(|one| one.channel).collect::<Vec<_>>(), [ChannelName::Slack]);
    assert!(world.state.channels[&ChannelName::Desktop].is_down());
    world.values[2] = Ok(0.0);
    (0..20).for_each(|_| world.look());
    assert_eq!(world.arrived.last().unwrap().channel, ChannelName::Slack);
    assert_eq!(world.arrived.len(), 2);
}

#[test]
fn what_matters_more_goes_through_the_throttle_and_takes_back_that_somebody_took_it_on() {
    let mut world = World::new(None);
    world.values[1] = Ok(2.0);
    (0..12).for_each(|_| world.look());
    world.deed(&Deed::Acknowledge);
    world.look();
    assert_eq!(world.arrived.len(), 1);
    world.values[1] = Ok(4.0);
    world.look();
    let severities: Vec<_> = world.arrived.iter().map(|one| one.message.severity).collect();
    assert_eq!(severities, [Severity::Medium, Severity::High]);
}

#[test]
fn what_was_held_back_is_counted_in_the_next_message() {
    let mut world = World::new(None);
    for _ in 0..2 {
        world.values[0] = Ok(2.0);
        world.look();
        world.values[0] = Ok(0.0);
        world.look();
    }
    world.values[0] = Ok(2.0);
    (0..60).for_each(|_| world.look());
    let firings: Vec<_> =
        world.arrived.iter().filter(|one| one.message.occasion == Occasion::Firing).collect();
    assert_eq!(firings.len(), 2, "{:#?}", world.arrived);
    assert_eq!((firings[0].message.held_back, firings[1].message.held_back), (0, 1));
}

#[test]
fn quiet_hours_keep_all_but_the_high_until_they_are_over() {
    let quiet = QuietHours::parse("22:00-07:00").unwrap();
    let mut world = World::new(Some(quiet));
    world.now = DateTime::parse_from_rfc3339("2026-03-01T23:00:00Z").unwrap().to_utc();
    world.values[2] = Ok(2.0);
    world.look();
    assert!(world.arrived.is_empty());
    world.values[0] = Ok(2.0);
    world.look();
    assert_eq!(world.arrived.len(), 1);
    (0..(8 * 120)).for_each(|_| world.look());
    let medium = world.arrived.iter().find(|one| one.message.severity == Severity::Medium).unwrap();
    assert!(medium.at.to_rfc3339().contains("T07:00"), "{}", medium.at);
}

#[test]
fn what_matters_little_is_said_once_a_day() {
    let mut world = World::new(None);
    world.now = DateTime::parse_from_rfc3339("2026-03-01T15:00:00Z").unwrap().to_utc();
    world.values[3] = Ok(2.0);
    (0..(3 * 120 * 24)).for_each(|_| world.look());
    let days: Vec<_> = world.arrived.iter().map(|one| one.at.format("%dT%H").to_string()).collect();
    assert_eq!(days, ["02T09", "03T09", "04T09"]);
}

#[test]
fn several_of_one_rule_are_one_message() {
    let rule = rule("many", Measure::Standing(Quantity::Orphans), &[(0.0, Severity::High)], "Words");
    let mut state = AlertState::default();
    let now = start();
    let moment = Moment { now, local: now.naive_utc(), awake: Awake::default(), before: Before::Gap };
    let mut readings = Readings::default();
    let seen = (0..5).map(|n| Reading::new(format!("s{n}"), 1.0, format!("Text {n}."))).collect();
    readings.put(rule.id.clone(), Ok(seen));
    let changes = check_alert_rules(&[rule], &readings, &mut state, &moment);
    assert_eq!(changes.len(), 5);
    let said = due(&mut state, &policy(None), &moment);
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].message.title, "Words: s0 (and 4 more)");
    assert_eq!(said[0].message.text, "Text 0. Text 1. Text 2. And 2 more.");
    assert_eq!((said[0].message.page, said[0].incidents.len()), (Page::Home, 5));
}
