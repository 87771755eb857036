//! One round over all streams that are wanted: each is sent as far as its server takes it, and what it took is
//! written down at once.

use super::{
    allowed::Allowed,
    answer::Answer,
    chain::Chain,
    server::Server,
    settle::Notice,
    state::{Kept, State, Trouble},
    stream::{Next, Stream},
};
use crate::{
    error_handling::Result,
    keychain::{Fingerprint, Sensitive},
};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Requests of one stream in one round: after so many the others have their turn.
const REQUESTS: usize = 50;

/// How a stream gets to its server.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) stream: Stream,
    pub(super) chain: Chain,
    pub(super) allowed: Allowed,
    pub(super) server: Server,
    pub(super) access: Access,
}

/// With what the server lets one in.
#[derive(Debug, Clone)]
pub(super) enum Access {
    /// Without anything.
    Open,
    /// With a key of Datadog's.
    Key(Sensitive<String>),
    /// With one that there is not.
    Missing(String),
}

impl Way {
    /// Address and key: what was refused under one is tried again under another.
    fn identity(&self) -> Fingerprint {
        let key = match &self.access {
            Access::Open | Access::Missing(_) => "",
            Access::Key(key) => key.reveal(),
        };
        Fingerprint::of(&format!("{}\n{}\n{key}", crate::VERSION, self.server.at(self.stream.path())))
    }
}

/// What a round needs of the world.
pub(super) trait World {
    /// What time it is.
    fn now(&self) -> DateTime<Utc>;
    /// Sends something.
    fn post(&mut self, way: &Way, body: &Value) -> Answer;
    /// Writes down up to where it was sent.
    fn commit(&mut self, state: &State) -> Result<()>;
}

/// How hard it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// What is due.
    Due,
    /// Everything now, since somebody asked: also what waits or stands still, once.
    All,
}

/// Goes over all streams once; what should be said of it.
///
/// # Errors
/// When what was sent cannot be written down: nothing more is sent then.
pub(super) fn round(
    ways: &[Way],
    state: &mut State,
    effort: Effort,
    world: &mut impl World,
) -> Result<Vec<Notice>> {
    let wanted: Vec<_> = ways.iter().map(|way| way.stream).collect();
    if state.forget_all_but(&wanted) {
        world.commit(state)?;
    }
    let mut notices = Vec::new();
    for way in ways {
        if effort == Effort::All {
            let kept = state.of_mut(way.stream);
            (kept.not_before, kept.stopped) = (None, None);
        }
        let limit = if effort == Effort::All { usize::MAX } else { REQUESTS };
        for _ in 0..limit {
            let before = state.of(way.stream).cloned().unwrap_or_default();
            let is_done = step(way, state.of_mut(way.stream), world, &mut notices);
            if state.of(way.stream) != Some(&before) {
                world.commit(state)?;
            }
            if is_done == Step::Last {
                break;
            }
        }
    }
    Ok(notices)
}

/// Whether there may be more to do.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    More,
    Last,
}

fn step(way: &Way, kept: &mut Kept, world: &mut impl World, notices: &mut Vec<Notice>) -> Step {
    let (identity, now) = (way.identity(), world.now());
    let next = match way.stream.next(kept, &way.chain, &way.allowed, identity, now) {
        Ok(next) => next,
        Err(cause) => {
            kept.trouble =
                Some(Trouble { at: now, what: format!("what is on record cannot be read: {cause}") });
            return Step::Last;
        }
    };
    let batch = match next {
        Next::Nothing => return Step::Last,
        Next::Begin(cursor) => {
            kept.cursor = Some(cursor);
            return Step::More;
        }
        Next::Send(batch) => batch,
    };
    let answer = match (&batch.body, &way.access) {
        (None, _) => None,
        (Some(_), Access::Missing(why)) => {
            // Said once: what is kept changes only when the reason does.
            if kept.trouble.as_ref().is_none_or(|trouble| trouble.what != *why) {
                kept.trouble = Some(Trouble { at: now, what: why.clone() });
            }
            return Step::Last;
        }
        (Some(body), _) => Some(world.post(way, body)),
    };
    notices.extend(kept.settle(way.stream, batch, answer.as_ref(), identity, world.now()));
    // A server that takes nothing now is left alone until its time.
    if kept.not_before.is_some() || kept.stopped.is_some() { Step::Last } else { Step::More }
}
