//! A mail server, by SMTP.

use super::super::wording::quoted;
use crate::{
    alerting::Delivery,
    keychain::Sensitive,
    settings::{MailServer, MailTls},
};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    address::Envelope,
    transport::smtp::{Error, authentication::Credentials},
};
use std::{net::IpAddr, time::Duration};

/// For the whole of one try.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a mail.
pub(super) async fn send(
    server: &MailServer,
    password: Option<&Sensitive<String>>,
    envelope: &Envelope,
    mail: &[u8],
    home: &str,
) -> Delivery {
    let transport = match transport(server, password) {
        Ok(transport) => transport,
        Err(refused) => return refused,
    };
    match tokio::time::timeout(PATIENCE, transport.send_raw(envelope, mail)).await {
        Err(_) => Delivery::Later {
            after: None,
            why: format!("the mail server did not take the mail within {} s", PATIENCE.as_secs()),
        },
        Ok(Ok(_)) => Delivery::Sent,
        Ok(Err(cause)) => judged(&cause, password, home),
    }
}

fn transport(
    server: &MailServer,
    password: Option<&Sensitive<String>>,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, Delivery> {
    let refused = |why: String| Delivery::Refused { why };
    let builder = match server.tls {
        MailTls::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&server.host),
        // Its name is misleading: without TLS nothing is sent.
        MailTls::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&server.host),
        MailTls::None if is_loopback(&server.host) => {
            Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host))
        }
        MailTls::None => {
            return Err(refused(
                "alerts.email.smtp.tls is \"none\", which is for a server on this computer only".into(),
            ));
        }
    };
    let builder = builder.map_err(|cause| refused(format!("the mail server cannot be used: {cause}")))?;
    let builder = builder.port(server.port).timeout(Some(PATIENCE));
    Ok(match (&server.user, password) {
        (Some(user), Some(password)) => {
            builder.credentials(Credentials::new(user.clone(), password.reveal().clone())).build()
        }
        _ => builder.build(),
    })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What the server's answer means: 4yz may pass, 5yz does not (RFC 5321, 4.2.1).
fn judged(cause: &Error, password: Option<&Sensitive<String>>, home: &str) -> Delivery {
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(cause);
    while let Some(part) = next {
        let words = part.to_string();
        // Some parts repeat those below them.
        if !text.contains(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
        next = part.source();
    }
    // No server should say it back.
    if let Some(password) = password.filter(|password| !password.reveal().is_empty()) {
        text = text.replace(password.reveal().as_str(), "[hidden]");
    }
    let why = format!("the mail server did not take the mail: {}", quoted(&text, home));
    // A client's fault is one of ours or of the settings, such as a way to log in that the server does not have.
    if cause.is_permanent() || cause.is_client() {
        Delivery::Refused { why }
    } else {
        Delivery::Later { after: None, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, tls: MailTls, port: u16) -> MailServer {
        MailServer { host: host.into(), port, user: None, tls }
    }

    fn envelope() -> Envelope {
        Envelope::new(Some("me@example.org".parse().unwrap()), vec!["ann@example.org".parse().unwrap()])
            .unwrap()
    }

    #[tokio::test]
    async fn nothing_goes_out_in_the_clear() {
        let clear = server("mail.example.org", MailTls::None, 25);
        let delivery = send(&clear, None, &envelope(), b"", "/x").await;
        assert!(matches!(&delivery, Delivery::Refused { why } if why.contains("tls")), "{delivery:?}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_tried_again() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let gone = server("127.0.0.1", MailTls::None, port);
        let delivery = send(&gone, None, &envelope(), b"", "/x").await;
        assert!(matches!(delivery, Delivery::Later { .. }), "{delivery:?}");
    }
}
