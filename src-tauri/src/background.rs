//! What goes on without a window: the scheduled work, unless a daemon does it already, and the look at how
//! everything stands.

use crate::{
    commands::configuration,
    desk::Desk,
    overview::{self, Changed, Overview},
    tray::Tray,
    windows::{self, Page},
};
use chrono::Utc;
use drydock_engine::{
    Drydock,
    alerting::{
        Change,
        channels::{ClickAction, Clicked},
    },
    error_handling::{Code, Error, Result, StopSignals},
    paths::{Locations, named_home},
    scheduler::{GuardReport, JobOutcome, Scheduler, Told},
};
use std::{sync::Arc, time::Duration};
use tauri::{AppHandle, Emitter as _, Manager as _};

/// Begins both.
pub(crate) fn start(app: &AppHandle, tray: Option<Tray>) {
    let desk = app.state::<Arc<Desk>>().inner().clone();
    schedule(app.clone(), desk.clone());
    go_when_asked(app.clone());
    let told = app.clone();
    let tray = tray.map(Arc::new);
    tauri::async_runtime::spawn(overview::watch(desk, move |overview, changed| {
        tell_of(&told, tray.as_ref(), overview, changed);
    }));
}

/// Asked to go by a signal, as at the end of a desktop's session, it clears up what is half-made first.
fn go_when_asked(app: AppHandle) {
    tauri::async_runtime::spawn(async move {
        match StopSignals::listen() {
            Ok(mut signals) => {
                let asked = signals.asked().await;
                signals.clear_up(asked).await;
                app.exit(i32::from(asked.exit_code()));
            }
            Err(error) => tracing::warn!(%error, "signals end the app at once"),
        }
    });
}

/// Windows hear what is another; the menu's relative times go on by themselves.
fn tell_of(app: &AppHandle, tray: Option<&Arc<Tray>>, overview: &Overview, changed: Changed) {
    if changed == Changed::Yes
        && let Err(error) = app.emit("overview", overview)
    {
        tracing::warn!(%error, "windows cannot be told how things stand");
    }
    let Some(tray) = tray.cloned() else { return };
    let (inner, overview) = (app.clone(), overview.clone());
    // Menus belong to the main thread.
    let done = app.run_on_main_thread(move || {
        if let Err(error) = tray.update(&inner, &overview) {
            tracing::warn!(%error, "the menu is not up to date");
        }
    });
    if let Err(error) = done {
        tracing::warn!(%error, "the menu is not up to date");
    }
}

/// What somebody sees who opens Drydock: the first run where nothing was ever set.
pub(crate) fn first_page() -> Page {
    let settings = Locations::find(named_home().as_deref()).map(|locations| locations.settings_file);
    match settings {
        Ok(file) if !file.exists() => Page::Setup,
        _ => Page::Home,
    }
}

/// Does the scheduled work, and begins again when whoever did it has ended.
fn schedule(app: AppHandle, desk: Arc<Desk>) {
    const AGAIN: Duration = Duration::from_secs(60);
    tauri::async_runtime::spawn(async move {
        loop {
            if let Err(error) = work(&app, &desk).await {
                match error.code() {
                    Code::DaemonRunning => tracing::debug!(%error, "a daemon does the scheduled work"),
                    _ => tracing::warn!(%error, "the scheduled work could not be begun"),
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
}

async fn work(app: &AppHandle, desk: &Arc<Desk>) -> Result<()> {
    let drydock = Drydock::open(named_home().as_deref())?;
    let scheduler = tokio::task::spawn_blocking(move || Scheduler::begin(&drydock.locations, Utc::now()))
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))??;
    let (woken, inner) = (desk.clone(), app.clone());
    scheduler
        .run(move |told| {
            tell(&inner, told);
            woken.wake.notify_one();
        })
        .await;
    Ok(())
}

/// The page of the main window that a notification is about.
fn page_of(clicked: &Clicked) -> Page {
    match clicked.action {
        ClickAction::Recover => Page::Recovery,
        ClickAction::Review | ClickAction::Snooze => Page::Home,
        ClickAction::Open(page) => page.into(),
    }
}

fn tell(app: &AppHandle, told: Told) {
    match told {
        Told::Clicked(clicked) => {
            let inner = app.clone();
            let opened = app.run_on_main_thread(move || {
                if let Err(error) = windows::open(&inner, page_of(&clicked)) {
                    tracing::warn!(%error, "the page of a notification cannot be opened");
                }
            });
            if let Err(error) = opened {
                tracing::warn!(%error, "the page of a notification cannot be opened");
            }
        }
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
        Told::Configuration(report) => {
            tracing::info!(what = report.in_short(), "configuration from git");
            configuration::tell(app);
        }
        Told::Alert(Change::Fired(one) | Change::Rose(one)) => {
            tracing::warn!(incident = %one.id, severity = %one.severity, title = one.title, "fires");
        }
        Told::Alert(Change::Resolved(one)) => {
            tracing::info!(incident = %one.id, title = one.title, "is over");
        }
    }
}
