//! `drydock backup`: the three copies.

use crate::{
    Context,
    arguments::{Backup, BackupKey, CopiesDeed, Copy},
    render::{self, Progress, ago, bytes, table},
    terminal,
};
use chrono::Utc;
use drydock_engine::{
    backup::{
        BackupReport, Backups, Copies, CopyName, CopyOutcome, CopyStatus, Depth, Drill, Heal, Hit, Listed,
        ListedKind, ListedSnapshot, Pin, PrunePlan, Reason, Seen, Taken, Verdict, VerifiedCopy,
    },
    error_handling::{Code, Error, IoContext, Result},
    paths::write_private,
    progress::ProgressSink,
};
use std::{
    io::{self, Read},
    path::Path,
    process::ExitCode,
};

impl From<Copy> for CopyName {
    fn from(copy: Copy) -> Self {
        match copy {
            Copy::Local => Self::Local,
            Copy::External => Self::External,
            Copy::Cloud => Self::Cloud,
        }
    }
}

pub(super) async fn backup(context: &Context, wanted: Backup) -> Result<ExitCode> {
    match wanted {
        Backup::Now { copy } => now(context, copy).await,
        Backup::List { snapshot: None, find: None, .. } => list(context).await,
        Backup::List { find: Some(text), .. } => find(context, text).await,
        Backup::List { snapshot: Some(snapshot), folder, .. } => {
            browse(context, snapshot, folder.unwrap_or_default()).await
        }
        Backup::Verify { copy, all, heal } => {
            let depth = if all { Depth::Everything } else { Depth::Part };
            verify(context, copy, depth, if heal { Heal::Yes } else { Heal::No }).await
        }
        Backup::Prune { plan } => prune(context, if plan { PrunePlan::Show } else { PrunePlan::Do }).await,
        Backup::Copies { deed: None } => copies(context).await,
        Backup::Copies { deed: Some(CopiesDeed::Forget { copy }) } => forget(context, copy.into()).await,
        Backup::Drill { copy } => drill(context, copy.into()).await,
        Backup::Pin { snapshot } => pin(context, snapshot, Pin::Keep).await,
        Backup::Unpin { snapshot } => pin(context, snapshot, Pin::LetGo).await,
        Backup::Key(deed) => key(context, deed).await,
    }
}

/// Work on the backups, off the threads that wait, with its progress on the terminal.
pub(super) async fn at_work<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce(&Backups, &ProgressSink) -> Result<T> + Send + 'static,
) -> Result<T> {
    let backups = context.drydock.backups();
    let progress = Progress::start(context.format);
    let sink = progress.sink();
    let done = tokio::task::spawn_blocking(move || work(&backups, &sink)).await;
    progress.finish();
    done.map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
}

async fn now(context: &Context, copy: Option<Copy>) -> Result<ExitCode> {
    let copies = copy.map_or(Copies::All, |copy| Copies::Only(copy.into()));
    let (report, status) = at_work(context, move |backups, progress| {
        let report = backups.backup_claude_data(Reason::Manual, copies, Utc::now(), progress)?;
        Ok((report, backups.status()?))
    })
    .await?;
    render::answer(context.format, &report, || {
        let mut text = told(&report);
        if status.sheet_wanted {
            text.push_str(
                "the recovery sheet is not saved yet: without it, the copies are lost with this computer\n  \
                 next: drydock backup key export --to FILE, print it, then drydock backup key confirm\n",
            );
        }
        text
    });
    let failed = report.copies.iter().any(|outcome| match outcome {
        CopyOutcome::Failed { error, .. } => error.code() != Code::CopyAbsent || copy.is_some(),
        CopyOutcome::NotSetUp { .. } => copy.is_some_and(|copy| copy != Copy::Local),
        CopyOutcome::Written { .. } | CopyOutcome::Busy { .. } => false,
    });
    Ok(ExitCode::from(u8::from(failed)))
}

