//! Drydock's settings: one table of keys, read from `settings.toml`, overridden by the environment.
//!
//! Unknown keys and wrong values are refused with their place; nothing falls back silently.

mod alerts;
mod file;
mod keys;
mod mail;
mod rules;

pub use file::{Settings, Source};
pub(crate) use keys::stretch;
pub use keys::{
    AutomaticRecovery, HistoryScope, KEYS, Key, Kind, LoginMode, MemoryLimit, PathMode, SyncLimits,
};
pub use mail::{Mail, MailServer, MailSettings, MailTls, MailVia};
pub use rules::{RULE_FIELDS, WrittenField, WrittenRule};
