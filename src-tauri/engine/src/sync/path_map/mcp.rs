//! MCP servers as a session can run them.

use super::{Direction, PathMap};
use crate::settings::Settings;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{fmt, path::Path};

/// What happens to servers that name this computer as `localhost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Localhost {
    /// They are left as they are, and the user is told.
    Leave,
    /// They reach this computer by the name that a session has for it.
    Reach,
}

impl Localhost {
    /// As the user set it.
    pub(crate) fn of(settings: &Settings) -> Self {
        if settings.reaches_localhost() { Self::Reach } else { Self::Leave }
    }
}

/// Something about a server that the user should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerNote {
    /// The server's name.
    pub server: String,
    /// What is the matter.
    #[serde(flatten)]
    pub problem: ServerProblem,
}

/// Why a server does not run in a session, or not as on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "problem", content = "detail")]
pub enum ServerProblem {
    /// Its program exists on macOS only: it is left out.
    MacOnly(String),
    /// It starts a container of its own: a session has no engine. It is left out.
    Engine,
    /// Its program is on the host only: it is left out.
    HostProgram(String),
    /// It names a path that the session does not have.
    HostPath(String),
    /// It names this computer, which is not `localhost` in a session.
    Localhost(String),
}

impl ServerProblem {
    /// Whether the session is better off without the server.
    fn is_fatal(&self) -> bool {
        matches!(self, Self::MacOnly(_) | Self::Engine | Self::HostProgram(_))
    }
}

impl fmt::Display for ServerNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, problem } = self;
        match problem {
            ServerProblem::MacOnly(program) => {
                write!(
                    f,
                    "MCP server `{server}` is not started in the session: `{program}` exists on macOS only"
                )
            }
            ServerProblem::Engine => {
                write!(f, "MCP server `{server}` is not started in the session: it needs a container engine")
            }
            ServerProblem::HostProgram(path) => {
                write!(
                    f,
                    "MCP server `{server}` is not started in the session: {path} is on this computer only"
                )
            }
            ServerProblem::HostPath(path) => {
                write!(f, "MCP server `{server}` names {path}, which the session does not have")
            }
            ServerProblem::Localhost(text) => write!(
                f,
                "MCP server `{server}` names {text}, which in a session is the session itself; to let such servers \
                 reach this computer: drydock settings set session.localhost reach"
            ),
        }
    }
}

/// Programs that macOS has and Linux has not.
const MAC_ONLY: &[&str] = &[
    "osascript",
    "open",
    "pbcopy",
    "pbpaste",
    "security",
    "defaults",
    "say",
    "launchctl",
    "xcrun",
    "xcodebuild",
    "mdfind",
    "screencapture",
    "shortcuts",
    "caffeinate",
    "plutil",
    "brew",
];
/// Folders that macOS has and Linux has not.
const MAC_FOLDERS: &[&str] = &["/Applications/", "/opt/homebrew/", "/System/", "/Library/"];
/// Folders of the image's own.
const IMAGE_FOLDERS: &[&str] =
    &["/bin/", "/sbin/", "/usr/", "/lib/", "/lib64/", "/etc/", "/dev/", "/proc/", "/tmp/", "/var/tmp/"];

/// The servers as a session gets them: paths translated, and those left out that cannot run there.
/// Both are for the session only; the host's servers stay as they are.
///
/// `shared` tells whether a host path is in the session. Shapes that are not understood pass through.
#[must_use]
pub fn fix_mcp_paths(
    servers: &Map<String, Value>,
    map: &PathMap,
    shared: &dyn Fn(&Path) -> bool,
    localhost: Localhost,
) -> (Map<String, Value>, Vec<ServerNote>) {
    let (mut fixed, mut notes) = (Map::new(), Vec::new());
    for (name, server) in servers {
        let problems = problems(server, shared, localhost);
        let fatal = problems.iter().any(ServerProblem::is_fatal);
        notes.extend(problems.into_iter().map(|problem| ServerNote { server: name.clone(), problem }));
        if fatal {
            continue;
        }
        let mut server = server.clone();
        translate(&mut server, map, localhost);
        fixed.insert(name.clone(), server);
    }
    (fixed, notes)
}

fn translate(server: &mut Value, map: &PathMap, localhost: Localhost) {
    let Value::Object(fields) = server else { return };
    for (key, value) in fields.iter_mut() {
        if matches!(key.as_str(), "command" | "args" | "env" | "cwd" | "headersHelper") {
            each_text(value, &mut |text| *text = map.text(text, Direction::Inward).into_owned());
        }
        if localhost == Localhost::Reach && matches!(key.as_str(), "url" | "env" | "args") {
            each_text(value, &mut |text| {
                if let Some(named) = localhost_in(text) {
                    *text =
                        text.replacen(&named, &named.replacen(host_of(&named), "host.docker.internal", 1), 1);
                }
            });
        }
    }
}

