//! `drydock validate`: whether all Claude data on this computer is sound.

use super::backup::at_work;
use crate::{
    Context,
    render::{self, Format, bytes, grouped},
};
use chrono::Utc;
use drydock_engine::{
    backup::Reason,
    disaster_recovery::Recovery,
    error_handling::{Code, Error, Result},
    sync::acquire_sync_lock,
    validation::{self, Finding, Fix, FixOutcome, Fixed, Severity, Validation},
};
use serde::Serialize;
use std::{path::Path, process::ExitCode};

/// Whether what can be mended without a loss is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mend {
    Yes,
    No,
}

#[derive(Serialize)]
struct Answer {
    sound: bool,
    #[serde(flatten)]
    validation: Validation,
    fixed: Vec<Fixed>,
}

pub(super) async fn validate(context: &Context, mend: Mend) -> Result<ExitCode> {
    let mut validation = looked(context).await?;
    let mut fixed = Vec::new();
    if mend == Mend::Yes && validation.findings.iter().any(|finding| finding.fix.is_some()) {
        snapshot(context, &validation.findings).await?;
        let drydock = &context.drydock;
        let no_sync =
            acquire_sync_lock(&drydock.locations.sync_lock, "validate", drydock.settings.lock_timeout())
                .await?;
        fixed = validation::fix(&validation.findings, &no_sync);
        drop(no_sync);
        validation = looked(context).await?;
    }
    let answer = Answer { sound: validation.is_sound(), validation, fixed };
    render::answer(context.format, &answer, || text(&context.drydock.locations.home, &answer));
    Ok(if answer.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn looked(context: &Context) -> Result<Validation> {
    let (locations, settings) = (context.drydock.locations.clone(), context.drydock.settings.clone());
    tokio::task::spawn_blocking(move || Recovery::of(&locations, &settings).look(Utc::now()))
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))
}

/// Takes a snapshot of what will be mended. Permissions are no loss, and are set without one as well.
async fn snapshot(context: &Context, findings: &[Finding]) -> Result<()> {
    let taken = at_work(context, |backups, progress| backups.snapshot(Reason::PreRecovery, progress)).await;
    let Err(error) = taken else { return Ok(()) };
    let only_modes =
        findings.iter().filter_map(|finding| finding.fix).all(|fix| matches!(fix, Fix::SetMode(_)));
    if !only_modes {
        return Err(error);
    }
    if context.format == Format::Human {
        eprintln!("drydock: there is no snapshot of it as it was; only permissions will be changed");
        render::warning(&error);
    }
    Ok(())
}

fn text(home: &Path, answer: &Answer) -> String {
    let Answer { validation, fixed, .. } = answer;
    let mut text = String::new();
    text.extend(fixed.iter().map(|fixed| mended(home, fixed)));
    text.extend(validation.findings.iter().map(|finding| line(home, finding)));
    let mut remedies: Vec<&str> = Vec::new();
    for finding in &validation.findings {
        if !remedies.contains(&finding.remedy.as_str()) {
            remedies.push(&finding.remedy);
        }
    }
    text.extend(remedies.iter().map(|remedy| format!("      try: {remedy}\n")));
    text.push_str(&format!(
        "{} {}, {}, {} {}: {}\n",
        grouped(validation.files),
        if validation.files == 1 { "file" } else { "files" },
        bytes(validation.bytes),
        grouped(validation.records),
        if validation.records == 1 { "record" } else { "records" },
        verdict(&validation.findings)
    ));
    text
}

fn line(home: &Path, finding: &Finding) -> String {
    let mark = match finding.severity {
        Severity::Error => "BAD ",
        Severity::Warning | Severity::Note => "note",
    };
    let file = shortened(home, &finding.file);
    let place =
        finding.place.map(|at| format!(", line {}, column {}", at.line, at.column)).unwrap_or_default();
    format!("{mark}  {file}{place}: {}\n", finding.reason)
}

fn mended(home: &Path, fixed: &Fixed) -> String {
    let file = shortened(home, &fixed.file);
    match (&fixed.outcome, fixed.fix) {
        (FixOutcome::Done, Fix::SetMode(mode)) => format!("mended  {file}: its mode is {mode:03o} now\n"),
        (FixOutcome::Done, Fix::DropByteOrderMark) => {
            format!("mended  {file}: the byte-order mark is gone\n")
        }
        (FixOutcome::Changed, _) => format!("left    {file}: it changed meanwhile\n"),
        (FixOutcome::Failed(cause), _) => format!("left    {file}: {cause}\n"),
    }
}

fn shortened(home: &Path, file: &Path) -> String {
    file.strip_prefix(home)
        .map_or_else(|_| file.display().to_string(), |below| format!("~/{}", below.display()))
}

fn verdict(findings: &[Finding]) -> String {
    let wrong = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let risky = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    match (wrong, risky) {
        (0, 0) => "sound".to_owned(),
        (0, 1) => "sound, with one thing to look at".to_owned(),
        (0, many) => format!("sound, with {many} things to look at"),
        (1, _) => "one thing is wrong".to_owned(),
        (many, _) => format!("{many} things are wrong"),
    }
}
