//! The channels that are set up, as a look for alerts wants them.

use super::{Channels, channels};
use crate::settings::Settings;
use std::sync::Arc;

/// Those that the settings name now. The `ways` are those of this process, to which clicks come back.
#[must_use]
pub fn channels_of(ways: &channels::Channels, settings: &Settings) -> Channels {
    let set_up = ways.set_up(settings).into_iter();
    set_up.fold(Channels::none(), |all, (name, channel)| all.with(name, Arc::from(channel)))
}
