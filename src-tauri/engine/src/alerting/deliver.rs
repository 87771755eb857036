//! One try to bring a message over one channel, and what became of it.

use super::Message;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A way to reach the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelName {
    /// A notification on this computer's desktop.
    Desktop,
    /// A message in Slack.
    Slack,
    /// A mail.
    Email,
}

impl ChannelName {
    /// All of them, the nearest first.
    pub const ALL: &[Self] = &[Self::Desktop, Self::Slack, Self::Email];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Slack => "slack",
            Self::Email => "email",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.word() == word)
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Delivery {
    /// The channel took it.
    Sent,
    /// Not now; another try may succeed.
    Later {
        /// Not before so long, where the channel says so.
        after: Option<Duration>,
        /// Why, without a secret.
        why: String,
    },
    /// No further try will succeed until somebody mends something.
    Refused {
        /// Why, without a secret.
        why: String,
    },
}

/// A channel that is set up.
pub trait Channel: Send + Sync {
    /// Tries once to bring a message over, within a limited time.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Delivery>;
}
