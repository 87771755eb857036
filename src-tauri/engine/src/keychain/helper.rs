//! The user's own `apiKeyHelper`: a command of their settings that prints an API key.
//!
//! Claude Code runs it on the computer it is on. Inside a session its path may not be there, so Drydock
//! runs it here, as Claude Code here would, and gives the session what it printed.

use super::Sensitive;
use crate::{
    claude_home::parse_document,
    error_handling::{Code, Error, Result},
    paths::Locations,
    program::ask,
};
use std::{fs, process::Command, time::Duration};

/// Such a helper may ask a vault over the network.
const PATIENCE: Duration = Duration::from_secs(30);

fn helper(locations: &Locations) -> Option<String> {
    let text = fs::read(locations.claude_dir.join("settings.json")).ok()?;
    let settings = parse_document(&text).ok()?;
    settings.get("apiKeyHelper")?.as_str().filter(|command| !command.trim().is_empty()).map(str::to_owned)
}

pub(super) fn has_helper(locations: &Locations) -> bool {
    helper(locations).is_some()
}

/// What the helper prints. Blocking.
pub(super) fn key_by_helper(locations: &Locations) -> Result<Sensitive<String>> {
    let failed = |why: String| {
        Error::new(Code::LoginNone, "your apiKeyHelper gave no key")
            .why(why)
            .remedy("run it yourself and look; it stands in ~/.claude/settings.json")
    };
    let command = helper(locations).ok_or_else(|| failed("it is gone from your settings".into()))?;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &command]).env("HOME", &locations.home).current_dir(&locations.home);
    let said = ask(&mut shell, None, PATIENCE)
        .map_err(|cause| failed(cause.to_string()))?
        .ok_or_else(|| failed(format!("it did not end within {} s", PATIENCE.as_secs())))?;
    if !said.status.success() {
        return Err(failed(format!("it ended with {}", said.status)));
    }
    let key = String::from_utf8_lossy(said.out.reveal()).trim().to_owned();
    if key.is_empty() {
        return Err(failed("it printed nothing".into()));
    }
    Ok(Sensitive::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with_helper(command: &str) -> (tempfile::TempDir, Locations) {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        fs::create_dir_all(&locations.claude_dir).unwrap();
        let settings = json!({ "apiKeyHelper": command }).to_string();
        fs::write(locations.claude_dir.join("settings.json"), settings).unwrap();
        (home, locations)
    }

    #[test]
    fn what_it_prints_is_the_key() {
        let (_home, locations) = with_helper("printf ' sk-%s\\n' FAKE");
        assert_eq!(key_by_helper(&locations).unwrap().reveal(), "sk-FAKE");
        let (_home, locations) = with_helper("echo FAKE; exit 3");
        let error = key_by_helper(&locations).unwrap_err();
        assert!(!format!("{error:?}").contains("FAKE"), "{error:?}");
        let (_home, locations) = with_helper("true");
        assert!(key_by_helper(&locations).is_err());
        let (_home, locations) = with_helper(" ");
        assert!(!has_helper(&locations));
    }
}
