//! The windows: made when asked for, gone when closed, so that a closed one costs no memory.
use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindowBuilder};

const MAIN: &str = "main";

/// Brings the main window to the front, and makes it where it is not there.
pub(crate) fn open(app: &AppHandle) -> tauri::Result<()> {
    if let Some(window) = app.get_webview_window(MAIN) {
        window.unminimize()?;
        window.show()?;
        return window.set_focus();
    }
    WebviewWindowBuilder::new(app, MAIN, WebviewUrl::default())
        .title(&app.package_info().name)
        .inner_size(720.0, 480.0)
        .min_inner_size(360.0, 320.0)
        .focused(true)
        .build()
        .map(drop)
}

/// [`open`] for callers who have nobody to hand an error to.
pub(crate) fn open_or_log(app: &AppHandle) {
    if let Err(error) = open(app) {
        tracing::error!(%error, "the window could not be opened");
    }
}
