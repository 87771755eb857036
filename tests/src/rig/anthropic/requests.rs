//! What was asked of the stand-in, as a test looks at it.

use crate::rig::until::until_or;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Longer than Claude Code takes to ask.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a request showed to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Nothing.
    Missing,
    /// `x-api-key`.
    Key(String),
    /// `authorization: Bearer`.
    Bearer(String),
}

/// A request as the stand-in saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Method and path.
    pub path: String,
    /// Who asked.
    pub auth: Auth,
    /// The status it was answered with.
    pub status: u16,
    /// The model that was asked for.
    pub model: String,
    /// Whether tools were offered, as in every turn of a conversation.
    pub tools: bool,
    /// How many messages the conversation had.
    pub messages: usize,
    /// What was said, by whom, in order. Reminders that Claude Code adds are left out.
    pub said: Vec<(String, String)>,
}

impl Seen {
    /// Whether somebody in this conversation said `text`.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.said.iter().any(|(_, said)| said.contains(text))
    }

    /// The last thing that the user said.
    #[must_use]
    pub fn prompt(&self) -> &str {
        self.said.iter().rev().find(|(who, _)| who == "user").map_or("", |(_, said)| said)
    }
}

/// Who may come in; the reason for those who may not.
pub(in crate::rig) type Door = Box<dyn Fn(&Auth) -> Result<(), &'static str> + Send + Sync>;

/// The requests so far, and the answers that are held back. Server and test share it.
pub struct Requests {
    pub(super) door: Door,
    pub(super) seen: Mutex<Vec<Seen>>,
    pub(super) held: Mutex<usize>,
    pub(super) releases: Semaphore,
}

impl Requests {
    pub(in crate::rig) fn at(door: Door) -> Self {
        Self { door, seen: Mutex::default(), held: Mutex::default(), releases: Semaphore::new(0) }
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The turns of conversations so far, without what Claude Code asks for its own ends.
    #[must_use]
    pub fn turns(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.tools && seen.path == "POST /v1/messages").collect()
    }

    /// Waits for a turn in which the user's last words hold `text`.
    pub fn wait_for_turn(&self, text: &str) -> Seen {
        until_or(
            PATIENCE,
            || self.turns().into_iter().find(|seen| seen.prompt().contains(text)),
            || format!("a turn about {text:?}; seen: {:#?}", self.seen()),
        )
    }

    /// Waits until an answer is being held.
    pub fn wait_for_hold(&self) {
        until_or(
            PATIENCE,
            || (*self.held.lock().unwrap_or_else(PoisonError::into_inner) > 0).then_some(()),
            || format!("a held answer; seen: {:#?}", self.seen()),
        );
    }

    /// Lets one held answer end; one that is not held yet will not be.
    pub fn release(&self) {
        self.releases.add_permits(1);
    }
}
