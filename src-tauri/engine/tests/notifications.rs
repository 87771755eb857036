//! Notifications on a desktop of a test's own: a session bus, and on it a program that notes what it is asked to
//! show. The engine runs in a process of its own, which is this test program again, since a process has one session
//! bus.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a step that fails is the test failing")]

use chrono::Utc;
use drydock_engine::{
    alerting::{
        ChannelName, Delivery, Message, Occasion, Page, Severity,
        channels::{Channels, Clicked},
    },
    paths::Locations,
    settings::Settings,
};
use serde_json::json;
use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use zbus::{
    blocking::{Connection, connection},
    interface,
    zvariant::OwnedValue,
};

const PATH: &str = "/org/freedesktop/Notifications";
const NAME: &str = "org.freedesktop.Notifications";
const HOME: &str = "DRYDOCK_TEST_HOME";
const DEED: &str = "DRYDOCK_TEST_DEED";

/// What the program was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Show {
        replaces: u32,
        icon: String,
        title: String,
        text: String,
        actions: Vec<String>,
        urgency: u8,
        sound: Option<String>,
        stays: bool,
    },
    Close(u32),
}

/// A notification service that shows nothing.
struct Service {
    asked: Arc<Mutex<Vec<Asked>>>,
    next: u32,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Service {
    fn get_capabilities(&self) -> Vec<String> {
        ["body", "body-markup", "actions"].map(str::to_owned).to_vec()
    }

    #[allow(
        clippy::too_many_arguments,
        clippy::needless_pass_by_value,
        reason = "the specification has so many"
    )]
    fn notify(
        &mut self,
        _app: String,
        replaces: u32,
        icon: String,
        title: String,
        text: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        timeout: i32,
    ) -> u32 {
        let urgency = hints.get("urgency").and_then(|value| value.downcast_ref::<u8>().ok()).unwrap_or(1);
        let sound = hints.get("sound-name").and_then(|value| value.downcast_ref::<String>().ok());
        let asked = Asked::Show { replaces, icon, title, text, actions, urgency, sound, stays: timeout == 0 };
        self.asked.lock().unwrap().push(asked);
        if replaces == 0 {
            self.next += 1;
            self.next
        } else {
            replaces
        }
    }

    fn close_notification(&self, number: u32) {
        self.asked.lock().unwrap().push(Asked::Close(number));
    }
}

/// A session bus that starts nothing by itself. Dropping it ends it.
struct Desktop {
    bus: Child,
    address: String,
    home: TempDir,
}

