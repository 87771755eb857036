//! The path map: which folder of the host is which in a session, and the translation of what names
//! them.
//!
//! Usually a session sees project and home at their own paths and the map is the identity. Where it is
//! not, only what is known to be a path is translated: fields of records, words of commands. What
//! people and models said is left as it is.

mod documents;
mod history;
mod mcp;

pub(crate) use documents::{plugin_ledger, settings, state};
pub use history::normalize_session_history;
pub use mcp::{Localhost, ServerNote, ServerProblem, fix_mcp_paths};

use crate::claude_home::project_dir_name;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

/// Which way something is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the host into the session.
    Inward,
    /// From the session to the host.
    Outward,
}

/// Host folders and where a session has them. Paths that are below none are the same on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathMap {
    /// Host and session folder, the longest host folder first.
    pairs: Vec<(String, String)>,
}

impl PathMap {
    /// A map of these folders of the host and of a session. Each side names a folder once, by an
    /// absolute path; others, and those that are the same on both sides, are left out.
    pub fn new(pairs: impl IntoIterator<Item = (PathBuf, PathBuf)>) -> Self {
        let mut pairs: Vec<_> = pairs
            .into_iter()
            .filter(|(host, session)| host != session && host.is_absolute() && session.is_absolute())
            .filter_map(|(host, session)| Some((host.to_str()?.to_owned(), session.to_str()?.to_owned())))
            .collect();
        pairs.sort_by_key(|(host, _)| std::cmp::Reverse(host.len()));
        Self { pairs }
    }

    /// Whether a session has everything where the host has it.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Where a host's path is in the session.
    #[must_use]
    pub fn inside(&self, path: &Path) -> PathBuf {
        PathBuf::from(self.path(&path.to_string_lossy(), Direction::Inward).into_owned())
    }

    fn sides(&self, direction: Direction) -> Vec<(&str, &str)> {
        let mut sides: Vec<_> = self
            .pairs
            .iter()
            .map(|(host, session)| match direction {
                Direction::Inward => (host.as_str(), session.as_str()),
                Direction::Outward => (session.as_str(), host.as_str()),
            })
            .collect();
        sides.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        sides
    }

    /// Translates a path.
    pub(crate) fn path<'p>(&self, path: &'p str, direction: Direction) -> Cow<'p, str> {
        for (from, to) in self.sides(direction) {
            if let Some(rest) = path.strip_prefix(from)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                return Cow::Owned(format!("{to}{rest}"));
            }
        }
        Cow::Borrowed(path)
    }

    /// Translates every path in a word or a command: `--root=/host/x`, `/host/a:/host/b`,
    /// `file:///host/x`, `sh /host/x.sh`.
    pub(crate) fn text<'t>(&self, text: &'t str, direction: Direction) -> Cow<'t, str> {
        let sides = self.sides(direction);
        let mut out = String::new();
        let mut copied = 0;
        let mut at = 0;
        while let Some(found) = text[at..].find('/') {
            let start = at + found;
            let rest = &text[start..];
            let hit = if begins_path(&text[..start]) {
                sides.iter().find(|(from, _)| rest.strip_prefix(from).is_some_and(ends_path))
            } else {
                None
            };
            match hit {
                Some((from, to)) => {
                    out.push_str(&text[copied..start]);
                    out.push_str(to);
                    at = start + from.len();
                    copied = at;
                }
                None => at = start + 1,
            }
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[copied..]);
        Cow::Owned(out)
    }

    /// Translates the name of a project's folder of conversations. Names that were cut for their
    /// length are left as they are: what was cut is not known.
    pub(crate) fn project_folder<'n>(&self, name: &'n str, direction: Direction) -> Cow<'n, str> {
        const CUT: usize = 200;
        for (from, to) in self.sides(direction) {
            let (from, to) = (project_dir_name(Path::new(from)), project_dir_name(Path::new(to)));
            if let Some(rest) = name.strip_prefix(&from)
                && (rest.is_empty() || rest.starts_with('-'))
                && name.len() <= CUT
                && to.len() + rest.len() <= CUT
            {
                return Cow::Owned(format!("{to}{rest}"));
            }
        }
        Cow::Borrowed(name)
    }

    /// Translates a file's name below Claude Code's folder: those of conversations change.
    pub(crate) fn name<'n>(&self, below_config: &'n str, direction: Direction) -> Cow<'n, str> {
        let Some(rest) = below_config.strip_prefix("projects/") else { return Cow::Borrowed(below_config) };
        let (folder, file) = rest.split_once('/').unwrap_or((rest, ""));
        match self.project_folder(folder, direction) {
            Cow::Borrowed(_) => Cow::Borrowed(below_config),
            Cow::Owned(folder) => Cow::Owned(format!("projects/{folder}/{file}")),
        }
    }
}

