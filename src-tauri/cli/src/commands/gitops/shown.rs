//! Configuration from git, in words.

use crate::render::{ago, counted, table};
use drydock_engine::gitops::{
    Access, Adopted, AuditLine, Begun, Cause, Checked, DriftKind, DriftLine, GitopsStatus, HeldChange,
    HeldWhy, InSession, Judged, Outcome, Place, Preview, Pushed, Report, Would,
};
use std::collections::BTreeMap;

pub(super) fn begun(begun: &Begun) -> String {
    let folder = begun.folder.display();
    let mut text = format!("made {folder} with {}\n", counted(begun.files.len(), "file"));
    for (file, why) in &begun.left {
        text.push_str(&format!("  left out: {file}: {why}\n"));
    }
    if !begun.secrets.is_empty() {
        text.push_str("\nsecrets, encrypted in secrets/:\n");
        for (name, place) in &begun.secrets {
            text.push_str(&format!("  ${{secret:{name}}}   now in {place}\n"));
        }
    }
    text.push_str(&format!("\nsecrets are encrypted for {}\n", begun.recipients.join(" and ")));
    if begun.recipients.len() == 1 {
        text.push_str(
            "  that is this computer's key alone: keep a copy of it (drydock gitops key export, or the recovery sheet:\n  \
             drydock backup key export), or name a key that you keep elsewhere (gitops.recovery_recipient, .sops.yaml)\n",
        );
    }
    text.push_str(&format!(
        "\nfollow it here:      drydock settings set gitops.repository {folder}\n\
         and by itself:       drydock settings set gitops.enabled true\n\
         for other computers: git remote add origin URL, git push, and gitops.repository URL there\n"
    ));
    text
}

pub(super) fn checked(checked: &Checked) -> String {
    if checked.problems.is_empty() {
        return format!(
            "{} say {} for this computer; nothing is wrong\n",
            counted(checked.files, "file"),
            counted(checked.places, "thing")
        );
    }
    let lines: String = checked.problems.iter().map(|problem| format!("{problem}\n")).collect();
    let count = checked.problems.len();
    let are = if count == 1 { "is" } else { "are" };
    format!("{lines}{} {are} wrong\n", counted(count, "thing"))
}

pub(super) fn status(status: &GitopsStatus) -> String {
    let mut text = format!("{} ({})\n", status.repository, status.branch);
    match &status.in_force {
        Some(now) => text.push_str(&format!(
            "  in force: {} {}, by {}, since {}; {}\n",
            now.commit,
            now.about.subject,
            now.about.author,
            ago(now.at),
            counted(status.places, "place")
        )),
        None => text.push_str("  nothing of it is in force yet: drydock gitops reconcile\n"),
    }
    match status.looked {
        Some(at) => text.push_str(&format!("  looked at {}", ago(at))),
        None => text.push_str("  never looked at"),
    }
    text.push_str(if status.enabled {
        "\n"
    } else {
        "; not by itself (drydock settings set gitops.enabled true)\n"
    });
    match &status.unreachable {
        Some(gone) if gone.access == Access::Refused => {
            text.push_str(&format!(
                "  REFUSED: its server refuses the login that your git has: {}\n",
                gone.why
            ));
            text.push_str(&format!("    → see it with your own git: git ls-remote {}\n", status.repository));
        }
        Some(gone) => {
            text.push_str(&format!("  cannot be reached since {}: {}\n", ago(gone.since), gone.why));
        }
        None => {}
    }
    if let Some(suspended) = &status.suspended {
        text.push_str(&format!("  SUSPENDED: {}; drydock gitops resume\n", suspended.why));
    }
    if let Some(failed) = &status.failed {
        text.push_str(&format!("  FAILED: {} {}\n", failed.commit, failed.about.subject));
        text.push_str(&error(&failed.error));
    }
    if let Some(held) = &status.held_commit {
        text.push_str(&format!("  WAITS: {}\n", held_commit(held.commit.short(), &held.why)));
    }
    text.push_str(&held(&status.held));
    if !status.drift.is_empty() {
        text.push_str("changed here:\n");
        for (place, since) in &status.drift {
            text.push_str(&format!("  {place}   since {}\n", ago(*since)));
        }
        text.push_str("  look: drydock gitops drift\n");
    }
    text
}

