//! `drydock daemon`: the scheduled work, without the app.

use crate::{
    Context,
    render::{self, Format, ago},
};
use chrono::Utc;
use drydock_engine::{
    error_handling::{Code, Error, Result},
    scheduler::{JobOutcome, JobReport, Scheduler},
};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

pub(super) async fn daemon(context: &Context) -> Result<ExitCode> {
    let scheduler = Scheduler::begin(&context.drydock.locations, Utc::now())?;
    let no_signals = |cause| Error::new(Code::Internal, "signals cannot be received").why(cause);
    let mut terminated = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let format = context.format;
    if format == Format::Human {
        let how = if scheduler.is_watching() { "watching" } else { "by the clock, without watching" };
        eprintln!("drydock: backing up {} ({how}); Ctrl-C ends it", context.drydock.locations.home.display());
    }
    tokio::select! {
        () = scheduler.run(move |report| tell(&report, format)) => {}
        // Work on the way goes on to its end in its own process, or is begun again later.
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// One line a job.
fn tell(report: &JobReport, format: Format) {
    if format == Format::Json {
        if let Ok(line) = serde_json::to_string(report) {
            println!("{line}");
            render::flush();
        }
        return;
    }
    let job = report.job.word();
    match &report.outcome {
        JobOutcome::Done { what } => eprintln!("drydock: {what}"),
        JobOutcome::Failed { error } => eprint!("drydock: {job} failed: {}", render::explained(error)),
        JobOutcome::Missed { due } => {
            eprintln!("drydock: {job} was due {} and did not run; it runs now", ago(*due));
        }
    }
}
