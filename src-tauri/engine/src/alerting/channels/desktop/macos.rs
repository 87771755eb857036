//! Notifications by `UNUserNotificationCenter`.
//!
//! Nothing here was run by those who wrote it: `docs/mac-verification.md` lists what to look at.

use super::{Desktop, HEARD_FOR, Permission, key, notice::Notice};
use crate::{
    alerting::{Delivery, Severity, channels::blocking},
    error_handling::{Code, Error},
    program::ask,
};
use mac_usernotifications::AuthorizationStatus;
use notify_rust::{InterruptionLevel, Notification, NotificationHandle, NotificationResponse, Timeout};
use objc2_core_foundation::CFRunLoop;
use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// What the user said so far.
pub(super) async fn permission() -> Permission {
    if !is_in_bundle() {
        return Permission::NotNeeded;
    }
    match notify_rust::get_notification_settings().await.map(|settings| settings.authorization_status) {
        Ok(
            AuthorizationStatus::Authorized
            | AuthorizationStatus::Provisional
            | AuthorizationStatus::Ephemeral,
        ) => Permission::Granted,
        Ok(AuthorizationStatus::Denied) => Permission::Denied,
        Ok(AuthorizationStatus::NotDetermined) => Permission::NotAsked,
        Ok(AuthorizationStatus::Unknown) | Err(_) => Permission::Unknown,
    }
}

/// Asks the user. macOS does so once; afterwards it gives the answer of that time.
pub(super) async fn ask_permission() -> Permission {
    if !is_in_bundle() {
        return Permission::NotNeeded;
    }
    match notify_rust::request_auth().await {
        Ok(true) => Permission::Granted,
        Ok(false) => Permission::Denied,
        Err(_) => Permission::Unknown,
    }
}

/// Shows a notification, in the place of an earlier one of the same incident.
pub(super) async fn show(desktop: &Desktop, notice: Notice) -> Delivery {
    if !is_in_bundle() {
        return show_from_outside(notice).await;
    }
    match permission().await {
        Permission::Denied => {
            return Delivery::Refused {
                why: "Drydock may not show notifications: System Settings, Notifications, Drydock".into(),
            };
        }
        Permission::NotAsked => {
            return Delivery::Refused {
                why: "you were not asked yet whether Drydock may show notifications: open the app".into(),
            };
        }
        Permission::Granted | Permission::NotNeeded | Permission::Unknown => {}
    }
    let shown = notification(&notice).show_async().await;
    match shown {
        Ok(handle) => {
            let desktop = desktop.clone();
            // A thread of its own: it waits for the user, and must not be where other tasks are.
            thread::spawn(move || hear(&desktop, &notice, handle));
            Delivery::Sent
        }
        // The library does not say whether the user forbade it or something else is the matter.
        Err(cause) => Delivery::Later {
            after: None,
            why: format!("macOS did not show it: {cause}; look into System Settings, Notifications, Drydock"),
        },
    }
}

/// Takes an incident's notification away, also one that an earlier run of the app showed.
#[allow(clippy::unused_async)] // as on other systems
pub(super) async fn withdraw(_desktop: &Desktop, name: &str) -> Delivery {
    if is_in_bundle() {
        mac_usernotifications::close_delivered(name).await;
    }
    Delivery::Sent
}

fn notification(notice: &Notice) -> Notification {
    let mut notification = Notification::new();
    notification
        .summary(&notice.title)
        .body(&notice.text)
        // The name of the incident: a later notification with it takes the place of an earlier one.
        .id(key(notice.incident.as_ref()))
        // Without one, "Clear All" would leave a thread waiting for good.
        .timeout(Timeout::Milliseconds(u32::try_from(HEARD_FOR.as_millis()).unwrap_or(u32::MAX)));
    // Names of sounds in /System/Library/Sounds. What breaks through a Focus needs an entitlement of Apple's.
    match notice.severity {
        Severity::High => {
            notification.interruption_level(InterruptionLevel::Active).sound_name("Sosumi");
        }
        Severity::Medium => {
            notification.interruption_level(InterruptionLevel::Active).sound_name("Glass");
        }
        Severity::Low => {
            notification.interruption_level(InterruptionLevel::Passive);
        }
    }
    for (action, label) in &notice.buttons {
        notification.action(action.word(), label);
    }
    notification
}

/// Waits for what the user does, which macOS tells the main thread's run loop.
fn hear(desktop: &Desktop, notice: &Notice, handle: NotificationHandle) {
    // The library looks once whether that loop waits, and gives up where it is busy at that moment.
    const BUSY_FOR: Duration = Duration::from_secs(5);
    let deadline = Instant::now() + BUSY_FOR;
    while !CFRunLoop::main().is_some_and(|main| main.is_waiting()) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    let mut heard = None;
    let waited = handle.wait_for_response(|response: &NotificationResponse| heard = Some(response.clone()));
    if let Err(cause) = waited {
        // A click then opens the app, which shows its incidents.
        tracing::warn!(%cause, "clicks on a notification cannot be heard");
    }
    let word = match heard {
        Some(NotificationResponse::Default) => Some("default".to_owned()),
        Some(NotificationResponse::Action(word)) => Some(word),
        Some(NotificationResponse::Closed(_) | NotificationResponse::Reply(_)) | None => None,
    };
    if let Some(clicked) = word.and_then(|word| notice.clicked(&word)) {
        desktop.clicked(clicked);
    }
}

/// Whether this program is part of an app. Asking the notification center from outside one ends the process with an
/// exception that nothing catches, and a program may have an identifier without being in a bundle (block/buzz, pull
/// request 5004).
fn is_in_bundle() -> bool {
    let is_inside = std::env::current_exe()
        .is_ok_and(|program| program.to_string_lossy().contains(".app/Contents/MacOS/"));
    is_inside && notify_rust::check_bundle().is_ok()
}

/// By AppleScript, where the command runs outside the app: without buttons, under the Script Editor's name.
async fn show_from_outside(notice: Notice) -> Delivery {
    const PATIENCE: Duration = Duration::from_secs(8);
    // The texts are arguments of the script and no part of it.
    const SCRIPT: &str =
        "on run texts\ndisplay notification (item 2 of texts) with title (item 1 of texts)\nend run";
    let shown = blocking(move || {
        let mut command = Command::new("/usr/bin/osascript");
        command.args(["-e", SCRIPT, "--"]).args([&notice.title, &notice.text]);
        ask(&mut command, None, PATIENCE)
            .map_err(|cause| Error::new(Code::Internal, "osascript cannot be run").why(cause))
    })
    .await;
    match shown {
        Ok(Some(said)) if said.status.success() => Delivery::Sent,
        Ok(Some(said)) => Delivery::Refused {
            why: format!("this is not the app, and osascript ended with {}", said.status),
        },
        Ok(None) => Delivery::Later { after: None, why: "osascript did not end".into() },
        Err(error) => Delivery::Refused { why: error.to_string() },
    }
}
