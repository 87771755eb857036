//! Reading Claude Code's own login on the host.

use super::Sensitive;
use crate::{
    claude_home::parse_document,
    error_handling::{Code, Error, Result},
    paths::Locations,
};
use serde::Serialize;
use serde_json::{Map, Value};

/// Where the host's login was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginStore {
    /// Claude Code's item in the macOS Keychain.
    Keychain,
    /// `.credentials.json` in Claude Code's folder.
    File,
}

/// The host's login, whole.
#[derive(Debug, Clone)]
pub struct HostLogin {
    /// Where it was found.
    pub store: LoginStore,
    blob: Sensitive<Map<String, Value>>,
}

impl HostLogin {
    pub(super) fn oauth(&self) -> Option<&Map<String, Value>> {
        self.blob.reveal().get("claudeAiOauth")?.as_object()
    }
}

/// Claude Code's login on this host: from the Keychain on macOS, else from its file. `None` when
/// there is none.
///
/// # Errors
/// [`Code::ConfigDamaged`] when a store answers with something that is not a login;
/// [`Code::LoginNone`] when the Keychain refuses.
pub fn extract_keychain_credentials(locations: &Locations) -> Result<Option<HostLogin>> {
    #[cfg(target_os = "macos")]
    if let Some(text) = keychain_item(locations)? {
        let blob = parse_document(text.as_bytes()).map_err(|fault| {
            Error::new(Code::ConfigDamaged, "Claude Code's Keychain item is not a login").why(fault)
        })?;
        return Ok(Some(HostLogin { store: LoginStore::Keychain, blob: Sensitive::new(blob) }));
    }
    let file = locations.claude_dir.join(".credentials.json");
    let text = match std::fs::read(&file) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Error::io("read", &file, &cause)),
    };
    let blob = parse_document(&text).map_err(|fault| {
        Error::new(Code::ConfigDamaged, format!("{} is not a login", file.display()))
            .why(fault)
            .remedy("sign in again: claude auth login")
    })?;
    Ok(Some(HostLogin { store: LoginStore::File, blob: Sensitive::new(blob) }))
}

/// Reads the item by the system's own program at its absolute path: that program is on the item's
/// access list already, so macOS does not ask, and a `security` put first in `PATH` is not run.
///
/// Source: Claude Code's darwin build uses the same call; exit code 44 is "no such item", 36 is
/// "locked and not allowed to ask".
#[cfg(target_os = "macos")]
fn keychain_item(locations: &Locations) -> Result<Option<String>> {
    use std::process::{Command, Stdio};
    // With a configuration folder of its own the item has another name; see docs/decisions.
    if locations.config_dir_moved {
        return Ok(None);
    }
    let account = std::env::var("USER")
        .ok()
        .filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)))
        .unwrap_or_else(|| "claude-code-user".into());
    let output = Command::new("/usr/bin/security")
        .args(["find-generic-password", "-a", &account, "-w", "-s", "Claude Code-credentials"])
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| Error::new(Code::LoginNone, "the Keychain could not be asked").why(cause))?;
    match output.status.code() {
        Some(0) => {
            Ok(Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
                .filter(|text| !text.is_empty()))
        }
        Some(44) => Ok(None),
        Some(36) => Err(Error::new(Code::LoginNone, "the Keychain is locked")
            .remedy("unlock it (security unlock-keychain), then run the command again")),
        _ => Err(Error::new(Code::LoginNone, "the Keychain did not give Claude Code's login")
            .why(format!("/usr/bin/security ended with {}", output.status))
            .remedy("allow access when macOS asks, then run the command again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_home_without_a_login_has_none_and_a_damaged_one_is_said() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        assert!(extract_keychain_credentials(&locations).unwrap().is_none());
        fs::create_dir_all(&locations.claude_dir).unwrap();
        fs::write(locations.claude_dir.join(".credentials.json"), "{\"claudeAiOauth\":").unwrap();
        let error = extract_keychain_credentials(&locations).unwrap_err();
        assert_eq!(error.code(), Code::ConfigDamaged);
    }
}
