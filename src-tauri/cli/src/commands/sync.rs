//! `drydock sync`.

use crate::{Context, arguments::Sync as Wanted, render};
use drydock_engine::{
    error_handling::{Code, Error, Outcome, Result},
    session::{Finished, SessionState, Sessions},
    sync::{Change, OutReport, Step, Vanished},
};
use std::process::ExitCode;

pub(super) async fn sync(context: &Context, wanted: Wanted) -> Result<ExitCode> {
    let sessions = context.drydock.sessions().await?;
    match wanted {
        Wanted::In { session } => bring_in(context, &sessions, session.as_deref()).await,
        Wanted::Out { session, accept_vanished } => {
            let vanished = if accept_vanished { Vanished::Accept } else { Vanished::Stop };
            bring_out(context, &sessions, session.as_deref(), vanished).await
        }
        Wanted::Diff { session } => diff(context, &sessions, session.as_deref()).await,
        Wanted::Status { session, verify } => status(context, &sessions, session.as_deref(), verify).await,
    }
}

async fn bring_out(
    context: &Context,
    sessions: &Sessions,
    session: Option<&str>,
    vanished: Vanished,
) -> Result<ExitCode> {
    let id = sessions.resolve(session, std::env::current_dir().ok().as_deref()).await?;
    let listed = sessions.list().await?;
    let state = listed.iter().find(|one| one.id == id).map(|one| one.state);
    if state == Some(SessionState::Finished) {
        let Some(finished) = sessions.finish_one(&id, vanished).await? else {
            return Err(Error::new(Code::SessionState, format!("another drydock looks after {id}"))
                .remedy("wait for it to finish"));
        };
        render::answer(context.format, &finished, || {
            let kept = if finished.state == Finished::Interrupted { " (it can be gone on with)" } else { "" };
            format!("{id} is finished{kept}\n{}", render::report(&finished.out))
        });
        return Ok(code(&finished.out));
    }
    let report = sessions.sync_claude_config_out(&id, vanished).await?;
    render::answer(context.format, &report, || render::report(&report));
    Ok(code(&report))
}

/// Held changes want the user, which scripts learn by the exit code.
fn code(out: &OutReport) -> ExitCode {
    if out.held.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Outcome::NeedsUser.exit_code()) }
}

async fn bring_in(context: &Context, sessions: &Sessions, session: Option<&str>) -> Result<ExitCode> {
    let id = sessions.resolve(session, std::env::current_dir().ok().as_deref()).await?;
    let report = sessions.sync_claude_config_in(&id).await?;
    render::answer(context.format, &report, || {
        let mut text = match report.brought.len() {
            0 => "the session has everything already\n".to_owned(),
            count => format!("brought in: {}\n", render::counted(count, "file")),
        };
        for name in &report.differs {
            text.push_str(&format!("  {name} changed in the session as well: it stays as it is there\n"));
        }
        text
    });
    Ok(ExitCode::SUCCESS)
}

async fn diff(context: &Context, sessions: &Sessions, session: Option<&str>) -> Result<ExitCode> {
    let id = sessions.resolve(session, std::env::current_dir().ok().as_deref()).await?;
    let plan = sessions.plan_sync_out(&id).await?;
    render::answer(context.format, &plan, || {
        if plan.steps.is_empty() && plan.refused.is_empty() {
            return "nothing to bring out\n".into();
        }
        let rows = plan.steps.iter().map(|step| vec![act(step).into(), step.name.clone(), detail(step)]);
        let mut text = render::table(&["WHAT", "FILE", ""], rows);
        for refused in &plan.refused {
            text.push_str(&format!("refused  {}: {}\n", refused.name, refused.reason));
        }
        text.push_str(&format!("\nnothing was changed; do it: drydock sync out {id}\n"));
        text
    });
    Ok(ExitCode::SUCCESS)
}

fn act(step: &Step) -> &'static str {
    match step.change {
        Change::Create => "new",
        Change::Append { .. } => "goes on",
        Change::AddLines => "lines",
        Change::Replace { .. } => "replace",
        Change::Fork(_) => "fork",
        Change::Merge { .. } => "merge",
        Change::Hold { .. } => "hold",
    }
}

fn detail(step: &Step) -> String {
    match &step.change {
        Change::Append { at } => format!("after byte {at}"),
        Change::Fork(fork) => format!("as {}", fork.fork),
        Change::Merge { keys } => keys.join(", "),
        Change::Hold { reason } => reason.to_string(),
        Change::Create | Change::AddLines | Change::Replace { .. } => String::new(),
    }
}

async fn status(
    context: &Context,
    sessions: &Sessions,
    session: Option<&str>,
    verify: bool,
) -> Result<ExitCode> {
    let listed = sessions.list().await?;
    let mut all = Vec::new();
    let mut sound = true;
    for one in &listed {
        let wanted = match session {
            Some(text) => sessions.resolve(Some(text), None).await? == one.id,
            None => true,
        };
        if wanted {
            let mut status = sessions.sync_status(&one.id).await?;
            if verify {
                let integrity = sessions.verify_sync_integrity(&one.id).await?;
                sound &= integrity.differing.is_empty();
                status.integrity = Some(integrity);
            }
            all.push(status);
        }
    }
    render::answer(context.format, &all, || {
        if all.is_empty() {
            return "no sessions\n".into();
        }
        all.iter().map(described).collect()
    });
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn described(status: &drydock_engine::session::SyncStatus) -> String {
    let mut text = format!("{}\n", status.id);
    match status.synced {
        Some(at) => text.push_str(&format!("  last sync     {}\n", render::ago(at))),
        None => text.push_str("  last sync     at its launch\n"),
    }
    text.push_str(&format!("  in sync       {}\n", render::counted(status.agreed, "file")));
    text.push_str(&format!("  to bring out  {}\n", render::counted(status.plan.steps.len(), "change")));
    if status.held > 0 {
        text.push_str(&format!(
            "  waits for you {} (drydock held list)\n",
            render::counted(status.held, "change")
        ));
    }
    for name in &status.plan.unknown {
        text.push_str(&format!(
            "  unknown       {name}: Drydock does not know what it is; it would wait for you\n"
        ));
    }
    for name in &status.unknown_here {
        text.push_str(&format!("  unknown here  {name}: it does not go into sessions\n"));
    }
    for refused in &status.plan.refused {
        text.push_str(&format!("  refused       {}: {}\n", refused.name, refused.reason));
    }
    if let Some(integrity) = &status.integrity {
        text.push_str(&format!(
            "  verified      {} the same on both sides\n",
            render::counted(integrity.same, "file")
        ));
        for name in &integrity.differing {
            text.push_str(&format!("  DIFFERS       {name}\n"));
        }
    }
    text
}
