//! A message as a mail.

use super::super::wording::{Said, severity};
use crate::alerting::{Message, Occasion, Severity};
use lettre::{
    Address,
    message::{
        Mailbox, Message as Mail, MessageBuilder,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
};
use sha2::{Digest, Sha256};
use std::error::Error;

type Boxed = Box<dyn Error + Send + Sync>;

/// Not from a person, and nobody's answering machine should answer (RFC 3834, 5).
#[derive(Debug, Clone)]
struct AutoSubmitted(String);

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(text: &str) -> Result<Self, Boxed> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// How much it matters (RFC 2156, 5.3.4, as mail programs show it).
#[derive(Debug, Clone)]
struct Importance(String);

impl Header for Importance {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Importance")
    }

    fn parse(text: &str) -> Result<Self, Boxed> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// The mail. All mails of an incident refer to the same name, so that they stand together; a second try of the same
/// message has the same name as the first, so that whoever gets both shows one.
pub(super) fn mail(
    message: &Message,
    from: &Address,
    to: &[Address],
    home: &str,
) -> Result<Mail, lettre::error::Error> {
    let said = Said::of(message, home);
    let domain = from.domain();
    let mut builder: MessageBuilder = Mail::builder()
        .from(Mailbox::new(Some("Drydock".to_owned()), from.clone()))
        .subject(format!("[Drydock] {}", said.title))
        .date(message.at.into())
        .message_id(Some(name(message, domain)))
        .header(AutoSubmitted("auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN);
    for address in to {
        builder = builder.to(Mailbox::new(None, address.clone()));
    }
    if message.severity == Severity::High {
        builder = builder.header(Importance("high".to_owned()));
    }
    if let Some(incident) = &message.incident {
        let root = format!("<{}@{domain}>", digest(&["incident", incident.as_str()]));
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    builder.body(body(message, &said))
}

fn name(message: &Message, domain: &str) -> String {
    let incident = message.incident.as_ref().map_or("", |incident| incident.as_str());
    let at = message.at.timestamp_micros().to_string();
    let occasion = match message.occasion {
        Occasion::Firing => "firing",
        Occasion::Escalated => "escalated",
        Occasion::Resolved => "resolved",
        Occasion::Test => "test",
    };
    format!("<{}@{domain}>", digest(&["message", incident, occasion, &at]))
}

/// A name of safe characters, whatever it is of.
fn digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let hex: String = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("drydock.{hex}")
}

fn body(message: &Message, said: &Said) -> String {
    let mut text = format!("{}\n\n{}\n", said.title, said.text);
    if let Some(remedy) = &said.remedy {
        text.push_str(&format!("\nTo mend it:\n    {remedy}\n"));
    }
    text.push_str(&format!("\nSeverity: {}\n", severity(message)));
    if message.occasion != Occasion::Test {
        text.push_str(&format!("Since: {}\n", message.since.format("%Y-%m-%d %H:%M UTC")));
    }
    if !said.again.is_empty() {
        text.push_str(&format!("It fired {}.\n", said.again));
    }
    text.push_str(&format!("In the app: drydock://{}\n", message.page.word()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::channels::samples;
    use proptest::prelude::{any, proptest};

    fn written(message: &Message) -> String {
        let (from, to) = ("me@example.org".parse().unwrap(), "ann@example.org".parse().unwrap());
        String::from_utf8(mail(message, &from, &[to], "/home/ann").unwrap().formatted()).unwrap()
    }

    fn header(mail: &str, name: &str) -> Option<String> {
        let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
        head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
    }

    #[test]
    fn a_mail_says_what_is_the_matter_and_that_a_program_sent_it() {
        let mail = written(&samples::firing());
        assert_eq!(header(&mail, "Subject").unwrap(), "[Drydock] Claude Code cannot read its settings");
        assert_eq!(header(&mail, "Auto-Submitted").unwrap(), "auto-generated");
        assert_eq!(header(&mail, "Importance").unwrap(), "high");
        assert!(header(&mail, "Date").unwrap().starts_with("Thu, 26 Nov 2026 14:02:00"), "{mail}");
        assert!(mail.contains("\r\n    drydock recover\r\n"), "{mail}");
    }

    #[test]
    fn the_mails_of_an_incident_stand_together_and_a_second_try_is_the_same_mail() {
        let first = samples::firing();
        let over = Message {
            occasion: Occasion::Resolved,
            at: first.at + chrono::TimeDelta::hours(1),
            ..first.clone()
        };
        let (first_mail, over_mail) = (written(&first), written(&over));
        assert_eq!(header(&first_mail, "References"), header(&over_mail, "References"));
        assert_ne!(header(&first_mail, "Message-ID"), header(&over_mail, "Message-ID"));
        assert_eq!(written(&first), first_mail);
        let other = Message { incident: Some(crate::alerting::IncidentId("other".into())), ..first };
        assert_ne!(header(&written(&other), "References"), header(&first_mail, "References"));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_header_of_its_own(title in any::<String>(), text in any::<String>(), more in "(\r?\n)?Bcc: all@example\\.org") {
            let message = Message { title: format!("{title}{more}"), text, ..samples::firing() };
            let mail = written(&message);
            let head = mail.split("\r\n\r\n").next().unwrap();
            let names: Vec<_> = head
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split(':').next().unwrap().to_owned())
                .collect();
            for name in &names {
                assert!(
                    ["From", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "To", "Importance",
                     "In-Reply-To", "References", "MIME-Version", "Content-Transfer-Encoding"].contains(&name.as_str()),
                    "{name:?} in {head}"
                );
            }
        }
    }
}
