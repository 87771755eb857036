//! The program that shows notifications on this desktop, by D-Bus.
//!
//! Source: the Desktop Notifications Specification of freedesktop.org.

use crate::alerting::Delivery;
use serde::{Deserialize, Serialize};
use zbus::{Connection, fdo::DBusProxy, names::BusName};

pub(super) const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// Which run of which program it is: the numbers of notifications are its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The bus's.
    bus: String,
    /// The program's on the bus. A bus gives it to nobody again.
    owner: String,
}

/// A notification service that answers.
pub(super) struct Service {
    bus: Connection,
    pub(super) identity: Identity,
    can: Vec<String>,
}

impl Service {
    /// Finds it; it is started where the desktop starts it when it is asked for.
    pub(super) async fn find() -> Result<Self, Delivery> {
        let none = |what: &str, cause: zbus::Error| Delivery::Refused { why: format!("{what}: {cause}") };
        let bus =
            Connection::session().await.map_err(|cause| none("this desktop has no session bus", cause))?;
        let answer = bus.call_method(Some(NAME), PATH, Some(NAME), "GetCapabilities", &()).await;
        let can = answer
            .and_then(|answer| answer.body().deserialize())
            .map_err(|cause| none("this desktop has no program that shows notifications", cause))?;
        let identity = Self::identity(&bus).await.map_err(|cause| {
            none("this desktop's session bus does not say who shows notifications", cause)
        })?;
        Ok(Self { bus, identity, can })
    }

    async fn identity(bus: &Connection) -> zbus::Result<Identity> {
        let about = DBusProxy::new(bus).await?;
        let name = BusName::try_from(NAME)?;
        let owner = about.get_name_owner(name).await?.to_string();
        Ok(Identity { bus: about.get_id().await?.to_string(), owner })
    }

    /// A text as its body shows it: one that knows markup takes `<` and `&` for it.
    pub(super) fn body(&self, text: &str) -> String {
        if self.can.iter().any(|can| can == "body-markup") {
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
        } else {
            text.to_owned()
        }
    }

    /// Whether it shows buttons.
    pub(super) fn has_buttons(&self) -> bool {
        self.can.iter().any(|can| can == "actions")
    }

    /// Takes a notification away.
    pub(super) async fn close(&self, number: u32) -> zbus::Result<()> {
        self.bus.call_method(Some(NAME), PATH, Some(NAME), "CloseNotification", &(number,)).await.map(drop)
    }
}