impl Desktop {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("bus.conf");
        let socket = home.path().join("bus");
        fs::write(
            &config,
            format!(
                "<busconfig><type>session</type><listen>unix:path={}</listen><policy context=\"default\">\
                 <allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>",
                socket.display()
            ),
        )
        .unwrap();
        let mut bus = Command::new("dbus-daemon")
            .arg("--config-file")
            .arg(config)
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { bus, address: address.trim().to_owned(), home }
    }

    /// Starts the program that shows notifications.
    fn serve(&self) -> (Connection, Arc<Mutex<Vec<Asked>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let service = Service { asked: Arc::clone(&asked), next: 6 };
        let connection = connection::Builder::address(self.address.as_str())
            .and_then(|builder| builder.serve_at(PATH, service))
            .and_then(|builder| builder.name(NAME))
            .and_then(connection::Builder::build)
            .unwrap();
        (connection, asked)
    }

    fn engine(&self, deed: &str) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "the_engine_on_this_desktop", "--ignored", "--quiet", "--nocapture"])
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env(HOME, self.home.path())
            .env(DEED, deed);
        command
    }

    /// Lets the engine do something, and gives what it says of it.
    fn deed(&self, deed: &str) -> String {
        let done = self.engine(deed).output().unwrap();
        answer(&String::from_utf8_lossy(&done.stdout), &String::from_utf8_lossy(&done.stderr))
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

fn answer(out: &str, err: &str) -> String {
    let said = out.lines().find_map(|line| line.split_once("SAID ").map(|(_, said)| said.to_owned()));
    said.unwrap_or_else(|| panic!("the engine said nothing: {out}{err}"))
}

fn message(occasion: Occasion) -> Message {
    let now = Utc::now();
    Message {
        incident: serde_json::from_value(json!("corruption-1")).unwrap(),
        occasion,
        severity: Severity::High,
        title: "Settings & <b>more</b> are damaged".into(),
        text: "1 < 2 & token: FAKE-planted-0123456789".into(),
        remedy: Some("drydock recover".into()),
        page: Page::Recovery,
        since: now,
        at: now,
        held_back: 0,
    }
}

#[test]
#[ignore = "the other tests start it, in a process of its own"]
fn the_engine_on_this_desktop() {
    let (Some(home), Some(deed)) = (env::var_os(HOME), env::var(DEED).ok()) else {
        panic!("nobody started this for something");
    };
    let locations = Locations::find(Some(Path::new(&home))).unwrap();
    let settings = Settings::load(&locations.settings_file).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let said = runtime.block_on(async {
        let channels = Channels::of(&locations, "drydock");
        let mut clicks = channels.clicks();
        let channel = channels.named(&settings, ChannelName::Desktop).unwrap();
        let occasion = match deed.as_str() {
            "fire" | "listen" => Occasion::Firing,
            "again" => Occasion::Escalated,
            "over" => Occasion::Resolved,
            other => panic!("there is no {other}"),
        };
        let delivery = channel.send(&message(occasion)).await;
        if deed != "listen" {
            return serde_json::to_string(&delivery).unwrap();
        }
        assert_eq!(delivery, Delivery::Sent);
        let clicked = tokio::time::timeout(Duration::from_secs(60), clicks.recv()).await.unwrap().unwrap();
        serde_json::to_string(&clicked).unwrap()
    });
    println!("SAID {said}");
}

#[test]
fn what_the_user_does_comes_back_with_the_incident() {
    let desktop = Desktop::new();
    let (service, _asked) = desktop.serve();
    for (number, word, wanted) in [
        (7_u32, "default", json!({ "open": "recovery" })),
        (8, "recover", json!("recover")),
        (9, "snooze", json!("snooze")),
    ] {
        let mut engine =
            desktop.engine("listen").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = engine.stdout.take().unwrap();
        let heard = thread::spawn(move || std::io::read_to_string(out).unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        // The engine begins to listen a moment after the notification is shown; a person is slower.
        while engine.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "{word} never came back");
            service.emit_signal(None::<&str>, PATH, NAME, "ActionInvoked", &(number, word)).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
        let clicked: Clicked = serde_json::from_str(&answer(&heard.join().unwrap(), "")).unwrap();
        assert_eq!(clicked.incident.unwrap().as_str(), "corruption-1");
        assert_eq!(serde_json::to_value(clicked.action).unwrap(), wanted);
    }
}

#[test]
fn an_incident_has_one_notification_until_it_is_over() {
    let desktop = Desktop::new();
    let (_service, asked) = desktop.serve();
    for deed in ["fire", "again", "over", "over"] {
        assert_eq!(desktop.deed(deed), r#"{"outcome":"sent"}"#, "{deed}");
    }
    let asked = asked.lock().unwrap().clone();
    let [Asked::Show { replaces: 0, .. }, Asked::Show { replaces: 7, title, .. }, Asked::Close(7)] =
        &asked[..]
    else {
        panic!("{asked:?}");
    };
    assert!(title.starts_with("Still: "), "{title}");
}

#[test]
fn numbers_of_another_run_of_the_desktop_are_left_alone() {
    let desktop = Desktop::new();
    let (service, _) = desktop.serve();
    desktop.deed("fire");
    drop(service);
    let (_service, asked) = desktop.serve();
    desktop.deed("over");
    desktop.deed("fire");
    let asked = asked.lock().unwrap().clone();
    assert!(matches!(&asked[..], [Asked::Show { replaces: 0, .. }]), "{asked:?}");
}

#[test]
fn it_is_urgent_audible_and_says_its_text_as_it_is() {
    let desktop = Desktop::new();
    let (_service, asked) = desktop.serve();
    desktop.deed("fire");
    let asked = asked.lock().unwrap().clone();
    let Asked::Show { icon, title, text, actions, urgency, sound, stays, .. } = &asked[0] else {
        panic!("{asked:?}")
    };
    assert_eq!(
        (icon.as_str(), *urgency, sound.as_deref(), *stays),
        ("drydock", 2, Some("dialog-warning"), true)
    );
    assert_eq!(title, "Settings & <b>more</b> are damaged");
    assert_eq!(text, "1 &lt; 2 &amp; token: [hidden]");
    assert_eq!(actions[..], ["default", "Open", "recover", "Recover", "snooze", "Snooze"]);
}

#[test]
fn where_nobody_shows_notifications_that_is_said_at_once() {
    let desktop = Desktop::new();
    let said: Delivery = serde_json::from_str(&desktop.deed("fire")).unwrap();
    let Delivery::Refused { why } = said else { panic!("{said:?}") };
    assert!(why.contains("no program that shows notifications"), "{why}");
}
