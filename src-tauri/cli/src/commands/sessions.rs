//! `drydock list`, `stop`, `rm`, `logs`.

use crate::{
    Context,
    render::{self, Format},
};
use drydock_engine::{
    error_handling::Result,
    session::{DataInside, Follow, SessionState, Sessions},
};
use futures_util::StreamExt;
use std::{io::Write, process::ExitCode};

/// What a command does first: the data of sessions that ended comes out.
///
/// One that fails is said and left as it is: the command itself goes on.
pub(super) async fn finish_ended(context: &Context, sessions: &Sessions) -> Result<()> {
    for finished in sessions.finish_ended().await? {
        match finished {
            Ok(finished) => {
                if context.format == Format::Human {
                    render::finished(&finished);
                }
            }
            Err(error) => render::warning(&error),
        }
    }
    Ok(())
}

pub(super) async fn list(context: &Context) -> Result<ExitCode> {
    let sessions = context.drydock.sessions().await?;
    finish_ended(context, &sessions).await?;
    let listed = sessions.list().await?;
    render::answer(context.format, &listed, || {
        if listed.is_empty() {
            return "no sessions: drydock run starts one\n".into();
        }
        let table = listed.iter().map(|one| {
            vec![
                one.id.to_string(),
                state(one.state, one.attached).into(),
                render::ago(one.created),
                one.claude_version.clone(),
                one.project.display().to_string(),
            ]
        });
        render::table(&["SESSION", "STATE", "STARTED", "CLAUDE CODE", "PROJECT"], table)
    });
    Ok(ExitCode::SUCCESS)
}

fn state(state: SessionState, attached: bool) -> &'static str {
    match (state, attached) {
        (SessionState::Running, true) => "running, attached",
        (SessionState::Running, false) => "running",
        (SessionState::Preparing, _) => "preparing",
        (SessionState::Finished, _) => "ended, data inside",
        (SessionState::Interrupted, _) => "interrupted",
        (SessionState::Abandoned, _) => "never started",
    }
}

pub(super) async fn stop(context: &Context, session: Option<&str>) -> Result<ExitCode> {
    let sessions = context.drydock.sessions().await?;
    let id = sessions.resolve(session, std::env::current_dir().ok().as_deref()).await?;
    let finished = sessions.stop(&id).await?;
    match &finished {
        Some(finished) => render::answer(context.format, finished, || {
            format!("stopped {id}\n{}", render::report(&finished.out))
        }),
        None => render::answer(context.format, &serde_json::json!({ "id": id }), || {
            format!("stopped {id}; the drydock attached to it brings its data out\n")
        }),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn remove(context: &Context, session: &str, discard: bool) -> Result<ExitCode> {
    let sessions = context.drydock.sessions().await?;
    let id = sessions.resolve(Some(session), None).await?;
    let data = if discard { DataInside::Discard } else { DataInside::BringOut };
    let out = sessions.remove(&id, data).await?;
    render::answer(context.format, &serde_json::json!({ "id": id, "out": out }), || match &out {
        Some(out) => format!("removed {id}\n{}", render::report(out)),
        None => format!("removed {id} with what was in it\n"),
    });
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn logs(context: &Context, session: Option<&str>, follow: bool) -> Result<ExitCode> {
    let sessions = context.drydock.sessions().await?;
    let id = sessions.resolve(session, std::env::current_dir().ok().as_deref()).await?;
    let follow = if follow { Follow::Yes } else { Follow::No };
    let mut lines = std::pin::pin!(sessions.logs(&id, follow).await?);
    let mut out = std::io::stdout();
    while let Some(line) = lines.next().await {
        // A reader that has seen enough, such as `head`, is no error.
        if out.write_all(&line?).and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}
