//! `drydock daemon`: the scheduled work, without the app.

use crate::{
    Context,
    render::{self, Format, ago},
};
use chrono::Utc;
use drydock_engine::{
    alerting::Change,
    error_handling::{Code, Error, OwnSignals, Result},
    scheduler::{GuardReport, JobOutcome, JobReport, Scheduler, Told},
};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

pub(super) async fn daemon(context: &Context) -> Result<ExitCode> {
    let scheduler = Scheduler::begin(&context.drydock.locations, Utc::now())?;
    let _signals = OwnSignals::take();
    let no_signals = |cause| Error::new(Code::Internal, "signals cannot be received").why(cause);
    let mut terminated = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let format = context.format;
    if format == Format::Human {
        let how = if scheduler.is_watching() { "watching" } else { "by the clock, without watching" };
        eprintln!("drydock: backing up {} ({how}); Ctrl-C ends it", context.drydock.locations.home.display());
    }
    tokio::select! {
        () = scheduler.run(move |told| tell(&told, format)) => {}
        // Work on the way goes on to its end in its own process, or is begun again later.
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// One line a job, and what is damaged.
fn tell(told: &Told, format: Format) {
    if format == Format::Json {
        if let Ok(line) = serde_json::to_string(told) {
            println!("{line}");
            render::flush();
        }
        return;
    }
    match told {
        Told::Job(report) => tell_job(report),
        Told::Guard(GuardReport::Damaged { findings, .. }) => {
            for finding in findings {
                eprintln!("drydock: DAMAGED: {}: {}", finding.file.display(), finding.reason);
            }
            eprintln!("  try: drydock recover");
        }
        Told::Guard(GuardReport::Recovered { report, .. }) => {
            for recovered in &report.recovered {
                eprintln!(
                    "drydock: was damaged and is back: {} ({})",
                    recovered.file.display(),
                    recovered.how
                );
            }
            eprintln!("  in {:.1} s; undo: drydock recover --undo {}", report.seconds, report.id);
        }
        Told::Alert(Change::Fired(one) | Change::Rose(one)) => {
            eprintln!("drydock: ALERT ({}): {}: {}", one.severity, one.title, one.text);
            if let Some(remedy) = &one.remedy {
                eprintln!("  try: {remedy}");
            }
        }
        // There is no window to open.
        Told::Configuration(report) => eprintln!("drydock: configuration: {}", report.in_short()),
        Told::Clicked(_) => {}
        Told::Alert(Change::Resolved(one)) => eprintln!("drydock: over: {}", one.title),
        Told::Guard(GuardReport::Failed { error, .. }) => {
            eprint!("drydock: recovery failed: {}", render::explained(error));
        }
    }
}

fn tell_job(report: &JobReport) {
    let job = report.job.word();
    match &report.outcome {
        JobOutcome::Done { what } => eprintln!("drydock: {what}"),
        JobOutcome::Failed { error } => eprint!("drydock: {job} failed: {}", render::explained(error)),
        JobOutcome::Missed { due } => {
            eprintln!("drydock: {job} was due {} and did not run; it runs now", ago(*due));
        }
    }
}
