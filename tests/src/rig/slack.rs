//! A stand-in for Slack's incoming webhooks, stricter than Slack: what it takes, Slack takes.
//!
//! Sources of its rules: Slack's reference of Block Kit, its "Formatting text for app surfaces", its "Sending messages
//! using incoming webhooks" and "Rate limits".

use super::serving::Serving;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What it answers instead of looking at the message.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This status with these words.
    Status(u16, &'static str),
    /// 429, with this `Retry-After`.
    Wait(&'static str),
    /// It sends the caller to another path of its own.
    Elsewhere,
    /// Nothing, for longer than anybody waits.
    Silence,
}

#[derive(Default)]
struct Shared {
    /// What to answer next.
    answers: VecDeque<Answer>,
    taken: Vec<Value>,
    faults: Vec<String>,
    calls: usize,
}

/// It, listening on this computer while this lives.
pub struct Slack {
    serving: Serving,
    shared: Arc<Mutex<Shared>>,
}

/// The secret part of the webhook's address.
const SECRET: &str = "/services/T0FAKE/B0FAKE/fakeFAKEfakeFAKEfakeFAKE";

impl Slack {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        Self { serving: Serving::start(app, |listener| listener), shared }
    }

    /// The address of its webhook.
    #[must_use]
    pub fn webhook(&self) -> String {
        format!("{}{SECRET}", self.serving.url_here())
    }

    /// The part of it that nobody may see.
    #[must_use]
    pub fn secret(&self) -> &'static str {
        SECRET
    }

    /// What it answers next, once.
    pub fn next(&self, answer: Answer) {
        self.shared().answers.push_back(answer);
    }

    /// The messages that it took.
    #[must_use]
    pub fn taken(&self) -> Vec<Value> {
        self.shared().taken.clone()
    }

    /// How often it was called.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.shared().calls
    }

    /// What was wrong with messages.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.shared().faults.clone()
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    State(shared): State<Arc<Mutex<Shared>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let planned = {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.calls += 1;
        shared.answers.pop_front()
    };
    match planned {
        Some(Answer::Status(status, words)) => {
            return (StatusCode::from_u16(status).unwrap(), words).into_response();
        }
        Some(Answer::Wait(after)) => {
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, after)], "rate_limited")
                .into_response();
        }
        Some(Answer::Elsewhere) => {
            return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")], "").into_response();
        }
        Some(Answer::Silence) => tokio::time::sleep(Duration::from_secs(600)).await,
        None => {}
    }
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    if uri.path() != SECRET {
        return (StatusCode::NOT_FOUND, "no_service").into_response();
    }
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let message = serde_json::from_slice::<Value>(&body).ok().filter(|_| is_json);
    let Some(message) = message else {
        shared.faults.push("it is no JSON".into());
        return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
    };
    let faults = faults(&message);
    if !faults.is_empty() {
        shared.faults.extend(faults);
        return (StatusCode::BAD_REQUEST, "invalid_blocks").into_response();
    }
    shared.taken.push(message);
    (StatusCode::OK, "ok").into_response()
}

/// What Slack would not take in a message.
fn faults(message: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut total = 0;
    let mut text = |value: &Value, kind: &str, limit: usize, faults: &mut Vec<String>| {
        if value["type"] != kind {
            faults.push(format!("a text is {} and not {kind}", value["type"]));
        }
        let text = value["text"].as_str().unwrap_or_default();
        let length = text.chars().count();
        total += length;
        if length == 0 || length > limit {
            faults.push(format!("a text has {length} characters of 1 to {limit}"));
        }
        if let Some(fault) = unescaped(text) {
            faults.push(fault);
        }
    };
    for name in message.as_object().into_iter().flat_map(|fields| fields.keys()) {
        if !["text", "blocks"].contains(&name.as_str()) {
            faults.push(format!("there is no field {name}"));
        }
    }
    let fallback = message["text"].as_str().unwrap_or_default();
    if fallback.is_empty() || fallback.chars().count() > 4000 {
        faults.push("the text for notifications is missing or too long".into());
    }
    faults.extend(unescaped(fallback));
    let blocks = message["blocks"].as_array().cloned().unwrap_or_default();
    if blocks.is_empty() || blocks.len() > 50 {
        faults.push(format!("{} blocks", blocks.len()));
    }
    for block in &blocks {
        match block["type"].as_str() {
            Some("header") => text(&block["text"], "plain_text", 150, &mut faults),
            Some("section") => text(&block["text"], "mrkdwn", 3000, &mut faults),
            Some("context") => {
                let elements = block["elements"].as_array().cloned().unwrap_or_default();
                if elements.is_empty() || elements.len() > 10 {
                    faults.push(format!("a context of {} elements", elements.len()));
                }
                elements.iter().for_each(|element| text(element, "mrkdwn", 3000, &mut faults));
            }
            other => faults.push(format!("a block of type {other:?}")),
        }
    }
    if total > 10_000 {
        faults.push(format!("{total} characters together"));
    }
    faults
}

/// A sign of Slack's own that is neither escaped nor one of those that were meant: a date, and a link into the app.
fn unescaped(text: &str) -> Option<String> {
    for (at, _) in text.match_indices('&') {
        if !["&amp;", "&lt;", "&gt;"].iter().any(|entity| text[at..].starts_with(entity)) {
            return Some(format!("a bare & in {text:?}"));
        }
    }
    let mut rest = text;
    while let Some(begin) = rest.find('<') {
        let after = &rest[begin + 1..];
        let Some(end) = after.find('>') else { return Some(format!("a bare < in {text:?}")) };
        if !(after.starts_with("!date^") || after.starts_with("drydock://")) {
            return Some(format!("a bare < in {text:?}"));
        }
        rest = &after[end + 1..];
    }
    rest.contains('>').then(|| format!("a bare > in {text:?}"))
}
