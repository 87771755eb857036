//! `drydock shipping`: what is on record, on its way to Datadog or to a collector.

use crate::{
    Context,
    arguments::Shipping,
    render::{self, Format, ago, bytes, counted, grouped, until},
};
use chrono::Utc;
use drydock_engine::{
    error_handling::{Code, Error, Result},
    observability::{KeyState, ShippingStatus, StreamStatus, preview, send_to_datadog, shipping_status},
};
use serde::Serialize;
use std::process::ExitCode;

#[derive(Serialize)]
struct Shown {
    key: Option<KeyState>,
    #[serde(flatten)]
    status: ShippingStatus,
}

pub(super) async fn shipping(context: &Context, wanted: Shipping) -> Result<ExitCode> {
    match wanted {
        Shipping::Status => status(context).await?,
        Shipping::Now => return now(context).await,
        Shipping::Preview => show(context).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(context: &Context) -> Result<()> {
    let (locations, settings) = (context.drydock.locations.clone(), context.drydock.settings.clone());
    let shown = blocking(move || {
        let status = shipping_status(&locations, &settings, Utc::now())?;
        // The keyring may ask the user to unlock it: not for nothing.
        let key = status.datadog.is_some().then(|| KeyState::look(&locations));
        Ok(Shown { key, status })
    })
    .await?;
    render::answer(context.format, &shown, || text(&shown));
    Ok(())
}

async fn now(context: &Context) -> Result<ExitCode> {
    let status = send_to_datadog(&context.drydock.locations, &context.drydock.settings).await?;
    let failed = failure(&status);
    // For programs the error is the answer: one document.
    if failed.is_none() || context.format == Format::Human {
        render::answer(context.format, &status, || streams(&status));
    }
    failed.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Why something still waits.
fn failure(status: &ShippingStatus) -> Option<Error> {
    let mut waiting = status.streams.iter().filter(|stream| stream.behind_bytes > 0);
    if let Some((stream, stopped)) =
        waiting.clone().find_map(|stream| Some((stream.stream, stream.stopped.as_ref()?)))
    {
        return Some(
            Error::new(Code::ShippingStopped, format!("{stream} is refused"))
                .why(&stopped.why)
                .remedy("look whether key and site belong together: drydock shipping status")
                .remedy("another key: drydock credentials store datadog-key"),
        );
    }
    let (stream, trouble) = waiting.find_map(|stream| Some((stream.stream, stream.trouble.as_ref()?)))?;
    Some(
        Error::new(Code::ShippingFailed, format!("{stream} could not be sent"))
            .why(&trouble.what)
            .remedy("nothing: it stays on this computer and is tried again; drydock shipping status"),
    )
}

async fn show(context: &Context) -> Result<()> {
    let (locations, settings) = (context.drydock.locations.clone(), context.drydock.settings.clone());
    let requests = blocking(move || preview(&locations, &settings, Utc::now())).await?;
    let document: serde_json::Map<String, serde_json::Value> =
        requests.into_iter().map(|(stream, body)| (stream.word().to_owned(), body)).collect();
    render::answer(context.format, &document, || {
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        format!("{text}\n")
    });
    Ok(())
}

fn text(shown: &Shown) -> String {
    let Shown { key, status } = shown;
    let mut text = String::new();
    match &status.datadog {
        Some(server) => text.push_str(&format!("Datadog: {server}\n")),
        None => text.push_str("Datadog: off   (drydock settings set observability.datadog.enabled true)\n"),
    }
    match key {
        Some(KeyState::Kept) => text.push_str("  key: in the keyring\n"),
        Some(KeyState::None) => text.push_str("  key: none   (drydock credentials store datadog-key)\n"),
        Some(KeyState::Unknown(why)) => text.push_str(&format!("  key: nobody can tell; {why}\n")),
        None => {}
    }
    match &status.collector {
        Some(server) => text.push_str(&format!("collector: {server}\n")),
        None => text.push_str("collector: none\n"),
    }
    let sent = |is_sent: bool| if is_sent { "sent" } else { "not sent" };
    text.push_str(&format!("error messages: {}\n", sent(status.errors)));
    text.push_str(&format!("names of this computer and of sessions: {}\n", sent(status.names)));
    text + &streams(status)
}

fn streams(status: &ShippingStatus) -> String {
    if status.streams.is_empty() {
        return String::new();
    }
    let rows = status.streams.iter().map(|stream| {
        let dropped: Vec<_> =
            stream.dropped.iter().map(|(reason, lines)| format!("{lines} {}", reason.word())).collect();
        vec![
            stream.stream.to_owned(),
            counted_lines(stream.sent),
            if dropped.is_empty() { "0".to_owned() } else { dropped.join(", ") },
            waiting(stream),
            note(stream),
        ]
    });
    render::table(&["STREAM", "SENT", "DROPPED", "WAITS", ""], rows)
}

fn counted_lines(lines: u64) -> String {
    if lines < 1000 {
        counted(usize::try_from(lines).unwrap_or(0), "line")
    } else {
        format!("{} lines", grouped(lines))
    }
}

fn waiting(stream: &StreamStatus) -> String {
    match stream.behind_since {
        _ if stream.behind_bytes == 0 => "nothing".to_owned(),
        Some(since) => format!("{}, since {}", bytes(stream.behind_bytes), ago(since)),
        None => bytes(stream.behind_bytes),
    }
}

fn note(stream: &StreamStatus) -> String {
    if let Some(stopped) = &stream.stopped {
        return format!("STOPPED {}: {}", ago(stopped.at), stopped.why);
    }
    match (&stream.trouble, stream.waits_until) {
        (Some(trouble), Some(at)) => format!("{}; tried again {}", trouble.what, until(at)),
        // What is sent is no trouble any more.
        (Some(trouble), None) if stream.behind_bytes > 0 => trouble.what.clone(),
        _ => stream.last_sent.map(|at| format!("last sent {}", ago(at))).unwrap_or_default(),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
}
