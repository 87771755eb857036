//! Secrets in the repository, in the file format of SOPS with age recipients: keys stay readable, values are
//! encrypted, and a MAC covers them all. The program `sops` reads what is written here, and the other way round.
//!
//! Nothing of a file is used before its MAC was checked. A changed value leaves every other ciphertext, the data key
//! and the comments as they are.

mod cipher;
mod comments;
mod edit;
mod emit;
mod encrypt;
mod files;
mod leaf;
mod metadata;
mod opened;
mod recipients;
mod rules;
mod selection;
#[cfg(test)]
mod tests;
mod unencrypted;
mod value;
mod yaml;

pub use encrypt::encrypt;
pub use files::{Done, Encrypted, Recovery, SecretFiles, encrypt_secrets};
pub use opened::{Opened, open};
pub use recipients::Recipient;
pub(super) use recipients::with_recovery;
pub use rules::{RULES_FILE, Rule, Rules, rules_above};
pub use selection::{MacScope, Selection};
pub use unencrypted::unencrypted_lines;
pub use value::Value;
pub use yaml::Source;