fn told(report: &BackupReport) -> String {
    let mut text = match &report.taken {
        Taken::New { snapshot } => {
            let mut text = format!(
                "snapshot {}: {} files, {}; {} new, {} changed, {} added\n",
                snapshot.id,
                snapshot.files,
                bytes(snapshot.bytes),
                snapshot.new,
                snapshot.changed,
                bytes(snapshot.added)
            );
            for name in &snapshot.unread {
                text.push_str(&format!("  not read: {name}\n"));
            }
            text
        }
        Taken::Unchanged { snapshot, .. } => format!("nothing has changed since snapshot {snapshot}\n"),
    };
    let damaged = match &report.taken {
        Taken::New { snapshot } => &snapshot.damaged,
        Taken::Unchanged { damaged, .. } => damaged,
    };
    for document in damaged {
        text.push_str(&format!("  DAMAGED on this computer: {}: {}\n", document.name, document.fault));
    }
    for outcome in &report.copies {
        match outcome {
            CopyOutcome::Written { copy, report } => text.push_str(&format!(
                "{copy} copy: {} copied, {} removed; {} in {} files\n",
                bytes(report.bytes),
                report.removed,
                bytes(report.size),
                report.files
            )),
            CopyOutcome::NotSetUp { copy } => text.push_str(&format!("{copy} copy: not set up\n")),
            CopyOutcome::Busy { copy } => {
                text.push_str(&format!("{copy} copy: another process is bringing it up to date\n"));
            }
            CopyOutcome::Failed { copy, error } => {
                text.push_str(&format!("{copy} copy: behind: {}", render::explained(error)));
            }
        }
    }
    text
}

async fn list(context: &Context) -> Result<ExitCode> {
    let snapshots = at_work(context, |backups, _| backups.list()).await?;
    render::answer(context.format, &snapshots, || {
        let rows = snapshots.iter().map(|listed| {
            let snapshot = &listed.snapshot;
            vec![
                snapshot.id.short().to_owned(),
                ago(snapshot.time),
                snapshot.reason.word().to_owned(),
                snapshot.files.to_string(),
                bytes(snapshot.bytes),
                bytes(snapshot.added),
                remarks(listed),
            ]
        });
        table(&["SNAPSHOT", "TAKEN", "REASON", "FILES", "SIZE", "ADDED", ""], rows)
    });
    Ok(ExitCode::SUCCESS)
}

fn remarks(listed: &ListedSnapshot) -> String {
    let mut words = Vec::new();
    if let Some(damaged) = listed.snapshot.damaged.first() {
        words.push(format!("DAMAGED: {}", damaged.name));
    } else if listed.broken {
        words.push("LOST FILES".to_owned());
    } else if !listed.good {
        words.push("incomplete".to_owned());
    }
    if listed.pinned {
        words.push("pinned".to_owned());
    }
    if !listed.verified.is_empty() {
        let copies: Vec<_> = listed.verified.iter().map(|copy| copy.word()).collect();
        words.push(format!("verified: {}", copies.join(", ")));
    }
    words.join("; ")
}

async fn browse(context: &Context, snapshot: String, folder: std::path::PathBuf) -> Result<ExitCode> {
    let listed = at_work(context, move |backups, _| {
        let snapshot = backups.find_snapshot(&snapshot)?;
        backups.browse(&snapshot.id, &folder)
    })
    .await?;
    render::answer(context.format, &listed, || table(&["SIZE", "WRITTEN", "NAME"], listed.iter().map(row)));
    Ok(ExitCode::SUCCESS)
}

fn row(listed: &Listed) -> Vec<String> {
    let name = listed.path.display();
    let (size, name) = match listed.kind {
        ListedKind::Folder => ("-".to_owned(), format!("{name}/")),
        ListedKind::File => (bytes(listed.size), name.to_string()),
        ListedKind::Link => ("-".to_owned(), format!("{name} (link)")),
    };
    vec![size, listed.modified.map(ago).unwrap_or_default(), name]
}

async fn find(context: &Context, text: String) -> Result<ExitCode> {
    let hits = at_work(context, move |backups, progress| backups.find_text(&text, progress)).await?;
    render::answer(context.format, &hits, || {
        if hits.is_empty() {
            return "no conversation of any snapshot has it\n".to_owned();
        }
        hits.iter().map(hit).collect()
    });
    Ok(ExitCode::SUCCESS)
}

fn hit(hit: &Hit) -> String {
    let times = if hit.count == 1 { "once".to_owned() } else { format!("{} times", hit.count) };
    let written = hit.modified.map(|at| format!(", written {}", ago(at))).unwrap_or_default();
    format!(
        "{}{written}, {times}\n  … {} …\n  bring it back: drydock restore {} '{}' --back\n",
        hit.path.display(),
        hit.excerpt.trim(),
        hit.snapshot,
        hit.path.display()
    )
}

