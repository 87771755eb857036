//! A home that a daemon watches, and what it says of it.

use drydock_tests::rig::{Invocation, Running, until, until_or};
use serde_json::Value;
use std::time::Duration;

/// The daemon looks when it begins and each half minute after that.
pub(crate) const LIMIT: Duration = Duration::from_secs(100);

/// Makes `drydock` for the home that is watched.
pub(crate) type Drydock<'a> = &'a dyn Fn(&[&str]) -> Invocation;

/// Sets settings.
pub(crate) fn set(drydock: Drydock<'_>, settings: &[(&str, &str)]) {
    for (name, value) in settings {
        drydock(&["settings", "set", name, value]).done().ok();
    }
}

/// What fires now.
pub(crate) fn firing(drydock: Drydock<'_>) -> Vec<Value> {
    let listed = drydock(&["alerts", "list", "--json"]).done();
    listed.json()["firing"].as_array().unwrap_or_else(|| panic!("{}", listed.stderr)).clone()
}

/// Waits until an alert is as it is wanted, and gives it; says how everything stood when it never was.
pub(crate) fn until_firing(drydock: Drydock<'_>, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let find = || firing(drydock).into_iter().find(&is);
    until_or(LIMIT, find, || {
        let said = |words: &[&str]| drydock(words).done().stdout;
        let rules = said(&["alerts", "rules"]);
        format!("{what}\n{rules}\n{}\n{}", said(&["backup"]), said(&["events", "--since", "30d"]))
    })
}

/// Waits until a rule fires, and gives the alert.
pub(crate) fn until_fires(drydock: Drydock<'_>, rule: &str) -> Value {
    until_firing(drydock, &format!("{rule} fires"), |one| one["rule"] == rule)
}

/// Waits until a rule fires no more.
pub(crate) fn until_over(drydock: Drydock<'_>, rule: &str) {
    until(&format!("{rule} is over"), LIMIT, || {
        firing(drydock).iter().all(|one| one["rule"] != rule).then_some(())
    });
}

/// Waits until somebody has looked, and gives how the rules stand.
pub(crate) fn until_looked(drydock: Drydock<'_>) -> Vec<Value> {
    until("somebody looked", LIMIT, || {
        let looked = drydock(&["alerts", "--json"]).done().json()["last_look"].is_string();
        looked.then_some(())
    });
    drydock(&["alerts", "rules", "--json"]).done().json()["rules"].as_array().unwrap().clone()
}

/// The events of alerts with this name, by their rules.
pub(crate) fn history(drydock: Drydock<'_>, event: &str) -> Vec<String> {
    let events = drydock(&["alerts", "history", "--json"]).done().ok().json();
    let of_name = events.as_array().unwrap().iter().filter(|one| one["event"] == event);
    of_name.map(|one| one["attrs"]["rule"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A daemon that begins now.
pub(crate) fn daemon(drydock: Drydock<'_>) -> Running {
    drydock(&["daemon", "--json"]).start()
}
