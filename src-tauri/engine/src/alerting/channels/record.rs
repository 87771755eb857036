//! What became of the last try of each channel.

use super::state;
use crate::{
    alerting::{Channel, ChannelName, Delivery, Message},
    paths::Locations,
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTry {
    /// When.
    pub at: DateTime<Utc>,
    /// What became of it.
    pub delivery: Delivery,
}

fn file(locations: &Locations) -> PathBuf {
    locations.data_dir.join("alerts/channels.json")
}

/// The last try of each channel that was ever tried. Blocking.
pub(super) fn last_tries(locations: &Locations) -> BTreeMap<ChannelName, LastTry> {
    state::read(&file(locations))
}

/// A channel whose tries are written down.
pub(super) struct Recorded<C> {
    name: ChannelName,
    file: PathBuf,
    channel: C,
}

impl<C: Channel> Recorded<C> {
    pub(super) fn new(locations: &Locations, name: ChannelName, channel: C) -> Self {
        Self { name, file: file(locations), channel }
    }
}

impl<C: Channel> Channel for Recorded<C> {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            let delivery = self.channel.send(message).await;
            let (name, file) = (self.name, self.file.clone());
            let last = LastTry { at: Utc::now(), delivery: delivery.clone() };
            let written = tokio::task::spawn_blocking(move || {
                state::change(&file, |tries: &mut BTreeMap<ChannelName, LastTry>| {
                    tries.insert(name, last);
                })
            });
            // What was sent is sent, whether or not it can be written down.
            if let Ok(Err(cause)) = written.await {
                tracing::warn!(%cause, channel = %name, "what became of an alert could not be written down");
            }
            delivery
        })
    }
}
