//! Sending by itself, beside the other scheduled work.

use crate::sender::{KEY, Sender};
use drydock_tests::rig::{Manner, until};
use std::time::Duration;

/// More than several looks of the daemon's.
const LIMIT: Duration = Duration::from_secs(90);

#[test]
fn the_daemon_sends_goes_on_after_an_outage_and_hears_of_settings_and_keys() {
    let sender = Sender::without_key();
    sender.set("observability.datadog.enabled", "false");
    let daemon = sender.drydock(&["daemon"]).start();
    sender.set("observability.datadog.enabled", "true");
    until("sending begins", LIMIT, || {
        let state = sender.home.path().join(".local/share/drydock/observability/shipping.json");
        std::fs::read_to_string(state).ok().filter(|state| state.contains("datadog.events"))
    });
    sender.event();
    sender.store_key(KEY).ok();
    until("the first event arrives", LIMIT, || (sender.arrived() == [1]).then_some(()));

    sender.intake.always(Manner::Say(503));
    sender.event();
    until("it was tried", LIMIT, || {
        sender.intake.received().iter().any(|one| one.status == 503).then_some(())
    });
    sender.event();
    sender.intake.always(Manner::Take);
    until("all of them arrive", LIMIT, || (sender.arrived() == [1, 2, 3]).then_some(()));

    sender.set("observability.datadog.enabled", "false");
    until("it is turned off", LIMIT, || {
        let state = sender.home.path().join(".local/share/drydock/observability/shipping.json");
        let state: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(state).ok()?).ok()?;
        state["streams"]["datadog.events"]["cursor"].is_null().then_some(())
    });
    sender.event();
    sender.set("observability.datadog.enabled", "true");
    sender.now().ok();
    sender.event();
    until("what came after is sent", LIMIT, || sender.arrived().contains(&5).then_some(()));
    assert_eq!(sender.arrived(), [1, 2, 3, 5]);
    daemon.kill();
}