fn error(error: &drydock_engine::error_handling::Error) -> String {
    let mut text = format!("    {}\n", error.message());
    for why in error.causes() {
        text.push_str(&format!("    {why}\n"));
    }
    for remedy in error.remedies() {
        text.push_str(&format!("    → {remedy}\n"));
    }
    text
}

fn held_commit(commit: &str, why: &HeldWhy) -> String {
    match why {
        HeldWhy::Rewritten => format!(
            "{commit} does not come after what is in force: the history was rewritten. Take it: drydock gitops reconcile --force"
        ),
        HeldWhy::Unsigned(why) => format!("{commit} is not signed by somebody whom your git trusts: {why}"),
    }
}

fn held(held: &BTreeMap<Place, HeldChange>) -> String {
    if held.is_empty() {
        return String::new();
    }
    let mut text = "waits for you, since this computer would act on it:\n".to_owned();
    for (place, change) in held {
        text.push_str(&format!("  {} {place}\n", change.id));
        text.push_str(&sides(change.from.as_deref(), change.to.as_deref()));
    }
    text + "  all of one: drydock gitops show CHANGE   let it happen: drydock gitops approve CHANGE   or --all\n"
}

pub(super) fn judged(judged: &Judged) -> String {
    let HeldChange { id, since, commit, about, .. } = &judged.change;
    let mut text = format!("{}{}\n", judged.place, if judged.program { "  (a program)" } else { "" });
    if let (Some(commit), Some(about)) = (commit, about) {
        text.push_str(&format!("  by commit {commit} {}, by {}\n", about.subject, about.author));
    }
    text.push_str(&format!("  it waits since {}\n\n- here   + in git\n{}", ago(*since), judged.diff));
    text + &format!("\nlet it happen: drydock gitops approve {id}\n")
}

fn sides(here: Option<&str>, git: Option<&str>) -> String {
    let shown = |side: Option<&str>| side.unwrap_or("(nothing)").to_owned();
    format!("      - {}\n      + {}\n", shown(here), shown(git))
}

pub(super) fn preview(preview: &Preview) -> String {
    let mut text = match &preview.commit {
        Some(commit) => format!("commit {commit}\n"),
        None => String::new(),
    };
    text.push_str(&outcome(&preview.outcome));
    if preview.differences.is_empty() && preview.commit.is_some() {
        return text + "this computer is as it says\n";
    }
    for one in &preview.differences {
        let would = match one.would {
            Would::Write => "would be written",
            Would::Remove => "would go",
            Would::Wait => "would wait for your word",
            Would::Drift => "was changed here",
            Would::Conflict => "was changed here and in git",
            Would::Release => "would be yours: it was changed here, and git says nothing of it any more",
        };
        text.push_str(&format!("{}   {would}\n", one.place));
        text.push_str(&sides(one.here.as_deref(), one.git.as_deref()));
    }
    text
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Synced => String::new(),
        Outcome::Held { commit, why } => format!("WAITS: {}\n", held_commit(commit.short(), why)),
        Outcome::Failed { commit, error: why } => {
            format!("FAILED: commit {commit}; nothing of it was brought here\n{}", error(why))
        }
        Outcome::RolledBack { commit, error: why } => {
            format!("TAKEN BACK: commit {commit}; everything is as it was\n{}", error(why))
        }
        Outcome::Suspended { why } => format!("SUSPENDED: {why}; drydock gitops resume\n"),
        Outcome::NothingFetched => "nothing was ever fetched\n".to_owned(),
    }
}

