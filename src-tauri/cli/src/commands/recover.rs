//! `drydock recover`: the plan in words, the question, the report, and undo.

use super::backup::{asked, recovery_code};
use crate::{
    Context,
    arguments::Recover,
    render::{self, Format, Progress, ago, bytes, counted},
    terminal,
};
use chrono::Utc;
use drydock_engine::{
    backup::{RECOVERY_POINT, RECOVERY_TIME},
    disaster_recovery::{
        Act, ClaudeSays, Item, Looked, Past, Plan, Recovery, Report, Running, Scope, Source, Standing, Then,
        Undone, Wish, disaster_recovery,
    },
    error_handling::{Code, Error, Outcome, Result},
    paths::Locations,
    progress::ProgressSink,
    validation::refuse_damaged_config,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

pub(super) async fn recover(context: &mut Context, wanted: Recover) -> Result<ExitCode> {
    if let Some(named) = wanted.undo {
        return undo(context, named).await;
    }
    if wanted.history {
        let history = context.drydock.recovery().history();
        render::answer(context.format, &history, || past(&history));
        return Ok(ExitCode::SUCCESS);
    }
    let began = Instant::now();
    if let Some(copy) = &wanted.copy {
        open_copy(context, copy).await?;
    }
    let wish = wish(context, &wanted).await?;
    let asked_for = wanted.whole || !wanted.only.is_empty();
    let plan = at_work(context, move |recovery, progress| recovery.plan(&wish, Utc::now(), progress)).await?;
    let looked = Looked { seconds: began.elapsed().as_secs_f64() };
    let home = context.drydock.locations.home.clone();
    if plan.items.is_empty()
        && asked_for
        && let Some(chosen) = &plan.chosen
    {
        render::answer(context.format, &plan, || {
            let (id, taken) = (&chosen.id, ago(chosen.taken));
            format!(
                "it is as snapshot {id}, taken {taken}, has it\n  an older one: drydock recover --from SNAPSHOT\n"
            )
        });
        return Ok(ExitCode::SUCCESS);
    }
    if plan.is_empty() || wanted.plan {
        render::answer(context.format, &plan, || described(&plan, &home));
        let by_hand = !plan.items.is_empty() && plan.is_empty();
        return Ok(exit(by_hand));
    }
    if context.format == Format::Human {
        eprint!("{}", described(&plan, &home));
    }
    if !wanted.yes && !confirmed()? {
        return Err(Error::new(Code::RecoveryUnconfirmed, "nothing was changed")
            .why("a recovery wants your word")
            .remedy("drydock recover --yes"));
    }
    let report =
        at_work(context, move |recovery, progress| disaster_recovery(recovery, &plan, looked, progress))
            .await?;
    let recovery = context.drydock.recovery();
    // Somebody has looked.
    recovery.allow_again()?;
    render::answer(context.format, &report, || told(&report, &home));
    if report.left.iter().any(|left| matches!(left.then, Then::Failed { .. })) {
        return Ok(ExitCode::from(Outcome::Failed.exit_code()));
    }
    Ok(exit(report.left.iter().any(|left| matches!(left.then, Then::ByHand { .. }))))
}

/// Before a session is launched: what can be recovered without asking is, and about the rest a person at a
/// terminal is asked.
pub(super) async fn before_launch(context: &mut Context, interactive: bool) -> Result<()> {
    if let Some(report) = at_work(context, Recovery::recover_if_allowed).await? {
        eprint!("{}", told_briefly(&report, &context.drydock.locations.home));
        return Ok(());
    }
    let locations = context.drydock.locations.clone();
    if interactive && refuse_damaged_config(&locations).is_err() {
        let wish = Wish { scope: Scope::Unusable, source: Source::NewestGood };
        let began = Instant::now();
        let plan =
            at_work(context, move |recovery, progress| recovery.plan(&wish, Utc::now(), progress)).await?;
        eprint!("{}", described(&plan, &locations.home));
        if !plan.is_empty() && confirmed()? {
            let looked = Looked { seconds: began.elapsed().as_secs_f64() };
            let report = at_work(context, move |recovery, progress| {
                disaster_recovery(recovery, &plan, looked, progress)
            })
            .await?;
            eprint!("{}", told_briefly(&report, &locations.home));
        }
    }
    Ok(())
}

/// After work that failed by damage: recovered where that needs no word, so that it can be done again.
pub(crate) async fn after_failure(context: &Context, error: &Error) {
    if error.code() != Code::ConfigDamaged {
        return;
    }
    match at_work(context, Recovery::recover_if_allowed).await {
        Ok(Some(report)) => {
            eprint!("{}", told_briefly(&report, &context.drydock.locations.home));
            eprintln!("drydock: run the command again");
        }
        Ok(None) => {}
        Err(error) => render::warning(&error),
    }
}

fn told_briefly(report: &Report, home: &Path) -> String {
    let mut text = String::new();
    for recovered in &report.recovered {
        text.push_str(&format!(
            "drydock: {} was damaged and is back ({})\n",
            short(&recovered.file, home),
            recovered.how
        ));
    }
    text.push_str(&format!("  undo: drydock recover --undo {}\n", report.id));
    text
}

fn exit(needs_user: bool) -> ExitCode {
    if needs_user { ExitCode::from(Outcome::NeedsUser.exit_code()) } else { ExitCode::SUCCESS }
}

async fn at_work<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce(&Recovery, &ProgressSink) -> Result<T> + Send + 'static,
) -> Result<T> {
    let recovery = context.drydock.recovery();
    let progress = Progress::start(context.format);
    let sink = progress.sink();
    let done = tokio::task::spawn_blocking(move || work(&recovery, &sink)).await;
    progress.finish();
    done.map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
}

