//! A stand-in for Datadog and for an OpenTelemetry collector: it takes what is sent, or behaves as badly as servers
//! do.

use super::serving::Serving;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
    serve::Listener,
};
use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::Value;
use std::{
    collections::VecDeque,
    io::{self, Read},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// How a request is met.
#[derive(Debug, Clone)]
pub enum Manner {
    /// It is taken.
    Take,
    /// It gets this status.
    Say(u16),
    /// It gets this status, and is to come again after so long.
    Later(u16, &'static str),
    /// It is taken, and answered so much later.
    Slowly(Duration),
    /// It is taken, and not answered before [`Intake::release`].
    Hold,
    /// It is too large when it has more entries than this.
    AtMost(usize),
    /// It is sent elsewhere.
    Elsewhere(String),
    /// The connection is closed as soon as it is there.
    HangUp,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Received {
    /// What it was for.
    pub path: String,
    /// The key that it had.
    pub key: Option<String>,
    /// How it was compressed.
    pub encoding: String,
    /// Its size as it came.
    pub packed: usize,
    /// Its size without compression.
    pub unpacked: usize,
    /// What it said.
    pub body: Value,
    /// What it was answered.
    pub status: u16,
}

/// The server, listening while this lives.
pub struct Intake {
    shared: Arc<Shared>,
    serving: Serving,
}

struct Shared {
    inner: Mutex<Inner>,
    released: Notify,
}

struct Inner {
    key: Option<String>,
    always: Manner,
    next: VecDeque<Manner>,
    received: Vec<Received>,
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intake {
    /// Starts one that takes everything that comes with this key.
    #[must_use]
    pub fn with_key(key: &str) -> Self {
        Self::start(Some(key.to_owned()))
    }

    /// Starts one that takes everything.
    #[must_use]
    pub fn open() -> Self {
        Self::start(None)
    }

    fn start(key: Option<String>) -> Self {
        let inner = Inner { key, always: Manner::Take, next: VecDeque::new(), received: Vec::new() };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), released: Notify::new() });
        let (app, door) =
            (Router::new().fallback(answer).with_state(Arc::clone(&shared)), Arc::clone(&shared));
        let serving = Serving::start(app, |listener| Door { listener, shared: door });
        Self { shared, serving }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.serving.url_here()
    }

    /// Meets all requests so, from now on.
    pub fn always(&self, manner: Manner) {
        self.shared.inner().always = manner;
    }

    /// Meets the next requests so, one each.
    pub fn next(&self, manners: impl IntoIterator<Item = Manner>) {
        self.shared.inner().next.extend(manners);
    }

    /// Takes this key from now on.
    pub fn take_key(&self, key: &str) {
        self.shared.inner().key = Some(key.to_owned());
    }

    /// Answers what is held.
    pub fn release(&self) {
        self.shared.released.notify_waiters();
    }

    /// All requests that came.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.inner().received.clone()
    }

    /// What was taken at a path.
    #[must_use]
    pub fn taken(&self, path: &str) -> Vec<Value> {
        let is_taken = |one: &Received| one.path == path && (200..300).contains(&one.status);
        self.received().into_iter().filter(is_taken).map(|one| one.body).collect()
    }

    /// The logs that were taken, in their order.
    #[must_use]
    pub fn logs(&self) -> Vec<Value> {
        self.taken("/api/v2/logs").iter().flat_map(|body| body.as_array().unwrap().clone()).collect()
    }
}

/// Where connections come in, or are closed at once.
struct Door {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let connection = Listener::accept(&mut self.listener).await;
            let is_closed = {
                let mut inner = self.shared.inner();
                match inner.next.front() {
                    Some(Manner::HangUp) => inner.next.pop_front().is_some(),
                    Some(_) => false,
                    None => matches!(inner.always, Manner::HangUp),
                }
            };
            if !is_closed {
                return connection;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let packed = to_bytes(body, 64 << 20).await.unwrap_or_default();
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let encoding = text(header::CONTENT_ENCODING.as_str()).unwrap_or_default();
    let unpacked = unpack(&packed, &encoding);
    let body: Value = serde_json::from_slice(&unpacked).expect("what is sent is JSON");
    let key = text("dd-api-key");
    let manner = {
        let mut inner = shared.inner();
        let manner = inner.next.pop_front().unwrap_or_else(|| inner.always.clone());
        if inner.key.is_some() && inner.key != key { Manner::Say(403) } else { manner }
    };
    let entries = body.as_array().map_or(1, Vec::len);
    let (status, headers) = met(&manner, entries);
    shared.inner().received.push(Received {
        path: parts.uri.path().to_owned(),
        key,
        encoding,
        packed: packed.len(),
        unpacked: unpacked.len(),
        body,
        status: status.as_u16(),
    });
    match manner {
        Manner::Slowly(delay) => tokio::time::sleep(delay).await,
        Manner::Hold => shared.released.notified().await,
        _ => {}
    }
    let mut response = Response::new(Body::from("{}"));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn met(manner: &Manner, entries: usize) -> (StatusCode, HeaderMap) {
    let mut headers = HeaderMap::new();
    let status = match manner {
        Manner::Take | Manner::Slowly(_) | Manner::Hold | Manner::HangUp => 202,
        Manner::Say(status) => *status,
        Manner::Later(status, after) => {
            headers.insert(header::RETRY_AFTER, after.parse().unwrap());
            *status
        }
        Manner::AtMost(limit) => {
            if entries > *limit {
                413
            } else {
                202
            }
        }
        Manner::Elsewhere(url) => {
            headers.insert(header::LOCATION, url.parse().unwrap());
            307
        }
    };
    (StatusCode::from_u16(status).unwrap(), headers)
}

fn unpack(packed: &[u8], encoding: &str) -> Vec<u8> {
    let mut unpacked = Vec::new();
    match encoding {
        "gzip" => GzDecoder::new(packed).read_to_end(&mut unpacked).expect("it is gzip"),
        "deflate" => ZlibDecoder::new(packed).read_to_end(&mut unpacked).expect("it is zlib"),
        other => panic!("compressed as {other:?}"),
    };
    unpacked
}
