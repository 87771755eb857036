//! Where one way to log in silently wins over another.
//!
//! Claude Code's own order, by its documentation and seen with 2.1.330: a cloud provider's variables,
//! `ANTHROPIC_AUTH_TOKEN`, `ANTHROPIC_API_KEY`, `apiKeyHelper`, `CLAUDE_CODE_OAUTH_TOKEN`, the stored login.

use crate::{
    claude_home::{KEY_VARIABLES, parse_document},
    paths::Locations,
    settings::LoginMode,
};
use serde::Serialize;
use std::fs;

/// One way that wins over the one that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contest {
    /// What wins over what, in one sentence.
    pub found: String,
    /// What makes it clear again.
    pub remedy: String,
}

const CLOUDS: &[&str] = &["CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"];

/// Everything that wins over the chosen way, in sessions or on this computer. `is_set` tells whether a
/// variable is set in the user's environment.
pub fn contests(locations: &Locations, mode: LoginMode, is_set: impl Fn(&str) -> bool) -> Vec<Contest> {
    let mut found = Vec::new();
    let settings = fs::read(locations.claude_dir.join("settings.json"))
        .ok()
        .and_then(|text| parse_document(&text).ok())
        .unwrap_or_default();
    let gives_login =
        matches!(mode, LoginMode::Own | LoginMode::SetupToken | LoginMode::Lease | LoginMode::Copy);
    if gives_login {
        let environment = settings.get("env").and_then(serde_json::Value::as_object);
        let in_settings = |name: &&&str| environment.is_some_and(|env| env.contains_key(**name));
        for name in CLOUDS.iter().chain(KEY_VARIABLES).filter(in_settings) {
            found.push(Contest {
                found: format!("{name} in the env of settings.json wins over the login that sessions get"),
                remedy: format!(
                    "take {name} out of ~/.claude/settings.json, or: drydock settings set login.mode api-key"
                ),
            });
        }
        if settings.contains_key("apiKeyHelper") {
            found.push(Contest {
                found: "apiKeyHelper in settings.json wins over the login that sessions get".into(),
                remedy: "drydock settings set login.mode api-key   (or take apiKeyHelper out of ~/.claude/settings.json)".into(),
            });
        }
        for name in KEY_VARIABLES.iter().filter(|name| is_set(name)) {
            found.push(Contest {
                found: format!(
                    "{name} is set here: Claude Code on this computer uses it and not its login; sessions do not get it"
                ),
                remedy: format!("unset {name}, or: drydock settings set login.mode api-key"),
            });
        }
    }
    if matches!(mode, LoginMode::ApiKey | LoginMode::Ask) {
        let set: Vec<_> = KEY_VARIABLES.iter().filter(|name| is_set(name)).collect();
        if let [first, others @ ..] = set.as_slice()
            && !others.is_empty()
        {
            let others: Vec<_> = others.iter().map(|name| **name).collect();
            found.push(Contest {
                found: format!("of your variables {first} wins over {}", others.join(" and ")),
                remedy: format!("unset the ones that sessions are not to use, such as {first}"),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(settings: &str, mode: LoginMode, set: &[&str]) -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        fs::create_dir_all(&locations.claude_dir).unwrap();
        fs::write(locations.claude_dir.join("settings.json"), settings).unwrap();
        contests(&locations, mode, |name| set.contains(&name)).into_iter().map(|one| one.found).collect()
    }

    #[test]
    fn what_wins_over_a_login_is_named() {
        let settings = r#"{"apiKeyHelper":"x","env":{"ANTHROPIC_AUTH_TOKEN":"FAKE","OTHER":"1"}}"#;
        let lines = found(settings, LoginMode::Lease, &["ANTHROPIC_API_KEY"]);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("ANTHROPIC_AUTH_TOKEN in the env"));
        assert!(lines[1].starts_with("apiKeyHelper"));
        assert!(lines[2].starts_with("ANTHROPIC_API_KEY is set here"));
        assert!(!lines.concat().contains("FAKE"));
        assert!(found("{}", LoginMode::Own, &[]).is_empty());
        assert!(found(settings, LoginMode::ApiKey, &[]).is_empty());
    }

    #[test]
    fn among_several_keys_the_winner_is_named() {
        let lines = found("{}", LoginMode::ApiKey, &["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]);
        assert_eq!(lines, ["of your variables ANTHROPIC_API_KEY wins over CLAUDE_CODE_OAUTH_TOKEN"]);
    }
}
