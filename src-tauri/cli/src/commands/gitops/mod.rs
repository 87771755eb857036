//! `drydock gitops`: configuration from a git repository, and its secrets.

mod secrets;
mod shown;

use crate::{Context, arguments::Gitops as Wanted, render};
use chrono::Utc;
use drydock_engine::{
    error_handling::{Code, Error, Outcome as Ending, Result},
    gitops::{
        Actor, Below, Files, Force, Gitops, Outcome, Report, Which, Wish, audit_config_change, detect_drift,
        reconcile_config,
    },
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

pub(super) async fn gitops(context: &Context, wanted: Wanted) -> Result<ExitCode> {
    let gitops = context.drydock.gitops();
    match wanted {
        Wanted::Init { folder } => {
            let folder = absolute(&folder)?;
            let begun = blocking(move || gitops.init(&folder)).await?;
            render::answer(context.format, &begun, || shown::begun(&begun));
            Ok(ExitCode::SUCCESS)
        }
        Wanted::Validate { folder, staged } => {
            validate(context, gitops, &folder, if staged { Files::Staged } else { Files::InFolder }).await
        }
        Wanted::Status => {
            let status = gitops.status()?;
            render::answer(context.format, &status, || shown::status(&status));
            Ok(ExitCode::SUCCESS)
        }
        Wanted::Diff => {
            let preview = blocking(move || gitops.preview(Utc::now())).await?;
            render::answer(context.format, &preview, || shown::preview(&preview));
            Ok(ExitCode::SUCCESS)
        }
        Wanted::Reconcile { force } => {
            let force = if force { Force::Yes } else { Force::No };
            let wish = Wish { force, ..Wish::of_user() };
            report(context, move || reconcile_config(&gitops, &wish, Utc::now())).await
        }
        Wanted::Drift => report(context, move || detect_drift(&gitops, Utc::now())).await,
        Wanted::Adopt { places } => adopt(context, gitops, &places).await,
        Wanted::Revert { places } => {
            let wish = Wish { revert: places_of(&places)?, ..Wish::of_user() };
            report(context, move || reconcile_config(&gitops, &wish, Utc::now())).await
        }
        Wanted::Rollback { commit } => {
            report(context, move || gitops.rollback(commit.as_deref(), Utc::now())).await
        }
        Wanted::Resume => report(context, move || gitops.resume(Utc::now())).await,
        Wanted::Show { change } => {
            let judged = blocking(move || gitops.judge(&change, Utc::now())).await?;
            render::answer(context.format, &judged, || shown::judged(&judged));
            Ok(ExitCode::SUCCESS)
        }
        Wanted::Approve { changes, all } => {
            let which = if all { Which::All } else { Which::These(changes) };
            report(context, move || gitops.approve(&which, Utc::now())).await
        }
        Wanted::Encrypt { file, rewrap: false } => secrets::encrypt(context, file).await,
        Wanted::Encrypt { file, rewrap: true } => secrets::rewrap(context, file).await,
        Wanted::Decrypt { file } => secrets::decrypt(context, file).await,
        Wanted::Set { file, key } => secrets::set(context, file, key).await,
        Wanted::Key(deed) => secrets::key(context, deed).await,
        Wanted::Audit { verify } => {
            let lines =
                blocking(move || if verify { audit_config_change(&gitops) } else { gitops.audit() }).await?;
            let proven = if verify { shown::Proven::Yes } else { shown::Proven::NotAsked };
            render::answer(context.format, &lines, || shown::audit(&lines, proven));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Does the work and tells what came of it; the exit code says whether it needs the user.
async fn report(
    context: &Context,
    work: impl FnOnce() -> Result<Report> + Send + 'static,
) -> Result<ExitCode> {
    let report = blocking(work).await?;
    // For programs the report is the answer, whatever it says: one document.
    render::answer(context.format, &report, || shown::report(&report));
    Ok(ExitCode::from(ending(&report)))
}

fn ending(report: &Report) -> u8 {
    match &report.outcome {
        Outcome::Failed { .. } | Outcome::RolledBack { .. } => Ending::Failed.exit_code(),
        _ if report.needs_user() => Ending::NeedsUser.exit_code(),
        _ => 0,
    }
}

async fn validate(context: &Context, gitops: Gitops, folder: &Path, which: Files) -> Result<ExitCode> {
    let folder = absolute(folder)?;
    let checked = blocking(move || gitops.check(&folder, which)).await?;
    render::answer(context.format, &checked, || shown::checked(&checked));
    Ok(if checked.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn adopt(context: &Context, gitops: Gitops, places: &[String]) -> Result<ExitCode> {
    let places = places_of(places)?;
    let adopting = gitops.clone();
    let adopted = blocking(move || adopting.adopt(&places, Actor::User, Utc::now())).await?;
    render::answer(context.format, &adopted, || shown::adopted(&adopted));
    if adopted.commit.is_some() {
        // What is a commit now is no drift any more.
        blocking(move || reconcile_config(&gitops, &Wish::of_user(), Utc::now())).await?;
    }
    Ok(if adopted.left.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Ending::NeedsUser.exit_code())
    })
}

fn places_of(texts: &[String]) -> Result<Vec<Below>> {
    let read = |text: &String| {
        text.parse().map_err(|wrong| {
            Error::new(Code::GitopsPlace, format!("`{text}` is no place"))
                .why(wrong)
                .remedy("drydock gitops drift")
        })
    };
    texts.iter().map(read).collect()
}

fn absolute(folder: &Path) -> Result<PathBuf> {
    std::path::absolute(folder)
        .map_err(|cause| Error::new(Code::Usage, format!("`{}` is no folder", folder.display())).why(cause))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
}
