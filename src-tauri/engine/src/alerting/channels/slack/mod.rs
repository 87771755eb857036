//! Slack, by an incoming webhook.
//!
//! A webhook cannot change or take back what it sent, so an incident that is over is one more message.

mod payload;
mod webhook;

use super::wording::quoted;
use crate::{
    alerting::{Channel, Delivery, Message},
    error_handling::{Code, Error, Result},
    keychain::{Place, Secret, Sensitive, Vault},
    paths::Locations,
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use reqwest::{StatusCode, header::RETRY_AFTER};
use std::time::Duration;
use webhook::Webhook;

/// For the whole of one try.
const PATIENCE: Duration = Duration::from_secs(20);
/// However long Slack asks to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Keeps the address of a webhook in the keyring, in the place of an old one. Blocking.
///
/// # Errors
/// [`Code::Usage`] when it is no such address; as [`Vault::write`].
pub fn keep_webhook(locations: &Locations, address: &Sensitive<String>) -> Result<Place> {
    Webhook::parse(address)?;
    Vault::of(locations).write(&Secret::SlackWebhook, address)
}

/// Forgets the address of the webhook. Blocking.
///
/// # Errors
/// As [`Vault::remove`].
pub fn forget_webhook(locations: &Locations) -> Result<()> {
    Vault::of(locations).remove(&Secret::SlackWebhook)
}

/// The channel.
pub(super) struct Slack {
    locations: Locations,
}

impl Slack {
    pub(super) fn of(locations: &Locations) -> Self {
        Self { locations: locations.clone() }
    }

    async fn try_once(&self, message: &Message) -> Delivery {
        let webhook = match self.webhook().await {
            Ok(webhook) => webhook,
            Err(error) => return super::unreadable_secret(&error),
        };
        let home = self.locations.home.display().to_string();
        let body = payload::payload(message, &home);
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            // One that sends us elsewhere is no webhook, and would learn the message.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("Drydock/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = match client {
            Ok(client) => client,
            Err(cause) => return Delivery::Later { after: None, why: said(cause, &home) },
        };
        let answer = match client.post(webhook.reveal().clone()).json(&body).send().await {
            Ok(answer) => answer,
            Err(cause) => return Delivery::Later { after: None, why: said(cause, &home) },
        };
        let status = answer.status();
        let asked =
            answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let words = first_words(answer).await;
        judged(status, asked.as_deref(), &quoted(&words, &home), Utc::now())
    }

    async fn webhook(&self) -> Result<Webhook> {
        let vault = Vault::of(&self.locations);
        let kept = super::blocking(move || vault.read(&Secret::SlackWebhook)).await?;
        let (address, _) = kept.ok_or_else(|| {
            Error::new(Code::ChannelOff, "the keyring has no address of a Slack webhook")
                .remedy("drydock alerts slack set")
        })?;
        Webhook::parse(&address)
    }
}

impl Channel for Slack {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Delivery> {
        Box::pin(self.try_once(message))
    }
}

/// The beginning of an answer's body: what is behind the address may send without an end.
async fn first_words(mut answer: reqwest::Response) -> String {
    const ENOUGH: usize = 512;
    let mut body = Vec::new();
    while body.len() < ENOUGH {
        match answer.chunk().await {
            Ok(Some(part)) => body.extend_from_slice(&part[..part.len().min(ENOUGH - body.len())]),
            // What came until then is what there is.
            Ok(None) | Err(_) => break,
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// Why nothing was heard from Slack, without its address.
fn said(cause: reqwest::Error, home: &str) -> String {
    if cause.is_timeout() {
        return format!("Slack did not answer within {} s", PATIENCE.as_secs());
    }
    let cause = cause.without_url();
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(&cause);
    while let Some(part) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&part.to_string());
        next = part.source();
    }
    format!("Slack cannot be reached: {}", quoted(&text, home))
}

/// What Slack's answer means.
///
/// Source: Slack's "Sending messages using incoming webhooks" (`ok`, `invalid_payload`, `no_service`,
/// `channel_is_archived`, …) and its "Rate limits" (429 with `Retry-After`).
fn judged(status: StatusCode, retry_after: Option<&str>, words: &str, now: DateTime<Utc>) -> Delivery {
    let answered = if words.is_empty() { format!("{status}") } else { format!("{status}, {words}") };
    match status {
        StatusCode::OK if words == "ok" => Delivery::Sent,
        StatusCode::OK => {
            Delivery::Refused { why: "what answers at the address is not Slack's webhook".into() }
        }
        StatusCode::TOO_MANY_REQUESTS => Delivery::Later {
            after: retry_after.and_then(|text| wait(text, now)),
            why: "Slack asks to wait".into(),
        },
        StatusCode::REQUEST_TIMEOUT => {
            Delivery::Later { after: None, why: format!("Slack answered {answered}") }
        }
        status if status.is_server_error() => Delivery::Later {
            after: retry_after.and_then(|text| wait(text, now)),
            why: format!("Slack answered {answered}"),
        },
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => Delivery::Refused {
            why: format!(
                "Slack answered {answered}: make a new webhook, and keep it: drydock alerts slack set"
            ),
        },
        status if status.is_redirection() => {
            Delivery::Refused { why: "the webhook's address leads elsewhere, and is not followed".into() }
        }
        _ => Delivery::Refused { why: format!("Slack answered {answered}") },
    }
}

/// How long to wait by `Retry-After`, in seconds or until a date (RFC 9110, 10.2.3).
fn wait(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    let asked = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(text).ok()?;
            (until.with_timezone(&Utc) - now).to_std().unwrap_or(Duration::ZERO)
        }
    };
    Some(asked.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 26, 7, 28, 0).unwrap()
    }

    fn judge(status: u16, retry_after: Option<&str>, words: &str) -> Delivery {
        judged(StatusCode::from_u16(status).unwrap(), retry_after, words, now())
    }

    #[test]
    fn only_ok_is_sent() {
        assert_eq!(judge(200, None, "ok"), Delivery::Sent);
        assert!(matches!(judge(200, None, "<html>"), Delivery::Refused { .. }));
        assert!(matches!(judge(204, None, ""), Delivery::Refused { .. }));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_does_not_is_not() {
        for status in [408, 500, 502, 503, 504] {
            assert!(matches!(judge(status, None, ""), Delivery::Later { after: None, .. }), "{status}");
        }
        for status in [301, 302, 307, 400, 401, 403, 404, 410, 413] {
            assert!(matches!(judge(status, None, "no_service"), Delivery::Refused { .. }), "{status}");
        }
    }

    #[test]
    fn slack_is_waited_for_as_long_as_it_asks_but_an_hour() {
        let after = |text| match judge(429, text, "rate_limited") {
            Delivery::Later { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(Some("30")), Some(Duration::from_secs(30)));
        assert_eq!(after(Some("999999")), Some(Duration::from_secs(3600)));
        assert_eq!(after(Some("Thu, 26 Nov 2026 07:29:30 GMT")), Some(Duration::from_secs(90)));
        assert_eq!(after(Some("Thu, 26 Nov 2020 07:29:30 GMT")), Some(Duration::ZERO));
        assert_eq!(after(Some("soon")), None);
        assert_eq!(after(None), None);
    }
}
