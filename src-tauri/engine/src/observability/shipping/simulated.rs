//! Servers that refuse, fall silent and come back, files that are put aside meanwhile, and a clock that is turned by
//! the test: every line arrives once and in order, or is counted.

use super::{
    super::line_log::{Limits, LineLog},
    allowed::{Allowed, Names},
    answer::Answer,
    chain::Chain,
    round::{Access, Effort, Way, World, round},
    server::Server,
    settle::Notice,
    state::{Dropped, Reason, State},
    stream::Stream,
};
use crate::{
    error_handling::{Code, Error, Result},
    keychain::Sensitive,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};
use tempfile::TempDir;

const KEY: &str = "FAKE-key";

/// How the server is today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    Silent,
    Failing(u16),
    Busy {
        retry_after: u32,
    },
    /// It takes so many lines at once.
    Narrow(usize),
    /// It takes no key but another one.
    Refusing,
    /// It takes all, but whoever sent it is ended before that is written down.
    LastWord,
}

struct Computer {
    folder: TempDir,
    log: LineLog,
    now: DateTime<Utc>,
    state: State,
    /// As it was last written down.
    committed: State,
    way: Way,
    mood: Mood,
    requests: usize,
    written: u64,
    /// The numbers of the lines that arrived, as they did.
    arrived: Vec<u64>,
    /// Points of counters: the later one of a second counts.
    points: BTreeMap<(String, i64), f64>,
    notices: Vec<Notice>,
}

impl Computer {
    fn with(stream: Stream, bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".log.jsonl");
        let limits = Limits { bytes, ..Limits::default() };
        let log = LineLog::at(path.clone(), &folder.path().join("locks"), limits);
        let way = Way {
            stream,
            chain: Chain::File(path),
            allowed: Allowed::new(Names::Hidden, "salt", "/home/me"),
            server: Server::parse("https://datadog.example").unwrap(),
            access: Access::Key(Sensitive::new(KEY.to_owned())),
        };
        let state = State::new();
        let mut computer = Self {
            folder,
            log,
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
            committed: state.clone(),
            state,
            way,
            mood: Mood::Well,
            requests: 0,
            written: 0,
            arrived: Vec::new(),
            points: BTreeMap::new(),
            notices: Vec::new(),
        };
        // Sending begins before anything is written.
        computer.round(Effort::Due);
        computer
    }

    /// Writes an event; the server of this test dislikes what is marked so.
    fn write(&mut self, mark: &str) {
        self.written += 1;
        let mut attrs = json!({ "new": self.written });
        if !mark.is_empty() {
            attrs[mark] = 1.into();
        }
        let line = json!({
            "v": 1, "ts": self.now, "id": uuid::Uuid::now_v7(), "event": "backup.taken", "level": "info",
            "attrs": attrs, "version": "0.1.0",
        });
        self.log.append(line.to_string());
    }

    /// Writes a counter.
    fn count(&mut self, value: u64) {
        self.written += value;
        let line = json!({ "v": 1, "ts": self.now, "id": uuid::Uuid::now_v7(), "name": "errors", "value": value,
            "attrs": { "code": "disk.full" }, "version": "0.1.0" });
        self.log.append(line.to_string());
    }

    /// Something that no program of ours writes whole.
    fn write_rubbish(&mut self) {
        self.written += 1;
        self.log.append("{ \"torn\": ".into());
    }

    fn round(&mut self, effort: Effort) {
        let (ways, mut state) = ([self.way.clone()], self.state.clone());
        match round(&ways, &mut state, effort, self) {
            Ok(notices) => {
                self.notices.extend(notices);
                self.state = state;
            }
            // The next process reads what was written down.
            Err(_) => self.state = self.committed.clone(),
        }
    }

    /// The server is well again, and all is sent that can be.
    fn come_to_the_end(&mut self) {
        self.mood = Mood::Well;
        self.way.access = Access::Key(Sensitive::new("FAKE-new-key".to_owned()));
        for _ in 0..20 {
            self.round(Effort::All);
        }
    }

    fn dropped(&self) -> Dropped {
        self.state.of(self.way.stream).map(|kept| kept.dropped.clone()).unwrap_or_default()
    }

    fn stands_still(&self) -> bool {
        self.state.of(self.way.stream).is_some_and(|kept| kept.stopped.is_some())
    }

    fn take(&mut self, body: &Value) -> u16 {
        if self.way.stream == Stream::DatadogCounts {
            for series in body["series"].as_array().unwrap() {
                for point in series["points"].as_array().unwrap() {
                    let at = (series["metric"].to_string(), point["timestamp"].as_i64().unwrap());
                    self.points.insert(at, point["value"].as_f64().unwrap());
                }
            }
            return 202;
        }
        let logs = body.as_array().unwrap();
        let is_marked = |mark: &str| logs.iter().any(|log| !log["attrs"][mark].is_null());
        if is_marked("faults") {
            return 400;
        }
        if is_marked("bytes") {
            return 413;
        }
        self.arrived.extend(logs.iter().map(|log| log["attrs"]["new"].as_u64().unwrap()));
        202
    }
}

