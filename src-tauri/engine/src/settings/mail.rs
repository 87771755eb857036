//! What the settings say about mail, put together.

use super::Settings;
use lettre::Address;

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// From its beginning, by a port of its own.
    Tls,
    /// Before anything is said on it. Without it nothing is sent.
    Starttls,
    /// Not at all: for a server on this computer.
    None,
}

impl MailTls {
    /// The words of the setting, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["tls", "starttls", "none"];

    fn from_word(word: &str) -> Option<Self> {
        [Self::Tls, Self::Starttls, Self::None]
            .into_iter()
            .zip(Self::WORDS)
            .find_map(|(tls, name)| (*name == word).then_some(tls))
    }

    /// The port where nothing else is said. Sources: RFC 8314 (465), RFC 6409 (587), RFC 5321 (25).
    fn usual_port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who logs in there; nobody if none is said.
    pub user: Option<String>,
    /// How the connection is protected.
    pub tls: MailTls,
}

/// Who takes the mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailVia {
    /// This computer's own mail system.
    Sendmail,
    /// A mail server.
    Smtp(MailServer),
}

/// Mail that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// From whom.
    pub from: Address,
    /// To whom: one at least.
    pub to: Vec<Address>,
    /// By whom.
    pub via: MailVia,
}

/// Whether mail can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mail {
    /// Nobody is to get any.
    Off,
    /// It cannot: what is missing.
    Incomplete(&'static str),
    /// It can.
    On(MailSettings),
}

/// The addresses in a text, separated by commas or spaces; nothing where one of them is none.
pub(super) fn addresses(text: &str) -> Option<Vec<Address>> {
    text.split([',', ' ']).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

/// Whether a text can be the name or the address of a computer.
pub(super) fn is_host(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
        || (text.len() <= 253
            && text.split('.').all(|label| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            }))
}

impl Settings {
    /// `alerts.email.*`.
    #[must_use]
    pub fn mail(&self) -> Mail {
        let to = addresses(self.text("alerts.email.to")).unwrap_or_default();
        let Some(first) = to.first() else { return Mail::Off };
        let from = self.text("alerts.email.from").parse().unwrap_or_else(|_| first.clone());
        let via = if self.text("alerts.email.via") == "smtp" {
            let host = self.text("alerts.email.smtp.server");
            if host.is_empty() {
                return Mail::Incomplete("alerts.email.smtp.server is empty");
            }
            let tls = MailTls::from_word(self.text("alerts.email.smtp.tls")).unwrap_or(MailTls::Starttls);
            let port = self.text("alerts.email.smtp.port").parse().unwrap_or(0);
            let user = self.text("alerts.email.smtp.user");
            MailVia::Smtp(MailServer {
                host: host.to_owned(),
                port: if port == 0 { tls.usual_port() } else { port },
                user: (!user.is_empty()).then(|| user.to_owned()),
                tls,
            })
        } else {
            MailVia::Sendmail
        };
        Mail::On(MailSettings { from, to, via })
    }

    /// `alerts.desktop`.
    #[must_use]
    pub fn alerts_on_desktop(&self) -> bool {
        self.text("alerts.desktop") == "on"
    }

    /// `alerts.slack`.
    #[must_use]
    pub fn alerts_in_slack(&self) -> bool {
        self.text("alerts.slack") == "on"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(values: &[(&str, &str)]) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::load(&folder.path().join("settings.toml")).unwrap();
        for (name, value) in values {
            settings.use_for_now(name, value).unwrap();
        }
        settings
    }

    #[test]
    fn mail_is_off_until_somebody_is_to_get_it() {
        assert_eq!(settings(&[]).mail(), Mail::Off);
        let Mail::On(mail) = settings(&[("alerts.email.to", "ann@example.org, bob@example.org")]).mail()
        else {
            panic!("it is not on");
        };
        assert_eq!(mail.to.len(), 2);
        assert_eq!(mail.from, mail.to[0]);
        assert_eq!(mail.via, MailVia::Sendmail);
    }

    #[test]
    fn a_server_has_the_usual_port_unless_another_is_said() {
        let common = [("alerts.email.to", "ann@example.org"), ("alerts.email.via", "smtp")];
        assert!(matches!(settings(&common).mail(), Mail::Incomplete(_)));
        for (tls, port, wanted) in
            [("tls", "0", 465), ("starttls", "0", 587), ("none", "0", 25), ("tls", "2465", 2465)]
        {
            let more = [
                ("alerts.email.smtp.server", "mail.example.org"),
                ("alerts.email.smtp.tls", tls),
                ("alerts.email.smtp.port", port),
            ];
            let Mail::On(MailSettings { via: MailVia::Smtp(server), .. }) =
                settings(&[common.as_slice(), &more].concat()).mail()
            else {
                panic!("no server");
            };
            assert_eq!((server.port, server.user), (wanted, None));
        }
    }

    #[test]
    fn what_is_no_address_and_no_host_is_refused() {
        for wrong in
            ["ann", "ann@example.org bob", "ann@example.org\r\nBcc: x@example.org", "<ann@example.org>"]
        {
            assert_eq!(addresses(wrong), None, "{wrong:?}");
        }
        for wrong in ["", "a..b", "-x", "mail.example.org/x", "a b", "http://x"] {
            assert!(!is_host(wrong), "{wrong:?}");
        }
        assert!(is_host("mail.example.org") && is_host("127.0.0.1") && is_host("::1"));
    }
}
