//! Mail, by this computer's own mail system or by a mail server.

mod mail;
mod sendmail;
mod smtp;

use crate::{
    alerting::{Channel, Delivery, Message},
    error_handling::{Code, Error, Result},
    keychain::{Place, Secret, Sensitive, Vault},
    paths::Locations,
    settings::{MailSettings, MailVia},
};
use futures_util::future::BoxFuture;

/// Keeps the password of the mail server in the keyring, in the place of an old one. Blocking.
///
/// # Errors
/// As [`Vault::write`].
pub fn keep_mail_password(locations: &Locations, password: &Sensitive<String>) -> Result<Place> {
    Vault::of(locations).write(&Secret::SmtpPassword, password)
}

/// Forgets the password of the mail server. Blocking.
///
/// # Errors
/// As [`Vault::remove`].
pub fn forget_mail_password(locations: &Locations) -> Result<()> {
    Vault::of(locations).remove(&Secret::SmtpPassword)
}

/// The channel.
pub(super) struct Email {
    locations: Locations,
    settings: MailSettings,
}

impl Email {
    pub(super) fn of(locations: &Locations, settings: MailSettings) -> Self {
        Self { locations: locations.clone(), settings }
    }

    async fn try_once(&self, message: &Message) -> Delivery {
        let home = self.locations.home.display().to_string();
        let MailSettings { from, to, via } = &self.settings;
        let mail = match mail::mail(message, from, to, &home) {
            Ok(mail) => mail,
            Err(cause) => return Delivery::Refused { why: format!("the mail cannot be written: {cause}") },
        };
        let text = mail.formatted();
        match via {
            MailVia::Sendmail => sendmail::send(mail.envelope(), &text, &home).await,
            MailVia::Smtp(server) => {
                let password = match &server.user {
                    None => None,
                    Some(_) => match self.password().await {
                        Ok(password) => Some(password),
                        Err(error) => return super::unreadable_secret(&error),
                    },
                };
                smtp::send(server, password.as_ref(), mail.envelope(), &text, &home).await
            }
        }
    }

    async fn password(&self) -> Result<Sensitive<String>> {
        let vault = Vault::of(&self.locations);
        let kept = super::blocking(move || vault.read(&Secret::SmtpPassword)).await?;
        kept.map(|(password, _)| password).ok_or_else(|| {
            Error::new(Code::ChannelOff, "the keyring has no password for the mail server")
                .remedy("drydock alerts email set-password")
        })
    }
}

impl Channel for Email {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Delivery> {
        Box::pin(self.try_once(message))
    }
}
