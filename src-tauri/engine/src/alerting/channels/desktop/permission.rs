//! Whether the system lets Drydock show notifications.

use serde::Serialize;

/// What the user said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "NotificationsAllowed"))]
pub enum Permission {
    /// They may be shown.
    Granted,
    /// They may not.
    Denied,
    /// Nobody asked yet.
    NotAsked,
    /// This system asks nobody, or this program is not the app.
    NotNeeded,
    /// The system does not say.
    Unknown,
}

/// What the user said so far. Nobody is asked.
pub async fn notification_permission() -> Permission {
    limited(super::platform::permission(), super::PATIENCE).await
}

/// Asks the user, where the system wants that and they were not asked yet. To be called at the moment when it makes
/// sense to them, and never at the app's start.
pub async fn ask_for_notifications() -> Permission {
    /// A person reads the question first.
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(300);
    limited(super::platform::ask_permission(), PATIENCE).await
}

async fn limited(asked: impl Future<Output = Permission>, patience: std::time::Duration) -> Permission {
    tokio::time::timeout(patience, asked).await.unwrap_or(Permission::Unknown)
}
