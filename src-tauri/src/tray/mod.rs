//! The tray icon and its menu, which is all of Drydock for whoever uses no pointer.

mod icon;
mod lines;

use crate::{
    commands::{backups, sessions},
    desk::Desk,
    messages::Words,
    overview::Overview,
    popover,
    terminal::Inside,
    windows,
};
use chrono::Utc;
use lines::{Act, Line};
use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};
use tauri::{
    AppHandle, Manager as _, Rect, Wry,
    menu::{IsMenuItem, Menu, MenuId, MenuItemBuilder, PredefinedMenuItem, SubmenuBuilder},
    tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent},
};

const ID: &str = "main";

/// The icon with what it shows now, so that only what is another is made anew.
pub(crate) struct Tray {
    icon: TrayIcon,
    words: Words,
    shown: Mutex<Option<(Vec<Line>, crate::overview::State)>>,
}

/// Puts the icon in the tray.
pub(crate) fn show(app: &AppHandle) -> Result<Tray, Box<dyn Error>> {
    let words = Words::of_this_computer()?;
    let lines = lines::before_first_look(&words);
    let menu = menu(app, &lines)?;
    let tray = TrayIconBuilder::with_id(ID)
        .icon(icon::of(crate::overview::State::Idle))
        .icon_as_template(true)
        .tooltip(&app.package_info().name)
        // Linux panels read the icon from a file, and /tmp, where it would go by itself, is everybody's.
        .temp_dir_path(app.path().app_cache_dir()?)
        .menu(&menu)
        // Where an icon is clicked, the left click shows the popover, and the right one the menu.
        .show_menu_on_left_click(!cfg!(target_os = "macos"))
        .on_tray_icon_event(|icon, event| on_click(icon.app_handle(), &event))
        .on_menu_event(|app, event| act_on(app, event.id()));
    // On Linux the library that speaks to the tray is loaded only now, and its absence is a panic, not an error.
    let icon = catch_unwind(AssertUnwindSafe(|| tray.build(app)))
        .map_err(|_| "the tray library cannot be loaded")??;
    if !is_visible() {
        return Err("no panel on this desktop shows tray icons".into());
    }
    Ok(Tray { icon, words, shown: Mutex::new(None) })
}

impl Tray {
    /// Shows how things stand; touches nothing where nothing is another.
    pub(crate) fn update(&self, app: &AppHandle, overview: &Overview) -> tauri::Result<()> {
        let lines = lines::of(overview, &self.words, Utc::now());
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let (old_lines, old_state) = match shown.as_ref() {
            Some((lines, state)) => (Some(lines), Some(*state)),
            None => (None, None),
        };
        if old_lines != Some(&lines) {
            self.icon.set_menu(Some(menu(app, &lines)?))?;
        }
        if old_state != Some(overview.state) {
            self.icon.set_icon(Some(icon::of(overview.state)))?;
            self.icon.set_icon_as_template(true)?;
            self.icon.set_tooltip(Some(lines::state_line(overview, &self.words, Utc::now())))?;
        }
        *shown = Some((lines, overview.state));
        Ok(())
    }
}

/// Where the icon is; panels on Linux do not say.
pub(crate) fn place(app: &AppHandle) -> tauri::Result<Option<Rect>> {
    app.tray_by_id(ID).map_or(Ok(None), |icon| icon.rect())
}

fn on_click(app: &AppHandle, event: &TrayIconEvent) {
    if let TrayIconEvent::Click {
        button: MouseButton::Left, button_state: MouseButtonState::Up, rect, ..
    } = event
        && let Err(error) = popover::toggle_under(app, *rect)
    {
        tracing::error!(%error, "the popover could not be shown");
    }
}

fn menu(app: &AppHandle, lines: &[Line]) -> tauri::Result<Menu<Wry>> {
    let menu = Menu::new(app)?;
    for line in lines {
        menu.append(&*item(app, line)?)?;
    }
    Ok(menu)
}

fn item(app: &AppHandle, line: &Line) -> tauri::Result<Box<dyn IsMenuItem<Wry>>> {
    Ok(match line {
        Line::Separator => Box::new(PredefinedMenuItem::separator(app)?),
        Line::Said(text) => Box::new(MenuItemBuilder::new(text).enabled(false).build(app)?),
        Line::Act(text, act) => Box::new(MenuItemBuilder::with_id(act.id(), text).build(app)?),
        Line::More(text, lines) => {
            let mut submenu = SubmenuBuilder::new(app, text);
            for line in lines {
                submenu = submenu.item(&*item(app, line)?);
            }
            Box::new(submenu.build()?)
        }
    })
}

fn act_on(app: &AppHandle, id: &MenuId) {
    let Some(act) = Act::of_id(id.as_ref()) else { return };
    let desk = app.state::<Arc<Desk>>().inner().clone();
    match act {
        Act::Open(page) => windows::open_or_log(app, page),
        Act::ChooseProject => sessions::choose_and_launch(app, desk),
        Act::Quit => app.exit(0),
        Act::Launch(_) | Act::Attach(_) | Act::Stop(_) | Act::BackUp | Act::Pause(_) | Act::GoOn => {
            let app = app.clone();
            tauri::async_runtime::spawn(async move {
                if let Err(error) = work_on(&app, desk, act).await {
                    windows::tell_error(&app, &error);
                }
            });
        }
    }
}

/// What takes a while.
async fn work_on(app: &AppHandle, desk: Arc<Desk>, act: Act) -> drydock_engine::error_handling::Result<()> {
    match act {
        Act::Launch(project) => sessions::launch(desk, project).await,
        Act::Attach(session) => sessions::in_terminal(desk, Inside::Attach(session)).await,
        Act::Stop(session) => sessions::stop(&desk, &session).await,
        Act::BackUp => backups::back_up(app, &desk).await.map(drop),
        Act::Pause(hours) => backups::rest(&desk, hours).await,
        Act::GoOn => backups::go_on(&desk).await,
        Act::Open(_) | Act::ChooseProject | Act::Quit => Ok(()),
    }
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
