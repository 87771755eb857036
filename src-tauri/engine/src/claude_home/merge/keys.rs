//! Which keys of Claude Code's documents a session may change on the host: one table a document.
//!
//! Source: the program's own documentation of its settings, and the documents of real homes.

/// What happens to a key that a session changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyPolicy {
    /// The host takes it.
    Share,
    /// It waits for the user.
    Hold,
    /// It stays in the session: counters, caches, ids, answers that count for one session.
    Stay,
    /// Its keys are looked at one by one.
    Into,
    /// A map of named things, looked at one by one; a name that is gone was removed.
    Named,
}

/// Whose keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyTable {
    /// `.claude.json`.
    State,
    /// `settings.json`.
    Settings,
    /// Any document on its way into a session: the user's own changes arrive.
    Inward,
}

/// Preferences of `settings.json` that run nothing and allow nothing. Every other key waits.
const SHARED_SETTINGS: &[&str] = &[
    "alwaysThinkingEnabled",
    "editorMode",
    "effortLevel",
    "language",
    "model",
    "outputStyle",
    "prefersReducedMotion",
    "showTurnDuration",
    "spinnerTipsEnabled",
    "terminalProgressBarEnabled",
    "theme",
    "verbose",
];

/// Preferences of `.claude.json`. Every key that is not named stays in the session: new versions add
/// counters and caches all the time.
const SHARED_STATE: &[&str] = &[
    "autoCompactEnabled",
    "diffTool",
    "editorMode",
    "fileCheckpointingEnabled",
    "messageIdleNotifThresholdMs",
    "preferredNotifChannel",
    "respectGitignore",
    "showTurnDuration",
    "terminalProgressBarEnabled",
    "theme",
    "todoFeatureEnabled",
    "verbose",
];

/// What a project's entry in `.claude.json` says of servers and permissions.
const HELD_OF_A_PROJECT: &[&str] =
    &["allowedTools", "disabledMcpServers", "disabledMcpjsonServers", "enabledMcpjsonServers"];

impl KeyTable {
    /// What happens to the key at a path from the document's root.
    pub(crate) fn policy(self, path: &[&str]) -> KeyPolicy {
        match self {
            Self::State => match path {
                ["mcpServers"] | ["projects", _, "mcpServers"] => KeyPolicy::Named,
                ["mcpServers", _] | ["projects", _, "mcpServers", _] => KeyPolicy::Hold,
                ["projects"] | ["projects", _] => KeyPolicy::Into,
                ["projects", _, key] if HELD_OF_A_PROJECT.contains(key) => KeyPolicy::Hold,
                [key] if SHARED_STATE.contains(key) => KeyPolicy::Share,
                _ => KeyPolicy::Stay,
            },
            Self::Settings => match path {
                // A session's copy keeps history longer than the user's setting says.
                ["cleanupPeriodDays" | "$schema"] => KeyPolicy::Stay,
                ["permissions" | "sandbox" | "hooks" | "env"] => KeyPolicy::Into,
                [key] if SHARED_SETTINGS.contains(key) => KeyPolicy::Share,
                _ => KeyPolicy::Hold,
            },
            Self::Inward => match path {
                ["mcpServers"] | ["projects", _, "mcpServers"] => KeyPolicy::Named,
                ["mcpServers", _] | ["projects", _, "mcpServers", _] => KeyPolicy::Share,
                _ => KeyPolicy::Into,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_that_arrives_by_itself_runs_or_allows_anything() {
        let dangerous = [
            "hooks",
            "statusLine",
            "apiKeyHelper",
            "awsAuthRefresh",
            "awsCredentialExport",
            "otelHeadersHelper",
            "fileSuggestion",
            "env",
            "permissions",
            "sandbox",
            "enabledPlugins",
            "extraKnownMarketplaces",
            "enabledMcpjsonServers",
            "enableAllProjectMcpServers",
            "additionalDirectories",
            "autoMemoryDirectory",
            "plansDirectory",
            "aKeyOfTomorrow",
        ];
        for key in dangerous {
            let policy = KeyTable::Settings.policy(&[key]);
            assert!(matches!(policy, KeyPolicy::Hold | KeyPolicy::Into), "{key}: {policy:?}");
            assert_ne!(KeyTable::Settings.policy(&[key, "x"]), KeyPolicy::Share, "{key}");
        }
        for path in [&["mcpServers", "x"][..], &["projects", "/p", "allowedTools"]] {
            assert_eq!(KeyTable::State.policy(path), KeyPolicy::Hold, "{path:?}");
        }
        for path in
            [&["oauthAccount"][..], &["projects", "/p", "hasTrustDialogAccepted"], &["aKeyOfTomorrow"]]
        {
            assert_eq!(KeyTable::State.policy(path), KeyPolicy::Stay, "{path:?}");
        }
    }
}
