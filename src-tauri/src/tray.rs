//! The tray icon and its menu.
use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tauri::{
    AppHandle, Manager as _, Wry,
    image::Image,
    include_image,
    menu::{Menu, MenuId, MenuItemBuilder},
    tray::TrayIconBuilder,
};

use crate::{messages::Words, windows};

/// One line of the menu.
pub(crate) struct Entry {
    id: &'static str,
    /// The key of its words in the message files.
    pub(crate) words: &'static str,
    action: fn(&AppHandle),
}

/// The menu, from top to bottom.
pub(crate) const MENU: &[Entry] = &[
    Entry { id: "open", words: "menu.open", action: windows::open_or_log },
    Entry { id: "quit", words: "menu.quit", action: |app| app.exit(0) },
];

/// macOS paints a template in the menu bar's own colour; at 36 pixels it is sharp on a Retina screen, and the
/// system scales it down for others. Linux panels show what they are given, and black would vanish in a dark one.
const ICON: Image<'_> = if cfg!(target_os = "macos") {
    include_image!("../icons/tray@2x.png")
} else {
    include_image!("../icons/32x32.png")
};

/// Puts the icon in the tray.
pub(crate) fn show(app: &AppHandle) -> Result<(), Box<dyn Error>> {
    let menu = menu(app, &Words::of_this_computer()?)?;
    let tray = TrayIconBuilder::with_id("main")
        .icon(ICON)
        .icon_as_template(true)
        // Linux panels read the icon from a file, and /tmp, where it would go by itself, is everybody's.
        .temp_dir_path(app.path().app_cache_dir()?)
        .menu(&menu)
        .on_menu_event(|app, event| act_on(app, event.id()));
    // On Linux the library that speaks to the tray is loaded only now, and its absence is a panic, not an error.
    catch_unwind(AssertUnwindSafe(|| tray.build(app))).map_err(|_| "the tray library cannot be loaded")??;
    if !is_visible() {
        return Err("no panel on this desktop shows tray icons".into());
    }
    Ok(())
}

fn act_on(app: &AppHandle, id: &MenuId) {
    if let Some(entry) = MENU.iter().find(|entry| id == entry.id) {
        (entry.action)(app);
    }
}

fn menu(app: &AppHandle, words: &Words) -> tauri::Result<Menu<Wry>> {
    let menu = Menu::new(app)?;
    for entry in MENU {
        menu.append(&MenuItemBuilder::with_id(entry.id, words.say(entry.words)).build(app)?)?;
    }
    Ok(menu)
}

/// Whether someone shows the icon: on Linux, a panel that watches for status notifiers.
/// Asked anew each time, since a panel may start after Drydock, or go.
#[cfg(target_os = "linux")]
pub(crate) fn is_visible() -> bool {
    let ask = || -> zbus::Result<bool> {
        let bus = zbus::blocking::Connection::session()?;
        let names = zbus::blocking::fdo::DBusProxy::new(&bus)?;
        Ok(names.name_has_owner("org.kde.StatusNotifierWatcher".try_into()?)?)
    };
    ask().unwrap_or(false)
}

/// Whether someone shows the icon: the menu bar always does.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_visible() -> bool {
    true
}
