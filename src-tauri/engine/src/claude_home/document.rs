//! `.claude.json` and `settings.json`: reading them with a place for every fault, and the forms of
//! them that a session gets.

use crate::keychain::Sensitive;
use serde_json::{Map, Value, json};
use std::path::Path;

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFault {
    /// Line, from 1; 0 where the fault is the whole file.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong, in words.
    pub reason: String,
}

impl DocumentFault {
    const AT_END: &str = "the file ends in the middle";

    /// Whether nothing is wrong but that the rest is missing.
    pub(crate) fn is_at_end(&self) -> bool {
        self.reason == Self::AT_END
    }
}

impl std::fmt::Display for DocumentFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.reason),
            line => write!(f, "line {line}, column {}: {}", self.column, self.reason),
        }
    }
}

/// Reads one of Claude Code's documents: a single JSON object.
///
/// # Errors
/// The fault, with its place.
pub fn parse_document(text: &[u8]) -> Result<Map<String, Value>, DocumentFault> {
    let whole = |reason: &str| DocumentFault { line: 0, column: 0, reason: reason.into() };
    if text.is_empty() {
        return Err(whole("the file is empty"));
    }
    if text.iter().all(|byte| *byte == 0) {
        return Err(whole("the file holds only zero bytes"));
    }
    match serde_json::from_slice::<Value>(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(whole("the file is not a JSON object")),
        Err(cause) => {
            let reason = match cause.classify() {
                serde_json::error::Category::Eof => DocumentFault::AT_END.to_owned(),
                _ if cause.to_string().starts_with("trailing characters") => {
                    "something follows the end of the document".to_owned()
                }
                _ => {
                    let text = cause.to_string();
                    text.split(" at line ").next().unwrap_or(&text).to_owned()
                }
            };
            let (line, column) = place(text, cause.line(), cause.column());
            Err(DocumentFault { line, column, reason })
        }
    }
}

/// An end that follows a line feed is the end of the line before it, where a person would look.
fn place(text: &[u8], line: usize, column: usize) -> (usize, usize) {
    if column > 0 || line < 2 {
        return (line, column.max(1));
    }
    let before = text.split(|byte| *byte == b'\n').nth(line - 2).unwrap_or_default();
    (line - 1, before.len() + 1)
}

/// Keys of `.claude.json` that belong to one installation: ids, accounts, caches, counters, and the
/// marks of its own updates. Given to another they would be wrong, or would tell too much.
const HOST_ONLY: &[&str] = &[
    "machineID",
    "userID",
    "oauthAccount",
    "primaryApiKey",
    "installMethod",
    "githubRepoPaths",
    "numStartups",
    "tipsHistory",
    "pluginUsage",
    "toolUsage",
    "skillUsage",
    "migrationVersion",
    "projects",
    "history",
];
const HOST_ONLY_PREFIXES: &[&str] = &["cached", "autoUpdates", "firstStart"];
const HOST_ONLY_SUFFIXES: &[&str] = &["NextRetryTime", "MigrationComplete", "Cache"];

fn is_host_only(key: &str) -> bool {
    HOST_ONLY.contains(&key)
        || HOST_ONLY_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        || HOST_ONLY_SUFFIXES.iter().any(|suffix| key.ends_with(suffix))
}

/// What a session's `.claude.json` shares with the host's about its project.
const PROJECT_SHARED: &[&str] = &[
    "mcpServers",
    "mcpContextUris",
    "enabledMcpjsonServers",
    "disabledMcpjsonServers",
    "disabledMcpServers",
    "allowedTools",
    "hasTrustDialogAccepted",
    "hasClaudeMdExternalIncludesApproved",
    "hasClaudeMdExternalIncludesWarningShown",
    "hasCompletedProjectOnboarding",
    "projectOnboardingSeenCount",
];

