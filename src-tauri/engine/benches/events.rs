//! What an event costs, and all that a sync tells: with nobody to write it down, and written down.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the bench")]

use drydock_engine::{
    observability::{
        Event, EventName, Metric, MetricName, Observability, Operation, log_event, record_metric, start_trace,
    },
    paths::Locations,
};
use std::{hint::black_box, time::Instant};
use tracing_subscriber::{layer::SubscriberExt, registry};

const EVENTS: u32 = 100_000;

fn event(n: u32) -> Event {
    Event::new(EventName::SyncedOut)
        .session("proj-ab12cd")
        .with("created", u64::from(n))
        .with("updated", 2_u64)
        .with("seconds", 0.25)
}

/// Microseconds of what a sync tells: its trace, an event, and how long it took for how many files.
fn each_sync() -> f64 {
    const SYNCS: u32 = 2_000;
    let began = Instant::now();
    for n in 0..SYNCS {
        let span = start_trace(Operation::SyncOut, Some("proj-ab12cd"));
        let _entered = span.enter();
        log_event(black_box(&event(n)));
        record_metric(&Metric::new(MetricName::SyncSeconds, 0.25).with("direction", "out"));
        record_metric(&Metric::count(MetricName::SyncFiles, 3).with("direction", "out"));
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(SYNCS)
}

/// Microseconds an event.
fn each() -> f64 {
    let began = Instant::now();
    for n in 0..EVENTS {
        log_event(black_box(&event(n)));
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(EVENTS)
}

/// Each way by turns, so that a busy moment of the computer meets both; the middle of all turns counts.
const TURNS: usize = 5;

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn both(measured: impl Fn() -> f64) -> (f64, f64) {
    let home = tempfile::tempdir().unwrap();
    let locations = Locations::find(Some(home.path())).unwrap();
    let (mut unheard, mut written) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        unheard.push(tracing::subscriber::with_default(registry(), &measured));
        let layer = Observability::of(&locations);
        written.push(tracing::subscriber::with_default(registry().with(layer), &measured));
    }
    (middle(unheard), middle(written))
}

fn main() {
    let (unheard, written) = both(each);
    println!("an event: {unheard:.2} µs unheard, {written:.2} µs written down");
    let goal = if written - unheard < 5.0 { "met" } else { "NOT met" };
    let (sync_unheard, sync) = both(each_sync);
    println!("all that a sync tells: {sync_unheard:.1} µs unheard, {sync:.1} µs written down");
    println!("goal, less than 5 µs more than unheard: {goal}");
}
