//! Telling somebody else that Drydock watches, so that they notice when it does not.

use crate::keychain::Sensitive;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// So often.
const EVERY: TimeDelta = TimeDelta::minutes(5);
/// Nobody is waited for longer.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks for an address, now and then.
#[derive(Debug, Default)]
pub(super) struct Ping {
    last: Option<DateTime<Utc>>,
}

impl Ping {
    /// Asks for it, if its time has come. That it fails is told without the address, which may be a secret.
    pub(super) async fn at(&mut self, url: &Sensitive<String>, now: DateTime<Utc>) {
        if self.last.is_some_and(|last| (now - last).abs() < EVERY) {
            return;
        }
        self.last = Some(now);
        if let Err(why) = ask(url).await {
            tracing::warn!(why, "the address of alerts.ping_url was not reached");
        }
    }
}

async fn ask(url: &Sensitive<String>) -> Result<(), String> {
    let told = |cause: reqwest::Error| cause.without_url().to_string();
    let client = reqwest::Client::builder().timeout(LIMIT).build().map_err(told)?;
    let answer = client.get(url.reveal()).send().await.map_err(told)?;
    answer.error_for_status().map(drop).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    #[tokio::test]
    async fn it_is_asked_for_now_and_then_and_a_failure_does_not_tell_the_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Sensitive::new(format!("http://{}/FAKE-secret", listener.local_addr().unwrap()));
        let server = tokio::spawn(async move {
            let mut asked = Vec::new();
            for status in ["200 OK", "404 Not Found"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 512];
                let count = stream.read(&mut request).await.unwrap();
                asked.push(String::from_utf8_lossy(&request[..count]).lines().next().unwrap().to_owned());
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        let (mut ping, now) = (Ping::default(), Utc::now());
        ping.at(&url, now).await;
        ping.at(&url, now + TimeDelta::minutes(4)).await;
        let why = ask(&url).await.unwrap_err();
        assert!(why.contains("404") && !why.contains("FAKE"), "{why}");
        assert_eq!(server.await.unwrap(), ["GET /FAKE-secret HTTP/1.1", "GET /FAKE-secret HTTP/1.1"]);
        let why = ask(&url).await.unwrap_err();
        assert!(!why.contains("FAKE"), "{why}");
    }
}