async fn verify(context: &Context, copy: Option<Copy>, depth: Depth, heal: Heal) -> Result<ExitCode> {
    let copies = copy.map_or(CopyName::ALL.to_vec(), |copy| vec![copy.into()]);
    let verified = at_work(context, move |backups, progress| {
        backups.verify_backup(&copies, depth, heal, Utc::now(), progress)
    })
    .await?;
    // Nothing else can be told without the local copy or its key.
    if let Some(VerifiedCopy { copy: CopyName::Local, verdict: Verdict::Unseen { error } }) = verified.first()
    {
        return Err(error.clone());
    }
    render::answer(context.format, &verified, || verified.iter().map(verdict).collect());
    let bad = verified.iter().any(|verified| match &verified.verdict {
        Verdict::Damaged(_) => true,
        Verdict::Unseen { error } => error.code() != Code::CopyAbsent || copy.is_some(),
        Verdict::Whole(_) | Verdict::Healed(_) | Verdict::NotSetUp => false,
    });
    Ok(ExitCode::from(u8::from(bad)))
}

fn verdict(verified: &VerifiedCopy) -> String {
    let copy = verified.copy;
    match &verified.verdict {
        Verdict::Whole(seen) => format!("{copy} copy: whole; {}\n{}", read(seen), on_host(seen)),
        Verdict::Healed(seen) => {
            format!("{copy} copy: healed; {}\n{}{}", read(seen), faults(seen), on_host(seen))
        }
        Verdict::Damaged(seen) => format!(
            "{copy} copy: DAMAGED; {}\n{}{}  try: drydock backup verify --heal\n",
            read(seen),
            faults(seen),
            on_host(seen)
        ),
        Verdict::Unseen { error } => format!("{copy} copy: not looked at: {}", render::explained(error)),
        Verdict::NotSetUp => format!("{copy} copy: not set up\n"),
    }
}

fn read(seen: &Seen) -> String {
    let newest = seen.newest.as_ref().map(|id| format!("newest snapshot {id}, ")).unwrap_or_default();
    format!("{newest}{} files read back, {}", seen.files, bytes(seen.bytes))
}

fn faults(seen: &Seen) -> String {
    const SHOWN: usize = 20;
    let mut text: String = seen
        .faults
        .iter()
        .take(SHOWN)
        .map(|fault| match &fault.healed {
            Some(by) => format!("  {}: {}; healed {by}\n", fault.file, fault.what),
            None => format!("  {}: {}\n", fault.file, fault.what),
        })
        .collect();
    if seen.faults.len() > SHOWN {
        text.push_str(&format!("  and {} more; --json has them all\n", seen.faults.len() - SHOWN));
    }
    text
}

fn on_host(seen: &Seen) -> String {
    let broken = seen.broken.iter();
    let mut text: String =
        broken.map(|id| format!("  snapshot {id} has lost files; it goes with the next prune\n")).collect();
    for document in &seen.damaged_documents {
        text.push_str(&format!(
            "  the newest snapshot is of a damaged {}: {}\n",
            document.name, document.fault
        ));
    }
    text
}

async fn prune(context: &Context, plan: PrunePlan) -> Result<ExitCode> {
    let pruned = at_work(context, move |backups, progress| backups.prune(plan, Utc::now(), progress)).await?;
    render::answer(context.format, &pruned, || {
        let (verb, count) = match plan {
            PrunePlan::Show => ("would go", pruned.gone.len()),
            PrunePlan::Do => ("went", pruned.gone.len()),
        };
        format!(
            "{count} snapshots {verb}, {} stay; {} are not needed any more and go in a day\n",
            pruned.stay.len(),
            bytes(pruned.unused)
        )
    });
    Ok(ExitCode::SUCCESS)
}

async fn copies(context: &Context) -> Result<ExitCode> {
    let status = at_work(context, |backups, _| backups.status()).await?;
    render::answer(context.format, &status, || {
        let mut text = table(
            &["COPY", "AS OF", "VERIFIED", "DRILL", "SIZE", "PLACE"],
            status.copies.iter().map(copy_row),
        );
        for copy in &status.copies {
            if let Some(failure) = &copy.failure {
                let since = ago(failure.since);
                let error = render::explained(&failure.error);
                text.push_str(&format!("{} copy: failing since {since}: {error}", copy.copy));
            }
        }
        if status.sheet_wanted {
            text.push_str(
                "the recovery sheet is not saved yet\n  next: drydock backup key export --to FILE\n",
            );
        }
        text
    });
    Ok(ExitCode::SUCCESS)
}