pub(super) fn report(report: &Report) -> String {
    let mut text = outcome(&report.outcome);
    match &report.unreachable {
        Some(gone) if gone.access == Access::Refused => text.push_str(&format!(
            "REFUSED: the repository's server refuses the login that your git has; what was fetched last counts\n  {}\n  \
             → see it with your own git: git ls-remote {}\n  \
             → mend it in git's credential helper, or in ssh's agent; Drydock keeps none and asks for none\n",
            gone.why, report.repository
        )),
        Some(gone) => text.push_str(&format!(
            "the repository cannot be reached since {}; what was fetched last counts\n  {}\n",
            ago(gone.since),
            gone.why
        )),
        None => {}
    }
    if let (Some(commit), Some(about)) = (&report.commit, &report.about) {
        text.push_str(&format!("commit {commit} {}, by {}\n", about.subject, about.author));
    }
    for changed in &report.changed {
        let how = match changed.cause {
            Cause::Reverted => " (back to what git says)",
            Cause::RolledBack => " (back to an earlier commit)",
            _ => "",
        };
        let to = changed.to.as_deref().unwrap_or("(nothing)");
        text.push_str(&format!("  {} = {to}{how}\n", changed.place));
    }
    for place in &report.released {
        text.push_str(&format!(
            "  {place} is yours: git says nothing of it any more, and it was changed here\n"
        ));
    }
    for (place, secrets) in &report.missing {
        let names: Vec<_> = secrets.iter().map(String::as_str).collect();
        text.push_str(&format!(
            "  {place} waits for {}: it is not in the repository, or not for this computer's key\n",
            names.join(", ")
        ));
    }
    text.push_str(&held(&report.held));
    text.push_str(&drift(&report.drift));
    text.push_str(&in_sessions(&report.in_sessions));
    if let Some(taken) = &report.adopted {
        text.push_str(&adopted(taken));
    }
    if report.is_settled() && report.changed.is_empty() && report.unreachable.is_none() {
        text.push_str("this computer is as the repository says\n");
    }
    text
}

fn drift(lines: &[DriftLine]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = "not as git says:\n".to_owned();
    for line in lines {
        let by = line.session.as_ref().map_or_else(|| "here".to_owned(), |id| format!("by session {id}"));
        let who = match (line.kind, line.fights) {
            (_, true) => format!("changed {by} again and again: something here wants it otherwise"),
            (DriftKind::Here, false) => format!("changed {by}"),
            (DriftKind::Both, false) => format!("changed {by} and in git"),
        };
        text.push_str(&format!("  {}   {who}, seen {}\n", line.place, ago(line.since)));
        text.push_str(&sides(line.actual.as_deref(), line.desired.as_deref()));
    }
    text + "  - here   + in git\n  take it into git: drydock gitops adopt PLACE   take git's: drydock gitops revert PLACE\n"
}

fn in_sessions(lines: &[InSession]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = "in sessions alone, waiting for you:\n".to_owned();
    for InSession { place, session, change, reason, seen } in lines {
        text.push_str(&format!("  {place}   in session {session}, seen {}: {reason}\n", ago(*seen)));
        text.push_str(&format!("      look: drydock held show {change}\n"));
    }
    text
}

pub(super) fn adopted(adopted: &Adopted) -> String {
    let mut text = String::new();
    if let (Some(commit), Some(pushed)) = (&adopted.commit, &adopted.pushed) {
        text.push_str(&format!("commit {commit} has {}\n", counted(adopted.places.len(), "change")));
        if let Pushed::Beside { branch, why } = pushed {
            text.push_str(&format!("  it is on the branch {branch}, to be merged: {why}\n"));
        }
    }
    for (place, why) in &adopted.left {
        text.push_str(&format!("  left: {place}: {why}\n"));
    }
    text
}

/// Whether the log was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proven {
    Yes,
    NotAsked,
}

pub(super) fn audit(lines: &[AuditLine], proven: Proven) -> String {
    let proof = match proven {
        Proven::Yes => {
            format!("{} proven: none was changed, removed or put in\n", counted(lines.len(), "line"))
        }
        Proven::NotAsked => String::new(),
    };
    if lines.is_empty() {
        return format!("{proof}nothing came from git yet\n");
    }
    let rows = lines.iter().map(|line| {
        vec![
            line.seq.to_string(),
            line.at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            line.commit.as_ref().map(|commit| commit.short().to_owned()).unwrap_or_default(),
            cause(line.cause).to_owned(),
            line.place.to_string(),
            line.from.clone().unwrap_or_else(|| "(nothing)".to_owned()),
            line.to.clone().unwrap_or_else(|| "(nothing)".to_owned()),
        ]
    });
    table(&["NO", "WHEN", "COMMIT", "WHY", "WHAT", "FROM", "TO"], rows) + &proof
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Commit => "commit",
        Cause::Pruned => "no more in git",
        Cause::Reverted => "reverted",
        Cause::Adopted => "adopted",
        Cause::RolledBack => "rolled back",
    }
}
