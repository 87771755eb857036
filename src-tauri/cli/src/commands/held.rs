//! `drydock held`.

use crate::{Context, arguments::Held as Wanted, render};
use chrono::Utc;
use drydock_engine::{
    error_handling::{Code, Error, Result},
    sync::{Always, Held, HeldChanges, HeldId, State, acquire_sync_lock},
};
use std::process::ExitCode;

pub(super) async fn held(context: &Context, wanted: Wanted) -> Result<ExitCode> {
    let store = context.drydock.held();
    match wanted {
        Wanted::List { all } => list(context, &store, all),
        Wanted::Show { id } => show(context, &store, &id),
        Wanted::Approve { id, always } => {
            let lock = lock(context, "approve a held change").await?;
            let (parsed, now) = (parse(&id)?, Utc::now());
            let decided = match always {
                true => store.approve_always(&parsed, &lock, now)?,
                false => store.approve(&parsed, &lock, now)?,
            };
            render::answer(context.format, &decided, || {
                let how = if always { "approved, and each time from now on," } else { "approved" };
                format!(
                    "{how} {}: {}\n  take it back: drydock held undo {id}\n",
                    decided.held.subject,
                    written(&decided.written)
                )
            });
            Ok(ExitCode::SUCCESS)
        }
        Wanted::Always => {
            let rules = store.always()?;
            render::answer(context.format, &rules, || always_told(&rules));
            Ok(ExitCode::SUCCESS)
        }
        Wanted::Forget { rule } => {
            let lock = lock(context, "forget a rule").await?;
            let gone = store.forget_always(&parse_rule(&rule)?, &lock)?;
            render::answer(context.format, &gone, || {
                format!("{} of {} waits for you from now on\n", gone.subject, gone.project.display())
            });
            Ok(ExitCode::SUCCESS)
        }
        Wanted::Reject { id } => {
            let decided = store.reject(&parse(&id)?, Utc::now())?;
            render::answer(context.format, &decided, || {
                format!(
                    "rejected {}; this computer stays as it is\n  take it back: drydock held undo {id}\n",
                    decided.held.subject
                )
            });
            Ok(ExitCode::SUCCESS)
        }
        Wanted::Undo { id } => {
            let lock = lock(context, "undo a decision").await?;
            let decided = store.undo(&parse(&id)?, &lock, Utc::now())?;
            render::answer(context.format, &decided, || {
                format!("{} waits again: {}\n", decided.held.subject, written(&decided.written))
            });
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn lock(context: &Context, purpose: &str) -> Result<drydock_engine::sync::SyncLock> {
    let drydock = &context.drydock;
    acquire_sync_lock(&drydock.locations.sync_lock, purpose, drydock.settings.lock_timeout()).await
}

fn written(names: &[String]) -> String {
    if names.is_empty() { "nothing was written here".into() } else { format!("wrote {}", names.join(", ")) }
}

fn parse(id: &str) -> Result<HeldId> {
    HeldId::parse(id).ok_or_else(|| {
        Error::new(Code::HeldUnknown, format!("`{id}` is not the name of a held change"))
            .remedy("drydock held list")
    })
}

fn parse_rule(id: &str) -> Result<HeldId> {
    HeldId::parse(id).ok_or_else(|| {
        Error::new(Code::HeldUnknown, format!("`{id}` is not the name of a rule"))
            .remedy("drydock held always")
    })
}

fn always_told(rules: &[Always]) -> String {
    if rules.is_empty() {
        return "nothing is let through by itself\n".into();
    }
    let rows = rules.iter().map(|rule| {
        vec![
            rule.id.to_string(),
            rule.subject.clone(),
            rule.project.display().to_string(),
            render::ago(rule.since),
        ]
    });
    let table = render::table(&["RULE", "EXACTLY", "FROM SESSIONS OF", "SINCE"], rows);
    format!("{table}\ntake one back: drydock held forget RULE\n")
}

fn list(context: &Context, store: &HeldChanges, all: bool) -> Result<ExitCode> {
    let now = Utc::now();
    let held = if all { store.all(now)? } else { store.waiting(now)? };
    render::answer(context.format, &held, || {
        if held.is_empty() {
            return "nothing waits for you\n".into();
        }
        let rows = held.iter().map(|one| {
            vec![
                one.id.to_string(),
                one.subject.clone(),
                state(one),
                one.session.clone(),
                render::ago(one.seen),
            ]
        });
        let table = render::table(&["CHANGE", "WHAT", "WHY", "SESSION", "SEEN"], rows);
        format!("{table}\nlook at one: drydock held show CHANGE   then: drydock held approve|reject CHANGE\n")
    });
    Ok(ExitCode::SUCCESS)
}

fn state(held: &Held) -> String {
    match held.state {
        State::Waiting => held.reason.to_string(),
        State::Approved(at) => format!("approved {}", render::ago(at)),
        State::Rejected(at) => format!("rejected {}", render::ago(at)),
    }
}

fn show(context: &Context, store: &HeldChanges, id: &str) -> Result<ExitCode> {
    let id = parse(id)?;
    let held = store.find(&id)?.ok_or_else(|| {
        Error::new(Code::HeldUnknown, format!("there is no held change {id}")).remedy("drydock held list")
    })?;
    let diff = drydock_engine::sync::diff(store, &held)?;
    render::answer(context.format, &serde_json::json!({ "held": held, "diff": diff }), || {
        format!(
            "{}\n  made by the session {}, seen {}\n  {}\n\n- here   + in the session\n{diff}\n{}",
            held.subject,
            held.session,
            render::ago(held.seen),
            state(&held),
            match held.state {
                State::Waiting => format!("drydock held approve {id}   or   drydock held reject {id}\n"),
                _ => format!("take the decision back: drydock held undo {id}\n"),
            }
        )
    });
    Ok(ExitCode::SUCCESS)
}