fn copy_row(copy: &CopyStatus) -> Vec<String> {
    let never = || "never".to_owned();
    vec![
        copy.copy.word().to_owned(),
        copy.as_of.map_or_else(|| if copy.set_up { never() } else { "not set up".to_owned() }, ago),
        copy.verified.as_ref().map_or_else(never, |verified| ago(verified.at)),
        copy.drill.as_ref().map_or_else(never, |drill| format!("{}, {:.1} s", ago(drill.at), drill.seconds)),
        bytes(copy.bytes),
        copy.place.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

async fn forget(context: &Context, copy: CopyName) -> Result<ExitCode> {
    if copy == CopyName::Local {
        return Err(Error::new(Code::Usage, "the local copy is what the others are copies of")
            .remedy("drydock settings set backup.local.path FOLDER"));
    }
    at_work(context, move |backups, _| backups.forget_copy(copy)).await?;
    render::answer(context.format, &serde_json::json!({ "forgotten": copy }), || {
        format!("the {copy} copy is forgotten; its files are where they were\n")
    });
    Ok(ExitCode::SUCCESS)
}

async fn drill(context: &Context, copy: CopyName) -> Result<ExitCode> {
    let drill = at_work(context, move |backups, progress| backups.drill(copy, Utc::now(), progress)).await?;
    render::answer(context.format, &drill, || proven(copy, &drill));
    Ok(ExitCode::SUCCESS)
}

fn proven(copy: CopyName, drill: &Drill) -> String {
    format!(
        "proven: snapshot {} of the {copy} copy is back in {:.1} s: {} files, {}, {} records of conversations\n",
        drill.snapshot,
        drill.seconds,
        drill.files,
        bytes(drill.bytes),
        drill.records
    )
}

async fn pin(context: &Context, snapshot: String, pin: Pin) -> Result<ExitCode> {
    let id = at_work(context, move |backups, _| {
        let id = backups.find_snapshot(&snapshot)?.id;
        backups.pin(&id, pin).map(|()| id)
    })
    .await?;
    render::answer(context.format, &serde_json::json!({ "snapshot": id }), || match pin {
        Pin::Keep => format!("snapshot {id} stays until it is unpinned\n"),
        Pin::LetGo => format!("snapshot {id} goes when its time comes\n"),
    });
    Ok(ExitCode::SUCCESS)
}

async fn key(context: &Context, deed: BackupKey) -> Result<ExitCode> {
    match deed {
        BackupKey::Export { to } => {
            let sheet = at_work(context, |backups, _| backups.sheet(Utc::now())).await?;
            match to {
                None => print!("{}", sheet.reveal()),
                Some(file) => {
                    refuse_existing(&file)?;
                    write_private(&file, sheet.reveal().as_bytes())?;
                    render::answer(context.format, &serde_json::json!({ "file": file }), || {
                        format!(
                            "the recovery sheet is in {}\n  next: print it, remove the file, then: drydock backup key confirm\n",
                            file.display()
                        )
                    });
                }
            }
        }
        BackupKey::Confirm { last_group } => {
            let typed = match last_group {
                Some(typed) => typed,
                None => asked("the last four letters of the code: ")?,
            };
            at_work(context, move |backups, _| backups.confirm_sheet(&typed, Utc::now())).await?;
            render::answer(context.format, &serde_json::json!({ "saved": true }), || {
                "the sheet is saved\n".to_owned()
            });
        }
        BackupKey::Import => {
            let code = recovery_code()?;
            at_work(context, move |backups, _| backups.import_key(&code, Utc::now())).await?;
            render::answer(context.format, &serde_json::json!({ "imported": true }), || {
                "the backups are open\n  next: drydock backup list\n".to_owned()
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The code of the recovery sheet, from whoever has it.
pub(super) fn recovery_code() -> Result<String> {
    if terminal::is_interactive() {
        return terminal::unseen("the code of the recovery sheet: ")
            .context("read", Path::new("the terminal"));
    }
    asked("")
}

fn refuse_existing(file: &Path) -> Result<()> {
    if file.exists() {
        return Err(Error::new(Code::Usage, format!("{} is there already", file.display()))
            .remedy("name a file that is not there yet"));
    }
    Ok(())
}

/// A line from standard input.
pub(super) fn asked(question: &str) -> Result<String> {
    const LONGEST: u64 = 4096;
    let mut text = String::new();
    let read = if terminal::is_interactive() {
        eprint!("{question}");
        io::stdin().read_line(&mut text)
    } else {
        io::stdin().lock().take(LONGEST).read_to_string(&mut text)
    };
    read.context("read", Path::new("standard input"))?;
    Ok(text.trim().to_owned())
}
