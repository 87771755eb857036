//! `drydock events`, `metrics`, `traces` and `errors`: what is on record.

use crate::{
    Context,
    arguments::{LevelWord, Seen},
    render::{self, Format, ago},
};
use chrono::Utc;
use drydock_engine::{
    error_handling::{Code, Error, OwnSignals, Result},
    observability::{
        EventLine, Files, Filter, Follow, Level, Observability, SpanLine, Wait, read_errors, read_events,
        read_spans,
    },
};
use serde_json::Value;
use std::{process::ExitCode, time::Duration};

/// Between two looks at a file that is followed.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn events(context: &Context, wanted: Seen) -> Result<ExitCode> {
    let files = Files::of(&context.drydock.locations);
    let filter = filter(&wanted);
    // Before the past is read, so that nothing falls between the two.
    let mut follow = Follow::events(&files, Wait::ForNew);
    show_events(context, &read_events(&files, &filter));
    if !wanted.follow {
        return Ok(ExitCode::SUCCESS);
    }
    let _signals = OwnSignals::take();
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            _ = &mut interrupted => return Ok(ExitCode::SUCCESS),
            () = tokio::time::sleep(PAUSE) => {}
        }
        let new: Vec<_> = follow.more().into_iter().filter(|line| filter.takes(line)).collect();
        show_events(context, &new);
    }
}

/// One line an event, for people and for programs.
fn show_events(context: &Context, events: &[EventLine]) {
    let mut text = String::new();
    for event in events {
        match context.format {
            Format::Json => text.extend(serde_json::to_string(event).map(|line| line + "\n")),
            Format::Human => text.push_str(&told(event)),
        }
    }
    print!("{text}");
    render::flush();
}

fn told(event: &EventLine) -> String {
    let mark = match event.level {
        Level::Info => "    ",
        Level::Warn => "note",
        Level::Error => "BAD ",
    };
    let time = event.ts.with_timezone(&chrono::Local).format("%m-%d %H:%M:%S");
    let session = event.session.as_deref().map(|session| format!("  {session}")).unwrap_or_default();
    let code = event.code.as_deref().map(|code| format!("  [{code}]")).unwrap_or_default();
    let attrs: String = event.attrs.iter().map(|(key, value)| format!("  {key}={}", shown(value))).collect();
    format!("{time}  {mark}  {:<20}{session}{code}{attrs}\n", event.event)
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.as_u64().is_none() => format!("{float:.2}"),
            _ => number.to_string(),
        },
        value => value.to_string(),
    }
}

pub(super) fn errors(context: &Context, wanted: &Seen) -> Result<ExitCode> {
    if wanted.follow {
        return Err(Error::new(Code::Usage, "errors cannot be followed by themselves")
            .remedy("drydock events --follow --level error"));
    }
    let errors = read_errors(&Files::of(&context.drydock.locations), &filter(wanted));
    render::answer(context.format, &errors, || {
        if errors.is_empty() {
            return "no errors\n".to_owned();
        }
        errors.iter().map(explained).collect()
    });
    Ok(ExitCode::SUCCESS)
}

fn explained(error: &EventLine) -> String {
    let text = |key: &str| error.rest.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |key: &str| {
        let values = error.rest.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        values.into_iter().filter_map(|value| value.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut lines = format!(
        "{}  {}  {} [{}]\n",
        ago(error.ts),
        text("doing"),
        text("message"),
        error.code.as_deref().unwrap_or("?")
    );
    lines.extend(list("causes").iter().map(|cause| format!("  why: {cause}\n")));
    lines.extend(list("remedies").iter().map(|remedy| format!("  try: {remedy}\n")));
    lines
}

pub(super) fn traces(context: &Context, wanted: &Seen) -> Result<ExitCode> {
    if wanted.follow || wanted.level.is_some() {
        return Err(Error::new(Code::Usage, "traces have no level and cannot be followed")
            .remedy("drydock traces --since 2h"));
    }
    // One whose process ended in its middle is seen as well.
    Observability::of(&context.drydock.locations).close_aborted();
    let spans = read_spans(&Files::of(&context.drydock.locations), &filter(wanted));
    render::answer(context.format, &spans, || {
        if wanted.trace.is_some() { waterfall(&spans) } else { overview(&spans) }
    });
    Ok(ExitCode::SUCCESS)
}

fn overview(spans: &[SpanLine]) -> String {
    let known: std::collections::HashSet<_> = spans.iter().map(|span| &span.span).collect();
    let roots = spans.iter().filter(|span| span.parent.as_ref().is_none_or(|parent| !known.contains(parent)));
    let rows: Vec<_> = roots
        .map(|span| {
            vec![
                span.trace[..8].to_owned(),
                ago(span.began),
                span.name.clone(),
                span.session.clone().unwrap_or_default(),
                format!("{:.2} s", span.seconds),
                span.code.clone().unwrap_or_default(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "no traces\n".to_owned();
    }
    render::table(&["TRACE", "WHEN", "WHAT", "SESSION", "TOOK", ""], rows.into_iter())
}

/// Each span under the one it is a part of, with its place in time.
fn waterfall(spans: &[SpanLine]) -> String {
    const WIDTH: f64 = 40.0;
    let Some(first) = spans.first() else { return "no traces\n".to_owned() };
    #[allow(clippy::cast_precision_loss)] // for a person's eyes
    let since = |span: &SpanLine| (span.began - first.began).num_microseconds().unwrap_or(0) as f64 / 1e6;
    let whole = spans.iter().map(|span| since(span) + span.seconds).fold(0.001, f64::max);
    let depth = |span: &SpanLine| {
        let mut depth = 0;
        let mut above = span.parent.as_ref();
        while let Some(parent) = above.and_then(|above| spans.iter().find(|other| other.span == *above)) {
            depth += 1;
            above = parent.parent.as_ref();
        }
        depth
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // columns of a terminal
    let columns = |seconds: f64| (seconds / whole * WIDTH) as usize;
    spans
        .iter()
        .map(|span| {
            let name = format!("{}{}", "  ".repeat(depth(span)), span.name);
            let bar =
                format!("{}{}", " ".repeat(columns(since(span))), "▇".repeat(columns(span.seconds).max(1)));
            let code = span.code.as_deref().map(|code| format!("  [{code}]")).unwrap_or_default();
            format!("{name:<20} {:>9.3} s  {bar}{code}\n", span.seconds)
        })
        .collect()
}

fn filter(wanted: &Seen) -> Filter {
    Filter {
        since: wanted.since.map(|window| Utc::now() - window),
        session: wanted.session.clone(),
        level: wanted.level.map(|level| match level {
            LevelWord::Info => Level::Info,
            LevelWord::Warn => Level::Warn,
            LevelWord::Error => Level::Error,
        }),
        trace: wanted.trace.clone(),
    }
}
