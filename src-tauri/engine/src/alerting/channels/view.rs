//! Which channels are set up, and how each did last.

use super::record::{LastTry, last_tries};
use crate::{
    alerting::ChannelName,
    error_handling::{Code, Error},
    paths::Locations,
    settings::{Mail, MailVia, Settings},
};
use serde::Serialize;

/// Whether a channel is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum SetUp {
    /// It is.
    On {
        /// How it reaches whom.
        how: String,
        /// What it means that it took a message.
        sent_means: &'static str,
    },
    /// It is not.
    Off {
        /// What is missing, where it was begun.
        missing: Option<&'static str>,
        /// What sets it up.
        remedy: &'static str,
    },
}

/// A channel, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelView {
    /// Which.
    pub channel: ChannelName,
    /// Whether it is set up.
    #[serde(flatten)]
    pub set_up: SetUp,
    /// What became of its last try.
    pub last: Option<LastTry>,
}

/// All channels, the nearest first. Blocking.
#[must_use]
pub fn channel_views(locations: &Locations, settings: &Settings) -> Vec<ChannelView> {
    let mut last = last_tries(locations);
    let view = |name: &ChannelName| ChannelView {
        channel: *name,
        set_up: set_up(settings, *name),
        last: last.remove(name),
    };
    ChannelName::ALL.iter().map(view).collect()
}

/// Whether a channel is set up, by the settings alone.
#[must_use]
pub fn set_up(settings: &Settings, name: ChannelName) -> SetUp {
    let on = |how: String, sent_means| SetUp::On { how, sent_means };
    match name {
        ChannelName::Desktop if settings.alerts_on_desktop() => {
            on("notifications on this computer".into(), "this computer's desktop has it")
        }
        ChannelName::Desktop => {
            SetUp::Off { missing: None, remedy: "drydock settings set alerts.desktop on" }
        }
        ChannelName::Slack if settings.alerts_in_slack() => {
            on("a webhook, whose address is in the keyring".into(), "Slack has it")
        }
        ChannelName::Slack => SetUp::Off { missing: None, remedy: "drydock alerts slack set" },
        ChannelName::Email => match settings.mail() {
            Mail::On(mail) => {
                let to: Vec<_> = mail.to.iter().map(ToString::to_string).collect();
                let (via, sent_means) = match &mail.via {
                    MailVia::Sendmail => (
                        "this computer's sendmail".to_owned(),
                        // A Mac comes with one that takes everything and knows no way out.
                        "this computer's mail system has it; whether it knows a way to send it on, only the mailbox tells",
                    ),
                    MailVia::Smtp(server) => (server.host.clone(), "the mail server has it"),
                };
                on(format!("to {} by {via}", to.join(", ")), sent_means)
            }
            Mail::Off => {
                SetUp::Off { missing: None, remedy: "drydock settings set alerts.email.to me@example.org" }
            }
            Mail::Incomplete(missing) => SetUp::Off {
                missing: Some(missing),
                remedy: "drydock settings set alerts.email.smtp.server mail.example.org",
            },
        },
    }
}

pub(super) fn not_set_up(settings: &Settings, name: ChannelName) -> Error {
    let error = Error::new(Code::ChannelOff, format!("the channel {name} is not set up"));
    match set_up(settings, name) {
        SetUp::On { .. } => error,
        SetUp::Off { missing: None, remedy } => error.remedy(remedy),
        SetUp::Off { missing: Some(missing), remedy } => error.why(missing).remedy(remedy),
    }
}
