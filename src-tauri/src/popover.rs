//! What a click on the icon shows, where icons are clicked: how everything stands, under the icon.
//!
//! Linux panels send no clicks; there the menu's entries open the main window.

use tauri::{
    AppHandle, LogicalPosition, Manager as _, Rect, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
    WindowEvent,
};

const POPOVER: &str = "popover";
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 560.0;

/// Shows it under the icon, or puts it away. It stays made, so that the second click is quick.
pub(crate) fn toggle(app: &AppHandle, icon: Rect) -> tauri::Result<()> {
    let window = match app.get_webview_window(POPOVER) {
        Some(window) if window.is_visible()? => return window.hide(),
        Some(window) => window,
        None => make(app)?,
    };
    let scale = window.scale_factor()?;
    let (corner, size) = (icon.position.to_logical::<f64>(scale), icon.size.to_logical::<f64>(scale));
    window.set_position(under(corner, size.width, size.height))?;
    window.show()?;
    window.set_focus()
}

fn under(corner: LogicalPosition<f64>, width: f64, height: f64) -> LogicalPosition<f64> {
    LogicalPosition::new((corner.x + (width - WIDTH) / 2.0).max(0.0), corner.y + height)
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
    fn it_hangs_under_the_middle_of_the_icon_and_on_the_screen() {
        assert_eq!(under(LogicalPosition::new(1000.0, 0.0), 24.0, 24.0), LogicalPosition::new(832.0, 24.0));
        assert_eq!(under(LogicalPosition::new(10.0, 0.0), 24.0, 24.0).x, 0.0);
    }
}