impl World for Computer {
    fn now(&self) -> DateTime<Utc> {
        self.now
    }

    fn post(&mut self, way: &Way, body: &Value) -> Answer {
        self.requests += 1;
        let said = |status| Answer::Said { status, retry_after: None, rejected: 0 };
        let is_old_key = matches!(&way.access, Access::Key(key) if key.reveal() == KEY);
        match self.mood {
            Mood::Well | Mood::LastWord => said(self.take(body)),
            Mood::Silent => Answer::Silence { why: "connection refused".into() },
            Mood::Failing(status) => said(status),
            Mood::Busy { retry_after } => {
                Answer::Said { status: 429, retry_after: Some(retry_after.to_string()), rejected: 0 }
            }
            Mood::Narrow(lines) if body.as_array().is_some_and(|logs| logs.len() > lines) => said(413),
            Mood::Refusing if is_old_key => said(403),
            Mood::Narrow(_) | Mood::Refusing => said(self.take(body)),
        }
    }

    fn commit(&mut self, state: &State) -> Result<()> {
        if self.mood == Mood::LastWord {
            return Err(Error::new(Code::DiskFull, "it was ended here"));
        }
        self.committed = state.clone();
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Deed {
    Write(usize),
    Rubbish,
    Poison,
    Huge,
    Wait(i64),
    Mood(Mood),
    Round,
    NewKey,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let mood = prop_oneof![
        3 => Just(Mood::Well),
        2 => Just(Mood::Silent),
        1 => Just(Mood::Failing(500)),
        1 => Just(Mood::Failing(404)),
        1 => (0..7200_u32).prop_map(|retry_after| Mood::Busy { retry_after }),
        1 => (1..10_usize).prop_map(Mood::Narrow),
        1 => Just(Mood::Refusing),
    ];
    let deed = prop_oneof![
        6 => (1..30_usize).prop_map(Deed::Write),
        1 => Just(Deed::Rubbish),
        1 => Just(Deed::Poison),
        1 => Just(Deed::Huge),
        3 => (1..600_i64).prop_map(Deed::Wait),
        1 => Just(Deed::Wait(70_000)),
        3 => mood.prop_map(Deed::Mood),
        5 => Just(Deed::Round),
        1 => Just(Deed::NewKey),
    ];
    prop::collection::vec(deed, 1..60)
}

fn did(computer: &mut Computer, deed: &Deed) {
    match deed {
        Deed::Write(lines) => (0..*lines).for_each(|_| computer.write("")),
        Deed::Rubbish => computer.write_rubbish(),
        Deed::Poison => computer.write("faults"),
        Deed::Huge => computer.write("bytes"),
        Deed::Wait(seconds) => computer.now += TimeDelta::seconds(*seconds),
        Deed::Mood(mood) => computer.mood = *mood,
        Deed::Round => computer.round(Effort::Due),
        Deed::NewKey => computer.way.access = Access::Key(Sensitive::new("FAKE-new-key".to_owned())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Files are put aside all the time, but none goes before it was read.
    #[test]
    fn every_line_arrives_once_and_in_order_or_is_counted(deeds in deeds()) {
        let mut computer = Computer::with(Stream::DatadogEvents, 100_000);
        for deed in &deeds {
            did(&mut computer, deed);
        }
        computer.come_to_the_end();
        prop_assert!(computer.arrived.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", computer.arrived);
        let dropped = computer.dropped();
        prop_assert_eq!(computer.arrived.len() as u64 + dropped.values().sum::<u64>(), computer.written);
        let kept = computer.state.of(Stream::DatadogEvents).unwrap();
        prop_assert_eq!(kept.sent, computer.arrived.len() as u64);
        let said: u64 = computer.notices.iter().map(|notice| match notice {
            Notice::Dropped(_, lines) => *lines,
            Notice::Stopped(..) => 0,
        }).sum();
        prop_assert_eq!(said, dropped.values().sum::<u64>());
    }

    /// With files so small that some go before they were read.
    #[test]
    fn what_goes_before_it_was_sent_is_known_to_be_missing(deeds in deeds()) {
        let mut computer = Computer::with(Stream::DatadogEvents, 700);
        for deed in &deeds {
            did(&mut computer, deed);
        }
        computer.come_to_the_end();
        prop_assert!(computer.arrived.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", computer.arrived);
        let mut dropped = computer.dropped();
        let gone = dropped.remove(&Reason::Gone).unwrap_or_default();
        let known = computer.arrived.len() as u64 + dropped.values().sum::<u64>();
        prop_assert!(known <= computer.written);
        prop_assert!(gone > 0 || known == computer.written, "{known} of {}", computer.written);
    }

    /// Whoever sends is ended between the server's answer and writing it down: what arrives twice is the same lines
    /// again, with nothing left out.
    #[test]
    fn an_end_in_the_middle_repeats_one_request_and_loses_nothing(deeds in deeds(), ends in prop::collection::vec(0..60_usize, 1..6)) {
        let mut computer = Computer::with(Stream::DatadogEvents, 100_000);
        for (at, deed) in deeds.iter().enumerate() {
            if ends.contains(&at) {
                computer.mood = Mood::LastWord;
                computer.round(Effort::Due);
                computer.mood = Mood::Well;
            }
            did(&mut computer, deed);
        }
        computer.come_to_the_end();
        let mut once = computer.arrived.clone();
        once.sort_unstable();
        once.dedup();
        // A line that arrived and grew too old before that was written down is counted as well.
        let old = computer.dropped().get(&Reason::Old).copied().unwrap_or_default();
        let known = once.len() as u64 + computer.dropped().values().sum::<u64>();
        prop_assert!(known >= computer.written && known <= computer.written + old, "{known} of {}", computer.written);
        prop_assert!(computer.arrived.len() - once.len() <= ends.len() * 500);
    }

    /// Also then: Datadog keeps the later one of two points of a second.
    #[test]
    fn counters_add_up(
        counts in prop::collection::vec((1..5_u64, 0..3_i64, 0..6_u8), 1..80),
    ) {
        let mut computer = Computer::with(Stream::DatadogCounts, 50_000);
        for (value, seconds, then) in counts {
            computer.count(value);
            computer.now += TimeDelta::milliseconds(seconds * 400);
            match then {
                0 => {
                    computer.mood = Mood::LastWord;
                    computer.round(Effort::Due);
                    computer.mood = Mood::Well;
                }
                1 => {
                    computer.mood = Mood::Silent;
                    computer.round(Effort::Due);
                    computer.mood = Mood::Well;
                }
                2 | 3 => computer.round(Effort::Due),
                _ => {}
            }
        }
        computer.come_to_the_end();
        #[allow(clippy::cast_precision_loss)] // small numbers
        let written = computer.written as f64;
        prop_assert!((computer.points.values().sum::<f64>() - written).abs() < 1e-6, "{:?}", computer.points);
    }
}

/// A round each ten seconds, with a line before each third.
fn live(computer: &mut Computer, seconds: i64) {
    for round in 0..seconds / 10 {
        if round % 3 == 0 {
            computer.write("");
        }
        computer.round(Effort::Due);
        computer.now += TimeDelta::seconds(10);
    }
}

#[test]
fn a_server_that_is_away_for_an_hour_gets_all_of_it_then() {
    let mut computer = Computer::with(Stream::DatadogEvents, 10_000);
    live(&mut computer, 600);
    assert_eq!(computer.arrived.len(), 20);
    computer.mood = Mood::Silent;
    let before = computer.requests;
    live(&mut computer, 3600);
    // At 2, 4, 8, 16, 32, 64 seconds and then each two minutes; a round comes each ten seconds.
    let asked = computer.requests - before;
    assert!((30..=38).contains(&asked), "{asked}");
    assert_eq!(computer.arrived.len(), 20);
    computer.mood = Mood::Well;
    live(&mut computer, 600);
    assert_eq!(computer.arrived, (1..=160).collect::<Vec<_>>());
    assert_eq!(computer.dropped(), Dropped::new());
}

#[test]
fn points_that_are_too_old_by_then_are_counted() {
    let mut computer = Computer::with(Stream::DatadogCounts, 50_000);
    computer.mood = Mood::Silent;
    for _ in 0..130 {
        computer.count(1);
        computer.round(Effort::Due);
        computer.now += TimeDelta::minutes(1);
    }
    computer.come_to_the_end();
    assert_eq!(computer.dropped(), Dropped::from([(Reason::Old, 70)]));
    assert!((computer.points.values().sum::<f64>() - 60.0).abs() < 1e-6);
}

#[test]
fn a_refused_key_stops_the_stream_is_said_once_and_another_key_starts_it_again() {
    let mut computer = Computer::with(Stream::DatadogEvents, 50_000);
    computer.mood = Mood::Refusing;
    live(&mut computer, 3600);
    assert_eq!(computer.requests, 1);
    assert_eq!(computer.notices, [Notice::Stopped(Stream::DatadogEvents, Some(403))]);
    assert!(computer.stands_still());
    computer.way.access = Access::Key(Sensitive::new("FAKE-new-key".to_owned()));
    live(&mut computer, 60);
    assert!(!computer.stands_still());
    assert_eq!(computer.arrived, (1..=122).collect::<Vec<_>>());
}

#[test]
fn one_line_in_five_hundred_that_is_refused_is_found_and_the_others_arrive() {
    let mut computer = Computer::with(Stream::DatadogEvents, 10 << 20);
    for number in 0..500 {
        computer.write(if number == 321 { "faults" } else { "" });
    }
    computer.round(Effort::Due);
    computer.round(Effort::Due);
    assert_eq!(computer.arrived.len(), 499);
    assert_eq!(computer.dropped(), Dropped::from([(Reason::Refused, 1)]));
    assert!(computer.requests < 40, "{}", computer.requests);
}

#[test]
fn a_server_that_refuses_every_line_does_not_have_all_of_them_thrown_away() {
    let mut computer = Computer::with(Stream::DatadogEvents, 10 << 20);
    computer.mood = Mood::Failing(400);
    live(&mut computer, 3600);
    assert_eq!(computer.dropped(), Dropped::from([(Reason::Refused, 5)]));
    assert!(computer.stands_still());
    computer.come_to_the_end();
    assert_eq!(computer.arrived, (6..=120).collect::<Vec<_>>());
}

#[test]
fn sending_begins_with_what_is_written_from_then_on() {
    let mut computer = Computer::with(Stream::DatadogEvents, 50_000);
    computer.state = State::new();
    (0..3).for_each(|_| computer.write(""));
    computer.round(Effort::Due);
    computer.write("");
    computer.round(Effort::Due);
    assert_eq!(computer.arrived, [4]);
    // It is turned off for a while.
    round(&[], &mut computer.state.clone(), Effort::Due, &mut computer).unwrap();
    computer.state = computer.committed.clone();
    (0..3).for_each(|_| computer.write(""));
    computer.round(Effort::Due);
    computer.write("");
    computer.round(Effort::Due);
    assert_eq!(computer.arrived, [4, 8]);
}

#[test]
fn a_key_that_is_missing_keeps_everything() {
    let mut computer = Computer::with(Stream::DatadogEvents, 50_000);
    computer.way.access = Access::Missing("there is no key".into());
    live(&mut computer, 600);
    assert_eq!((computer.requests, computer.arrived.len()), (0, 0));
    computer.come_to_the_end();
    assert_eq!(computer.arrived, (1..=20).collect::<Vec<_>>());
}

#[test]
fn records_that_were_removed_are_a_gap() {
    let mut computer = Computer::with(Stream::DatadogEvents, 50_000);
    live(&mut computer, 60);
    fs::remove_file(computer.folder.path().join(".log.jsonl")).unwrap();
    live(&mut computer, 60);
    assert_eq!(computer.dropped(), Dropped::from([(Reason::Gone, 1)]));
    assert_eq!(computer.arrived, [1, 2, 3, 4]);
}
