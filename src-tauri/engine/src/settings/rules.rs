//! The user's rules for alerts in the settings: `alerts.rules.NAME.FIELD`, for rules of their own and for those that
//! Drydock brings along. Here each value is checked by itself; what a rule needs as a whole is for `alerting`.

use super::{Kind, keys::Key};
use crate::{
    alerting::{Aggregate, Quantity},
    observability::MetricName,
};
use serde::Serialize;
use std::collections::BTreeMap;

pub(super) const PREFIX: &str = "alerts.rules.";

/// The fields of a rule.
pub const RULE_FIELDS: &[Key] = &[
    Key {
        name: "metric",
        kind: Kind::Measure,
        default: "",
        about: "what it looks at; a rule of your own needs it",
    },
    Key {
        name: "value",
        kind: Kind::Choice(Aggregate::WORDS),
        default: "total",
        about: "what of a measured metric counts: \"total\", \"p95\", \"max\"",
    },
    Key { name: "above", kind: Kind::Number, default: "", about: "it fires above this" },
    Key { name: "below", kind: Kind::Number, default: "", about: "it fires below this" },
    Key { name: "window", kind: Kind::Stretch, default: "1h", about: "how far back it looks, at most 7d" },
    Key {
        name: "samples",
        kind: Kind::Integer(0, 100_000),
        default: "0",
        about: "with fewer values it says nothing",
    },
    Key {
        name: "for",
        kind: Kind::Stretch,
        default: "0m",
        about: "so long it has to last, while the computer is awake",
    },
    Key {
        name: "keep",
        kind: Kind::Stretch,
        default: "0m",
        about: "so long it has to be well before it is over",
    },
    Key {
        name: "grace",
        kind: Kind::Stretch,
        default: "0m",
        about: "so long after sleep nothing is concluded, while missed work is made up for",
    },
    Key {
        name: "severity",
        kind: Kind::Choice(&["low", "medium", "high"]),
        default: "medium",
        about: "how much it matters",
    },
    Key { name: "text", kind: Kind::OptionalText, default: "", about: "what is said, in one line" },
    Key {
        name: "state",
        kind: Kind::Choice(&["on", "off"]),
        default: "on",
        about: "\"off\" switches it off",
    },
];

/// A value of a rule's field, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrittenField {
    /// The value.
    pub value: String,
    /// Where it stands.
    pub place: String,
}

/// A rule as it is written: its fields by their names.
pub type WrittenRule = BTreeMap<&'static str, WrittenField>;

/// What a name below [`PREFIX`] is about: a rule and its field.
pub(super) fn parts(name: &str) -> Option<(&str, &str)> {
    let (rule, field) = name.strip_prefix(PREFIX)?.split_once('.')?;
    let is_name = !rule.is_empty()
        && rule.len() <= 40
        && rule.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_name.then_some((rule, field))
}

/// All that a rule can look at.
pub(super) fn measures() -> impl Iterator<Item = &'static str> {
    Quantity::ALL.iter().map(|one| one.word()).chain(MetricName::ALL.iter().map(|one| one.as_str()))
}
