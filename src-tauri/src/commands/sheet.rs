//! The recovery sheet: saved where the user says, and confirmed by what stands on it. The page never has its code.

use super::Shared;
use crate::desk::blocking;
use chrono::Utc;
use drydock_engine::{
    error_handling::{Code, Error, Result},
    paths::write_private,
};
use std::path::PathBuf;
use tauri::AppHandle;
use tauri_plugin_dialog::{DialogExt as _, FilePath};
use tokio::sync::oneshot;

/// Asks for a place and saves the sheet there. Nothing when the user asks for none.
#[tauri::command]
pub(crate) async fn save_sheet(app: AppHandle, desk: Shared<'_>) -> Result<Option<PathBuf>> {
    let backups = desk.drydock()?.backups();
    let (chosen, choice) = oneshot::channel();
    let dialog = app.dialog().file().set_file_name("drydock-recovery-sheet.txt");
    dialog.save_file(move |file| {
        // Nobody waits any more where the window was closed.
        let _ = chosen.send(file);
    });
    let Some(file) = choice.await.ok().flatten() else { return Ok(None) };
    let file = FilePath::into_path(file)
        .map_err(|cause| Error::new(Code::Usage, "the sheet cannot be saved there").why(cause))?;
    blocking(move || {
        let sheet = backups.sheet(Utc::now())?;
        write_private(&file, sheet.reveal().as_bytes())?;
        Ok(Some(file))
    })
    .await
}

/// Notes that the user has the sheet: they read from it how its code ends.
#[tauri::command]
pub(crate) async fn confirm_sheet(desk: Shared<'_>, last_group: String) -> Result<()> {
    let backups = desk.drydock()?.backups();
    blocking(move || backups.confirm_sheet(last_group.trim(), Utc::now())).await?;
    desk.wake.notify_one();
    Ok(())
}
