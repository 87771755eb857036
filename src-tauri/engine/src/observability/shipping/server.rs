//! Where what is on record may be sent.

use reqwest::Url;
use std::net::IpAddr;

/// Datadog's sites.
///
/// Source: Datadog's documentation, "Getting Started with Datadog Sites", and the addresses of its API reference.
pub const DATADOG_SITES: &[&str] = &[
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "uk1.datadoghq.com",
    "ddog-gov.com",
    "us2.ddog-gov.com",
];

/// The address of a server that a key or data may go to: nobody on the way can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server(Url);

impl Server {
    /// An address with https, or with http on this computer. One with a login in it is none: settings hold no
    /// secrets.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let is_safe = match url.scheme() {
            "https" => url.has_host(),
            "http" => is_loopback(&url),
            _ => false,
        };
        (is_plain && is_safe).then_some(Self(url))
    }

    /// Whether it is on this computer.
    pub(super) fn is_here(&self) -> bool {
        is_loopback(&self.0)
    }

    /// The address of something on it.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0.as_str().trim_end_matches('/'))
    }
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_over_https_or_stays_on_this_computer() {
        for good in [
            "https://collector.example",
            "https://collector.example:4318/otlp/",
            "http://127.0.0.1:4318",
            "http://[::1]:4318",
            "http://localhost:4318",
        ] {
            assert!(Server::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "collector.example",
            "http://collector.example",
            "http://127.0.0.1.example",
            "http://192.168.1.2:4318",
            "https://me:FAKE@collector.example",
            "https://collector.example/?key=FAKE",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
        ] {
            assert!(Server::parse(bad).is_none(), "{bad}");
        }
        let server = Server::parse("http://127.0.0.1:4318/").unwrap();
        assert_eq!(server.at("/v1/logs"), "http://127.0.0.1:4318/v1/logs");
    }

    #[test]
    fn every_site_is_a_server() {
        for site in DATADOG_SITES {
            assert!(Server::parse(&format!("https://api.{site}")).is_some(), "{site}");
        }
    }
}
