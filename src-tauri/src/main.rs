//! Drydock in the menu bar: a tray icon, its menu and the windows. What Drydock does is in the engine.
#[cfg(target_os = "macos")]
mod awake;
mod background;
mod commands;
mod desk;
mod doing;
mod links;
mod messages;
mod overview;
mod popover;
mod terminal;
mod tray;
#[cfg(test)]
mod types;
mod windows;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::Arc,
};

use desk::Desk;
use drydock_engine::{
    error_handling::error_trap_handler,
    observability::Observability,
    paths::{Locations, named_home},
};
use links::Wanted;
use tauri::{App, RunEvent};
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};
use windows::Page;

/// The argument with which the system starts Drydock when the user logs in: no window is opened then.
const AT_LOGIN: &str = "--at-login";

fn main() -> ExitCode {
    // Work on the backups happens in a process of its own, which is this program again.
    if let Some(code) = drydock_engine::backup::serve_if_asked() {
        return code;
    }
    start_log();
    drydock_engine::keychain::forbid_core_dumps();
    tracing::info!(version = drydock_engine::VERSION, "Drydock starts");
    let app = tauri::Builder::default()
        // First, so that a second start hands over before anything else of it has begun.
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _folder| {
            links::wanted_in(arguments).unwrap_or(Wanted::Page(Page::Home)).show_or_log(app);
        }))
        .plugin(tauri_plugin_autostart::Builder::new().arg(AT_LOGIN).app_name("Drydock").build())
        .plugin(tauri_plugin_dialog::init())
        .manage(Arc::new(Desk::new(named_home())))
        .invoke_handler(handler())
        .setup(|app| Ok(set_up(app)?))
        .build(tauri::generate_context!());
    match app {
        Ok(app) => ExitCode::from(u8::try_from(app.run_return(on_event)).unwrap_or(1)),
        Err(error) => {
            tracing::error!(%error, "Drydock could not start");
            ExitCode::FAILURE
        }
    }
}

/// The commands by their names; `commands::names` lists them for the rights.
fn handler() -> impl Fn(tauri::ipc::Invoke) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        commands::activity::errors,
        commands::activity::events,
        commands::activity::metrics,
        commands::activity::spans,
        commands::backups::back_up_now,
        commands::backups::bring_back,
        commands::backups::browse_snapshot,
        commands::backups::find_conversations,
        commands::backups::pause_backups,
        commands::backups::prove_copy,
        commands::backups::resume_backups,
        commands::backups::snapshots,
        commands::configuration::approve_configuration,
        commands::configuration::configuration,
        commands::configuration::configuration_differing,
        commands::configuration::configuration_log,
        commands::configuration::judge_configuration,
        commands::configuration::prove_configuration_log,
        commands::configuration::settle_drift,
        commands::configuration::steer_configuration,
        commands::deployment::deployment,
        commands::deployment::steer_deployment,
        commands::deployment::try_newest,
        commands::held::approve_held,
        commands::held::approve_held_always,
        commands::held::forget_held_always,
        commands::held::held_always,
        commands::held::held_changes,
        commands::held::held_diff,
        commands::held::reject_held,
        commands::held::undo_held,
        commands::home::close_popover,
        commands::home::doings,
        commands::home::failure,
        commands::home::look_again,
        commands::home::open_page,
        commands::home::overview,
        commands::home::stop_doing,
        commands::recovery::plan_recovery,
        commands::recovery::recover,
        commands::recovery::recoveries,
        commands::recovery::undo_recovery,
        commands::sessions::attach_session,
        commands::sessions::choose_project,
        commands::sessions::launch_session,
        commands::sessions::stop_session,
        commands::settings::at_login,
        commands::settings::set_at_login,
        commands::settings::set_setting,
        commands::settings::settings,
        commands::setup::ask_for_notifications,
        commands::setup::build_session_image,
        commands::setup::checks,
        commands::setup::login_ways,
        commands::setup::notifications_allowed,
        commands::sheet::confirm_sheet,
        commands::sheet::save_sheet,
    ]
}

/// Diagnostics go to standard error; what happened, and how long it took, into the files of the home.
fn start_log() {
    let filter = EnvFilter::try_from_env("DRYDOCK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let told = tracing_subscriber::fmt::layer()
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .with_filter(filter)
        .with_filter(filter_fn(|metadata| !Observability::is_for(metadata)));
    let locations = Locations::find(named_home().as_deref()).ok();
    if let Some(locations) = &locations {
        error_trap_handler(locations.data_dir.join("crashes"));
    }
    let written = locations.as_ref().map(Observability::of);
    let written = written.map(|layer| layer.with_filter(filter_fn(Observability::is_for)));
    tracing_subscriber::registry().with(told).with(written).init();
}

fn set_up(app: &mut App) -> tauri::Result<()> {
    // No Dock icon: the menu bar is where Drydock lives.
    #[cfg(target_os = "macos")]
    {
        app.set_activation_policy(tauri::ActivationPolicy::Accessory);
        awake::stay_awake();
    }

    // A desktop without a tray is still a desktop: the window is then the way in.
    let tray = tray::show(app.handle()).inspect_err(|reason| tracing::warn!(%reason, "no tray icon")).ok();
    let by_the_user = !std::env::args().any(|argument| argument == AT_LOGIN);
    let opens = by_the_user || tray.is_none();
    background::start(app.handle(), tray);
    #[cfg(target_os = "macos")]
    make_popover(app.handle())?;
    match links::wanted_in(std::env::args()) {
        Some(wanted) => wanted.show(app.handle()),
        None if opens => windows::open(app.handle(), background::first_page()),
        None => Ok(()),
    }
}

/// Once the icon is there: a click that comes sooner makes it itself.
#[cfg(target_os = "macos")]
fn make_popover(app: &tauri::AppHandle) -> tauri::Result<()> {
    let inner = app.clone();
    app.run_on_main_thread(move || {
        if let Err(error) = popover::prepare(&inner) {
            tracing::warn!(%error, "the popover is made at the first click");
        }
    })
}

/// Closing the last window leaves Drydock in the tray, where there is one to open it from again.
fn on_event(app: &tauri::AppHandle, event: RunEvent) {
    // Source: Tauri's documentation of `RunEvent::Opened`; macOS sends links to the app that runs.
    #[cfg(target_os = "macos")]
    if let RunEvent::Opened { urls } = &event
        && let Some(wanted) = links::wanted_in(urls)
    {
        wanted.show_or_log(app);
    }
    #[cfg(not(target_os = "macos"))]
    let _ = app;
    if let RunEvent::ExitRequested { code: None, api, .. } = event
        && tray::is_visible()
    {
        api.prevent_exit();
    }
}
