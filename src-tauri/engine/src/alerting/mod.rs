//! Alerts that a person trusts: few, each said once, each with what to do.
//!
//! [`check_alert_rules`] brings the [`AlertState`] up to what was seen, [`due`] says what is to be said of it,
//! [`send_alert`] says it. All three know no clock but the [`Moment`] they are given, and sleep counts for nothing.

mod alerts;
mod backups;
pub mod channels;
mod check;
mod collect;
mod configuration;
mod defaults;
mod deliver;
mod disks;
mod due;
mod escalate;
mod health;
mod incident;
mod inhibit;
mod logins;
mod message;
#[cfg(test)]
mod model;
mod moment;
mod observed;
mod own;
mod ping;
mod policy;
mod readings;
mod records;
mod rule;
mod send;
mod set_up;
mod silence;
mod state;
mod store;
mod throttle;
mod watchman;

pub use alerts::Alerts;
pub use check::{Change, check_alert_rules};
pub use defaults::rules as default_rules;
pub use deliver::{Channel, ChannelName, Delivery};
pub use due::{Due, due};
pub use escalate::{AfterLast, Ladder, escalate_alert};
pub use health::Health;
pub use incident::{Fingerprint, Incident, Told};
pub use message::{IncidentId, Message, Occasion, Page, Severity};
pub use moment::{Awake, Before, Moment, Pace};
pub use own::{RulesInForce, rules_in_force};
pub use policy::{Policy, QuietHours, time_of_day};
pub use readings::{NoData, Reading, Readings, Seen};
pub use rule::{Aggregate, Level, Measure, Quantity, Rule, RuleId, Side, Verdict};
pub use send::{Channels, send_alert};
pub use set_up::channels_of;
pub use silence::{Silence, Silenced};
pub use state::{AlertState, Blind};
pub use throttle::{Throttle, Throttled, throttle_alert};
pub use watchman::{Looked, Watchman};
