//! What is told, in the form that Datadog takes.
//!
//! Source: Datadog's API reference, "Send logs" (v2), "Submit metrics" (v2), "Submit distribution points" (v1).

use super::allowed::{Measured, Told};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What all of it is of.
const ENVIRONMENT: &str = "env:desktop";
/// `type` of a series: values that add up.
const COUNT: u8 = 1;

/// Events or errors as logs.
pub(super) fn logs(told: &[Told], host: &str) -> Value {
    told.iter().map(|told| log(told, host)).collect()
}

fn log(told: &Told, host: &str) -> Value {
    let mut log = json!({
        "ddsource": "drydock",
        "service": "drydock",
        "hostname": host,
        "ddtags": format!("{ENVIRONMENT},version:{}", told.version),
        "message": told.error.as_ref().map_or(told.event.as_str(), |error| error.message.as_str()),
        "timestamp": super::super::line::stamp(told.at),
        "status": told.level,
        "id": told.id,
        "event": told.event.as_str(),
    });
    let Value::Object(fields) = &mut log else { return log };
    let mut add = |key: &str, value: Option<Value>| {
        fields.extend(value.map(|value| (key.to_owned(), value)));
    };
    add("session", told.session.clone().map(Value::from));
    add("code", told.code.map(|code| code.as_str().into()));
    add("trace_id", told.trace.clone().map(Value::from));
    add("span_id", told.span.clone().map(Value::from));
    add("attrs", (!told.attrs.is_empty()).then(|| told.attrs.clone().into()));
    if let Some(error) = &told.error {
        add("doing", Some(error.doing.clone().into()));
        add("causes", Some(error.causes.clone().into()));
        add("remedies", Some(error.remedies.clone().into()));
    }
    log
}

/// One series: a metric with its tags.
type Series = (&'static str, &'static str, Vec<String>);

fn series(measured: &Measured) -> Series {
    let tags = measured.attrs.iter().map(|(key, value)| format!("{key}:{value}"));
    let always = [ENVIRONMENT.to_owned(), "service:drydock".into(), format!("version:{}", measured.version)];
    (measured.metric.as_str(), measured.metric.unit(), tags.chain(always).collect())
}

/// Counters as series, and the last second that they have a point in.
///
/// Of two points of a series in one second Datadog keeps the later one (vectordotdev/vector#13867): so a second has
/// one point, with all that was counted in it, and no point is in a second that an earlier request had.
pub(super) fn counts(measured: &[Measured], host: &str, last: Option<i64>) -> (Value, Option<i64>) {
    const WITHIN: i64 = 60;
    let mut found: BTreeMap<Series, BTreeMap<i64, f64>> = BTreeMap::new();
    let mut newest = last;
    for one in measured {
        let second = one.at.timestamp();
        // A clock that was set back by more must not move points into the future.
        let second = match last {
            Some(last) if second <= last && last - second < WITHIN => last + 1,
            _ => second,
        };
        newest = newest.max(Some(second));
        *found.entry(series(one)).or_default().entry(second).or_default() += one.value;
    }
    let series = found.into_iter().map(|((name, unit, tags), points)| {
        let points = points.into_iter().map(|(second, value)| json!({ "timestamp": second, "value": value }));
        let mut series = json!({
            "metric": format!("drydock.{name}"),
            "type": COUNT,
            "interval": 1,
            "points": points.collect::<Value>(),
            "tags": tags,
            "resources": [{ "type": "host", "name": host }],
        });
        // Its words for units are others than UCUM's.
        if unit == "By" {
            series["unit"] = "byte".into();
        }
        series
    });
    (json!({ "series": series.collect::<Value>() }), newest)
}

/// Samples as points of distributions, of which Datadog makes quantiles.
pub(super) fn samples(measured: &[Measured], host: &str) -> Value {
    let mut found: BTreeMap<Series, BTreeMap<i64, Vec<f64>>> = BTreeMap::new();
    for one in measured {
        found.entry(series(one)).or_default().entry(one.at.timestamp()).or_default().push(one.value);
    }
    let series = found.into_iter().map(|((name, _, tags), points)| {
        json!({
            "metric": format!("drydock.{name}"),
            "type": "distribution",
            "points": points.into_iter().map(|(second, values)| json!([second, values])).collect::<Value>(),
            "tags": tags,
            "host": host,
        })
    });
    json!({ "series": series.collect::<Value>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::MetricName;

    fn errors(at: &str, value: f64, code: &str) -> Measured {
        Measured {
            at: at.parse().unwrap(),
            version: "0.1.0".into(),
            metric: MetricName::Errors,
            value,
            attrs: BTreeMap::from([("code", code.to_owned())]),
            trace: None,
            span: None,
        }
    }

    #[test]
    fn a_second_of_a_series_has_one_point_also_across_requests() {
        let lines = [
            errors("2026-01-02T03:04:05.100Z", 1.0, "disk.full"),
            errors("2026-01-02T03:04:05.900Z", 2.0, "disk.full"),
            errors("2026-01-02T03:04:06.000Z", 4.0, "disk.full"),
            errors("2026-01-02T03:04:05.500Z", 8.0, "internal"),
        ];
        let (first, last) = counts(&lines, "h", None);
        let second = lines[2].at.timestamp();
        let points = &first["series"][0]["points"];
        assert_eq!(
            *points,
            json!([{ "timestamp": second - 1, "value": 3.0 }, { "timestamp": second, "value": 4.0 }])
        );
        assert_eq!((first["series"].as_array().unwrap().len(), last), (2, Some(second)));
        // More of the second that was the last one.
        let (next, last) = counts(&lines[2..3], "h", last);
        assert_eq!(next["series"][0]["points"][0]["timestamp"], second + 1);
        assert_eq!(last, Some(second + 1));
        // After a clock that was an hour fast.
        let (late, _) = counts(&lines[..1], "h", Some(second + 3600));
        assert_eq!(late["series"][0]["points"][0]["timestamp"], second - 1);
    }

    #[test]
    fn samples_stay_as_they_were_measured() {
        let sample = |at: &str, value| Measured {
            metric: MetricName::SyncSeconds,
            attrs: BTreeMap::new(),
            ..errors(at, value, "x")
        };
        let lines = [
            sample("2026-01-02T03:04:05.100Z", 0.25),
            sample("2026-01-02T03:04:05.200Z", 1.5),
            sample("2026-01-02T03:05:00Z", 2.0),
        ];
        let sent = samples(&lines, "h");
        let second = lines[0].at.timestamp();
        assert_eq!(sent["series"][0]["points"], json!([[second, [0.25, 1.5]], [second + 55, [2.0]]]));
        assert_eq!(sent["series"][0]["metric"], "drydock.sync.duration");
    }
}
