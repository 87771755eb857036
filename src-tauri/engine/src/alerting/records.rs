//! What the events and metrics of the last days tell alerting, kept in memory: each line is read once.

use super::Reading;
use crate::{
    error_handling::{Code, Outcome},
    observability::{EventLine, EventName, Files, Follow, MetricLine, MetricName},
    validation::Damage,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;

/// So far back a rule can look.
pub(crate) const LONGEST_WINDOW: TimeDelta = TimeDelta::days(7);

/// A launch, as it came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Launch {
    Done,
    /// By a fault of Drydock's, the engine's or the image's.
    Failed,
    /// Something of the user's was missing or wrong.
    Refused,
}

/// A sync, as it came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    Done,
    Failed,
}

/// What a look at all data found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LookedAtAll {
    errors: u64,
    warnings: u64,
    worst: Option<Damage>,
}

impl LookedAtAll {
    fn told_by(line: &EventLine) -> Self {
        let count = |name| line.attrs.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
        let worst = line.attrs.get("worst").and_then(|word| word.as_str());
        let worst = worst.and_then(|word| Damage::ALL.iter().find(|damage| damage.word() == word)).copied();
        Self { errors: count("errors"), warnings: count("warnings"), worst }
    }

    pub(super) fn reading(self) -> Option<Reading> {
        let (value, remedy) = match self {
            Self { errors: 0, warnings: 0, .. } => return None,
            Self { errors: 0, .. } => (1.0, "drydock validate"),
            Self { .. } => (2.0, "drydock recover"),
        };
        let what = self.worst.map_or("something is wrong", Damage::in_words);
        let more = match self.errors + self.warnings - 1 {
            0 => String::new(),
            1 => "; and one thing more".to_owned(),
            more => format!("; and {more} things more"),
        };
        Some(Reading::new("", value, format!("In your Claude data {what}{more}.")).remedy(remedy))
    }
}

/// What is known of the last days.
#[derive(Debug)]
pub(super) struct Records {
    events: Follow<EventLine>,
    metrics: Follow<MetricLine>,
    pub(super) launches: Vec<(DateTime<Utc>, Launch)>,
    pub(super) syncs: Vec<(DateTime<Utc>, String, Sync)>,
    pub(super) values: Vec<(DateTime<Utc>, MetricName, f64)>,
    /// The copies of the backups whose last drill failed.
    pub(super) undrilled: BTreeSet<String>,
    /// The copies of the backups that were damaged when they were last read back.
    pub(super) damaged: BTreeSet<String>,
    /// What the last look at all data found.
    pub(super) looked: Option<LookedAtAll>,
}

impl Records {
    pub(super) fn read(files: &Files, now: DateTime<Utc>) -> Self {
        let (past_events, events) = Follow::with_past(&files.events);
        let (past_metrics, metrics) = Follow::with_past(&files.metrics);
        let mut records = Self {
            events,
            metrics,
            launches: Vec::new(),
            syncs: Vec::new(),
            values: Vec::new(),
            undrilled: BTreeSet::new(),
            damaged: BTreeSet::new(),
            looked: None,
        };
        records.take(past_events, past_metrics, now);
        records
    }

    /// What has come since.
    pub(super) fn go_on(&mut self, now: DateTime<Utc>) {
        let (events, metrics) = (self.events.more(), self.metrics.more());
        self.take(events, metrics, now);
    }

    fn take(&mut self, events: Vec<EventLine>, metrics: Vec<MetricLine>, now: DateTime<Utc>) {
        for line in events {
            self.take_event(line);
        }
        let known = |name: &str| MetricName::ALL.iter().find(|known| known.as_str() == name).copied();
        self.values
            .extend(metrics.into_iter().filter_map(|line| Some((line.ts, known(&line.name)?, line.value))));
        let young = |at: DateTime<Utc>| now - at <= LONGEST_WINDOW;
        self.launches.retain(|(at, _)| young(*at));
        self.syncs.retain(|(at, ..)| young(*at));
        self.values.retain(|(at, ..)| young(*at));
    }

    fn take_event(&mut self, line: EventLine) {
        let is = |name: EventName| line.event == name.as_str();
        if is(EventName::SessionLaunched) {
            self.launches.push((line.ts, Launch::Done));
        } else if is(EventName::SessionFailed) {
            self.launches.push((line.ts, outcome(line.code.as_deref())));
        } else if is(EventName::SyncFailed) {
            self.syncs.push((line.ts, line.session.unwrap_or_default(), Sync::Failed));
        } else if is(EventName::SyncedIn) || is(EventName::SyncedOut) || is(EventName::SessionEnded) {
            self.syncs.push((line.ts, line.session.unwrap_or_default(), Sync::Done));
        } else if is(EventName::DrillDone) {
            self.take_drill(&line);
        } else if is(EventName::DataLooked) {
            self.looked = Some(LookedAtAll::told_by(&line));
        } else if is(EventName::BackupVerified) {
            let is_damaged = line.attrs.get("state").is_some_and(|state| state == "damaged");
            note(&mut self.damaged, &line, is_damaged);
        }
    }

