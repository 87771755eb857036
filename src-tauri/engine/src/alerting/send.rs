//! Giving a message to the first channel that takes it.

use super::{Channel, ChannelName, Delivery, Message, Severity};
use std::{collections::BTreeMap, sync::Arc};

/// The channels that are set up.
#[derive(Clone, Default)]
pub struct Channels(BTreeMap<ChannelName, Arc<dyn Channel>>);

impl Channels {
    /// None yet.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, name: ChannelName, channel: Arc<dyn Channel>) -> Self {
        self.0.insert(name, channel);
        self
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<ChannelName> {
        self.0.keys().copied().collect()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: ChannelName) -> Option<&Arc<dyn Channel>> {
        self.0.get(&name)
    }
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Gives a message to the first channel that takes it, in this order. One that refuses is passed over; one that
/// says "later" is waited for, unless the message is High. Each channel that was tried is in the answer, with what it said.
pub async fn send_alert(
    channels: &Channels,
    order: &[ChannelName],
    message: &Message,
) -> Vec<(ChannelName, Delivery)> {
    let mut attempts = Vec::new();
    for name in order {
        let Some(channel) = channels.get(*name) else { continue };
        let delivery = channel.send(message).await;
        let is_over = match &delivery {
            Delivery::Sent => true,
            Delivery::Later { .. } => message.severity < Severity::High,
            Delivery::Refused { .. } => false,
        };
        attempts.push((*name, delivery));
        if is_over {
            break;
        }
    }
    attempts
}
