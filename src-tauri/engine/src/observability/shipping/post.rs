//! Sending one request.

use super::{
    answer::Answer,
    round::{Access, Way},
    stream::{Destination, Encoding},
};
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use reqwest::{
    Client, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use serde_json::Value;
use std::{io, io::Write, sync::OnceLock, time::Duration};

/// A server that takes longer is not there.
const CONNECT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(30);
/// More of an answer is not read.
const ANSWER: usize = 64 << 10;

/// Sends requests. Connections are kept while this lives.
#[derive(Debug, Default)]
pub(super) struct Post {
    /// By the system's proxy, where there is one.
    away: OnceLock<Client>,
    /// To this computer itself: no proxy.
    here: OnceLock<Client>,
}

impl Post {
    pub(super) async fn send(&self, way: &Way, body: &Value) -> Answer {
        match self.try_send(way, body).await {
            Ok(answer) => answer,
            Err(why) => Answer::Silence { why },
        }
    }

    async fn try_send(&self, way: &Way, body: &Value) -> Result<Answer, String> {
        let encoding = way.stream.encoding();
        let packed = pack(body, encoding).map_err(|cause| cause.to_string())?;
        let mut request = self
            .client(way)?
            .post(way.server.at(way.stream.path()))
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_ENCODING, word(encoding))
            .body(packed);
        if let Access::Key(key) = &way.access {
            let mut value =
                HeaderValue::from_str(key.reveal()).map_err(|_| "the key is no key".to_owned())?;
            value.set_sensitive(true);
            request = request.header("DD-API-KEY", value);
        }
        // Its address is in the settings, and not for a record.
        let response = request.send().await.map_err(|cause| reason(&cause.without_url()))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let asks = way.stream.to() == Destination::Collector && response.status().is_success();
        let rejected = if asks { rejected(response).await } else { 0 };
        Ok(Answer::Said { status, retry_after, rejected })
    }

    fn client(&self, way: &Way) -> Result<&Client, String> {
        let cell = if way.server.is_here() { &self.here } else { &self.away };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let mut builder = Client::builder()
            .user_agent(concat!("drydock/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            // A key goes where the user said, and nowhere that a server says.
            .redirect(Policy::none());
        if way.server.is_here() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|cause| reason(&cause))?;
        Ok(cell.get_or_init(|| client))
    }
}

fn word(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Gzip => "gzip",
        Encoding::Deflate => "deflate",
    }
}

/// Source: RFC 9110, "Content Codings": `deflate` is the zlib format.
fn pack(body: &Value, encoding: Encoding) -> io::Result<Vec<u8>> {
    let text = body.to_string();
    match encoding {
        Encoding::Gzip => {
            let mut packer = GzEncoder::new(Vec::new(), Compression::default());
            packer.write_all(text.as_bytes())?;
            packer.finish()
        }
        Encoding::Deflate => {
            let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
            packer.write_all(text.as_bytes())?;
            packer.finish()
        }
    }
}

/// Of what a collector took, how much it threw away.
///
/// Source: the OpenTelemetry protocol's specification, "Partial Success".
async fn rejected(mut response: Response) -> u64 {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() > ANSWER {
            return 0;
        }
    }
    let answer: Value = serde_json::from_slice(&text).unwrap_or_default();
    ["rejectedLogRecords", "rejectedDataPoints", "rejectedSpans"]
        .iter()
        .filter_map(|name| {
            let count = &answer["partialSuccess"][*name];
            count.as_u64().or_else(|| count.as_str()?.parse().ok())
        })
        .sum()
}

/// The causes of a failure, the innermost too: "connection refused" is what a person needs.
fn reason(cause: &reqwest::Error) -> String {
    let mut text = cause.to_string();
    let mut inner = std::error::Error::source(cause);
    while let Some(part) = inner {
        let part_text = part.to_string();
        if !text.contains(&part_text) {
            text.push_str(": ");
            text.push_str(&part_text);
        }
        inner = part.source();
    }
    text
}
