//! `drydock doctor` and `drydock status`.

use crate::{
    Context,
    render::{self, ago},
};
use chrono::Utc;
use drydock_engine::{
    backup::{BackupStatus, CopyStatus, RECOVERY_POINT, RECOVERY_TIME},
    deployment::DeploymentStatus,
    disaster_recovery::{Past, Standing as Recovered},
    error_handling::{Code, Result},
    gitops::GitopsStatus,
    scheduler::{Holder, Pause, Scheduler, paused},
    session::{ListedSession, SessionState},
    validation::{Check, Standing, examine},
};
use serde::Serialize;
use std::process::ExitCode;

pub(super) async fn doctor(context: &Context) -> Result<ExitCode> {
    let checks = examine(&context.drydock.locations, &context.drydock.settings).await;
    render::answer(context.format, &checks, || checks.iter().map(line).collect());
    let engine_missing = checks.iter().any(|check| check.name == "engine" && check.standing == Standing::Bad);
    let bad = checks.iter().any(|check| check.standing == Standing::Bad);
    Ok(ExitCode::from(match (engine_missing, bad) {
        (true, _) => Code::EngineNone.outcome().exit_code(),
        (false, true) => 1,
        (false, false) => 0,
    }))
}

fn line(check: &Check) -> String {
    let mark = match check.standing {
        Standing::Good => "ok  ",
        Standing::Attention => "note",
        Standing::Bad => "BAD ",
    };
    let mut text = format!("{mark}  {:<7} {}\n", check.name, check.found);
    if let Some(remedy) = &check.remedy {
        text.push_str(&format!("              try: {remedy}\n"));
    }
    text
}

#[derive(Serialize)]
struct Status {
    standing: Standing,
    sessions: Vec<ListedSession>,
    needs: Vec<Check>,
    backups: Option<BackupStatus>,
    scheduler: Option<Holder>,
    paused: Option<Pause>,
    recovery: Option<Past>,
    alerts: super::alerts::Listed,
    deployment: Option<DeploymentStatus>,
    configuration: Option<GitopsStatus>,
}

pub(super) async fn status(context: &Context) -> Result<ExitCode> {
    let checks = examine(&context.drydock.locations, &context.drydock.settings).await;
    let sessions = match context.drydock.sessions().await {
        Ok(sessions) => {
            super::sessions::finish_ended(context, &sessions).await?;
            sessions.list().await?
        }
        // The checks say it already.
        Err(_) => Vec::new(),
    };
    let needs: Vec<_> = checks.into_iter().filter(|check| check.standing != Standing::Good).collect();
    let standing = if needs.iter().any(|check| check.standing == Standing::Bad) {
        Standing::Bad
    } else if needs.is_empty() {
        Standing::Good
    } else {
        Standing::Attention
    };
    let backups = context.drydock.backups();
    let backups = tokio::task::spawn_blocking(move || backups.status()).await.ok().and_then(Result::ok);
    let scheduler = Scheduler::holder(&context.drydock.locations);
    let paused = paused(&context.drydock.locations, Utc::now());
    let recovery = context.drydock.recovery().history().pop();
    let alerts = super::alerts::listed(context).unwrap_or_default();
    let (deployments, gitops) = (context.drydock.deployments(), context.drydock.gitops());
    let (deployment, configuration) = tokio::task::spawn_blocking(move || {
        (deployments.track_deployment(Utc::now()).ok(), gitops.status().ok())
    })
    .await
    .unwrap_or_default();
    let status = Status {
        standing,
        sessions,
        needs,
        backups,
        scheduler,
        paused,
        recovery,
        alerts,
        deployment,
        configuration,
    };
    render::answer(context.format, &status, || text(&status));
    Ok(ExitCode::SUCCESS)
}

