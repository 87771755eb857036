//! How alerts reach the user: a notification on the desktop, a message in Slack, a mail.
//!
//! A channel tries once, within a limited time, and says what became of it: when to try again and who takes over is
//! not its business. Nothing of what it shows, sends, writes down or complains of holds a secret.

mod desktop;
mod email;
mod record;
#[cfg(test)]
mod samples;
mod slack;
mod state;
mod view;
mod wording;

pub use desktop::{ClickAction, Clicked, Permission, ask_for_notifications, notification_permission};
pub use email::{forget_mail_password, keep_mail_password};
pub use record::LastTry;
pub use slack::{forget_webhook, keep_webhook};
pub use view::{ChannelView, SetUp, channel_views, set_up};

use super::{Channel, ChannelName, Delivery};
use crate::{
    error_handling::{Code, Error, Result},
    paths::Locations,
    settings::{Mail, Settings},
};
use desktop::Desktop;
use email::Email;
use record::Recorded;
use slack::Slack;
use tokio::sync::broadcast;

/// The channels of one home. One of these serves a process as long as it lives: clicks on notifications come back to
/// the one that showed them.
pub struct Channels {
    locations: Locations,
    desktop: Desktop,
}

impl Channels {
    /// Those of this home. The icon of notifications is a name of the desktop's theme or a path; a Mac shows the
    /// app's own.
    #[must_use]
    pub fn of(locations: &Locations, icon: &str) -> Self {
        Self { locations: locations.clone(), desktop: Desktop::of(locations, icon) }
    }

    /// What the user does with notifications, from now on.
    #[must_use]
    pub fn clicks(&self) -> broadcast::Receiver<Clicked> {
        self.desktop.clicks()
    }

    /// Those that are set up, the nearest first. They are as the settings are now.
    #[must_use]
    pub fn set_up(&self, settings: &Settings) -> Vec<(ChannelName, Box<dyn Channel>)> {
        let set_up = ChannelName::ALL.iter().filter_map(|name| Some((*name, self.one(settings, *name)?)));
        set_up.collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Code::ChannelOff`] when it is not set up, with how to.
    pub fn named(&self, settings: &Settings, name: ChannelName) -> Result<Box<dyn Channel>> {
        self.one(settings, name).ok_or_else(|| view::not_set_up(settings, name))
    }

    fn one(&self, settings: &Settings, name: ChannelName) -> Option<Box<dyn Channel>> {
        Some(match name {
            ChannelName::Desktop if settings.alerts_on_desktop() => self.recorded(name, self.desktop.clone()),
            ChannelName::Slack if settings.alerts_in_slack() => {
                self.recorded(name, Slack::of(&self.locations))
            }
            ChannelName::Email => match settings.mail() {
                Mail::On(mail) => self.recorded(name, Email::of(&self.locations, mail)),
                Mail::Off | Mail::Incomplete(_) => return None,
            },
            ChannelName::Desktop | ChannelName::Slack => return None,
        })
    }

    fn recorded(&self, name: ChannelName, channel: impl Channel + 'static) -> Box<dyn Channel> {
        Box::new(Recorded::new(&self.locations, name, channel))
    }
}

/// What a secret that cannot be read means for a try: a keyring that is locked may be opened.
fn unreadable_secret(error: &Error) -> Delivery {
    let remedy = error.remedies().first().map_or_else(String::new, |remedy| format!(": {remedy}"));
    let why = format!("{}{remedy}", error.message());
    match error.code() {
        Code::KeychainLocked | Code::KeychainRefused | Code::Internal => Delivery::Later { after: None, why },
        _ => Delivery::Refused { why },
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
}