    /// A drill that could not be begun, as of a disk that is not there, says nothing.
    fn take_drill(&mut self, line: &EventLine) {
        match line.code.as_deref() {
            None => note(&mut self.undrilled, line, false),
            Some(code) if code == Code::DrillFailed.as_str() => note(&mut self.undrilled, line, true),
            Some(_) => {}
        }
    }
}

/// Notes the copy that a line is about, or that it is well.
fn note(copies: &mut BTreeSet<String>, line: &EventLine, is_bad: bool) {
    let Some(copy) = line.attrs.get("copy").and_then(|copy| copy.as_str()) else { return };
    if is_bad {
        copies.insert(copy.to_owned());
    } else {
        copies.remove(copy);
    }
}

/// Whose fault a failed launch is, by its code.
fn outcome(code: Option<&str>) -> Launch {
    let known = Code::ALL.iter().find(|known| Some(known.as_str()) == code);
    match known.map(|code| code.outcome()) {
        Some(Outcome::Usage | Outcome::NotPossibleHere | Outcome::NeedsUser) => Launch::Refused,
        Some(Outcome::Failed) | None => Launch::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write, path::Path};

    #[test]
    fn a_copy_is_bad_until_it_is_found_well() {
        let home = tempfile::tempdir().unwrap();
        let files = Files::of(&crate::paths::Locations::find(Some(home.path())).unwrap());
        let now = Utc::now();
        let copy = |more: &str| format!(r#","attrs":{{"copy":"local"{more}}}"#);
        let drilled = |code: &str| event(now, "backup.drill", &format!("{code}{}", copy("")));
        let verified = |state: &str| event(now, "backup.verified", &copy(&format!(r#","state":"{state}""#)));
        append(&files.events, &[drilled(r#","code":"drill.failed""#), verified("damaged")]);
        let mut records = Records::read(&files, now);
        append(&files.events, &[drilled(r#","code":"copy.absent""#)]);
        records.go_on(now);
        assert!(records.undrilled.contains("local") && records.damaged.contains("local"));
        append(&files.events, &[drilled(""), verified("healed")]);
        records.go_on(now);
        assert!(records.undrilled.is_empty() && records.damaged.is_empty());
    }

    fn append(file: &Path, lines: &[String]) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        for line in lines {
            writeln!(file, "{line}").unwrap();
        }
    }

    fn event(at: DateTime<Utc>, name: &str, more: &str) -> String {
        format!(r#"{{"ts":"{}","event":"{name}","level":"info"{more}}}"#, at.to_rfc3339())
    }

    #[test]
    fn the_last_look_at_all_data_counts() {
        let home = tempfile::tempdir().unwrap();
        let files = Files::of(&crate::paths::Locations::find(Some(home.path())).unwrap());
        let now = Utc::now();
        let looked = |attrs: &str| event(now, "data.looked", &format!(r#","attrs":{{{attrs}}}"#));
        append(&files.events, &[looked(r#""errors":1,"warnings":2,"worst":"gone""#)]);
        let mut records = Records::read(&files, now);
        let reading = records.looked.unwrap().reading().unwrap();
        assert_eq!(
            reading.words,
            "In your Claude data files of the last backup are gone; and 2 things more."
        );
        assert_eq!((reading.value, reading.remedy.as_deref()), (2.0, Some("drydock recover")));
        append(&files.events, &[looked(r#""errors":0,"warnings":1,"worst":"broken-record""#)]);
        records.go_on(now);
        let reading = records.looked.unwrap().reading().unwrap();
        assert_eq!(reading.words, "In your Claude data a record of a conversation cannot be read.");
        assert_eq!((reading.value, reading.remedy.as_deref()), (1.0, Some("drydock validate")));
        append(&files.events, &[looked(r#""errors":0,"warnings":0"#)]);
        records.go_on(now);
        assert_eq!(records.looked.unwrap().reading(), None);
    }

    #[test]
    fn each_line_is_read_once_also_when_a_file_is_put_aside() {
        let home = tempfile::tempdir().unwrap();
        let locations = crate::paths::Locations::find(Some(home.path())).unwrap();
        let files = Files::of(&locations);
        let now = Utc::now();
        let launched = |ago| event(now - TimeDelta::hours(ago), "session.launched", "");
        append(&files.events, &[launched(24 * 8), launched(2)]);
        let mut records = Records::read(&files, now);
        assert_eq!(records.launches.len(), 1);

        append(&files.events, &[event(now, "session.failed", r#","code":"session.start""#)]);
        let aside = format!("{}.1", files.events.display());
        fs::rename(&files.events, aside).unwrap();
        append(&files.events, &[event(now, "session.failed", r#","code":"config.damaged""#)]);
        append(
            &files.metrics,
            &[format!(r#"{{"ts":"{}","name":"session.launch.duration","value":2.5}}"#, now.to_rfc3339())],
        );
        records.go_on(now);
        records.go_on(now);

        let outcomes: Vec<_> = records.launches.iter().map(|(_, launch)| *launch).collect();
        assert_eq!(outcomes, [Launch::Done, Launch::Failed, Launch::Refused]);
        assert_eq!(records.values, [(records.values[0].0, MetricName::LaunchSeconds, 2.5)]);
    }
}
