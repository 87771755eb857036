//! `drydock deploy`.

use crate::{
    Context,
    arguments::Deploy,
    render::{self, counted},
};
use chrono::Utc;
use drydock_engine::{
    deployment::{
        Again, Deployment, DeploymentStatus, Pause, Promotion, Side, SmokeOutcome, SmokeReport, State,
        Transition, VersionFigures,
    },
    error_handling::{Code, Error, Result},
    image::ClaudeVersion,
    observability::Quantiles,
};
use std::{fmt::Write, process::ExitCode};

pub(super) async fn deploy(context: &Context, wanted: Deploy) -> Result<ExitCode> {
    let deployments = context.drydock.deployments();
    match wanted {
        Deploy::Canary { version, force } => {
            let version: Option<ClaudeVersion> = version.map(|text| text.parse()).transpose()?;
            let again = if force { Again::Forced } else { Again::No };
            deployments.check_settings()?;
            let engine = context.drydock.engine().await?;
            let progress = render::Progress::start(context.format);
            let begun = deployments.deploy_canary(&engine, version, again, &progress.sink()).await;
            progress.finish();
            say(context, &begun?);
        }
        Deploy::Status { seen } => {
            if seen {
                deployments.see()?;
            }
            let status = deployments.track_deployment(Utc::now())?;
            render::answer(context.format, &status, || {
                let mut text = told(&status);
                if let Some(newer) = &status.newer {
                    let _ = writeln!(text, "Claude Code {newer} is out: drydock deploy canary {newer}");
                }
                text
            });
        }
        Deploy::Promote { full } => {
            let promotion = if full { Promotion::Full } else { Promotion::Next };
            say(context, &deployments.promote(promotion, Utc::now())?);
            go_on(context).await?;
        }
        Deploy::Rollback => {
            let engine = context.drydock.engine().await?;
            let progress = render::Progress::start(context.format);
            let back = deployments.rollback_deployment(&engine, &progress.sink()).await;
            progress.finish();
            say(context, &back?);
        }
        Deploy::Pause => say(context, &deployments.pause(Utc::now())?),
        Deploy::Resume => say(context, &deployments.resume(Utc::now())?),
        Deploy::History { launches: true } => {
            let launches = deployments.launches()?;
            render::answer(context.format, &launches, || launches_told(&launches));
        }
        Deploy::History { launches: false } => {
            let history = deployments.history(200)?;
            render::answer(context.format, &history, || history_told(&history));
        }
        Deploy::Smoke => {
            let engine = context.drydock.engine().await?;
            let progress = render::Progress::start(context.format);
            let report = deployments.smoke(&engine, &progress.sink()).await;
            progress.finish();
            let report = report?;
            render::answer(context.format, &report, || smoke_told(&report));
            if !report.passed() {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Does what a state asks for that was reached meanwhile, such as the tests after a promotion.
pub(super) async fn go_on(context: &Context) -> Result<()> {
    let engine = context.drydock.engine().await?;
    let progress = render::Progress::start(context.format);
    let done = context
        .drydock
        .deployments()
        .go_on(&engine, drydock_engine::deployment::Others::Leave, &progress.sink())
        .await;
    progress.finish();
    done.map(drop)
}

fn say(context: &Context, deployment: &Deployment) {
    render::answer(context.format, deployment, || format!("{}\n", sentence(deployment)));
}

/// Where a deployment stands, in one sentence.
pub(super) fn sentence(deployment: &Deployment) -> String {
    let version = &deployment.candidate.claude_version;
    match &deployment.state {
        State::Building => format!("Claude Code {version} is being built"),
        State::Smoke => format!("Claude Code {version} is being tested"),
        State::Stage { at } => format!("Claude Code {version} is in stage {}", at.index + 1),
        State::Paused { pause, at } => {
            let why = match pause {
                Pause::User => "you stopped it".to_owned(),
                Pause::Inconclusive => "many launches were seen, and they say nothing".to_owned(),
                Pause::Environment { trigger } => format!("{trigger}, but stable does no better"),
            };
            format!("Claude Code {version} stays in stage {}: {why}", at.index + 1)
        }
        State::RollingBack { trigger } | State::RolledBack { trigger } => {
            format!("Claude Code {version} was taken back: {trigger}")
        }
        State::Succeeded => format!("Claude Code {version} is what sessions use now"),
        State::Aborted { .. } => format!("Claude Code {version} was given up before any launch tried it"),
        State::Superseded => format!("Claude Code {version} was superseded by a newer candidate"),
    }
}

fn told(status: &DeploymentStatus) -> String {
    let Some(deployment) = &status.deployment else {
        return "nothing has been tried out yet: drydock deploy canary\n".into();
    };
    let mut text = format!("{}\n", sentence(deployment));
    if let Some(stage) = deployment.state.stage() {
        let weight = match status.manual_weight {
            Some(manual) => format!("{manual} (manual weight, over {})", status.weight),
            None => status.weight.to_string(),
        };
        let _ = writeln!(text, "  {weight} of launches try it, since {}", render::ago(stage.since));
        if !status.missing.is_empty() {
            let missing: Vec<_> = status.missing.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "  the stage is left with: {}", missing.join(", "));
        }
        if let Some(evidence) = &status.evidence {
            let _ = writeln!(
                text,
                "  evidence against it: errors {:.1}, slowness {:.1}; taken back at {:.1}",
                evidence.errors, evidence.slowness, evidence.boundary
            );
        }
    }
    if status.versions.iter().any(|one| one.launches + one.running > 0 || !one.outcomes.is_empty()) {
        text.push('\n');
        text.push_str(&render::table(
            &["", "CLAUDE CODE", "LAUNCHES", "ERRORS", "95 % SURE", "P50", "P95", "SLOW", "FIRST"],
            status.versions.iter().map(row),
        ));
        for version in &status.versions {
            let others: Vec<_> = version
                .outcomes
                .iter()
                .filter(|(word, _)| **word != "ok")
                .map(|(word, n)| format!("{n} {word}"))
                .collect();
            if !others.is_empty() {
                let _ = writeln!(text, "  {}: {}", version.side.word(), others.join(", "));
            }
        }
    }
    for denied in &status.denied {
        let _ = writeln!(text, "\nnot tried again: {}: {}", denied.identity, denied.why);
    }
    text
}

fn row(version: &VersionFigures) -> Vec<String> {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let seconds = |pick: fn(&Quantiles) -> f64| {
        version.seconds.as_ref().map_or(String::new(), |found| format!("{:.1} s", pick(found)))
    };
    // Of fewer, the percentile is only the slowest one.
    let p95 = match &version.seconds {
        Some(found) if found.count >= 20 => format!("{:.1} s", found.p95),
        _ => String::new(),
    };
    vec![
        version.side.word().into(),
        version.claude_version.clone(),
        match version.running {
            0 => version.launches.to_string(),
            running => format!("{} (+{running})", version.launches),
        },
        version.error_rate.map_or(String::new(), |rate| format!("{} ({})", version.errors, percent(rate))),
        version
            .error_interval
            .map_or(String::new(), |(low, high)| format!("{}–{}", percent(low), percent(high))),
        seconds(|found| found.p50),
        p95,
        version
            .seconds
            .as_ref()
            .map_or(String::new(), |found| format!("{} of {}", version.slow, found.count)),
        version.first_seconds.map_or(String::new(), |seconds| format!("{seconds:.1} s")),
    ]
}

fn history_told(history: &[Transition]) -> String {
    if history.is_empty() {
        return "nothing has been tried out yet\n".into();
    }
    let rows = history.iter().map(|one| {
        vec![one.at.format("%Y-%m-%d %H:%M:%S").to_string(), one.after.clone(), sentence(&one.deployment)]
    });
    render::table(&["WHEN (UTC)", "STATE", ""], rows)
}

fn launches_told(launches: &[drydock_engine::deployment::Launched]) -> String {
    let rows = launches.iter().map(|one| {
        vec![
            one.at.format("%Y-%m-%d %H:%M:%S").to_string(),
            one.id.clone(),
            one.side.word().into(),
            one.why.word().into(),
            one.u.map_or(String::new(), |u| format!("{u:.3}")),
            format!("{:.2}", one.weight),
            one.seconds.map_or(String::new(), |seconds| format!("{seconds:.1} s")),
            one.outcome.map_or("running", |outcome| outcome.word()).into(),
        ]
    });
    render::table(&["WHEN (UTC)", "SESSION", "VERSION", "WHY", "PLACE", "WEIGHT", "READY", "OUTCOME"], rows)
}

fn smoke_told(report: &SmokeReport) -> String {
    let mut text = format!("{}: {}\n", report.image, counted(report.checks.len(), "check"));
    for check in &report.checks {
        let outcome = match &check.outcome {
            SmokeOutcome::Passed => "passed".to_owned(),
            SmokeOutcome::Failed { why } => format!("FAILED: {why}"),
        };
        let _ = writeln!(text, "  {:<12} {:>5.1} s  {outcome}", check.name.to_string(), check.seconds);
    }
    text
}

/// `--canary` or `--stable`.
pub(super) fn forced(canary: bool, stable: bool) -> Result<drydock_engine::deployment::Wish> {
    use drydock_engine::deployment::Wish;
    match (canary, stable) {
        (true, true) => Err(Error::new(Code::Usage, "--canary and --stable exclude each other")),
        (true, false) => Ok(Wish::Force(Side::Canary)),
        (false, true) => Ok(Wish::Force(Side::Stable)),
        (false, false) => Ok(Wish::ByWeight),
    }
}