fn confirmed() -> Result<bool> {
    if !terminal::is_interactive() {
        return Ok(false);
    }
    let answer = asked("Recover? [y/N] ")?;
    Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

async fn wish(context: &Context, wanted: &Recover) -> Result<Wish> {
    let source = match wanted.from.clone() {
        None => Source::NewestGood,
        Some(text) => {
            let found =
                super::backup::at_work(context, move |backups, _| backups.find_snapshot(&text)).await?;
            Source::Snapshot(found.id)
        }
    };
    let scope = if wanted.whole {
        Scope::Whole
    } else if wanted.only.is_empty() {
        Scope::Damaged
    } else {
        Scope::Only(wanted.only.iter().map(|path| place(path, &context.drydock.locations)).collect())
    };
    Ok(Wish { scope, source })
}

/// A path as people type it: from here, from the home, or as it is called in a snapshot.
fn place(path: &Path, locations: &Locations) -> PathBuf {
    if let Ok(below) = path.strip_prefix("~") {
        return locations.home.join(below);
    }
    if path == Path::new(".claude.json") {
        return locations.claude_json.clone();
    }
    match path.strip_prefix(".claude") {
        Ok(below) => locations.claude_dir.join(below),
        Err(_) => std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()),
    }
}

/// Makes a copy of another computer's backups, or of before everything was lost, this one's.
async fn open_copy(context: &mut Context, copy: &str) -> Result<()> {
    let is_folder = copy.starts_with(['/', '.', '~']);
    let settings = &mut context.drydock.settings;
    if is_folder {
        let folder = std::path::absolute(copy).unwrap_or_else(|_| PathBuf::from(copy));
        let folder = if copy.starts_with('~') { copy.to_owned() } else { folder.display().to_string() };
        settings.set("backup.external.path", &folder)?;
    } else {
        settings.set("backup.cloud.remote", copy)?;
    }
    let known = super::backup::at_work(context, |backups, _| Ok(backups.key()?.is_some())).await?;
    if !known {
        let code = recovery_code()?;
        super::backup::at_work(context, move |backups, _| backups.import_key(&code, Utc::now())).await?;
    }
    Ok(())
}

async fn undo(context: &Context, named: Option<String>) -> Result<ExitCode> {
    let undone = at_work(context, move |recovery, _| recovery.undo(named.as_deref(), Utc::now())).await?;
    let home = context.drydock.locations.home.clone();
    render::answer(context.format, &undone, || taken_back(&undone, &home));
    Ok(exit(!undone.stay.is_empty()))
}

fn taken_back(undone: &Undone, home: &Path) -> String {
    let mut text = format!("{} as they were before the recovery\n", counted(undone.back.len(), "file"));
    for file in &undone.stay {
        text.push_str(&format!("  stays, since it was written since: {}\n", short(file, home)));
    }
    text
}

/// So many files are named; the others are counted.
const NAMED: usize = 12;

/// The plan in words.
fn described(plan: &Plan, home: &Path) -> String {
    if plan.items.is_empty() {
        return "nothing is damaged\n".to_owned();
    }
    let mut text = String::new();
    for mended in &plan.mended {
        text.push_str(&format!("first: {mended}\n"));
    }
    for running in &plan.running {
        text.push_str(&match running {
            Running::ClaudeCode { pid, folder } => format!(
                "Claude Code is running here (process {pid}{}); it goes on, and nothing that it writes is lost\n",
                folder.as_ref().map(|folder| format!(" in {}", short(folder, home))).unwrap_or_default()
            ),
            Running::Session { id } => format!("session {id} is running; it waits while this is done\n"),
        });
    }
    let groups = [
        ("comes back", group(plan, |act| matches!(act, Act::BringBack { .. }))),
        ("is made whole, and keeps what is newer in it", group(plan, |act| matches!(act, Act::Merge { .. }))),
        ("is as the snapshot has it again", group(plan, |act| matches!(act, Act::Replace { .. }))),
        ("comes from Claude Code's own backup", group(plan, |act| matches!(act, Act::FromClaudeCode { .. }))),
        ("keeps what is whole in it", group(plan, |act| matches!(act, Act::KeepWhatIsWhole))),
        ("is mended in place", group(plan, |act| matches!(act, Act::Fix { .. }))),
        ("needs you", group(plan, |act| matches!(act, Act::ByHand { .. }))),
    ];
    for (what, items) in groups.into_iter().filter(|(_, items)| !items.is_empty()) {
        text.push_str(&format!("{what}:\n"));
        let lines = lines(&items, home);
        let more = lines.len().saturating_sub(NAMED);
        text.extend(lines.into_iter().take(NAMED));
        if more > 0 {
            text.push_str(&format!("  and {more} more\n"));
        }
    }
    if plan.is_empty() {
        return text;
    }
    if let Some(chosen) = &plan.chosen {
        let others = plan.items.iter().filter_map(|item| item.act.snapshot()).filter(|id| **id != chosen.id);
        let others = match others.count() {
            0 => String::new(),
            count => format!("; {} from older ones", counted(count, "file")),
        };
        text.push_str(&format!("from snapshot {}, taken {}{others}\n", chosen.id, ago(chosen.taken)));
    }
    for skipped in &plan.skipped {
        text.push_str(&format!("  snapshot {} is not good: {}\n", skipped.id, skipped.why));
    }
    text.push_str(
        "kept: everything else as it is, and what is replaced goes into quarantine for 30 days (drydock recover --undo)\n",
    );
    text.push_str(&format!("{} in about {:.0} s\n", bytes(plan.bytes()), plan.seconds.ceil()));
    text
}

