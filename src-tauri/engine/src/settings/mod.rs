//! Drydock's settings: one table of keys, read from `settings.toml`, overridden by the environment.
//!
//! Unknown keys and wrong values are refused with their place; nothing falls back silently.

mod file;
mod keys;
mod mail;

pub use file::{Settings, Source};
pub use keys::{AutomaticRecovery, HistoryScope, KEYS, Key, LoginMode, MemoryLimit, PathMode, SyncLimits};
pub use mail::{Mail, MailServer, MailSettings, MailTls, MailVia};