/// The `.claude.json` of a new session: the host's preferences and servers, this project's entry,
/// and nothing of other projects.
///
/// The first start asks no questions about looks, since Drydock is not the place to answer them. It
/// does ask whether to trust the folder unless the user has said so on the host: that answer is the
/// user's. An API key that the user gave this session is approved by that.
pub(crate) fn session_state(
    host: &Map<String, Value>,
    project: &Path,
    api_key: Option<&Sensitive<String>>,
) -> Map<String, Value> {
    let mut state: Map<String, Value> =
        host.iter().filter(|(key, _)| !is_host_only(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    state.insert("hasCompletedOnboarding".into(), Value::Bool(true));
    if !state.contains_key("theme") {
        state.insert("theme".into(), json!("dark"));
    }
    if let Some(key) = api_key {
        // Claude Code knows an approved key by its last twenty characters.
        let key = key.reveal();
        let tail: String = key.chars().skip(key.chars().count().saturating_sub(20)).collect();
        state.insert("customApiKeyResponses".into(), json!({ "approved": [tail], "rejected": [] }));
    }
    let mut projects = Map::new();
    if let Some(Value::Object(known)) = host.get("projects") {
        for (path, entry) in known {
            let path_of = Path::new(path);
            let Value::Object(entry) = entry else { continue };
            let kept: Map<_, _> = if path_of.starts_with(project) {
                entry.iter().filter(|(key, _)| PROJECT_SHARED.contains(&key.as_str())).map(pair).collect()
            } else if project.starts_with(path_of) {
                // Trust in a folder is trust in what is in it.
                entry.iter().filter(|(key, _)| *key == "hasTrustDialogAccepted").map(pair).collect()
            } else {
                continue;
            };
            projects.insert(path.clone(), Value::Object(kept));
        }
    }
    state.insert("projects".into(), Value::Object(projects));
    state
}

fn pair((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// The `settings.json` of a session: the user's own, but old conversations are never cleaned up in
/// it. Claude Code deletes what is older than `cleanupPeriodDays`, and a session's copy is no place
/// to lose history.
pub(crate) fn session_settings(host: &Map<String, Value>) -> Map<String, Value> {
    const KEEP_DAYS: u64 = 3650;
    let mut settings = host.clone();
    let days = settings.get("cleanupPeriodDays").and_then(Value::as_u64).unwrap_or_default();
    settings.insert("cleanupPeriodDays".into(), json!(days.max(KEEP_DAYS)));
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Map<String, Value> {
        let text = json!({
            "theme": "light", "machineID": "m", "userID": "u", "cachedGrowthBookFeatures": {"x": 1},
            "mcpServers": {"fs": {"command": "npx"}}, "futureKey": {"keep": 1.0},
            "oauthAccount": {"emailAddress": "me@example.com"},
            "projects": {
                "/u/me/proj": {"hasTrustDialogAccepted": true, "lastCost": 3, "mcpServers": {"loc": {}}},
                "/u/me": {"hasTrustDialogAccepted": true, "mcpServers": {"other": {}}},
                "/u/me/else": {"hasTrustDialogAccepted": true}
            }
        });
        parse_document(text.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_session_gets_preferences_and_its_own_project_only() {
        let state = session_state(&host(), Path::new("/u/me/proj"), None);
        assert_eq!(state["theme"], "light");
        assert!(state.contains_key("mcpServers") && state.contains_key("futureKey"));
        for key in ["machineID", "userID", "oauthAccount", "cachedGrowthBookFeatures"] {
            assert!(!state.contains_key(key), "{key}");
        }
        let projects = state["projects"].as_object().unwrap();
        assert_eq!(projects.keys().collect::<Vec<_>>(), ["/u/me/proj", "/u/me"]);
        assert_eq!(
            projects["/u/me/proj"],
            json!({"hasTrustDialogAccepted": true, "mcpServers": {"loc": {}}})
        );
        assert_eq!(projects["/u/me"], json!({"hasTrustDialogAccepted": true}));
    }

    #[test]
    fn trust_that_was_not_given_is_not_made_up() {
        let state = session_state(&Map::new(), Path::new("/p"), None);
        assert_eq!(state["hasCompletedOnboarding"], true);
        assert_eq!(state["projects"], json!({}));
    }

    #[test]
    fn a_key_that_was_given_is_not_asked_about() {
        let key = Sensitive::new("sk-ant-api03-FAKE-0123456789abcdefghij".to_owned());
        let state = session_state(&Map::new(), Path::new("/p"), Some(&key));
        assert_eq!(state["customApiKeyResponses"]["approved"], json!(["0123456789abcdefghij"]));
    }

    #[test]
    fn history_is_not_cleaned_up_inside() {
        let host = parse_document(br#"{"cleanupPeriodDays":7,"model":"opus"}"#).unwrap();
        let settings = session_settings(&host);
        assert_eq!(
            (settings["cleanupPeriodDays"].as_u64(), &settings["model"]),
            (Some(3650), &json!("opus"))
        );
    }

    #[test]
    fn faults_have_a_place_and_words() {
        let fault = |text: &[u8]| parse_document(text).unwrap_err().to_string();
        assert_eq!(fault(b""), "the file is empty");
        assert_eq!(fault(&[0; 30]), "the file holds only zero bytes");
        assert_eq!(fault(b"{\n \"a\": 1,\n \"b\": {"), "line 3, column 7: the file ends in the middle");
        assert_eq!(fault(b"{}\n{}"), "line 2, column 1: something follows the end of the document");
        assert!(fault(b"{\"a\" 1}").starts_with("line 1, column 6: expected"));
        assert_eq!(fault(b"{\"a\":\n"), "line 1, column 6: the file ends in the middle");
        assert_eq!(fault(b"[]"), "the file is not a JSON object");
    }
}