fn text(status: &Status) -> String {
    let running = status.sessions.iter().filter(|one| one.state == SessionState::Running).count();
    let inside = status.sessions.iter().filter(|one| one.state == SessionState::Finished).count();
    let mut text = match status.standing {
        Standing::Good => "All well".to_owned(),
        Standing::Attention => "Works, with something to look at".to_owned(),
        Standing::Bad => "Sessions cannot run".to_owned(),
    };
    text.push_str(&match running {
        0 => " · no session running\n".to_owned(),
        1 => " · 1 session running\n".to_owned(),
        many => format!(" · {many} sessions running\n"),
    });
    if inside > 0 {
        text.push_str(&format!("{inside} ended with data still inside: drydock list\n"));
    }
    if let Some(backups) = &status.backups {
        text.push_str(&backed_up(backups, status.scheduler.as_ref()));
    }
    if let Some(pause) = &status.paused {
        text.push_str(&format!("{}: drydock pause --end\n", super::pause::in_words(pause, Utc::now())));
    }
    text.extend(status.recovery.as_ref().and_then(recovered));
    text.extend(status.deployment.as_ref().and_then(tried_out));
    text.extend(status.configuration.as_ref().and_then(waits));
    text.push_str(&status.alerts.in_short());
    text.extend(status.needs.iter().map(line));
    text
}

/// The copies in a line, and what was promised beside what was measured.
fn backed_up(backups: &BackupStatus, scheduler: Option<&Holder>) -> String {
    let copies: Vec<_> = backups.copies.iter().filter(|copy| copy.set_up).map(one_copy).collect();
    if copies.is_empty() {
        return String::new();
    }
    let by_whom = match scheduler {
        Some(holder) => format!(" · by itself, in process {}", holder.pid),
        None => " · only by hand: neither the app nor a daemon runs".to_owned(),
    };
    let mut text = format!("backed up: {}{by_whom}\n", copies.join(", "));
    let drill = backups.copies.iter().filter_map(|copy| copy.drill.as_ref()).max_by_key(|drill| drill.at);
    if let Some(drill) = drill {
        text.push_str(&format!(
            "proven: back in {:.1} s at the drill {} (promised: {} min, and no loss older than {} h)\n",
            drill.seconds,
            ago(drill.at),
            RECOVERY_TIME.num_minutes(),
            RECOVERY_POINT.num_hours()
        ));
    }
    text
}

/// An image version that is being tried out, or that could be.
fn tried_out(status: &DeploymentStatus) -> Option<String> {
    if let Some(deployment) = status.deployment.as_ref().filter(|one| one.state.is_active()) {
        let share = match deployment.state.stage() {
            Some(_) => format!(", {} of launches try it", status.manual_weight.unwrap_or(status.weight)),
            None => String::new(),
        };
        return Some(format!(
            "new image: {}{share}: drydock deploy status\n",
            super::deploy::sentence(deployment)
        ));
    }
    let newer = status.newer.as_ref()?;
    Some(format!("new image: Claude Code {newer} is out: drydock deploy canary {newer}\n"))
}

/// What of the configuration from git waits for the user.
fn waits(status: &GitopsStatus) -> Option<String> {
    let what = if let Some(failed) = &status.failed {
        format!("commit {} is not in force here", failed.commit.short())
    } else if let Some(held) = &status.held_commit {
        format!("commit {} waits for you", held.commit.short())
    } else if !status.held.is_empty() {
        match status.held.len() {
            1 => "1 change waits for you".to_owned(),
            many => format!("{many} changes wait for you"),
        }
    } else {
        return None;
    };
    Some(format!("configuration: {what}: drydock gitops status\n"))
}

/// The last recovery, and what it took.
fn recovered(past: &Past) -> Option<String> {
    let report = past.report.as_ref().filter(|_| past.standing == Recovered::Done)?;
    let lost = report
        .lost_seconds
        .map_or_else(String::new, |lost| format!(", from a snapshot {} min before", (lost + 59) / 60));
    Some(format!(
        "recovered: {} {} in {:.1} s{lost}; undo: drydock recover --undo {}\n",
        render::counted(report.recovered.len(), "file"),
        ago(past.begun),
        report.seconds,
        report.id
    ))
}

fn one_copy(copy: &CopyStatus) -> String {
    format!("{} {}", copy.copy, copy.as_of.map_or_else(|| "never".to_owned(), ago))
}
