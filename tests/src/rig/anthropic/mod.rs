//! A stand-in for Anthropic's API, good enough for real turns of the real Claude Code.
//!
//! What it does is told by directives in the last thing the user said; each of the first kind is one
//! turn with a tool call, and a plain answer ends the turn:
//!
//! - `[[write:PATH]]` `[[edit:PATH]]` `[[read:PATH]]` `[[bash:COMMAND]]`
//! - `[[task:WORDS]]` has a sub-agent say them
//! - `[[hold]]` keeps the last answer open until [`Anthropic::release`]
//! - `[[error:STATUS]]` is answered with that status

mod answer;
mod conversation;
mod server;

use super::until::until_or;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::{Semaphore, oneshot};

/// A key the stand-in takes. It opens nothing else.
pub const API_KEY: &str = "sk-ant-api03-FAKE-key-of-the-drydock-tests-FAKE";
/// An access token the stand-in takes. It opens nothing else.
pub const TOKEN: &str = "sk-ant-oat01-FAKE-token-of-the-drydock-tests-FAKE";

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

/// What server and test share.
struct Shared {
    seen: Mutex<Vec<Seen>>,
    held: Mutex<usize>,
    releases: Semaphore,
}

/// The stand-in, listening while this lives.
pub struct Anthropic {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Anthropic {
    /// Starts one at a free port, reachable from this computer and from its containers.
    #[must_use]
    pub fn start() -> Self {
        let shared =
            Arc::new(Shared { seen: Mutex::default(), held: Mutex::default(), releases: Semaphore::new(0) });
        let (address, stop, thread) = server::start(Arc::clone(&shared));
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Its address on this computer.
    #[must_use]
    pub fn url_here(&self) -> String {
        format!("http://127.0.0.1:{}", self.address.port())
    }

    /// Its address in a session.
    #[must_use]
    pub fn url_inside(&self) -> String {
        format!("http://host.docker.internal:{}", self.address.port())
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            || (*self.shared.held.lock().unwrap_or_else(PoisonError::into_inner) > 0).then_some(()),
            || format!("a held answer; seen: {:#?}", self.seen()),
        );
    }

    /// Lets one held answer end; one that is not held yet will not be.
    pub fn release(&self) {
        self.shared.releases.add_permits(1);
    }
}

impl Drop for Anthropic {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
