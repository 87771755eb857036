//! Messages for tests.

use crate::alerting::{IncidentId, Message, Occasion, Page, Severity};
use chrono::{TimeZone, Utc};

/// An incident that begins.
pub(super) fn firing() -> Message {
    let at = Utc.with_ymd_and_hms(2026, 11, 26, 14, 2, 0).unwrap();
    Message {
        incident: Some(IncidentId("corruption-1".into())),
        occasion: Occasion::Firing,
        severity: Severity::High,
        title: "Claude Code cannot read its settings".into(),
        text: "The file ends in the middle. A backup from 13:55 has it whole.".into(),
        remedy: Some("drydock recover".into()),
        page: Page::Recovery,
        since: at,
        at,
        held_back: 0,
    }
}
