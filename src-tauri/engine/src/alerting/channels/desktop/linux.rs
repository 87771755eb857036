//! Notifications by D-Bus.

use super::{Desktop, HEARD_FOR, Permission, key, notice::Notice, service::Service, shown};
use crate::{
    alerting::{Delivery, Severity, channels::blocking},
    error_handling::Result,
};
use notify_rust::{Hint, Notification, NotificationHandle, NotificationResponse, Timeout, Urgency};
use std::time::Duration;

/// Nobody is asked here.
#[allow(clippy::unused_async)] // as on a Mac
pub(super) async fn permission() -> Permission {
    Permission::NotNeeded
}

/// As [`permission`].
pub(super) async fn ask_permission() -> Permission {
    permission().await
}

/// Shows a notification, in the place of an earlier one of the same incident.
pub(super) async fn show(desktop: &Desktop, notice: Notice) -> Delivery {
    let service = match Service::find().await {
        Ok(service) => service,
        Err(none) => return none,
    };
    let name = key(notice.incident.as_ref());
    let earlier = remembered(desktop, &service, &name).await;
    let shown = notification(desktop, &service, &notice, earlier).show_async().await;
    match shown {
        Ok(handle) => {
            let number = handle.id();
            let (locations, by, remembered) =
                (desktop.locations.clone(), service.identity.clone(), name.clone());
            told(blocking(move || shown::remember(&locations, &by, &remembered, number)).await);
            tokio::spawn(hear(desktop.clone(), service, name, notice, handle));
            Delivery::Sent
        }
        Err(cause) => Delivery::Later { after: None, why: format!("the desktop did not show it: {cause}") },
    }
}

/// Takes an incident's notification away. One that is not there any more is as good.
pub(super) async fn withdraw(desktop: &Desktop, name: &str) -> Delivery {
    let service = match Service::find().await {
        Ok(service) => service,
        Err(none) => return none,
    };
    let Some(number) = remembered(desktop, &service, name).await else { return Delivery::Sent };
    // It answers with an error when the user has closed it meanwhile.
    let _ = service.close(number).await;
    forget(desktop, &service, name, number).await;
    Delivery::Sent
}

fn notification(desktop: &Desktop, service: &Service, notice: &Notice, earlier: Option<u32>) -> Notification {
    // Sounds of freedesktop.org's Sound Naming Specification.
    let (urgency, sound) = match notice.severity {
        Severity::High => (Urgency::Critical, Hint::SoundName("dialog-warning".into())),
        Severity::Medium => (Urgency::Normal, Hint::SoundName("dialog-information".into())),
        Severity::Low => (Urgency::Low, Hint::SuppressSound(true)),
    };
    let mut notification = Notification::new();
    notification
        .appname("Drydock")
        .icon(&desktop.icon)
        .summary(&notice.title)
        .body(&service.body(&notice.text))
        .urgency(urgency)
        .hint(sound)
        .hint(Hint::DesktopEntry("drydock".into()))
        .action("default", "Open")
        .timeout(if notice.severity == Severity::High { Timeout::Never } else { Timeout::Default });
    if service.has_buttons() {
        for (action, label) in &notice.buttons {
            notification.action(action.word(), label);
        }
    }
    if let Some(number) = earlier {
        notification.id(number);
    }
    notification
}

/// Waits for what the user does. The handle keeps the connection that showed it: some desktops take notifications
/// away with it, and tell nobody else.
async fn hear(desktop: Desktop, service: Service, name: String, notice: Notice, handle: NotificationHandle) {
    let number = handle.id();
    let mut heard = None;
    let waited = handle.wait_for_action_async(|response| heard = Some(response.clone()));
    if tokio::time::timeout(HEARD_FOR, waited).await.is_err() {
        return;
    }
    let word = match heard {
        Some(NotificationResponse::Default) => Some("default".to_owned()),
        Some(NotificationResponse::Action(word)) => Some(word),
        Some(NotificationResponse::Closed(_) | NotificationResponse::Reply(_)) | None => None,
    };
    forget(&desktop, &service, &name, number).await;
    if let Some(clicked) = word.and_then(|word| notice.clicked(&word)) {
        /// The user waits for what they clicked.
        const PATIENCE: Duration = Duration::from_secs(1);
        // Most desktops take it away by themselves; dunst 1.9 was seen to leave it there.
        let _ = tokio::time::timeout(PATIENCE, service.close(number)).await;
        desktop.clicked(clicked);
    }
}

async fn remembered(desktop: &Desktop, service: &Service, name: &str) -> Option<u32> {
    let (locations, by, name) = (desktop.locations.clone(), service.identity.clone(), name.to_owned());
    blocking(move || Ok(shown::number(&locations, &by, &name))).await.ok().flatten()
}

async fn forget(desktop: &Desktop, service: &Service, name: &str, number: u32) {
    let (locations, by, name) = (desktop.locations.clone(), service.identity.clone(), name.to_owned());
    told(blocking(move || shown::forget(&locations, &by, &name, number)).await);
}

/// What is shown is shown, whether or not it can be written down.
fn told(written: Result<()>) {
    if let Err(cause) = written {
        tracing::warn!(%cause, "which notifications are shown could not be written down");
    }
}
