//! Ten thousand rollouts at each rate of errors and each pace of work, by the machine itself and a clock of its own.
//!
//! `DRYDOCK_WRITE_DOCS=1 cargo test -p drydock-engine --lib deployment::simulated` writes their table into
//! `docs/deployment.md`; without it a part of them is compared with what the page says.

use super::{
    Again, Candidate, Deployment, Identity, Outcome, Policy, RuleKind, State, Tally,
    judge::{Facts, Verdict, judge},
    machine::Event,
    probe::{Idle, is_due},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{env, fmt::Write, fs, path::Path, thread};

const RATES: [f64; 6] = [0.0, 0.02, 0.05, 0.10, 0.20, 0.50];
const PACES: [u32; 3] = [3, 20, 200];
const RULES: [RuleKind; 2] = [RuleKind::Sequential, RuleKind::Strict];
/// Stable is not without errors either.
const STABLE: f64 = 0.01;
/// The computer is awake, and somebody works on it.
const AWAKE: (i64, i64) = (8 * 60, 20 * 60);
const WORK: (i64, i64) = (9 * 60, 18 * 60);
const DAYS: i64 = 365;

/// Numbers from a seed. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How a rollout ended, and after how many days.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Promoted(f64),
    Back(f64),
    Asked,
    Never,
}

struct Rollout<'a> {
    policy: &'a Policy,
    deployment: Deployment,
    candidate: Tally,
    stable: Tally,
    probes: u32,
    last: Option<DateTime<Utc>>,
}

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

impl Rollout<'_> {
    /// Judges, and lets happen what follows.
    fn look(&mut self, now: DateTime<Utc>) {
        let Some(stage) = self.deployment.state.stage() else { return };
        let verdict = judge(&Facts {
            policy: self.policy,
            stage,
            patience: self.deployment.patience,
            candidate: &self.candidate,
            stable: &self.stable,
            stable_rate: self.stable.error_rate(),
            manual: false,
            now,
        });
        if matches!((&verdict, &self.deployment.state), (Verdict::Wait(_), State::Stage { .. })) {
            return;
        }
        let event = Event::Judged { verdict, launches: self.candidate.launches };
        for event in [event, Event::SmokePassed] {
            if let Some(step) = self.deployment.step(&event, self.policy, now) {
                self.deployment = step.deployment;
            }
        }
        if self.deployment.state.stage().is_some_and(|now| now.index != stage.index) {
            self.probes = 0;
        }
    }

    fn launch(&mut self, dice: &mut Dice, error: f64, now: DateTime<Utc>) {
        self.last = Some(now);
        let outcome = |failed| if failed { Outcome::Died } else { Outcome::Ok };
        let weight =
            self.deployment.state.stage().map_or(0.0, |stage| self.policy.weight(stage.index).number());
        if dice.next() < weight {
            self.candidate.add(outcome(dice.next() < error));
            self.look(now);
        } else {
            self.stable.add(outcome(dice.next() < STABLE));
        }
    }

    fn probe(&mut self, dice: &mut Dice, error: f64, now: DateTime<Utc>) {
        let Some(stage) = self.deployment.state.stage() else { return };
        let idle = Idle { launches: self.candidate.launches, probes: self.probes, last: self.last };
        if is_due(self.policy, stage, idle, now) {
            self.probes += 1;
            self.last = Some(now);
            self.candidate.add(if dice.next() < error { Outcome::Died } else { Outcome::Ok });
        }
        self.look(now);
    }

    fn end(&self, now: DateTime<Utc>) -> Option<End> {
        let days = (now - at(WORK.0)).num_minutes() as f64 / 1440.0;
        match &self.deployment.state {
            State::Succeeded => Some(End::Promoted(days)),
            State::RollingBack { .. } => Some(End::Back(days)),
            State::Paused { pause: super::Pause::Inconclusive, .. } => Some(End::Asked),
            _ => None,
        }
    }
}

fn rollout(policy: &Policy, error: f64, pace: u32, dice: &mut Dice) -> End {
    let identity = |name: &str| Identity {
        digest: name.into(),
        claude_version: name.into(),
        recipe: String::new(),
        tag: String::new(),
    };
    let candidate = Candidate { claude_version: "new".into(), built: None, again: Again::No };
    let begun = at(WORK.0);
    let mut deployment = Deployment::begin(candidate, identity("old"), policy, begun);
    for event in [Event::Built(identity("new")), Event::SmokePassed] {
        deployment = deployment.step(&event, policy, begun).unwrap().deployment;
    }
    let mut rollout = Rollout {
        policy,
        deployment,
        candidate: Tally::default(),
        stable: Tally::default(),
        probes: 0,
        last: None,
    };
    for day in 0..DAYS {
        let mut launches: Vec<i64> =
            (0..pace).map(|_| WORK.0 + (dice.next() * (WORK.1 - WORK.0) as f64) as i64).collect();
        launches.sort_unstable();
        let mut launches = launches.into_iter().peekable();
        let from = if day == 0 { WORK.0 } else { AWAKE.0 };
        // Looked at each half hour, as the scheduled work does oftener.
        for minute in (from..AWAKE.1).step_by(30) {
            while let Some(launch) = launches.next_if(|launch| *launch < minute + 30) {
                let now = at(day * 1440 + launch);
                rollout.launch(dice, error, now);
                if let Some(end) = rollout.end(now) {
                    return end;
                }
            }
            let now = at(day * 1440 + minute + 30);
            rollout.probe(dice, error, now);
            if let Some(end) = rollout.end(now) {
                return end;
            }
        }
    }
    End::Never
}

