//! Drydock's settings: one table of keys, read from `settings.toml`, overridden by the environment.
//!
//! Unknown keys and wrong values are refused with their place; nothing falls back silently.

mod alerts;
mod file;
mod keys;
mod kind;
mod mail;
mod rules;
mod stages;
mod typed;
mod values;

pub use file::{Settings, Source};
pub(crate) use file::{check_setting, settings_in, settings_with};
pub use keys::{KEYS, Key};
pub use kind::Kind;
pub use mail::{Mail, MailServer, MailSettings, MailTls, MailVia};
pub use rules::{RULE_FIELDS, WrittenField, WrittenRule};
pub use stages::NewVersions;
pub(crate) use values::stretch;
pub use values::{AutomaticRecovery, HistoryScope, LoginMode, MemoryLimit, PathMode, SyncLimits};
