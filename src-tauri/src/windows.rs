//! The windows: made when asked for, gone when closed, so that a closed one costs no memory.

use crate::desk::Desk;
use drydock_engine::{alerting, error_handling::Error};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError};
use tauri::{
    AppHandle, DragDropEvent, Emitter as _, Manager as _, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
    WindowEvent,
};
use ts_rs::TS;

const MAIN: &str = "main";

/// A page of the main window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Page {
    /// How everything stands.
    Home,
    /// What is damaged, and getting it back.
    Recovery,
    /// Changes that wait for the user.
    Held,
    /// Backups.
    Backups,
    /// What happened.
    Activity,
    /// New images.
    Deployment,
    /// Configuration from git.
    Configuration,
    /// Settings.
    Settings,
    /// The first run.
    Setup,
}

impl Page {
    pub(crate) const ALL: [Self; 9] = [
        Self::Home,
        Self::Recovery,
        Self::Held,
        Self::Backups,
        Self::Activity,
        Self::Deployment,
        Self::Configuration,
        Self::Settings,
        Self::Setup,
    ];

    /// Its word in the page's address.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Recovery => "recovery",
            Self::Held => "held",
            Self::Backups => "backups",
            Self::Activity => "activity",
            Self::Deployment => "deployment",
            Self::Configuration => "configuration",
            Self::Settings => "settings",
            Self::Setup => "setup",
        }
    }
}

impl From<alerting::Page> for Page {
    fn from(page: alerting::Page) -> Self {
        match page {
            alerting::Page::Held => Self::Held,
            alerting::Page::Backups => Self::Backups,
            alerting::Page::Recovery => Self::Recovery,
            alerting::Page::Activity => Self::Activity,
            alerting::Page::Settings => Self::Settings,
            // The overview has the sessions.
            alerting::Page::Home | alerting::Page::Sessions => Self::Home,
            alerting::Page::Deployment => Self::Deployment,
            alerting::Page::Configuration => Self::Configuration,
        }
    }
}

/// Brings the main window to the front with this page, and makes it where it is not there.
pub(crate) fn open(app: &AppHandle, page: Page) -> tauri::Result<()> {
    if let Some(window) = app.get_webview_window(MAIN) {
        window.emit("page", page)?;
        return bring_to_front(&window);
    }
    show_in_dock(app, Dock::Shown);
    let address = format!("index.html#{}", page.word());
    let window = WebviewWindowBuilder::new(app, MAIN, WebviewUrl::App(address.into()))
        .title(&app.package_info().name)
        .inner_size(960.0, 640.0)
        .min_inner_size(360.0, 400.0)
        .focused(true)
        .build()?;
    let dropped = app.clone();
    window.on_window_event(move |event| match event {
        WindowEvent::DragDrop(DragDropEvent::Drop { paths, .. }) => launch_in(&dropped, paths.first()),
        WindowEvent::Destroyed => show_in_dock(&dropped, Dock::Gone),
        _ => {}
    });
    Ok(())
}

fn bring_to_front(window: &WebviewWindow) -> tauri::Result<()> {
    window.unminimize()?;
    window.show()?;
    window.set_focus()
}

/// A folder that was dropped on the window is a project to launch in.
fn launch_in(app: &AppHandle, folder: Option<&std::path::PathBuf>) {
    let Some(folder) = folder.cloned() else { return };
    let (app, desk) = (app.clone(), app.state::<Arc<Desk>>().inner().clone());
    tauri::async_runtime::spawn(async move {
        if let Err(error) = crate::commands::sessions::launch(desk, folder).await {
            tell_error(&app, &error);
        }
    });
}

/// Whether the Dock shows Drydock: only while a window is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dock {
    Shown,
    Gone,
}

#[cfg(target_os = "macos")]
fn show_in_dock(app: &AppHandle, dock: Dock) {
    let policy = match dock {
        Dock::Shown => tauri::ActivationPolicy::Regular,
        Dock::Gone => tauri::ActivationPolicy::Accessory,
    };
    if let Err(error) = app.set_activation_policy(policy) {
        tracing::warn!(%error, "the Dock was not told");
    }
}

/// Elsewhere nothing has to be told.
#[cfg(not(target_os = "macos"))]
fn show_in_dock(_app: &AppHandle, _dock: Dock) {}

/// [`open`] for callers who have nobody to hand an error to.
pub(crate) fn open_or_log(app: &AppHandle, page: Page) {
    if let Err(error) = open(app, page) {
        tracing::error!(%error, "the window could not be opened");
    }
}

/// Shows an error of something that was begun outside the windows.
pub(crate) fn tell_error(app: &AppHandle, error: &Error) {
    tracing::warn!(%error, code = %error.code(), "what was asked for failed");
    *app.state::<Arc<Desk>>().failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
    // A window that is open asks at once, one that is made now when it is there.
    if let Err(error) = app.emit("failed", ()) {
        tracing::warn!(%error, "windows cannot be told of a failure");
    }
    open_or_log(app, Page::Home);
}
