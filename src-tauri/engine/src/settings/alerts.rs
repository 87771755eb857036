//! What the user has set about alerts.

use super::{Settings, WrittenRule};
use crate::{
    alerting::{Awake, ChannelName, Policy, QuietHours, Severity, time_of_day},
    keychain::Sensitive,
};
use std::collections::BTreeMap;

impl Settings {
    /// `alerts.rules`, as they are written.
    #[must_use]
    pub fn alert_rules(&self) -> &BTreeMap<String, WrittenRule> {
        &self.rules
    }

    /// The rules for who is told of alerts, and when, with the channels that are set up.
    #[must_use]
    pub fn alert_policy(&self, available: Vec<ChannelName>) -> Policy {
        let minutes = |name| self.text(name).parse().unwrap_or(15);
        let route = |severity: Severity, name| {
            let words = self.text(name).split_whitespace();
            (severity, words.filter_map(ChannelName::from_word).collect())
        };
        Policy {
            throttle: chrono::TimeDelta::minutes(minutes("alerts.throttle_minutes")),
            escalation: Awake::minutes(minutes("alerts.escalation_minutes")),
            routes: BTreeMap::from([
                route(Severity::High, "alerts.routes.high"),
                route(Severity::Medium, "alerts.routes.medium"),
                route(Severity::Low, "alerts.routes.low"),
            ]),
            available,
            quiet: QuietHours::parse(self.text("alerts.quiet_hours")),
            digest: time_of_day(self.text("alerts.digest_at")),
        }
    }

    /// `alerts.ping_url`. It may be a secret: it is shown to nobody but its owner.
    #[must_use]
    pub fn ping_url(&self) -> Option<Sensitive<String>> {
        Some(self.text("alerts.ping_url"))
            .filter(|text| !text.is_empty())
            .map(|text| Sensitive::new(text.to_owned()))
    }
}
