//! `drydock metrics`: what was measured, over a time and now.

use crate::{
    Context,
    render::{self, bytes},
};
use chrono::{TimeDelta, Utc};
use drydock_engine::{
    error_handling::{Code, Error, Result},
    observability::{Files, Kind, MetricName, Metrics, Part, collect_metrics, history},
};
use std::{collections::BTreeMap, process::ExitCode};

pub(super) async fn metrics(context: &Context, window: TimeDelta, prometheus: bool) -> Result<ExitCode> {
    let (locations, settings) = (context.drydock.locations.clone(), context.drydock.settings.clone());
    let metrics =
        tokio::task::spawn_blocking(move || collect_metrics(&locations, &settings, window, Utc::now()))
            .await
            .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?;
    if prometheus {
        print!("{}", metrics.prometheus());
        render::flush();
        return Ok(ExitCode::SUCCESS);
    }
    render::answer(context.format, &metrics, || table(&metrics));
    Ok(ExitCode::SUCCESS)
}

/// A metric over time, a line a part.
pub(super) async fn over_time(
    context: &Context,
    metric: MetricName,
    window: TimeDelta,
    parts: u32,
) -> Result<ExitCode> {
    let files = Files::of(&context.drydock.locations);
    let parts = tokio::task::spawn_blocking(move || history(&files, metric, window, parts, Utc::now()))
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?;
    render::answer(context.format, &parts, || chart(metric, &parts));
    Ok(ExitCode::SUCCESS)
}

/// For a sample the middle and the slowest twentieth, for a counter what came together.
fn chart(metric: MetricName, parts: &[Part]) -> String {
    const WIDTH: f64 = 40.0;
    let value = |part: &Part| match (metric.kind(), &part.values) {
        (Kind::Sample, values) => values.as_ref().map(|values| values.p95),
        (Kind::Counter, _) => Some(part.total).filter(|total| *total > 0.0),
    };
    let most = parts.iter().filter_map(value).fold(0.0_f64, f64::max);
    let line = |part: &Part| {
        let at = part.from.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M");
        let Some(shown) = value(part) else { return format!("{at}\n") };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a bar of at most forty marks
        let bar = "\u{2587}".repeat((shown / most * WIDTH).round().max(1.0) as usize);
        let words = match (metric.kind(), &part.values) {
            (Kind::Sample, Some(values)) => format!(
                "p50 {}, p95 {}, {} times",
                measured(metric.unit(), values.p50),
                measured(metric.unit(), values.p95),
                values.count
            ),
            _ => measured(metric.unit(), part.total),
        };
        format!("{at}  {bar} {words}\n")
    };
    if most == 0.0 {
        return format!("nothing of {} in that time\n", metric.as_str());
    }
    parts.iter().map(line).collect()
}

/// A value in its unit, for a person.
fn measured(unit: &str, value: f64) -> String {
    match unit {
        "s" => format!("{value:.2} s"),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // for a person's eyes
        "By" => bytes(value.max(0.0) as u64),
        "USD" => format!("{value:.4} USD"),
        // Counts, and shares: three places tell enough.
        _ => format!("{}", (value * 1000.0).round() / 1000.0),
    }
}

fn table(metrics: &Metrics) -> String {
    let labels = |attrs: &BTreeMap<String, String>| {
        attrs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    };
    let series = metrics.series.iter().map(|series| {
        let figures = match &series.quantiles {
            Some(quantiles) => format!(
                "{} times; half within {}, 95 of 100 within {}",
                quantiles.count,
                measured(&series.unit, quantiles.p50),
                measured(&series.unit, quantiles.p95)
            ),
            None => measured(&series.unit, series.total),
        };
        vec![series.name.clone(), labels(&series.attrs), figures]
    });
    let now = metrics
        .now
        .iter()
        .map(|gauge| vec![gauge.name.to_owned(), labels(&gauge.attrs), measured(gauge.unit, gauge.value)]);
    let mut rows = series.chain(now).peekable();
    if rows.peek().is_none() {
        return "nothing was measured yet\n".to_owned();
    }
    render::table(&["METRIC", "OF", "VALUE"], rows)
}
