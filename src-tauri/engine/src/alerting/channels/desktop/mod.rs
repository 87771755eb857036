//! Notifications on this computer's desktop, and what the user does with them.
//!
//! Each incident has one notification at most: a later message takes the place of the earlier one, and one that says
//! that it is over takes it away.

mod notice;
mod permission;
#[cfg(not(target_os = "macos"))]
mod service;
#[cfg(not(target_os = "macos"))]
mod shown;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as platform;
#[cfg(not(target_os = "macos"))]
mod linux;
#[cfg(not(target_os = "macos"))]
use linux as platform;

pub use notice::{ClickAction, Clicked};
pub use permission::{Permission, ask_for_notifications, notification_permission};

use crate::{
    alerting::{Channel, Delivery, IncidentId, Message, Occasion},
    paths::Locations,
};
use futures_util::future::BoxFuture;
use notice::Notice;
use std::time::Duration;
use tokio::sync::broadcast;

/// A notification service can be stuck: `usernoted` was seen to (manaflow-ai/cmux, issue 4133), and one on D-Bus may
/// be a program of the user's own.
const PATIENCE: Duration = Duration::from_secs(10);
/// So long a click is waited for. macOS tells nobody of notifications that are cleared all at once.
const HEARD_FOR: Duration = Duration::from_secs(24 * 3600);

/// The channel.
#[derive(Clone)]
pub(super) struct Desktop {
    locations: Locations,
    #[cfg_attr(target_os = "macos", expect(dead_code, reason = "a Mac shows the app's own"))]
    icon: String,
    clicks: broadcast::Sender<Clicked>,
}

impl Desktop {
    pub(super) fn of(locations: &Locations, icon: &str) -> Self {
        // Nobody clicks so many before the first is looked at.
        const AT_ONCE: usize = 64;
        let (clicks, _) = broadcast::channel(AT_ONCE);
        Self { locations: locations.clone(), icon: icon.to_owned(), clicks }
    }

    pub(super) fn clicks(&self) -> broadcast::Receiver<Clicked> {
        self.clicks.subscribe()
    }

    async fn try_once(&self, message: &Message) -> Delivery {
        let tried = async {
            match message.occasion {
                Occasion::Resolved => platform::withdraw(self, &key(message.incident.as_ref())).await,
                Occasion::Firing | Occasion::Escalated | Occasion::Test => {
                    let home = self.locations.home.display().to_string();
                    platform::show(self, Notice::of(message, &home)).await
                }
            }
        };
        tokio::time::timeout(PATIENCE, tried).await.unwrap_or_else(|_| Delivery::Later {
            after: None,
            why: format!("the desktop did not answer within {} s", PATIENCE.as_secs()),
        })
    }

    /// Tells whoever listens.
    fn clicked(&self, clicked: Clicked) {
        // Nobody may listen: a command that has sent a test has nobody.
        let _ = self.clicks.send(clicked);
    }
}

impl Channel for Desktop {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Delivery> {
        Box::pin(self.try_once(message))
    }
}

/// Under which name an incident's notification is remembered; all tests share one.
fn key(incident: Option<&IncidentId>) -> String {
    incident.map_or_else(|| "test".to_owned(), |incident| format!("incident:{incident}"))
}
