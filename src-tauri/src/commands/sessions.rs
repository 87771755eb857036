//! Sessions: launched and joined in the user's terminal, stopped from here.

use super::Shared;
use crate::{
    desk::{Desk, blocking},
    messages::Words,
    terminal::{self, Inside},
};
use drydock_engine::{
    error_handling::{Code, Error, Result},
    session::Project,
};
use std::{path::PathBuf, sync::Arc};
use tauri::AppHandle;
use tauri_plugin_dialog::DialogExt as _;

/// Opens a terminal in which a session starts in this project.
#[tauri::command]
pub(crate) async fn launch_session(desk: Shared<'_>, project: PathBuf) -> Result<()> {
    launch(desk.inner().clone(), project).await
}

/// Asks for a folder, and launches a session there.
#[tauri::command]
pub(crate) fn choose_project(app: AppHandle, desk: Shared<'_>) {
    choose_and_launch(&app, desk.inner().clone());
}

/// Opens a terminal that is attached to a session.
#[tauri::command]
pub(crate) async fn attach_session(desk: Shared<'_>, session: String) -> Result<()> {
    in_terminal(desk.inner().clone(), Inside::Attach(session)).await
}

/// Asks a session to end, and brings its data out.
#[tauri::command]
pub(crate) async fn stop_session(desk: Shared<'_>, session: String) -> Result<()> {
    stop(desk.inner(), &session).await
}

pub(crate) async fn stop(desk: &Arc<Desk>, session: &str) -> Result<()> {
    let sessions = desk.drydock()?.sessions().await?;
    let id = sessions.resolve(Some(session), None).await?;
    let stopped = sessions.stop(&id).await;
    desk.ask_engine.notify_one();
    stopped.map(drop)
}

pub(crate) async fn launch(desk: Arc<Desk>, project: PathBuf) -> Result<()> {
    let looked = desk.clone();
    // What cannot be a project is said here, and not in a terminal that is gone at once.
    let project = blocking(move || Project::find(&project, &looked.drydock()?.locations)).await?;
    in_terminal(desk, Inside::Run(project.workdir)).await
}

pub(crate) async fn in_terminal(desk: Arc<Desk>, inside: Inside) -> Result<()> {
    blocking(move || {
        let words = Words::of_this_computer()
            .map_err(|cause| Error::new(Code::Internal, "the messages cannot be read").why(cause))?;
        terminal::open(&desk.drydock()?, desk.home.as_deref(), &inside, &words)
    })
    .await
}

/// The system's own window for choosing a folder; nothing happens when it is closed.
pub(crate) fn choose_and_launch(app: &AppHandle, desk: Arc<Desk>) {
    let told = app.clone();
    app.dialog().file().pick_folder(move |folder| {
        let Some(Ok(folder)) = folder.map(tauri_plugin_dialog::FilePath::into_path) else { return };
        tauri::async_runtime::spawn(async move {
            if let Err(error) = launch(desk, folder).await {
                crate::windows::tell_error(&told, &error);
            }
        });
    });
}
