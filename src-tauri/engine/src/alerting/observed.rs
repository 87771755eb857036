//! What is told of alerts: rules, incidents and channels by their names.

use super::{Change, ChannelName, Delivery, Due, Incident};
use crate::observability::{Event, EventName, Level, log_event};

fn about(name: EventName, incident: &Incident) -> Event {
    Event::new(name)
        .with("incident", incident.id.as_str())
        .with("rule", incident.rule.as_str())
        .with("about", incident.about.as_str())
        .with("severity", incident.severity.word())
        .with("title", incident.title.as_str())
}

pub(super) fn observe_change(change: &Change) {
    log_event(&match change {
        Change::Fired(incident) => about(EventName::AlertFired, incident).level(Level::Warn),
        Change::Rose(incident) => about(EventName::AlertRose, incident).level(Level::Warn),
        Change::Resolved(incident) => about(EventName::AlertResolved, incident),
    });
}

pub(super) fn observe_attempts(due: &Due, attempts: &[(ChannelName, Delivery)]) {
    let incidents = due.incidents.iter().map(super::IncidentId::as_str).collect::<Vec<_>>().join(" ");
    for (channel, delivery) in attempts {
        let event = |name: EventName| {
            Event::new(name).with("channel", channel.word()).with("incident", incidents.as_str())
        };
        log_event(&match delivery {
            Delivery::Sent => event(EventName::AlertSent).with("held_back", u64::from(due.message.held_back)),
            Delivery::Later { why, .. } => event(EventName::AlertChannelFailed)
                .level(Level::Warn)
                .with("how", "later")
                .with("why", why.as_str()),
            Delivery::Refused { why } => event(EventName::AlertChannelFailed)
                .level(Level::Error)
                .with("how", "refused")
                .with("why", why.as_str()),
        });
    }
}