/// A line for each file; those that are gone from one folder in one line.
fn lines(items: &[&Item], home: &Path) -> Vec<String> {
    let mut gone: Vec<(PathBuf, usize)> = Vec::new();
    let mut lines = Vec::new();
    for item in items {
        match &item.act {
            Act::BringBack { .. } => {
                let folder = folder(&item.file, home);
                match gone.iter_mut().find(|(known, _)| *known == folder) {
                    Some((_, count)) => *count += 1,
                    None => gone.push((folder, 1)),
                }
            }
            Act::ByHand { remedy } => {
                lines.push(format!("  {}   ({})\n    try: {remedy}\n", short(&item.file, home), item.why));
            }
            _ => lines.push(format!("  {}   ({})\n", short(&item.file, home), item.why)),
        }
    }
    lines.extend(gone.into_iter().map(|(folder, count)| match count {
        1 => format!("  {}   (it is gone)\n", short(&folder, home)),
        count => format!("  {}   ({count} files are gone)\n", short(&folder, home)),
    }));
    lines
}

/// The folder that a file is counted in: a project's, or one of the user's own.
fn folder(file: &Path, home: &Path) -> PathBuf {
    let Ok(below) = file.strip_prefix(home) else { return file.to_path_buf() };
    let depth = if below.starts_with(".claude/projects") { 3 } else { 2 };
    home.join(below.components().take(depth).collect::<PathBuf>())
}

fn group(plan: &Plan, is: impl Fn(&Act) -> bool) -> Vec<&Item> {
    plan.items.iter().filter(|item| is(&item.act)).collect()
}

/// The report in words.
fn told(report: &Report, home: &Path) -> String {
    let mut text = String::new();
    for recovered in report.recovered.iter().take(NAMED) {
        text.push_str(&format!("back: {}   ({})\n", short(&recovered.file, home), recovered.how));
    }
    if report.recovered.len() > NAMED {
        text.push_str(&format!("  and {} more\n", report.recovered.len() - NAMED));
    }
    for left in &report.left {
        text.push_str(&format!("as it was: {}   ({})\n", short(&left.file, home), left.why));
        if let Then::ByHand { remedy } | Then::Failed { remedy } = &left.then {
            text.push_str(&format!("  try: {remedy}\n"));
        }
    }
    let claude = match report.verified.claude {
        ClaudeSays::Reads => ", and Claude Code reads it",
        ClaudeSays::Refuses => ", but Claude Code refuses it",
        ClaudeSays::NotAsked => "",
    };
    text.push_str(&format!(
        "recovered in {:.1} s (promised: {} min), checked{claude}\n",
        report.seconds,
        RECOVERY_TIME.num_minutes()
    ));
    if let Some(lost) = report.lost_seconds {
        text.push_str(&format!(
            "from a snapshot {} before (promised: at most {} h)\n",
            duration(lost),
            RECOVERY_POINT.num_hours()
        ));
    }
    text.push_str(&format!(
        "undo until {}: drydock recover --undo {}\n",
        report.undo_until.format("%Y-%m-%d"),
        report.id
    ));
    text
}

fn duration(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

fn past(history: &[Past]) -> String {
    if history.is_empty() {
        return "nothing was recovered yet\n".to_owned();
    }
    let rows = history.iter().rev().map(|past| {
        let how = match past.standing {
            Standing::Begun => "begun",
            Standing::Interrupted => "interrupted",
            Standing::Done => "done",
            Standing::Failed => "failed",
            Standing::Undone => "undone",
        };
        let report = past.report.as_ref();
        vec![
            past.id().to_string(),
            ago(past.begun),
            how.to_owned(),
            report.map_or_else(String::new, |report| counted(report.recovered.len(), "file")),
            report.map_or_else(String::new, |report| format!("{:.1} s", report.seconds)),
        ]
    });
    render::table(&["RECOVERY", "WHEN", "", "BACK", "TOOK"], rows)
}

/// A path from the home, as people say it.
fn short(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(below) => format!("~/{}", below.display()),
        Err(_) => path.display().to_string(),
    }
}