/// Whether a path may begin after this text.
fn begins_path(before: &str) -> bool {
    let last = before.chars().next_back();
    last.is_none_or(|last| last.is_whitespace() || "=:,;\"'`()[]{}<>|&@".contains(last)) || before.ends_with("file://")
        // Permission rules write an absolute path with two slashes: `Read(//host/x/**)`.
        || before.ends_with("(/")
}

/// Whether a folder's name ends before this text.
fn ends_path(after: &str) -> bool {
    let first = after.chars().next();
    first.is_none_or(|first| first == '/' || first.is_whitespace() || "=:,;\"'`()[]{}<>|&*".contains(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map() -> PathMap {
        let pairs = [("/Users/me", "/home/claude"), ("/Users/me/proj", "/workspace")];
        PathMap::new(pairs.map(|(host, session)| (host.into(), session.into())))
    }

    #[test]
    fn the_longest_folder_counts_and_only_whole_names() {
        let inward = |path: &str| map().path(path, Direction::Inward).into_owned();
        assert_eq!(inward("/Users/me/proj/a"), "/workspace/a");
        assert_eq!(inward("/Users/me/project"), "/home/claude/project");
        assert_eq!(inward("/Users/me"), "/home/claude");
        assert_eq!(inward("/Users/meadow"), "/Users/meadow");
        assert_eq!(map().path("/workspace/a", Direction::Outward), "/Users/me/proj/a");
        assert_eq!(map().path("/workspaces", Direction::Outward), "/workspaces");
    }

    #[test]
    fn paths_in_commands_are_found() {
        for (host, session) in [
            ("--root=/Users/me/proj", "--root=/workspace"),
            ("/Users/me/proj/a:/Users/me/b:/usr/bin", "/workspace/a:/home/claude/b:/usr/bin"),
            ("file:///Users/me/proj/x", "file:///workspace/x"),
            ("sh '/Users/me/proj/x.sh' && cd /Users/me", "sh '/workspace/x.sh' && cd /home/claude"),
            ("Read(//Users/me/proj/**)", "Read(//workspace/**)"),
            ("/x/Users/me/proj", "/x/Users/me/proj"),
            ("https://host/Users/me/proj", "https://host/Users/me/proj"),
        ] {
            assert_eq!(map().text(host, Direction::Inward), session);
            assert_eq!(map().text(session, Direction::Outward), host);
        }
    }

    #[test]
    fn folders_of_conversations_are_renamed() {
        let name = |name: &str| map().name(name, Direction::Inward).into_owned();
        assert_eq!(name("projects/-Users-me-proj/a.jsonl"), "projects/-workspace/a.jsonl");
        assert_eq!(name("projects/-Users-me-proj-sub/a.jsonl"), "projects/-workspace-sub/a.jsonl");
        assert_eq!(name("projects/-Users-me/a.jsonl"), "projects/-home-claude/a.jsonl");
        assert_eq!(name("skills/-Users-me-proj/a"), "skills/-Users-me-proj/a");
        assert_eq!(map().name("projects/-workspace/x", Direction::Outward), "projects/-Users-me-proj/x");
    }

    #[test]
    fn the_identity_changes_nothing() {
        let map = PathMap::new([("/p".into(), "/p".into())]);
        assert!(map.is_identity());
        assert_eq!(map.text("/p/x", Direction::Inward), "/p/x");
    }

    proptest! {
        #[test]
        fn host_paths_come_back(rest in "(/[a-z é名.]{0,4}){0,4}", top in proptest::sample::select(vec!["/Users/me", "/Users/me/proj", "/Users", "/opt"])) {
            let path = format!("{top}{rest}");
            let there = map().path(&path, Direction::Inward).into_owned();
            prop_assert_eq!(map().path(&there, Direction::Outward), path.clone());
            let text = format!("--a={path}:{path} b");
            let there = map().text(&text, Direction::Inward).into_owned();
            prop_assert_eq!(map().text(&there, Direction::Outward), text.clone());
        }
    }
}
