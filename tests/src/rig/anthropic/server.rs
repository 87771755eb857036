//! The stand-in's HTTP side.

use super::{
    answer::{Answer, envelope, error},
    conversation,
    requests::{Auth, Requests, Seen},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

/// The real API sends one now and then, so that nobody on the way closes a quiet connection.
const BETWEEN_PINGS: Duration = Duration::from_secs(2);

/// A number that no other answer has.
pub(in crate::rig) fn next_number() -> usize {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Everything that there is of the API.
pub(in crate::rig) fn router(requests: Arc<Requests>) -> Router {
    Router::new().fallback(answer).with_state(requests)
}

async fn answer(State(requests): State<Arc<Requests>>, request: Request) -> Response {
    let number = next_number();
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 64 << 20).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let auth = auth(&parts.headers);
    let path = parts.uri.path().to_owned();
    let known = path == "/v1/messages" || path == "/v1/messages/count_tokens";
    let refusal = if !known || parts.method != "POST" {
        Some((404, format!("{} {path} is not here", parts.method)))
    } else if let Err(why) = (requests.door)(&auth) {
        Some((401, why.to_owned()))
    } else if !parts.headers.contains_key("anthropic-version") {
        Some((400, "anthropic-version: header is required".to_owned()))
    } else if path.ends_with("count_tokens") {
        None
    } else {
        conversation::fault(&body).map(|fault| (400, fault))
    };
    let decided = match &refusal {
        Some((status, _)) => Answer::Error(*status),
        None => Answer::to(&body),
    };
    let status = if let Answer::Error(status) = decided { status } else { 200 };
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    requests.seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen {
        path: format!("{} {path}", parts.method),
        auth,
        status,
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        tools: body["tools"].as_array().is_some_and(|tools| !tools.is_empty()),
        messages: messages.len(),
        said: conversation::said(&messages),
    });
    if let Answer::Error(status) = decided {
        let why = refusal.map_or_else(|| "asked for by the test".to_owned(), |(_, why)| why);
        return json_response(status, &error(status, &why, number), number);
    }
    if path.ends_with("count_tokens") {
        let tokens = body["messages"].to_string().len() / 4;
        return json_response(200, &json!({ "input_tokens": tokens }), number);
    }
    if body["stream"] == json!(true) {
        return stream(requests, decided, body["model"].clone(), number);
    }
    let _ = hold(&requests, &decided, None).await;
    let (block, stop) = decided.block(number);
    json_response(200, &envelope(number, &body["model"], &[block], Some(stop)), number)
}

pub(in crate::rig) fn auth(headers: &HeaderMap) -> Auth {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(token) = text("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
        return Auth::Bearer(token.to_owned());
    }
    text("x-api-key").map_or(Auth::Missing, |key| Auth::Key(key.to_owned()))
}

pub(in crate::rig) fn json_response(status: u16, value: &Value, number: usize) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).expect("a status"))
        .header("content-type", "application/json")
        .header("request-id", format!("req_standin{number:017}"))
        .body(Body::from(value.to_string()))
        .unwrap()
}

fn stream(requests: Arc<Requests>, answer: Answer, model: Value, number: usize) -> Response {
    let (events, mut written) = mpsc::channel::<Bytes>(16);
    tokio::spawn(async move {
        // A client that is gone takes no more events; there is nobody to tell.
        let _ = send_events(&requests, &answer, &model, number, &events).await;
    });
    let body = futures_util::stream::poll_fn(move |context| {
        written.poll_recv(context).map(|event| event.map(Ok::<_, Infallible>))
    });
    Response::builder()
        .header("content-type", "text/event-stream; charset=utf-8")
        .header("cache-control", "no-cache")
        .header("request-id", format!("req_standin{number:017}"))
        .body(Body::from_stream(body))
        .unwrap()
}

type Sent = Result<(), mpsc::error::SendError<Bytes>>;

async fn send_events(
    requests: &Requests,
    answer: &Answer,
    model: &Value,
    number: usize,
    events: &mpsc::Sender<Bytes>,
) -> Sent {
    let send = |kind, data| send_event(events, kind, data);
    let (mut block, stop) = answer.block(number);
    send("message_start", json!({ "message": envelope(number, model, &[], None) })).await?;
    if block["type"] == "text" {
        block["text"] = json!("");
    } else {
        block["input"] = json!({});
    }
    send("content_block_start", json!({ "index": 0, "content_block": block })).await?;
    send("ping", json!({})).await?;
    for (index, delta) in answer.deltas().into_iter().enumerate() {
        if index == 1 {
            hold(requests, answer, Some(events)).await?;
        }
        send("content_block_delta", json!({ "index": 0, "delta": delta })).await?;
    }
    send("content_block_stop", json!({ "index": 0 })).await?;
    let end =
        json!({ "delta": { "stop_reason": stop, "stop_sequence": null }, "usage": { "output_tokens": 5 } });
    send("message_delta", end).await?;
    send("message_stop", json!({})).await
}

async fn send_event(events: &mpsc::Sender<Bytes>, kind: &'static str, mut data: Value) -> Sent {
    data["type"] = json!(kind);
    events.send(format!("event: {kind}\ndata: {data}\n\n").into()).await
}

/// Waits for the test, if the answer is one to be held. Fails when the client has gone meanwhile.
async fn hold(requests: &Requests, answer: &Answer, events: Option<&mpsc::Sender<Bytes>>) -> Sent {
    if !matches!(answer, Answer::Text { held: true, .. }) {
        return Ok(());
    }
    let _counted = Held::count(requests);
    loop {
        tokio::select! {
            released = requests.releases.acquire() => {
                if let Ok(released) = released {
                    released.forget();
                }
                return Ok(());
            }
            () = tokio::time::sleep(BETWEEN_PINGS) => if let Some(events) = events {
                send_event(events, "ping", json!({})).await?;
            },
        }
    }
}

/// Counts an answer as held, while this lives.
struct Held<'a>(&'a Requests);

impl<'a> Held<'a> {
    fn count(requests: &'a Requests) -> Self {
        *requests.held.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(requests)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.0.held.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}
