//! The least of a desktop panel: it takes note of tray icons and uses their menus over the session bus.
use std::collections::HashMap;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zbus::{
    Connection, connection, interface,
    message::Header,
    proxy::Proxy,
    zvariant::{OwnedObjectPath, OwnedValue, Str, Value},
};

use crate::desktop::{Desktop, until};

/// An icon that asked to be shown: who owns it and where its object is.
type Icon = (String, String);

struct Watcher(UnboundedSender<Icon>);

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    /// Some icons name a bus name and some a path of their own connection: Ayatana's do the latter.
    #[allow(clippy::needless_pass_by_value, reason = "the macro hands the header over by value")]
    fn register_status_notifier_item(&self, path: String, #[zbus(header)] header: Header<'_>) {
        let owner = header.sender().expect("a caller has a name").to_string();
        self.0.send((owner, path)).expect("the test listens");
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

pub(crate) struct Panel {
    bus: Connection,
    icons: tokio::sync::Mutex<UnboundedReceiver<Icon>>,
}

impl Panel {
    pub(crate) async fn start(desktop: &Desktop) -> Self {
        let (found, icons) = unbounded_channel();
        let bus = connection::Builder::address(desktop.bus_address())
            .unwrap()
            .serve_at("/StatusNotifierWatcher", Watcher(found))
            .unwrap()
            .name("org.kde.StatusNotifierWatcher")
            .unwrap()
            .build()
            .await
            .unwrap();
        Self { bus, icons: tokio::sync::Mutex::new(icons) }
    }

    /// The menu of the next icon that registers.
    pub(crate) async fn menu(&self) -> Menu {
        let mut icons = self.icons.lock().await;
        let mut icon = None;
        until("an icon registers", async || {
            icon = icons.try_recv().ok();
            icon.is_some()
        })
        .await;
        let (owner, path) = icon.unwrap();
        let item = Proxy::new(&self.bus, owner.clone(), path, "org.kde.StatusNotifierItem").await.unwrap();
        let menu: OwnedObjectPath = item.get_property("Menu").await.unwrap();
        Menu(Proxy::new(&self.bus, owner, menu, "com.canonical.dbusmenu").await.unwrap())
    }

    /// Hands a link to the app that runs, as a second start of it does.
    #[allow(dead_code, reason = "the bench of the app opens the popover by it")]
    pub(crate) async fn follow(&self, link: &str) {
        // Source: tauri-plugin-single-instance, which makes both of the app's identifier.
        let (name, path) = ("dev.drydock.menubar.SingleInstance", "/dev/drydock/menubar/SingleInstance");
        let app = Proxy::new(&self.bus, name, path, "org.SingleInstance.DBus").await.unwrap();
        app.call_noreply("ExecuteCallback", &(vec!["drydock-app", link], "/")).await.unwrap();
    }
}

pub(crate) struct Menu(Proxy<'static>);

/// One line of a menu as dbusmenu describes it: its number, its properties, its own lines.
type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

impl Menu {
    pub(crate) async fn labels(&self) -> Vec<String> {
        self.entries().await.into_iter().map(|(_, label)| label).collect()
    }

    pub(crate) async fn click(&self, label: &str) {
        let entries = self.entries().await;
        let (number, _) = entries.iter().find(|(_, text)| text == label).expect("the menu has the entry");
        // As panels do: nobody waits for an answer that "Quit" could not give.
        self.0.call_noreply("Event", &(number, "clicked", Value::from(0), 0_u32)).await.unwrap();
    }

    /// All lines, each before those behind it.
    async fn entries(&self) -> Vec<(i32, String)> {
        let everything: &[&str] = &[];
        let (_, (_, _, lines)): (u32, Layout) = self.0.call("GetLayout", &(0, -1, everything)).await.unwrap();
        lines.into_iter().flat_map(entries_of).collect()
    }

    /// Waits until the menu has a line.
    pub(crate) async fn until(&self, label: &str) {
        until(label, async || self.labels().await.iter().any(|line| line == label)).await;
    }
}

fn entries_of(line: OwnedValue) -> Vec<(i32, String)> {
    let (number, mut properties, behind): Layout = line.try_into().expect("a line of a menu");
    let label = properties.remove("label").map(|text| Str::try_from(text).expect("a text").to_string());
    let mut entries = vec![(number, label.unwrap_or_default())];
    entries.extend(behind.into_iter().flat_map(entries_of));
    entries
}
