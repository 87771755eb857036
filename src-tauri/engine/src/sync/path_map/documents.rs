//! Paths in Claude Code's documents. Inward the result is a translation for one session; it is never
//! written back, and outward serves only to compare and to show.

use super::{Direction, PathMap};
use serde_json::{Map, Value};

/// Translates every string in a value, as words of a command.
fn words(value: &mut Value, map: &PathMap, direction: Direction) {
    match value {
        Value::String(text) => *text = map.text(text, direction).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| words(item, map, direction)),
        Value::Object(entries) => entries.values_mut().for_each(|value| words(value, map, direction)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `.claude.json`: the servers' commands, and the projects' paths with their servers.
pub(crate) fn state(document: &mut Map<String, Value>, map: &PathMap, direction: Direction) {
    if map.is_identity() {
        return;
    }
    if let Some(servers) = document.get_mut("mcpServers") {
        words(servers, map, direction);
    }
    if let Some(Value::Object(projects)) = document.get_mut("projects") {
        *projects = std::mem::take(projects)
            .into_iter()
            .map(|(path, mut entry)| {
                if let Some(servers) = entry.get_mut("mcpServers") {
                    words(servers, map, direction);
                }
                (map.path(&path, direction).into_owned(), entry)
            })
            .collect();
    }
}

/// Keys of `settings.json` that hold paths or commands.
const SETTINGS: &[&str] = &[
    "additionalDirectories",
    "apiKeyHelper",
    "autoMemoryDirectory",
    "awsAuthRefresh",
    "awsCredentialExport",
    "env",
    "extraKnownMarketplaces",
    "fileSuggestion",
    "hooks",
    "otelHeadersHelper",
    "permissions",
    "plansDirectory",
    "sandbox",
    "statusLine",
];

/// `settings.json`.
pub(crate) fn settings(document: &mut Map<String, Value>, map: &PathMap, direction: Direction) {
    if map.is_identity() {
        return;
    }
    for key in SETTINGS {
        if let Some(value) = document.get_mut(*key) {
            words(value, map, direction);
        }
    }
}

/// The registries of plugins: where plugins and marketplaces are. `None` when nothing in it changes,
/// or it is no document.
pub(crate) fn plugin_ledger(text: &[u8], map: &PathMap, direction: Direction) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(text).ok()?;
    let before = document.clone();
    words(&mut document, map, direction);
    if document == before {
        return None;
    }
    let mut written = serde_json::to_vec_pretty(&document).ok()?;
    if text.ends_with(b"\n") {
        written.push(b'\n');
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map() -> PathMap {
        PathMap::new([("/Users/me/proj".into(), "/workspace".into()), ("/Users/me".into(), "/home/c".into())])
    }

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => panic!("not an object"),
        }
    }

    #[test]
    fn servers_and_projects_move() {
        let host = object(json!({
            "theme": "/Users/me",
            "mcpServers": {"fs": {"command": "npx", "args": ["fs", "--root=/Users/me/proj"], "env": {"D": "/Users/me/x"}}},
            "projects": {"/Users/me/proj": {"mcpServers": {"l": {"command": "/Users/me/proj/run"}}, "n": 1}}
        }));
        let mut session = host.clone();
        state(&mut session, &map(), Direction::Inward);
        assert_eq!(
            Value::Object(session.clone()),
            json!({
                "theme": "/Users/me",
                "mcpServers": {"fs": {"command": "npx", "args": ["fs", "--root=/workspace"], "env": {"D": "/home/c/x"}}},
                "projects": {"/workspace": {"mcpServers": {"l": {"command": "/workspace/run"}}, "n": 1}}
            })
        );
        state(&mut session, &map(), Direction::Outward);
        assert_eq!(session, host);
    }

    #[test]
    fn hooks_and_rules_move() {
        let mut document = object(json!({
            "model": "/Users/me",
            "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "sh /Users/me/.claude/hooks/x.sh"}]}]},
            "permissions": {"allow": ["Read(//Users/me/proj/**)", "Bash(ls:*)"], "additionalDirectories": ["/Users/me/lib"]}
        }));
        settings(&mut document, &map(), Direction::Inward);
        assert_eq!(document["hooks"]["Stop"][0]["hooks"][0]["command"], "sh /home/c/.claude/hooks/x.sh");
        assert_eq!(document["permissions"]["allow"], json!(["Read(//workspace/**)", "Bash(ls:*)"]));
        assert_eq!(document["permissions"]["additionalDirectories"], json!(["/home/c/lib"]));
        assert_eq!(document["model"], "/Users/me");
    }

    #[test]
    fn ledgers_move_and_come_back() {
        let text = b"{\n  \"version\": 2,\n  \"plugins\": {\n    \"a@m\": [\n      {\n        \"installPath\": \"/Users/me/.claude/plugins/cache/m/a/1\"\n      }\n    ]\n  }\n}";
        let there = plugin_ledger(text, &map(), Direction::Inward).unwrap();
        assert!(String::from_utf8_lossy(&there).contains("/home/c/.claude/plugins/cache/m/a/1"));
        assert_eq!(plugin_ledger(&there, &map(), Direction::Outward).unwrap(), text);
        assert_eq!(plugin_ledger(b"{}", &map(), Direction::Inward), None);
    }
}