/// What many rollouts came to.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    rule: RuleKind,
    error: f64,
    pace: u32,
    back: f64,
    promoted: f64,
    asked: f64,
    days: Option<(f64, f64)>,
    days_back: Option<f64>,
}

fn row(rule: RuleKind, error: f64, pace: u32, rollouts: usize) -> Row {
    let policy = Policy { rule, ..Policy::usual() };
    let mut dice = Dice(u64::from(pace) << 32 ^ (error * 1000.0) as u64 ^ rule as u64);
    let ends: Vec<_> = (0..rollouts).map(|_| rollout(&policy, error, pace, &mut dice)).collect();
    let share = |is: fn(&End) -> bool| ends.iter().filter(|end| is(end)).count() as f64 / rollouts as f64;
    let mut days: Vec<_> = ends
        .iter()
        .filter_map(|end| if let End::Promoted(days) = end { Some(*days) } else { None })
        .collect();
    let mut back: Vec<_> =
        ends.iter().filter_map(|end| if let End::Back(days) = end { Some(*days) } else { None }).collect();
    days.sort_by(f64::total_cmp);
    back.sort_by(f64::total_cmp);
    let rank = |sorted: &[f64], hundredths: usize| sorted.get(sorted.len() * hundredths / 100).copied();
    Row {
        rule,
        error,
        pace,
        back: share(|end| matches!(end, End::Back(_))),
        promoted: share(|end| matches!(end, End::Promoted(_))),
        asked: share(|end| matches!(end, End::Asked | End::Never)),
        days: rank(&days, 50).zip(rank(&days, 90)),
        days_back: rank(&back, 50),
    }
}

fn rows(rollouts: usize) -> Vec<Row> {
    let wanted = || {
        RULES.into_iter().flat_map(|rule| {
            RATES.into_iter().flat_map(move |error| PACES.into_iter().map(move |pace| (rule, error, pace)))
        })
    };
    let (even, odd) = thread::scope(|scope| {
        let part = |which: usize| {
            scope.spawn(move || {
                let mine = wanted().enumerate().filter(|(n, _)| n % 2 == which);
                mine.map(|(_, (rule, error, pace))| row(rule, error, pace, rollouts)).collect::<Vec<_>>()
            })
        };
        let (even, odd) = (part(0), part(1));
        (even.join().unwrap(), odd.join().unwrap())
    });
    let mut odd = odd.into_iter();
    even.into_iter().flat_map(|even| std::iter::once(even).chain(odd.next())).collect()
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| rule | true rate of errors | launches a day | taken back | became stable | you were asked | days until stable: half, nine of ten | days until taken back: half |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let rule = if row.rule == RuleKind::Sequential { "sequential" } else { "strict" };
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let days = row.days.map_or("–".into(), |(half, most)| format!("{half:.1}, {most:.1}"));
        let back = row.days_back.map_or("–".into(), |days| format!("{days:.1}"));
        writeln!(
            text,
            "| {rule} | {:.0} % | {} | {} | {} | {} | {days} | {back} |",
            row.error * 100.0,
            row.pace,
            percent(row.back),
            percent(row.promoted),
            percent(row.asked),
        )
        .unwrap();
    }
    text
}

const BEGIN: &str = "<!-- The simulation writes this table: see engine/src/deployment/simulated.rs -->\n";
const END: &str = "<!-- to here -->";

fn page() -> (std::path::PathBuf, String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deployment.md");
    let text = fs::read_to_string(&file).unwrap();
    (file, text)
}

#[test]
fn the_page_says_what_rollouts_come_to() {
    let (file, text) = page();
    let (before, rest) = text.split_once(BEGIN).expect("the place of the table");
    let (written, after) = rest.split_once(END).expect("its end");
    if env::var_os("DRYDOCK_WRITE_DOCS").is_some() {
        let table = table(&rows(10_000));
        fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    const SOME: usize = 300;
    let mut lines = written.lines().skip(2);
    for row in rows(SOME) {
        let line = lines.next().expect("a line for each");
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        assert_eq!(
            (cells[2], cells[3]),
            (format!("{:.0} %", row.error * 100.0).as_str(), row.pace.to_string().as_str())
        );
        for (cell, found) in [(cells[4], row.back), (cells[5], row.promoted), (cells[6], row.asked)] {
            let said: f64 = cell.trim_end_matches(" %").parse::<f64>().unwrap() / 100.0;
            // Five standard deviations of so many rollouts.
            let slack = 5.0 * (said.max(0.01) * (1.0 - said).max(0.01) / SOME as f64).sqrt();
            assert!((said - found).abs() <= slack, "{line}: {found:.3} of {SOME}");
        }
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn the_rule_was_chosen_for_what_it_does() {
    let sequential = |error, pace| row(RuleKind::Sequential, error, pace, 400);
    for pace in PACES {
        assert!(sequential(0.0, pace).back == 0.0, "one without errors is never taken back");
        assert!(sequential(0.02, pace).back < 0.08, "one that is as good as most");
        assert!(
            sequential(0.50, pace).promoted == 0.0,
            "one that fails half of the time never becomes stable"
        );
        let strict = row(RuleKind::Strict, 0.02, pace, 400);
        assert!(strict.back > 2.0 * sequential(0.02, pace).back, "the plain bounds take more good ones back");
    }
}
