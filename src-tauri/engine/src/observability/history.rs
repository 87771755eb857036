//! One metric over time, in equal parts: what a chart shows.

use super::{Files, MetricName, Quantiles, read_metrics};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// A part of the time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// When it begins. It ends where the next one begins.
    pub from: DateTime<Utc>,
    /// The values in it together; what was counted, for a counter.
    pub total: f64,
    /// How the values in it are spread; `None` where there are none.
    pub values: Option<Quantiles>,
}

/// The most parts that a time is cut into.
pub const MOST_PARTS: u32 = 1000;

/// A metric over the time before `now`, in so many equal parts, the oldest first. Blocking.
#[must_use]
pub fn history(
    files: &Files,
    name: MetricName,
    window: TimeDelta,
    parts: u32,
    now: DateTime<Utc>,
) -> Vec<Part> {
    let parts = parts.clamp(1, MOST_PARTS);
    let since = now - window;
    let mut values = vec![Vec::new(); parts as usize];
    for line in read_metrics(files, Some(since)).into_iter().filter(|line| line.name == name.as_str()) {
        if let Some(part) = part_of(line.ts, since, window, parts) {
            values[part].push(line.value);
        }
    }
    let from = |part: usize| {
        since + window * i32::try_from(part).unwrap_or(i32::MAX) / i32::try_from(parts).unwrap_or(1)
    };
    values
        .into_iter()
        .enumerate()
        .map(|(part, values)| Part {
            from: from(part),
            total: values.iter().sum(),
            values: Quantiles::of(values),
        })
        .collect()
}

/// In which part a moment lies; the last one has its end as well.
fn part_of(at: DateTime<Utc>, since: DateTime<Utc>, window: TimeDelta, parts: u32) -> Option<usize> {
    let (after, whole) = ((at - since).num_milliseconds(), window.num_milliseconds());
    if whole <= 0 || !(0..=whole).contains(&after) {
        return None;
    }
    usize::try_from(i128::from(after) * i128::from(parts) / i128::from(whole))
        .ok()
        .map(|part| part.min(parts as usize - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Locations;
    use proptest::prelude::*;
    use std::fs;

    #[test]
    fn each_value_is_in_the_part_of_its_time() {
        let home = tempfile::tempdir().unwrap();
        let files = Files::of(&Locations::find(Some(home.path())).unwrap());
        let now: DateTime<Utc> = "2026-11-01T10:00:00Z".parse().unwrap();
        let line = |name: &str, at: &str, value: f64| {
            format!(
                r#"{{"v":1,"ts":"2026-11-01T{at}Z","name":"{name}","kind":"sample","unit":"s","value":{value},"attrs":{{}}}}"#
            )
        };
        let text = [
            line("session.launch.duration", "05:59:59.999", 9.0),
            line("session.launch.duration", "06:00:00.000", 1.0),
            line("session.launch.duration", "06:59:59.999", 2.0),
            line("session.launches", "06:30:00.000", 7.0),
            line("session.launch.duration", "10:00:00.000", 4.0),
        ];
        fs::write(&files.metrics, text.join("\n") + "\n").unwrap();

        let parts = history(&files, MetricName::LaunchSeconds, TimeDelta::hours(4), 4, now);

        let totals: Vec<_> = parts.iter().map(|part| part.total).collect();
        assert_eq!(totals, [3.0, 0.0, 0.0, 4.0]);
        assert_eq!(parts[0].values.as_ref().map(|values| (values.count, values.max)), Some((2, 2.0)));
        assert_eq!((parts[1].from, &parts[1].values), ("2026-11-01T07:00:00Z".parse().unwrap(), &None));
    }

    proptest! {
        #[test]
        fn no_moment_of_the_time_is_left_out(after in 0_i64..=86_400_000, parts in 1_u32..500) {
            let since = DateTime::UNIX_EPOCH;
            let part = part_of(since + TimeDelta::milliseconds(after), since, TimeDelta::days(1), parts);
            prop_assert!(part.is_some_and(|part| part < parts as usize));
        }
    }
}
