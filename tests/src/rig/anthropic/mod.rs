//! A stand-in for Anthropic's API, good enough for real turns of the real Claude Code.
//!
//! What it does is told by directives in the last thing the user said; each of the first kind is one
//! turn with a tool call, and a plain answer ends the turn:
//!
//! - `[[write:PATH]]` `[[edit:PATH]]` `[[read:PATH]]` `[[bash:COMMAND]]`
//! - `[[task:WORDS]]` has a sub-agent say them
//! - `[[hold]]` keeps the last answer open until [`Requests::release`]
//! - `[[error:STATUS]]` is answered with that status

mod answer;
mod conversation;
mod requests;
mod server;

#[cfg(target_os = "linux")]
pub(super) use answer::error;
pub use requests::{Auth, Requests, Seen};
pub(super) use server::router;
#[cfg(target_os = "linux")]
pub(super) use server::{auth, json_response, next_number};

use super::serving::Serving;
use std::{ops::Deref, sync::Arc};

/// A key the stand-in takes. It opens nothing else.
pub const API_KEY: &str = "sk-ant-api03-FAKE-key-of-the-drydock-tests-FAKE";
/// An access token the stand-in takes. It opens nothing else.
pub const TOKEN: &str = "sk-ant-oat01-FAKE-token-of-the-drydock-tests-FAKE";

/// The stand-in, listening while this lives.
pub struct Anthropic {
    requests: Arc<Requests>,
    serving: Serving,
}

impl Anthropic {
    /// Starts one that takes [`API_KEY`] and [`TOKEN`].
    #[must_use]
    pub fn start() -> Self {
        let requests = Arc::new(Requests::at(Box::new(|auth: &Auth| match auth {
            Auth::Key(key) if key == API_KEY => Ok(()),
            Auth::Bearer(token) if token == TOKEN || token == API_KEY => Ok(()),
            _ => Err("invalid x-api-key"),
        })));
        let serving = Serving::start(router(Arc::clone(&requests)), |listener| listener);
        Self { requests, serving }
    }

    /// Its address on this computer.
    #[must_use]
    pub fn url_here(&self) -> String {
        self.serving.url_here()
    }

    /// Its address in a session.
    #[must_use]
    pub fn url_inside(&self) -> String {
        self.serving.url_inside()
    }
}

impl Deref for Anthropic {
    type Target = Requests;

    fn deref(&self) -> &Requests {
        &self.requests
    }
}
