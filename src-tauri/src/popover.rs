//! What a click on the icon shows, where icons are clicked: how everything stands, under the icon.
//!
//! Linux panels send no clicks; there the menu's entries open the main window, and `drydock://popover` shows this one.

use crate::{
    tray,
    windows::{self, Page},
};
use tauri::{
    AppHandle, LogicalPosition, Manager as _, Monitor, Rect, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
    WindowEvent,
};

const POPOVER: &str = "popover";
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 560.0;

/// Shows it under the icon, or puts it away. It stays made, so that the second click is quick.
pub(crate) fn toggle_under(app: &AppHandle, icon: Rect) -> tauri::Result<()> {
    let Some(window) = put_away_or_made(app)? else { return Ok(()) };
    let at = icon.position.to_physical::<f64>(window.scale_factor()?);
    let screen = app.monitor_from_point(at.x, at.y)?;
    // Each screen may have a scale of its own, and the popover another one until it is there.
    let scale = screen.as_ref().map_or_else(|| window.scale_factor(), |screen| Ok(screen.scale_factor()))?;
    let (corner, size) = (icon.position.to_logical::<f64>(scale), icon.size.to_logical::<f64>(scale));
    let left = under(corner.x, size.width, screen.as_ref().map(sides));
    show(&window, LogicalPosition::new(left, corner.y + size.height))
}

/// The same without a click: under the icon where that has a place, else where a menu bar has its icons.
pub(crate) fn toggle(app: &AppHandle) -> tauri::Result<()> {
    if !tray::is_visible() {
        // A hidden popover would keep an app running that nobody can reach.
        return windows::open(app, Page::Home);
    }
    if let Some(icon) = tray::place(app)? {
        return toggle_under(app, icon);
    }
    let Some(window) = put_away_or_made(app)? else { return Ok(()) };
    let at = app.cursor_position()?;
    let screen = match app.monitor_from_point(at.x, at.y)? {
        Some(screen) => Some(screen),
        None => app.primary_monitor()?,
    };
    let corner = screen.map(|screen| {
        let top = screen.work_area().position.to_logical::<f64>(screen.scale_factor()).y;
        LogicalPosition::new(sides(&screen).1 - WIDTH, top)
    });
    show(&window, corner.unwrap_or_default())
}

/// Makes it before anybody asks for it, so that the first click is quick as well.
#[cfg(target_os = "macos")]
pub(crate) fn prepare(app: &AppHandle) -> tauri::Result<()> {
    if app.get_webview_window(POPOVER).is_none() {
        make(app)?;
    }
    Ok(())
}

/// The window to show; nothing where it was on the screen, and no longer is.
fn put_away_or_made(app: &AppHandle) -> tauri::Result<Option<WebviewWindow>> {
    match app.get_webview_window(POPOVER) {
        Some(window) if window.is_visible()? => window.hide().map(|()| None),
        Some(window) => Ok(Some(window)),
        None => make(app).map(Some),
    }
}

fn show(window: &WebviewWindow, corner: LogicalPosition<f64>) -> tauri::Result<()> {
    window.set_position(corner)?;
    window.show()?;
    window.set_focus()
}

/// Where the screen begins on the left, and where it ends.
fn sides(screen: &Monitor) -> (f64, f64) {
    let (area, scale) = (screen.work_area(), screen.scale_factor());
    let left = area.position.to_logical::<f64>(scale).x;
    (left, left + area.size.to_logical::<f64>(scale).width)
}

/// Its left side: under the middle of the icon, and on the icon's screen.
fn under(icon: f64, width: f64, screen: Option<(f64, f64)>) -> f64 {
    let left = icon + (width - WIDTH) / 2.0;
    screen.map_or(left, |(first, last)| left.min(last - WIDTH).max(first))
}

/// Puts it away.
pub(crate) fn hide(app: &AppHandle) -> tauri::Result<()> {
    app.get_webview_window(POPOVER).map_or(Ok(()), |window| window.hide())
}

fn make(app: &AppHandle) -> tauri::Result<WebviewWindow> {
    let window = WebviewWindowBuilder::new(app, POPOVER, WebviewUrl::App("index.html?popover".into()))
        .title(&app.package_info().name)
        .inner_size(WIDTH, HEIGHT)
        .decorations(false)
        .resizable(false)
        .always_on_top(true)
        .skip_taskbar(true)
        // Else macOS goes back to the desktop where it was first shown, away from a full-screen app.
        // Source: https://github.com/tauri-apps/tauri/issues/11488
        .visible_on_all_workspaces(true)
        .visible(false)
        .build()?;
    let own = window.clone();
    window.on_window_event(move |event| {
        // A click elsewhere.
        if matches!(event, WindowEvent::Focused(false))
            && let Err(error) = own.hide()
        {
            tracing::warn!(%error, "the popover stays");
        }
    });
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_hangs_under_the_middle_of_the_icon_and_on_the_icons_screen() {
        let screen = Some((0.0, 1440.0));
        assert_eq!(under(1000.0, 24.0, screen), 832.0);
        assert_eq!(under(10.0, 24.0, screen), 0.0);
        assert_eq!(under(1400.0, 24.0, screen), 1080.0);
        assert_eq!(under(-500.0, 24.0, Some((-1920.0, 0.0))), -668.0);
        assert_eq!(under(1000.0, 24.0, None), 832.0);
    }
}
