//! Which commit is brought here: fetched, after what is in force, signed where that is demanded, and not one that
//! has failed already.

use super::{
    commit::Commit,
    mirror::{Descent, Fetched},
    reconcile::Look,
    report::Outcome,
    state::{Access, HeldCommit, HeldWhy, Unreachable},
    wish::{Force, Target, Wish},
};
use crate::error_handling::{Code, Error, Result};

/// The commit to bring here.
pub(super) enum Chosen {
    /// It was not in force before, or is not yet.
    New(Commit),
    /// What is in force stays, and this is why.
    InForce(Commit, Outcome),
    /// There is none.
    None(Outcome),
}

/// Fetches, and says which commit counts.
pub(super) fn choose(look: &mut Look<'_>, wish: &Wish) -> Result<Chosen> {
    fetch(look)?;
    let in_force = look.state.in_force.as_ref().map(|now| now.commit.clone());
    if let Target::Commit(text) = &wish.target {
        return look.mirror.named(text).map(Chosen::New);
    }
    if let Some(suspended) = &look.state.suspended {
        let outcome = Outcome::Suspended { why: suspended.why.clone() };
        return Ok(stay(in_force, outcome));
    }
    let Some(incoming) = look.mirror.incoming()? else { return Ok(stay(in_force, Outcome::NothingFetched)) };
    if look.gitops.settings.gitops_requires_signature()
        && let Err(why) = look.mirror.verify_signature(&incoming)?
    {
        return Ok(hold(look, incoming, HeldWhy::Unsigned(why)));
    }
    if let Some(now) = &in_force {
        match look.mirror.descent(now, &incoming) {
            Ok(Descent::After) => {}
            Ok(Descent::Other) if wish.force == Force::Yes => {}
            Ok(Descent::Other) => return Ok(hold(look, incoming, HeldWhy::Rewritten)),
            // Too little of the history is here to tell, and the rest cannot be had now.
            Err(error) if error.code() == Code::GitopsUnreachable => {
                note_unreachable(look, error.causes().first().cloned().unwrap_or_default());
                return Ok(stay(in_force, Outcome::Synced));
            }
            Err(error) => return Err(error),
        }
    }
    look.state.held_commit = None;
    let failed = look.state.failure(&incoming, &look.gitops.settings_digest());
    if let Some(failed) = failed.filter(|_| wish.force == Force::No) {
        let outcome = Outcome::Failed { commit: incoming, error: failed.error.clone() };
        return Ok(stay(in_force, outcome));
    }
    Ok(Chosen::New(incoming))
}

fn stay(in_force: Option<Commit>, outcome: Outcome) -> Chosen {
    match in_force {
        Some(commit) => Chosen::InForce(commit, outcome),
        None => Chosen::None(outcome),
    }
}

/// The commit waits for the user; what is in force stays.
fn hold(look: &mut Look<'_>, commit: Commit, why: HeldWhy) -> Chosen {
    let known = look.state.held_commit.as_ref().filter(|held| held.commit == commit);
    let since = known.map_or(look.now, |held| held.since);
    let held = HeldCommit { commit, why, since };
    let outcome = Outcome::Held { commit: held.commit.clone(), why: held.why.clone() };
    look.state.held_commit = Some(held);
    stay(look.state.in_force.as_ref().map(|now| now.commit.clone()), outcome)
}

/// Fetches. That the repository cannot be reached is no error: what was fetched last counts.
fn fetch(look: &mut Look<'_>) -> Result<()> {
    match look.mirror.fetch()? {
        Fetched::Done => {
            look.state.unreachable = None;
            look.state.fetched = Some(look.now);
            Ok(())
        }
        Fetched::Unreachable(why) => {
            note_unreachable(look, why);
            Ok(())
        }
        Fetched::NoBranch => Err(Error::new(
            Code::GitopsRepository,
            format!("the configuration's repository has no branch {}", look.mirror.branch()),
        )
        .remedy("push to it, or name another: drydock settings set gitops.branch NAME")),
    }
}

fn note_unreachable(look: &mut Look<'_>, why: String) {
    let known = look.state.unreachable.take();
    look.state.unreachable = Some(Unreachable {
        since: known.as_ref().map_or(look.now, |known| known.since),
        times: known.map_or(1, |known| known.times.saturating_add(1)),
        access: Access::of(&why),
        why,
    });
}
