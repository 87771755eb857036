//! Claude Code's own item in the macOS Keychain: its name, and the login in it.
//!
//! Source of the naming: read in the program's text (1.0.128 to 2.1.330). The service is `Claude
//! Code-credentials`, with `-custom-oauth` before the last word for a sign-in server of one's own; where
//! `CLAUDE_CONFIG_DIR` is set at all, eight hexadecimal digits of its path's SHA-256 follow, the path in
//! Unicode's composed form. `CLAUDE_SECURESTORAGE_CONFIG_DIR` counts instead of it; empty means without.

use super::{
    CredentialStore, Found, StoreKind, Written,
    security::{Item, Security},
};
use crate::{
    claude_home::LoginLocks,
    error_handling::{Code, Error, Result},
    keychain::Credentials,
    paths::Locations,
};
use sha2::{Digest, Sha256};
use std::{env, path::PathBuf};
use unicode_normalization::UnicodeNormalization;

/// Claude Code's item, through the `security` program.
#[derive(Debug, Clone)]
pub(in crate::keychain) struct ClaudeKeychain {
    /// Why it cannot be asked, where it cannot.
    skipped: Option<&'static str>,
    item: Item,
    security: Security,
    claude_dir: PathBuf,
}

impl ClaudeKeychain {
    /// The item of a home.
    pub(in crate::keychain) fn of(locations: &Locations) -> Self {
        let skipped = if cfg!(not(target_os = "macos")) {
            Some("only macOS has a Keychain")
        } else if !locations.own_home {
            Some("the Keychain belongs to your own home, and another one was given")
        } else {
            None
        };
        let variable = |name: &str| env::var(name).ok();
        let item = Item { service: service(variable), account: account(env::var("USER").ok()) };
        Self { skipped, item, security: Security::system(), claude_dir: locations.claude_dir.clone() }
    }

    fn write(&self, login: &Credentials) -> Result<()> {
        if self.security.add(&self.item, &login.text())?.is_some() {
            return Ok(());
        }
        write_by_framework(&self.item, login)
    }
}

impl CredentialStore for ClaudeKeychain {
    fn kind(&self) -> StoreKind {
        StoreKind::Keychain
    }

    fn read(&self) -> Result<Found> {
        if let Some(why) = self.skipped {
            return Ok(Found::Skipped(why.into()));
        }
        match self.security.find(&self.item)? {
            None => Ok(Found::Nothing),
            Some(text) => Credentials::parse(text.reveal()).map(Found::Login).map_err(|fault| {
                Error::new(Code::ConfigDamaged, "Claude Code's Keychain item is not a login")
                    .why(fault)
                    .remedy("sign in again: claude auth login")
            }),
        }
    }

    fn replace(&self, expected: Option<&Credentials>, login: &Credentials) -> Result<Written> {
        if let Some(why) = self.skipped {
            return Ok(Written::Skipped(why.into()));
        }
        // Nobody of Claude Code's writes between the look and the deed.
        let _locks = locked(&self.claude_dir)?;
        if self.read()?.login().as_ref() != expected {
            return Ok(Written::Changed);
        }
        self.write(login)?;
        Ok(Written::Done)
    }

    fn remove(&self) -> Result<()> {
        if self.skipped.is_some() {
            return Ok(());
        }
        let _locks = locked(&self.claude_dir)?;
        self.security.delete(&self.item)
    }
}

/// Claude Code's own locks around a write of its login.
pub(super) fn locked(claude_dir: &std::path::Path) -> Result<LoginLocks> {
    crate::paths::create_private_dir(claude_dir)?;
    match LoginLocks::take(claude_dir) {
        Ok(Some(locks)) => Ok(locks),
        Ok(None) => Err(Error::new(Code::LoginBusy, "Claude Code on this computer is renewing its login")
            .why("its lock was not given back within ten seconds")
            .remedy("run the command again")),
        Err(cause) => Err(Error::io("lock the login in", claude_dir, &cause)),
    }
}

/// Security.framework writes an item of any length without an argument anybody could see. macOS may ask
/// once, since the item was made by another program.
#[cfg(target_os = "macos")]
fn write_by_framework(item: &Item, login: &Credentials) -> Result<()> {
    let text = login.text();
    security_framework::passwords::set_generic_password(&item.service, &item.account, text.reveal())
        .map_err(|cause| super::security::Status::of_os(cause.code()).error("write Claude Code's login"))
}

#[cfg(not(target_os = "macos"))]
fn write_by_framework(item: &Item, _login: &Credentials) -> Result<()> {
    Err(Error::new(Code::KeychainRefused, "the login is too long for the way that keeps it out of arguments")
        .why(format!("the item {} takes about 1900 bytes that way", item.service)))
}

/// The item's service by the variables that name it.
fn service(variable: impl Fn(&str) -> Option<String>) -> String {
    let custom = variable("CLAUDE_CODE_CUSTOM_OAUTH_URL").is_some_and(|url| !url.is_empty());
    let dir = match variable("CLAUDE_SECURESTORAGE_CONFIG_DIR") {
        Some(dir) => Some(dir).filter(|dir| !dir.is_empty()),
        None => variable("CLAUDE_CONFIG_DIR"),
    };
    let mut service = format!("Claude Code{}-credentials", if custom { "-custom-oauth" } else { "" });
    if let Some(dir) = dir {
        let composed: String = dir.nfc().collect();
        let digest = Sha256::digest(composed.as_bytes());
        service.push('-');
        service.extend(digest.iter().take(4).map(|byte| format!("{byte:02x}")));
    }
    service
}

