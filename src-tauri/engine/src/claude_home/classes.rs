//! Every file and folder of Claude Code's data, its class, and what sync does with it.
//!
//! Source: the real program's homes, observed over its versions 1.0 to 2.1 (docs/claude-home.md).

use serde::Serialize;
use std::sync::LazyLock;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// `.claude.json`: preferences, MCP servers, what is known of each project.
    State,
    /// `settings.json`.
    Settings,
    /// What the user writes: memory, agents, commands, skills, hooks and their scripts.
    Authored,
    /// The registries of plugins.
    PluginRegistry,
    /// Files of installed plugins.
    PluginFiles,
    /// Copies of the repositories that plugins come from. Claude Code fetches them again by itself.
    PluginSource,
    /// A conversation, one JSON record a line.
    Transcript,
    /// What belongs to one conversation: tool results, file history, images.
    ConversationFile,
    /// Every prompt typed, one JSON record a line.
    PromptHistory,
    /// Notes that Claude Code keeps about a project, and its plans.
    Notes,
    /// The login.
    Credentials,
    /// Caches, locks, live registries, logs: of one machine at one time.
    Runtime,
    /// A name this table does not know.
    Unknown,
}

/// What goes into a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inward {
    /// Always.
    Always,
    /// With the conversations that the session gets.
    WithConversation,
    /// In a form made for the session.
    Adapted,
    /// Never.
    Never,
}

/// What comes back to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outward {
    /// Grows the host's file, or stands beside it where both grew.
    Append,
    /// Adds the lines that the host's file does not have.
    AddLines,
    /// Replaces the host's file if that is still what both agreed on; otherwise it waits as a conflict.
    ThreeWay,
    /// Merged key by key; what the host would act on waits for the user.
    Merge,
    /// Waits for the user; the host's file stays.
    Hold,
    /// Stays inside and goes with the session.
    Never,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Row {
    /// A name relative to Claude Code's folder. A trailing `/` is a folder with all in it, `*`
    /// stands for any text within one name, and `**/` for any folder.
    pub pattern: &'static str,
    /// What it is.
    pub class: Class,
}

impl Class {
    /// What goes into a session.
    #[must_use]
    pub fn inward(self) -> Inward {
        match self {
            Self::Authored | Self::PluginRegistry | Self::PluginFiles | Self::PluginSource => Inward::Always,
            Self::Transcript | Self::ConversationFile | Self::Notes => Inward::WithConversation,
            Self::State | Self::Settings | Self::PromptHistory | Self::Credentials => Inward::Adapted,
            Self::Runtime | Self::Unknown => Inward::Never,
        }
    }

    /// What comes back to the host.
    #[must_use]
    pub fn outward(self) -> Outward {
        match self {
            Self::Transcript => Outward::Append,
            Self::PromptHistory => Outward::AddLines,
            Self::ConversationFile | Self::Notes => Outward::ThreeWay,
            Self::State | Self::Settings => Outward::Merge,
            // The host runs some of these, and reads the others as orders.
            Self::Authored | Self::PluginRegistry | Self::PluginFiles | Self::Unknown => Outward::Hold,
            Self::PluginSource | Self::Credentials | Self::Runtime => Outward::Never,
        }
    }
}

macro_rules! rows {
    ($($class:ident: $($pattern:literal)+;)*) => {
        /// The table. The first row that matches a name is its class.
        pub const CLASSES: &[Row] = &[$($(Row { pattern: $pattern, class: Class::$class },)+)*];
    };
}

rows! {
    Runtime: "**/*.log" "**/*.tmp" "**/*.tmp.*" "**/*.lock" "**/*.lock.owner" "**/.DS_Store" "**/.drydock*"
        "sessions/" "backups/" "shell-snapshots/" "session-env/" "debug/" "telemetry/" "statsig/" "logs/"
        "cache/" "startup-perf/" "usage-data/" "stats-cache.json" "mcp-needs-auth-cache.json" "state/"
        "daemon*" "daemon/" "jobs/" "teams/" "traces/" "feedback*" "feedback/" ".last-cleanup"
        "gh-pr-status-cache.json" "remote-settings.json" "remote-settings.json.*" "policy-limits.json"
        "ide/" "local/" "plugins/store/" "plugins/data/" "projects/*/sessions-index.json" ".config.json"
        "downloads/" "chrome/";
    State: ".claude.json";
    Credentials: ".credentials.json";
    Settings: "settings.json";
    Authored: "CLAUDE.md" "rules/" "agents/" "commands/" "skills/" "output-styles/" "workflows/" "themes/"
        "keybindings.json" "loop.md" "hooks/" "scripts/" "bin/" "statusline*" "*.sh" "*.py" "*.js";
    PluginRegistry: "plugins/installed_plugins.json" "plugins/known_marketplaces.json" "plugins/config.json"
        "plugins/blocklist.json";
    PluginFiles: "plugins/cache/" "plugins/repos/";
    PluginSource: "plugins/marketplaces/";
    PromptHistory: "history.jsonl";
    Notes: "projects/*/memory/" "plans/";
    Transcript: "projects/*/*.jsonl" "projects/*/*/subagents/*.jsonl";
    ConversationFile: "projects/*/*/" "file-history/*/" "image-cache/*/" "uploads/*/" "tasks/*/" "todos/*.json"
        "paste-cache/";
}

