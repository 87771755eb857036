//! The MCP servers that a session gets, of the user's, the project's and the user's own for the project.

use super::{
    inward::Purpose,
    path_map::{Direction, PathMap, ServerNote, fix_mcp_paths},
};
use crate::{claude_home::parse_document, paths::Locations};
use serde_json::{Map, Value};
use std::{fs, path::Path};

/// Leaves out of the session's state the servers that cannot run there. Paths are translated with the
/// whole document, later.
pub(super) fn fit_servers(
    state: &mut Map<String, Value>,
    settings: &Map<String, Value>,
    locations: &Locations,
    purpose: &Purpose<'_>,
) -> Vec<ServerNote> {
    let shared = |path: &Path| path.starts_with(purpose.project) || path.starts_with(&locations.claude_dir);
    let same = PathMap::default();
    let mut notes = Vec::new();
    let mut fit = |value: &mut Value| {
        if let Value::Object(servers) = value {
            let (fixed, more) = fix_mcp_paths(servers, &same, &shared, purpose.localhost);
            *servers = fixed;
            notes.extend(more);
        }
    };
    if let Some(servers) = state.get_mut("mcpServers") {
        fit(servers);
    }
    if let Some(Value::Object(projects)) = state.get_mut("projects") {
        for entry in projects.values_mut() {
            if let Some(servers) = entry.get_mut("mcpServers") {
                fit(servers);
            }
        }
    }
    notes.extend(fit_project_servers(state, settings, purpose, &shared));
    notes
}

/// The servers of the project's own `.mcp.json`, a file that the session shares and that is not
/// rewritten for it. Those that cannot run are disabled by name. Those whose paths are others in the
/// session, and that the user has approved, get a form of their own in the session's state, which
/// Claude Code prefers to the project's.
fn fit_project_servers(
    state: &mut Map<String, Value>,
    settings: &Map<String, Value>,
    purpose: &Purpose<'_>,
    shared: &dyn Fn(&Path) -> bool,
) -> Vec<ServerNote> {
    let document = |name: &str| {
        parse_document(&fs::read(purpose.project.join(name)).unwrap_or_default()).unwrap_or_default()
    };
    let Some(Value::Object(servers)) = document(".mcp.json").remove("mcpServers") else { return Vec::new() };
    let (fit, notes) = fix_mcp_paths(&servers, &PathMap::default(), shared, purpose.localhost);
    let path = purpose.project.to_string_lossy().into_owned();
    let Some(Value::Object(projects)) = state.get_mut("projects") else { return notes };
    let Value::Object(entry) = projects.entry(path).or_insert_with(|| Value::Object(Map::new())) else {
        return notes;
    };
    let unfit: Vec<_> =
        servers.keys().filter(|name| !fit.contains_key(*name)).cloned().map(Value::from).collect();
    if !unfit.is_empty()
        && let Value::Array(disabled) =
            entry.entry("disabledMcpjsonServers").or_insert_with(|| Value::Array(Vec::new()))
    {
        disabled.extend(unfit);
    }
    let local = document(".claude/settings.local.json");
    let approved: Vec<_> =
        fit.into_iter().filter(|(name, _)| is_approved(name, &[entry, settings, &local])).collect();
    for (name, server) in approved {
        let mut probe = Map::from_iter([("mcpServers".to_owned(), server.clone())]);
        super::path_map::state(&mut probe, purpose.map, Direction::Inward);
        let moves = probe.get("mcpServers") != Some(&server);
        if moves
            && let Value::Object(own) = entry.entry("mcpServers").or_insert_with(|| Value::Object(Map::new()))
        {
            own.entry(name).or_insert(server);
        }
    }
    notes
}

/// Whether the user has let a server of the project run, in any of these documents.
fn is_approved(name: &str, documents: &[&Map<String, Value>]) -> bool {
    let names = |document: &Map<String, Value>, key: &str| {
        let listed = document.get(key).and_then(Value::as_array);
        listed.is_some_and(|listed| listed.iter().any(|one| one == name))
    };
    let refused = documents.iter().any(|document| names(document, "disabledMcpjsonServers"));
    let all = documents
        .iter()
        .any(|document| document.get("enableAllProjectMcpServers") == Some(&Value::Bool(true)));
    !refused && (all || documents.iter().any(|document| names(document, "enabledMcpjsonServers")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        settings::HistoryScope,
        sync::{Excluded, path_map::Localhost},
    };
    use serde_json::json;

    #[test]
    fn servers_of_the_project_are_disabled_or_moved() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let project = locations.home.join("proj");
        fs::create_dir(&project).unwrap();
        let run = project.join("run.sh");
        let servers = json!({"mcpServers": {
            "moved": {"command": run}, "unknown": {"command": run}, "plain": {"command": "npx"}, "mac": {"command": "osascript"}
        }});
        fs::write(project.join(".mcp.json"), servers.to_string()).unwrap();
        let map = PathMap::new([(project.clone(), "/workspace".into())]);
        let purpose = Purpose {
            project: &project,
            history: HistoryScope::None,
            api_key: None,
            excluded: &Excluded::default(),
            map: &map,
            localhost: Localhost::Leave,
        };
        let mut state = Map::from_iter([("projects".to_owned(), json!({}))]);
        let settings = Map::from_iter([("enabledMcpjsonServers".to_owned(), json!(["moved", "plain"]))]);
        let notes = fit_servers(&mut state, &settings, &locations, &purpose);
        assert_eq!(notes.len(), 1);
        let entry = &state["projects"][project.to_str().unwrap()];
        assert_eq!(entry["disabledMcpjsonServers"], json!(["mac"]));
        assert_eq!(
            entry["mcpServers"],
            json!({"moved": {"command": run}}),
            "only what was approved, and moves"
        );
    }
}
