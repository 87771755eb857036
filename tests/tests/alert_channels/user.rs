//! Somebody at a desktop who wants to be told.

use drydock_tests::rig::{Done, Home, Invocation, Rig, SecretService, holds};
use serde_json::Value;
use std::time::Duration;

pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct User {
    pub(crate) bus: SecretService,
    pub(crate) home: Home,
}

impl User {
    /// With a keyring.
    pub(crate) fn new() -> Self {
        Self { bus: SecretService::start(), home: Home::new() }
    }

    /// Where there is nothing to keep secrets in.
    pub(crate) fn without_keyring() -> Self {
        Self { bus: SecretService::bus_only(), home: Home::new() }
    }

    pub(crate) fn drydock(&self, arguments: &[&str]) -> Invocation {
        Rig::drydock_at(&self.home)
            .variable("DBUS_SESSION_BUS_ADDRESS", self.bus.address())
            .variable("DRYDOCK_LOG", "trace")
            .args(arguments)
    }

    pub(crate) fn set(&self, key: &str, value: &str) {
        self.drydock(&["settings", "set", key, value]).done().ok();
    }

    /// `drydock alerts test CHANNEL`, and why it failed.
    pub(crate) fn fails(&self, channel: &str) -> String {
        let done = self.drydock(&["alerts", "test", channel, "--json"]).done().exits(1);
        let error = &done.json()["error"];
        assert_eq!(error["code"], "alerts.undelivered", "{error}");
        error["why"][0].as_str().unwrap().to_owned()
    }

    /// What `drydock alerts channels` says of one.
    pub(crate) fn view(&self, channel: &str) -> Value {
        let all = self.drydock(&["alerts", "channels", "--json"]).done().ok().json();
        let mut all = all.as_array().unwrap().iter();
        all.find(|one| one["channel"] == channel).unwrap().clone()
    }

    /// Fails if a secret is in what a command printed, or in a file of the home.
    pub(crate) fn assert_nowhere(&self, secret: &str, done: &[&Done]) {
        for done in done {
            assert!(
                !done.stdout.contains(secret) && !done.stderr.contains(secret),
                "{}{}",
                done.stdout,
                done.stderr
            );
        }
        assert_eq!(holds(self.home.path(), &[secret.to_owned()]), []);
    }
}
