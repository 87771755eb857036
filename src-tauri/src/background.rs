//! The scheduled work, while the app runs: unless a daemon does it already.

use chrono::Utc;
use drydock_engine::{
    Drydock,
    alerting::Change,
    error_handling::{Code, Result},
    paths::HOME_VARIABLE,
    scheduler::{GuardReport, JobOutcome, Scheduler, Told},
};
use std::{path::PathBuf, time::Duration};

/// Begins it, and begins it again when whoever did it has ended.
pub(crate) fn start() {
    const AGAIN: Duration = Duration::from_secs(60);
    tauri::async_runtime::spawn(async {
        loop {
            if let Err(error) = work().await {
                match error.code() {
                    Code::DaemonRunning => tracing::debug!(%error, "a daemon does the scheduled work"),
                    _ => tracing::warn!(%error, "the scheduled work could not be begun"),
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
}

/// The home that the environment names, if it names one.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty()).map(PathBuf::from)
}

async fn work() -> Result<()> {
    let drydock = Drydock::open(home().as_deref())?;
    Scheduler::begin(&drydock.locations, Utc::now())?.run(tell).await;
    Ok(())
}

fn tell(told: Told) {
    match told {
        Told::Job(report) => {
            let job = report.job.word();
            match report.outcome {
                JobOutcome::Done { what } => tracing::info!(job, what, "done"),
                JobOutcome::Failed { error } => tracing::warn!(job, %error, "failed"),
                JobOutcome::Missed { due } => tracing::warn!(job, %due, "a run was missed"),
            }
        }
        Told::Guard(GuardReport::Damaged { findings, .. }) => {
            for finding in findings {
                tracing::error!(file = %finding.file.display(), reason = finding.reason, "damaged: drydock recover");
            }
        }
        Told::Guard(GuardReport::Recovered { report, .. }) => {
            tracing::warn!(recovery = %report.id, seconds = report.seconds, "what was damaged is back");
        }
        Told::Guard(GuardReport::Failed { error, .. }) => tracing::error!(%error, "recovery failed"),
        Told::Alert(Change::Fired(one) | Change::Rose(one)) => {
            tracing::warn!(incident = %one.id, severity = %one.severity, title = one.title, "fires");
        }
        Told::Alert(Change::Resolved(one)) => {
            tracing::info!(incident = %one.id, title = one.title, "is over");
        }
    }
}