fn each_text(value: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(entries) => entries.values_mut().for_each(|value| each_text(value, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn problems(server: &Value, shared: &dyn Fn(&Path) -> bool, localhost: Localhost) -> Vec<ServerProblem> {
    let mut found = Vec::new();
    let text = |key: &str| server.get(key).and_then(Value::as_str);
    let args: Vec<_> = server
        .get("args")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if let Some(command) = text("command") {
        let program = command.rsplit('/').next().unwrap_or(command);
        if MAC_ONLY.contains(&program)
            || MAC_FOLDERS.iter().any(|folder| command.starts_with(folder))
            || command.contains(".app/")
        {
            found.push(ServerProblem::MacOnly(command.to_owned()));
        } else if matches!(program, "docker" | "podman" | "nerdctl") && args.first() == Some(&"run") {
            found.push(ServerProblem::Engine);
        } else if is_host_only(command, shared) {
            found.push(ServerProblem::HostProgram(command.to_owned()));
        }
        if !found.iter().any(ServerProblem::is_fatal) {
            let named = args.iter().map(|arg| arg.rsplit('=').next().unwrap_or(arg)).chain(text("cwd"));
            // Only what is there on the host: other words that begin with a slash are no paths.
            let missing = named.filter(|path| is_host_only(path, shared) && Path::new(path).exists());
            found.extend(missing.map(|path| ServerProblem::HostPath(path.to_owned())));
        }
    }
    if localhost == Localhost::Leave
        && let Some(named) = text("url").and_then(localhost_in)
    {
        found.push(ServerProblem::Localhost(named));
    }
    found
}

fn is_host_only(path: &str, shared: &dyn Fn(&Path) -> bool) -> bool {
    let plain = path.starts_with('/') && !path.contains('$');
    plain && !IMAGE_FOLDERS.iter().any(|folder| path.starts_with(folder)) && !shared(Path::new(path))
}

const LOCAL_NAMES: &[&str] = &["localhost", "127.0.0.1", "[::1]", "0.0.0.0"];

/// `scheme://localhost` in a text, with its scheme.
fn localhost_in(text: &str) -> Option<String> {
    let at = text.find("://")?;
    let scheme = text[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '+').next()?;
    let rest = &text[at + 3..];
    let host = LOCAL_NAMES.iter().find(|name| {
        rest.strip_prefix(**name).is_some_and(|after| after.is_empty() || after.starts_with([':', '/', '?']))
    })?;
    Some(format!("{scheme}://{host}"))
}

fn host_of(named: &str) -> &str {
    named.rsplit("://").next().unwrap_or(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map() -> PathMap {
        PathMap::new([("/Users/me/proj".into(), "/workspace".into()), ("/Users/me".into(), "/home/c".into())])
    }

    fn fixed(server: Value, localhost: Localhost) -> (Option<Value>, Vec<ServerProblem>) {
        let servers = Map::from_iter([("s".to_owned(), server)]);
        let shared =
            |path: &Path| path.starts_with("/Users/me/proj") || path.starts_with("/Users/me/.claude");
        let (mut fixed, notes) = fix_mcp_paths(&servers, &map(), &shared, localhost);
        (fixed.remove("s"), notes.into_iter().map(|note| note.problem).collect())
    }

    #[test]
    fn paths_of_the_project_and_the_home_are_translated() {
        let server = json!({"command": "/Users/me/proj/run.sh", "args": ["--root=/Users/me/proj", "${HOME}/x", "/Users/me/.claude/y"], "cwd": "/Users/me/proj"});
        let (fixed, problems) = fixed(server, Localhost::Leave);
        let expected = json!({"command": "/workspace/run.sh", "args": ["--root=/workspace", "${HOME}/x", "/home/c/.claude/y"], "cwd": "/workspace"});
        assert_eq!((fixed, problems), (Some(expected), vec![]));
    }

    #[test]
    fn what_cannot_run_is_left_out_with_a_reason() {
        for (server, problem) in [
            (json!({"command": "osascript", "args": ["x"]}), ServerProblem::MacOnly("osascript".into())),
            (
                json!({"command": "/opt/homebrew/bin/uv"}),
                ServerProblem::MacOnly("/opt/homebrew/bin/uv".into()),
            ),
            (json!({"command": "docker", "args": ["run", "-i", "mcp/fs"]}), ServerProblem::Engine),
            (json!({"command": "/Users/me/bin/x"}), ServerProblem::HostProgram("/Users/me/bin/x".into())),
        ] {
            assert_eq!(fixed(server, Localhost::Leave), (None, vec![problem]));
        }
        for fine in [
            json!({"command": "npx"}),
            json!({"command": "/usr/bin/env", "args": ["node"]}),
            json!("odd"),
            json!({"command": 5}),
        ] {
            assert_eq!(fixed(fine.clone(), Localhost::Leave), (Some(fine), vec![]));
        }
    }

    #[test]
    fn a_folder_that_is_only_here_is_told() {
        // There on Linux and on macOS, and no folder of the image's own, wherever this is built.
        let here = "/home";
        let (server, problems) =
            fixed(json!({"command": "npx", "args": [here, "/not/there"]}), Localhost::Leave);
        assert!(server.is_some());
        assert_eq!(problems, [ServerProblem::HostPath(here.into())]);
    }

    #[test]
    fn localhost_is_told_or_reached() {
        let server =
            json!({"type": "http", "url": "http://localhost:3000/mcp", "env": {"U": "x=ws://127.0.0.1/y"}});
        let (left, problems) = fixed(server.clone(), Localhost::Leave);
        assert_eq!(
            (left, problems),
            (Some(server.clone()), vec![ServerProblem::Localhost("http://localhost".into())])
        );
        let (reached, problems) = fixed(server, Localhost::Reach);
        let expected = json!({"type": "http", "url": "http://host.docker.internal:3000/mcp", "env": {"U": "x=ws://host.docker.internal/y"}});
        assert_eq!((reached, problems), (Some(expected), vec![]));
        let (other, problems) = fixed(json!({"url": "https://localhost.example.com"}), Localhost::Reach);
        assert_eq!((other, problems.len()), (Some(json!({"url": "https://localhost.example.com"})), 0));
    }
}
