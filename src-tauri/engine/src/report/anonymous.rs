//! Texts without what they tell of the user: projects, sessions, folders, their name.

use crate::{
    claude_home::{parse_document, project_dir_name},
    observability::redacted,
    paths::Locations,
};
use regex::{Captures, Regex};
use sha2::{Digest, Sha256};
use std::{fs, path::Path, sync::LazyLock};

/// The names that are known, the longest first, and what stands in their place.
#[derive(Debug, Clone)]
pub(super) struct Anonymous {
    home: String,
    names: Vec<(String, String)>,
    user: Option<Regex>,
}

/// Places that every computer has, and Claude Code's and Drydock's own: what is in them may be told.
const KNOWN_PLACES: &[&str] = &[
    "~/.claude",
    "~/.local/share/drydock",
    "~/.config/drydock",
    "~/.cache/drydock",
    "~/.docker",
    "~/.colima",
    "~/.orbstack",
    "~/.rd",
    "~/Library/Application",
    "/Applications/",
    "/bin/",
    "/dev/",
    "/etc/",
    "/opt/homebrew/",
    "/proc/",
    "/sbin/",
    "/usr/",
    "/var/lib/docker",
    "/var/run/",
    "/run/",
];

impl Anonymous {
    /// With the projects that Claude Code knows, and the sessions named.
    pub(super) fn of(locations: &Locations, sessions: impl IntoIterator<Item = String>) -> Self {
        let home = locations.home.display().to_string();
        let mut names = Vec::new();
        for (number, project) in projects(locations).iter().enumerate() {
            let instead = format!("[project {}]", number + 1);
            names.push((project.clone(), instead.clone()));
            if let Some(below) = project.strip_prefix(&home).filter(|below| below.len() > 1) {
                names.push((format!("~{below}"), instead.clone()));
            }
            names.push((project_dir_name(Path::new(project)), instead));
        }
        names.extend(sessions.into_iter().filter(|id| !id.is_empty()).map(|id| {
            let digest = Sha256::digest(id.as_bytes());
            let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            (id, format!("session-{short}"))
        }));
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        names.dedup();
        let user = locations.home.file_name().and_then(|name| name.to_str()).filter(|name| name.len() > 2);
        let user = user.and_then(|name| Regex::new(&format!(r"\b{}\b", regex::escape(name))).ok());
        Self { home, names, user }
    }

    /// A text without them.
    pub(super) fn text(&self, text: &str) -> String {
        // A path, up to what ends one in a sentence or in JSON.
        static PATHS: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r#"(^|[^\w/~.:\]])(~?/[^\s"'`,;:()\[\]{}<>\\]+)"#).ok());
        static CONVERSATIONS: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r#"(/projects/)[^/\s"]+"#).ok());
        let mut text = text.to_owned();
        // In their own words first: the home's name may be a part of them.
        for (name, instead) in &self.names {
            text = text.replace(name.as_str(), instead);
        }
        text = redacted(&text, &self.home);
        if let Some(user) = &self.user {
            text = user.replace_all(&text, "[user]").into_owned();
        }
        if let Some(paths) = &*PATHS {
            let hide = |found: &Captures<'_>| format!("{}{}", &found[1], place(&found[2]));
            text = paths.replace_all(&text, hide).into_owned();
        }
        if let Some(conversations) = &*CONVERSATIONS {
            text = conversations.replace_all(&text, "${1}[project]").into_owned();
        }
        text
    }
}

/// A path as it may be told.
fn place(path: &str) -> String {
    if KNOWN_PLACES.iter().any(|known| path.starts_with(known)) || path == "~/" {
        return path.to_owned();
    }
    // A place in a program's source, in a backtrace.
    match path.rfind("/src/") {
        Some(at) if path.ends_with(".rs") => path[at + 1..].to_owned(),
        _ => "[path]".to_owned(),
    }
}

/// The projects that Claude Code has on record.
fn projects(locations: &Locations) -> Vec<String> {
    let known = fs::read(&locations.claude_json).ok().and_then(|text| parse_document(&text).ok());
    let known = known.and_then(|state| Some(state.get("projects")?.as_object()?.keys().cloned().collect()));
    let mut known: Vec<String> = known.unwrap_or_default();
    let home = locations.home.display().to_string();
    known.retain(|project| project.len() > 1 && *project != home);
    known.sort();
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn anonymous() -> (tempfile::TempDir, Anonymous) {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("alice");
        fs::create_dir(&home).unwrap();
        let locations = Locations::find(Some(&home)).unwrap();
        let project = home.join("clients/Big Bank");
        let state = serde_json::json!({"projects": {project.to_str().unwrap(): {}, "/zz/hidden-game": {}}});
        fs::write(&locations.claude_json, state.to_string()).unwrap();
        let anonymous = Anonymous::of(&locations, ["Big-Bank-ab12".to_owned()]);
        (folder, anonymous)
    }

    #[test]
    fn projects_sessions_folders_and_the_user_are_not_told() {
        let (_folder, anonymous) = anonymous();
        let home = anonymous.home.clone();
        let told = |text: &str| anonymous.text(text);
        assert_eq!(
            told(&format!("could not read {home}/clients/Big Bank/.git")),
            "could not read [project 1]/.git"
        );
        assert_eq!(told("could not read ~/clients/Big Bank/x"), "could not read [project 1]/x");
        assert!(told("the session Big-Bank-ab12 ended").starts_with("the session session-"));
        assert_eq!(told("\"/zz/hidden-game/a.txt\""), "\"[project 2]/a.txt\"");
        assert_eq!(told("open /Volumes/Private/x: no such file"), "open [path]: no such file");
        assert_eq!(told("alice said so"), "[user] said so");
        assert_eq!(
            told("~/.claude/projects/-home-bob-secret/1.jsonl"),
            "~/.claude/projects/[project]/1.jsonl"
        );
        assert_eq!(told("at /build/of/mine/src/backup/mod.rs:10"), "at src/backup/mod.rs:10");
    }

    #[test]
    fn what_helps_stays() {
        let (_folder, anonymous) = anonymous();
        for text in [
            "could not read ~/.claude.json: permission denied",
            "no engine at /var/run/docker.sock",
            "3/4 of the files, and/or none",
            "see https://docs.docker.com/engine/",
        ] {
            assert_eq!(anonymous.text(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_name_of_a_folder_comes_through(parts in prop::collection::vec("[a-z]{4,9}", 1..5), before in "[ (\"'=]") {
            let (_folder, anonymous) = anonymous();
            let path = format!("/qq{}", parts.join("/qq"));
            let told = anonymous.text(&format!("it is{before}{path} that failed"));
            prop_assert!(!told.contains("qq"), "{told}");
        }
    }
}
