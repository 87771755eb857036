//! What the metrics of a while come to, for people and for Prometheus.

use super::{
    Files, MetricLine,
    gauges::{Gauge, gauges},
    read_metrics,
};
use crate::{paths::Locations, settings::Settings};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write};

/// Exact quantiles of measured values, by the nearest rank.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Quantiles {
    /// How many values there are.
    pub count: usize,
    /// The middle one.
    pub p50: f64,
    /// Nineteen of twenty are not greater.
    pub p95: f64,
    /// Ninety-nine of a hundred are not greater.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
    /// All of them together.
    pub sum: f64,
}

impl Quantiles {
    /// Those of some values; `None` where there are none.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let max = *values.last()?;
        // Nearest rank: the smallest value that so many in a hundred are not greater than.
        let rank = |hundredths: usize| values[(values.len() * hundredths).div_ceil(100).max(1) - 1];
        let (p50, p95, p99) = (rank(50), rank(95), rank(99));
        Some(Self { count: values.len(), p50, p95, p99, max, sum: values.iter().sum() })
    }
}

/// One metric with one set of attributes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Its attributes.
    pub attrs: BTreeMap<String, String>,
    /// The values together, for counters and samples.
    pub total: f64,
    /// For samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub quantiles: Option<Quantiles>,
}

/// What was measured, and how things stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Metrics {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// What was measured in that time.
    pub series: Vec<Series>,
    /// How things stand now.
    pub now: Vec<Gauge>,
}

/// Collects the metrics of the time before `now`. Blocking.
#[must_use]
pub fn collect_metrics(
    locations: &Locations,
    settings: &Settings,
    window: TimeDelta,
    now: DateTime<Utc>,
) -> Metrics {
    let since = now - window;
    let measured = read_metrics(&Files::of(locations), Some(since));
    Metrics { since, until: now, series: series(measured), now: gauges(locations, settings, now) }
}

/// What tells one series from another: its name and its attributes.
type Identity = (String, BTreeMap<String, String>);

fn series(lines: Vec<MetricLine>) -> Vec<Series> {
    let mut found: BTreeMap<Identity, (String, Vec<f64>)> = BTreeMap::new();
    for line in lines {
        let text =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let attrs = line.attrs.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        let (unit, values) = found.entry((line.name, attrs)).or_default();
        unit.clone_from(&line.unit);
        values.push(line.value);
    }
    let series = |((name, attrs), (unit, values)): (Identity, (String, Vec<f64>))| {
        let is_sample = super::MetricName::ALL
            .iter()
            .any(|known| known.as_str() == name && known.kind() == super::Kind::Sample);
        let total = values.iter().sum();
        let quantiles = if is_sample { Quantiles::of(values) } else { None };
        Series { name, unit, attrs, total, quantiles }
    };
    found.into_iter().map(series).collect()
}

impl Metrics {
    /// The text format of Prometheus.
    ///
    /// Source: Prometheus' documentation, "Exposition formats"; names and units by its naming practices.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        let mut last = String::new();
        for series in &self.series {
            let base = prometheus_name(&series.name, &series.unit);
            let kind = if series.quantiles.is_some() { "summary" } else { "counter" };
            let name = if kind == "counter" { format!("{base}_total") } else { base };
            if last != name {
                // Writing to a text cannot fail.
                let _ = writeln!(text, "# TYPE {name} {kind}");
                last.clone_from(&name);
            }
            match &series.quantiles {
                None => {
                    let _ = writeln!(text, "{name}{} {}", labels(&series.attrs, None), series.total);
                }
                Some(quantiles) => {
                    for (which, value) in
                        [("0.5", quantiles.p50), ("0.95", quantiles.p95), ("0.99", quantiles.p99)]
                    {
                        let _ = writeln!(text, "{name}{} {value}", labels(&series.attrs, Some(which)));
                    }
                    let labels = labels(&series.attrs, None);
                    let _ = writeln!(text, "{name}_sum{labels} {}", quantiles.sum);
                    let _ = writeln!(text, "{name}_count{labels} {}", quantiles.count);
                }
            }
        }
        for gauge in &self.now {
            let name = prometheus_name(gauge.name, gauge.unit);
            if last != name {
                let _ = writeln!(text, "# TYPE {name} gauge");
                last.clone_from(&name);
            }
            let _ = writeln!(text, "{name}{} {}", labels(&gauge.attrs, None), gauge.value);
        }
        text
    }
}

fn prometheus_name(name: &str, unit: &str) -> String {
    let unit = match unit {
        "s" => "_seconds",
        "By" => "_bytes",
        _ => "",
    };
    format!("drydock_{}{unit}", name.replace('.', "_"))
}

fn labels(attrs: &BTreeMap<String, String>, quantile: Option<&str>) -> String {
    let escaped = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut labels: Vec<_> = attrs
        .iter()
        .map(|(key, value)| format!("{}=\"{}\"", key.replace('.', "_"), escaped(value)))
        .collect();
    labels.extend(quantile.map(|quantile| format!("quantile=\"{quantile}\"")));
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// By the definition: the smallest value that at least so many in a hundred are not greater than.
        #[test]
        fn quantiles_are_exact(values in prop::collection::vec(0.0..100.0_f64, 1..200)) {
            let found = Quantiles::of(values.clone()).unwrap();
            for (quantile, hundredths) in [(found.p50, 50), (found.p95, 95), (found.p99, 99)] {
                let not_greater = |limit: f64| values.iter().filter(|value| **value <= limit).count();
                prop_assert!(not_greater(quantile) * 100 >= values.len() * hundredths);
                let smaller = values.iter().filter(|value| **value < quantile).count();
                prop_assert!(smaller * 100 < values.len() * hundredths);
            }
        }
    }

    #[test]
    fn prometheus_reads_counters_summaries_and_gauges() {
        let line = |name: &str, unit: &str, value| MetricLine {
            ts: Utc::now(),
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            session: None,
            attrs: serde_json::from_str(r#"{"outcome":"do\"ne"}"#).unwrap(),
        };
        let lines = vec![
            line("session.launches", "1", 1.0),
            line("session.launches", "1", 1.0),
            line("session.launch.duration", "s", 2.5),
        ];
        let gauge = Gauge { name: "backup.age", unit: "s", attrs: BTreeMap::new(), value: 60.0 };
        let now = Utc::now();
        let metrics = Metrics { since: now, until: now, series: series(lines), now: vec![gauge] };
        assert_eq!(
            metrics.prometheus(),
            "# TYPE drydock_session_launch_duration_seconds summary\n\
             drydock_session_launch_duration_seconds{outcome=\"do\\\"ne\",quantile=\"0.5\"} 2.5\n\
             drydock_session_launch_duration_seconds{outcome=\"do\\\"ne\",quantile=\"0.95\"} 2.5\n\
             drydock_session_launch_duration_seconds{outcome=\"do\\\"ne\",quantile=\"0.99\"} 2.5\n\
             drydock_session_launch_duration_seconds_sum{outcome=\"do\\\"ne\"} 2.5\n\
             drydock_session_launch_duration_seconds_count{outcome=\"do\\\"ne\"} 1\n\
             # TYPE drydock_session_launches_total counter\n\
             drydock_session_launches_total{outcome=\"do\\\"ne\"} 2\n\
             # TYPE drydock_backup_age_seconds gauge\n\
             drydock_backup_age_seconds 60\n"
        );
    }
}
