//! Settings: the engine's table, and whether Drydock starts when the user logs in.

use super::Shared;
use crate::desk::blocking;
use drydock_engine::{
    error_handling::{Code, Error, Result},
    settings::{Kind, Settings, Source},
};
use serde::{Deserialize, Serialize};
use tauri::AppHandle;
use tauri_plugin_autostart::ManagerExt as _;
use ts_rs::TS;

/// One setting as the page shows it.
#[derive(Debug, Clone, Serialize, TS)]
pub(crate) struct Setting {
    key: &'static str,
    value: String,
    source: Source,
    default: &'static str,
    about: &'static str,
    kind: Kind,
}

/// Whether Drydock starts when the user logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AtLogin {
    /// It does.
    Starts,
    /// It does not.
    Stays,
}

/// All settings in the order of the table.
#[tauri::command]
pub(crate) async fn settings(desk: Shared<'_>) -> Result<Vec<Setting>> {
    Ok(listed(&desk.drydock()?.settings))
}

/// Changes one; gives all as they are then.
#[tauri::command]
pub(crate) async fn set_setting(desk: Shared<'_>, key: String, value: String) -> Result<Vec<Setting>> {
    let mut settings = desk.drydock()?.settings;
    let listed = blocking(move || {
        settings.set(&key, &value)?;
        Ok(listed(&settings))
    })
    .await;
    desk.ask_engine.notify_one();
    desk.wake.notify_one();
    listed
}

fn listed(settings: &Settings) -> Vec<Setting> {
    let all = settings.all();
    all.map(|(key, value, source)| Setting {
        key: key.name,
        value: value.to_owned(),
        source: source.clone(),
        default: key.default,
        about: key.about,
        kind: key.kind,
    })
    .collect()
}

/// Whether Drydock starts when the user logs in.
#[tauri::command]
pub(crate) fn at_login(app: AppHandle) -> Result<AtLogin> {
    let enabled = app.autolaunch().is_enabled().map_err(|cause| refused("read", &cause))?;
    Ok(if enabled { AtLogin::Starts } else { AtLogin::Stays })
}

/// Has Drydock start when the user logs in, or not.
#[tauri::command]
pub(crate) fn set_at_login(app: AppHandle, wanted: AtLogin) -> Result<AtLogin> {
    match wanted {
        AtLogin::Starts => app.autolaunch().enable(),
        AtLogin::Stays => app.autolaunch().disable(),
    }
    .map_err(|cause| refused("change", &cause))?;
    at_login(app)
}

fn refused(what: &str, cause: &tauri_plugin_autostart::Error) -> Error {
    Error::new(Code::FileAccess, format!("could not {what} what starts at login")).why(cause)
}
