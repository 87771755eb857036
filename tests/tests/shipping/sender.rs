//! Somebody who has what is on record sent to Datadog, with a key in a real keyring.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use drydock_tests::rig::{Done, Home, Intake, Invocation, Rig, SecretService};
use serde_json::{Value, json};
use std::{fs::OpenOptions, io::Write, path::PathBuf};

pub(crate) const KEY: &str = "FAKEfakeFAKEfake0123456789abcdef";

pub(crate) struct Sender {
    pub(crate) keyring: SecretService,
    pub(crate) home: Home,
    pub(crate) intake: Intake,
    written: std::cell::Cell<u64>,
}

impl Sender {
    /// Everything is set up, and sending has begun.
    pub(crate) fn new() -> Self {
        let sender = Self::without_key();
        sender.store_key(KEY).ok();
        sender.now().ok();
        sender
    }

    /// All but the key.
    pub(crate) fn without_key() -> Self {
        let sender = Self {
            keyring: SecretService::start(),
            home: Home::new(),
            intake: Intake::with_key(KEY),
            written: std::cell::Cell::new(0),
        };
        sender.set("observability.datadog.enabled", "true");
        sender.set("observability.datadog.address", &sender.intake.url());
        sender
    }

    pub(crate) fn drydock(&self, arguments: &[&str]) -> Invocation {
        Rig::drydock_at(&self.home)
            .variable("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
            .args(arguments)
    }

    pub(crate) fn set(&self, key: &str, value: &str) {
        self.drydock(&["settings", "set", key, value]).done().ok();
    }

    pub(crate) fn store_key(&self, key: &str) -> Done {
        self.drydock(&["credentials", "store", "datadog-key"]).input(&format!("{key}\n")).done()
    }

    /// `drydock shipping now`.
    pub(crate) fn now(&self) -> Done {
        self.drydock(&["shipping", "now", "--json"]).done()
    }

    /// How a stream stands.
    pub(crate) fn stream(&self, name: &str) -> Value {
        let status = self.drydock(&["shipping", "status", "--json"]).done().ok().json();
        let streams = status["streams"].as_array().unwrap();
        streams.iter().find(|stream| stream["stream"] == name).cloned().unwrap_or_else(|| panic!("{status}"))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(format!(".claude-docker-{name}"))
    }

    pub(crate) fn append(&self, file: &str, line: &Value) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.file(file)).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    /// An event as Drydock writes it down, with a number.
    pub(crate) fn event(&self) -> u64 {
        self.event_at(Utc::now())
    }

    pub(crate) fn event_at(&self, at: DateTime<Utc>) -> u64 {
        self.written.set(self.written.get() + 1);
        self.append(
            "events.jsonl",
            &json!({
                "v": 1, "ts": at.to_rfc3339_opts(SecondsFormat::Millis, true), "id": uuid::Uuid::now_v7(),
                "event": "sync.out", "level": "info", "attrs": { "created": self.written.get() },
                "service": "drydock", "version": "0.1.0", "pid": 7,
            }),
        );
        self.written.get()
    }

    pub(crate) fn events(&self, count: usize) {
        for _ in 0..count {
            self.event();
        }
    }

    pub(crate) fn metric(&self, name: &str, value: f64, attrs: &Value) {
        self.append("metrics.jsonl", &json!({
            "v": 1, "ts": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true), "id": uuid::Uuid::now_v7(),
            "name": name, "kind": "counter", "unit": "1", "value": value, "attrs": attrs,
            "service": "drydock", "version": "0.1.0", "pid": 7,
        }));
    }

    /// The numbers of the events that arrived, as they did. Nothing else in these tests brings anything out.
    pub(crate) fn arrived(&self) -> Vec<u64> {
        let logs = self.intake.logs();
        let ours = logs.iter().filter(|log| log["event"] == "sync.out");
        ours.map(|log| log["attrs"]["created"].as_u64().unwrap()).collect()
    }
}

/// A while ago.
pub(crate) fn ago(hours: i64) -> DateTime<Utc> {
    Utc::now() - TimeDelta::hours(hours)
}