/// The item's account: the user's name where it is a plain one.
pub(super) fn account(user: Option<String>) -> String {
    let plain = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    user.filter(plain).unwrap_or_else(|| "claude-code-user".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::stores::security::stand_in;
    use std::path::Path;

    fn named(pairs: &[(&str, &str)]) -> String {
        service(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn services_are_named_as_claude_code_names_them() {
        assert_eq!(named(&[]), "Claude Code-credentials");
        assert_eq!(named(&[("CLAUDE_CONFIG_DIR", "/Users/me/.claude")]), "Claude Code-credentials-0bd83d07");
        assert_eq!(
            named(&[("CLAUDE_CONFIG_DIR", "/Users/me/.claude-work")]),
            "Claude Code-credentials-1e91dd84"
        );
        let both = [("CLAUDE_CONFIG_DIR", "/x"), ("CLAUDE_SECURESTORAGE_CONFIG_DIR", "/Users/me/.claude")];
        assert_eq!(named(&both), "Claude Code-credentials-0bd83d07");
        assert_eq!(named(&[both[0], ("CLAUDE_SECURESTORAGE_CONFIG_DIR", "")]), "Claude Code-credentials");
        assert_eq!(
            named(&[("CLAUDE_CODE_CUSTOM_OAUTH_URL", "https://id.example.com")]),
            "Claude Code-custom-oauth-credentials"
        );
        // Composed and decomposed are the same folder to macOS.
        assert_eq!(named(&[("CLAUDE_CONFIG_DIR", "/e\u{301}")]), named(&[("CLAUDE_CONFIG_DIR", "/\u{e9}")]));
    }

    #[test]
    fn accounts_that_are_not_plain_names_are_claude_codes_own() {
        for (user, named) in [
            (Some("me"), "me"),
            (Some("a.b_c-1"), "a.b_c-1"),
            (Some("Имя"), "claude-code-user"),
            (Some("a b"), "claude-code-user"),
            (Some(""), "claude-code-user"),
            (None, "claude-code-user"),
        ] {
            assert_eq!(account(user.map(str::to_owned)), named);
        }
    }

    fn keychain(dir: &Path) -> ClaudeKeychain {
        ClaudeKeychain {
            skipped: None,
            item: Item { service: named(&[]), account: "me".into() },
            security: stand_in::security(dir),
            claude_dir: dir.join(".claude"),
        }
    }

    fn login(n: u32) -> Credentials {
        Credentials::of_pair(&format!("FAKE-a{n}"), &format!("FAKE-r{n}"))
    }

    #[test]
    fn a_login_is_written_only_over_the_one_that_was_seen() {
        let dir = tempfile::tempdir().unwrap();
        let store = keychain(dir.path());
        assert_eq!(store.read().unwrap(), Found::Nothing);
        assert_eq!(store.replace(None, &login(1)).unwrap(), Written::Done);
        assert_eq!(store.replace(None, &login(2)).unwrap(), Written::Changed);
        assert_eq!(store.replace(Some(&login(1)), &login(2)).unwrap(), Written::Done);
        assert_eq!(store.read().unwrap(), Found::Login(login(2)));
        store.remove().unwrap();
        assert_eq!(store.read().unwrap(), Found::Nothing);
        assert!(!stand_in::arguments(dir.path()).contains("FAKE"));
        assert!(!dir.path().join(".claude/.oauth_refresh.lock").exists());
    }

    #[test]
    fn a_locked_keychain_is_an_error_and_keeps_its_login() {
        let dir = tempfile::tempdir().unwrap();
        let store = keychain(dir.path());
        store.replace(None, &login(1)).unwrap();
        stand_in::force(dir.path(), 36);
        assert_eq!(store.replace(Some(&login(1)), &login(2)).unwrap_err().code(), Code::KeychainLocked);
        std::fs::remove_file(dir.path().join("exit")).unwrap();
        assert_eq!(store.read().unwrap(), Found::Login(login(1)));
    }

    #[test]
    fn an_item_that_is_no_login_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let store = keychain(dir.path());
        store.security.add(&store.item, &crate::keychain::Sensitive::new(b"sk-ant-FAKE".to_vec())).unwrap();
        let error = store.read().unwrap_err();
        assert_eq!(error.code(), Code::ConfigDamaged);
        assert!(!format!("{error:?}").contains("FAKE"));
    }

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn off_macos_it_is_skipped_with_a_reason() {
        let home = tempfile::tempdir().unwrap();
        let store = ClaudeKeychain::of(&Locations::find(Some(home.path())).unwrap());
        assert_eq!(store.read().unwrap(), Found::Skipped("only macOS has a Keychain".into()));
        assert!(matches!(store.replace(None, &login(1)).unwrap(), Written::Skipped(_)));
    }
}
