//! The address of an incoming webhook. Whoever knows it can write into the channel: it is a secret.

use crate::{
    error_handling::{Code, Error, Result},
    keychain::Sensitive,
};
use reqwest::Url;
use std::{fmt, net::IpAddr};

/// An address that messages can be sent to.
#[derive(Clone)]
pub(super) struct Webhook(Url);

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Webhook {
    /// Reads it. None of its text gets into the error.
    pub(super) fn parse(text: &Sensitive<String>) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(Code::Usage, "that is not the address of a Slack webhook").why(why).remedy(
                "copy it from Slack's page of the app, under Incoming Webhooks: drydock alerts slack set",
            )
        };
        let url = Url::parse(text.reveal().trim()).map_err(|_| wrong("it is no address"))?;
        match url.scheme() {
            "https" => {}
            // A stand-in on this computer; nobody else can listen.
            "http" if is_loopback(&url) => {}
            _ => return Err(wrong("it does not begin with https://")),
        }
        if url.host_str().is_none_or(str::is_empty) || url.path() == "/" {
            return Err(wrong("it ends before the part that is secret"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(wrong("it has parts that such an address does not have"));
        }
        Ok(Self(url))
    }

    /// The address, to be sent to and never to be shown.
    pub(super) fn reveal(&self) -> &Url {
        &self.0
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Webhook> {
        Webhook::parse(&Sensitive::new(text.to_owned()))
    }

    #[test]
    fn only_what_can_be_a_webhook_is_taken() {
        for good in [
            "https://hooks.slack.com/services/T000/B000/FAKE",
            " https://hooks.slack.com/services/T000/B000/FAKE\n",
            "http://127.0.0.1:8080/services/x",
            "http://[::1]:8080/services/x",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "hooks.slack.com/services/T/B/x",
            "http://hooks.slack.com/services/T/B/x",
            "http://127.0.0.1.example.org/services/x",
            "ftp://127.0.0.1/x",
            "file:///etc/passwd",
            "https://hooks.slack.com/",
            "https://user:word@hooks.slack.com/services/T/B/x",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn it_is_in_no_error_and_no_debug_output() {
        let error = parse("http://hooks.slack.com/services/T0FAKE").unwrap_err();
        assert!(!format!("{error:?}").contains("T0FAKE"));
        let webhook = parse("https://hooks.slack.com/services/T0FAKE").unwrap();
        assert!(!format!("{webhook:?}").contains("T0FAKE"));
    }
}