/// The folders at the top of Claude Code's folder that no sync looks into.
pub fn skipped_folders() -> impl Iterator<Item = &'static str> {
    CLASSES
        .iter()
        .filter(|row| row.class == Class::Runtime)
        .filter_map(|row| row.pattern.strip_suffix('/'))
        .filter(|folder| !folder.contains(['*', '/']))
}

/// The class of a file, by its name relative to Claude Code's folder, with `/` between the parts.
#[must_use]
pub fn class_of(name: &str) -> Class {
    // Homes have a hundred thousand files: the table is taken apart once.
    static TABLE: LazyLock<Vec<(Pattern<'static>, Class)>> =
        LazyLock::new(|| CLASSES.iter().map(|row| (Pattern::read(row.pattern), row.class)).collect());
    let parts: Vec<_> = name.split('/').collect();
    TABLE.iter().find(|(pattern, _)| pattern.matches(&parts)).map_or(Class::Unknown, |(_, class)| *class)
}

/// Whether a pattern of the table's form matches a name.
pub(crate) fn matches_pattern(pattern: &str, name: &str) -> bool {
    Pattern::read(pattern).matches(&name.split('/').collect::<Vec<_>>())
}

/// Patterns of the table's form, taken apart once.
pub(crate) struct Patterns(Vec<Pattern<'static>>);

impl Patterns {
    pub(crate) fn of(patterns: &[&'static str]) -> Self {
        Self(patterns.iter().copied().map(Pattern::read).collect())
    }

    /// Whether one of them matches the name, or everything in the folder of the name.
    pub(crate) fn cover(&self, name: &str) -> bool {
        let parts: Vec<_> = name.split('/').collect();
        self.0.iter().any(|pattern| match pattern {
            Pattern::Below(folder) => {
                parts.len() >= folder.len()
                    && folder.iter().zip(&parts).all(|(pattern, part)| matches_name(pattern, part))
            }
            pattern => pattern.matches(&parts),
        })
    }
}

/// A pattern of the table.
enum Pattern<'t> {
    /// A name in any folder.
    Anywhere(&'t str),
    /// A folder with all in it.
    Below(Vec<&'t str>),
    /// One name.
    Exactly(Vec<&'t str>),
}

impl<'t> Pattern<'t> {
    fn read(text: &'t str) -> Self {
        match (text.strip_prefix("**/"), text.strip_suffix('/')) {
            (Some(name), _) => Self::Anywhere(name),
            (None, Some(folder)) => Self::Below(folder.split('/').collect()),
            (None, None) => Self::Exactly(text.split('/').collect()),
        }
    }

    fn matches(&self, parts: &[&str]) -> bool {
        let all =
            |wanted: &[&str]| wanted.iter().zip(parts).all(|(pattern, part)| matches_name(pattern, part));
        match self {
            Self::Anywhere(name) => parts.last().is_some_and(|last| matches_name(name, last)),
            Self::Below(wanted) => parts.len() > wanted.len() && all(wanted),
            Self::Exactly(wanted) => parts.len() == wanted.len() && all(wanted),
        }
    }
}

fn matches_name(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let pieces: Vec<_> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_real_home_have_their_classes() {
        use Class::*;
        for (name, class) in [
            ("settings.json", Settings),
            ("CLAUDE.md", Authored),
            ("skills/release-notes/SKILL.md", Authored),
            ("hooks/fmt.sh", Authored),
            ("statusline.sh", Authored),
            ("projects/-Users-me-proj/11111111-1111-4111-8111-111111111111.jsonl", Transcript),
            ("projects/-p/1111/subagents/agent-ab.jsonl", Transcript),
            ("projects/-p/1111/subagents/agent-ab.meta.json", ConversationFile),
            ("projects/-p/1111/tool-results/x.txt", ConversationFile),
            ("projects/-p/memory/MEMORY.md", Notes),
            ("projects/-p/sessions-index.json", Runtime),
            ("history.jsonl", PromptHistory),
            ("file-history/1111/0123456789abcdef@v1", ConversationFile),
            ("todos/1111-agent-1111.json", ConversationFile),
            ("plugins/installed_plugins.json", PluginRegistry),
            ("plugins/cache/demo/hello/1.0.0/commands/hi.md", PluginFiles),
            ("sessions/1234.json", Runtime),
            (".credentials.json", Credentials),
            ("shell-snapshots/snapshot-bash-1.sh", Runtime),
            ("debug/latest", Runtime),
            ("skills/x/.DS_Store", Runtime),
            ("settings.json.tmp.12.ab", Runtime),
            ("my-notes.txt", Unknown),
            ("projects/stray.txt", Unknown),
        ] {
            assert_eq!(class_of(name), class, "{name}");
        }
    }

    #[test]
    fn nothing_that_the_host_would_run_comes_out_by_itself() {
        for name in [
            "hooks/x.sh",
            "agents/a.md",
            "commands/c.md",
            "skills/s/SKILL.md",
            "new.sh",
            "plugins/cache/m/p/1/x",
        ] {
            assert_eq!(class_of(name).outward(), Outward::Hold, "{name}");
        }
        assert_eq!(class_of(".credentials.json").outward(), Outward::Never);
    }

    #[test]
    fn names_are_matched_whole() {
        assert!(matches_name("a*c", "abc") && matches_name("a*c", "ac") && !matches_name("a*c", "ab"));
        assert!(!matches_name("CLAUDE.md", "CLAUDE.md.bak"));
        assert!(matches_name("*.tmp.*", "x.tmp.12.ab"));
    }
}
