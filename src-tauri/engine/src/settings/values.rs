//! Settings' values as the other modules use them.

use serde::Serialize;

/// Whether damage is mended without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutomaticRecovery {
    /// Never.
    Off,
    /// Only a `.claude.json` that cannot be read.
    Ask,
    /// All that Claude Code cannot work with.
    On,
}

impl AutomaticRecovery {
    /// The words of the setting, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["off", "ask", "on"];

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Off, Self::Ask, Self::On]
            .into_iter()
            .zip(Self::WORDS)
            .find_map(|(automatic, name)| (*name == word).then_some(automatic))
    }
}

/// How sessions log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum LoginMode {
    /// Not chosen yet.
    Ask,
    /// Sign in inside by Claude Code's own flow; the login is kept for later sessions.
    Own,
    /// The user's own `claude setup-token`.
    SetupToken,
    /// The host's access token and its expiry, without the refresh token.
    Lease,
    /// The host's whole login, for one session at a time.
    Copy,
    /// A key or token that the user gives by environment variable, or their `apiKeyHelper` prints.
    ApiKey,
}

impl LoginMode {
    /// The words of the setting, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["ask", "own", "setup-token", "lease", "copy", "api-key"];

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Ask, Self::Own, Self::SetupToken, Self::Lease, Self::Copy, Self::ApiKey]
            .into_iter()
            .zip(Self::WORDS)
            .find_map(|(mode, name)| (*name == word).then_some(mode))
    }
}

/// Which conversations a session gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HistoryScope {
    /// Those of its own project and the folders in it.
    Project,
    /// All of them.
    All,
    /// None.
    None,
}

impl HistoryScope {
    /// The words of the setting, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["project", "all", "none"];

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Project, Self::All, Self::None]
            .into_iter()
            .zip(Self::WORDS)
            .find_map(|(scope, name)| (*name == word).then_some(scope))
    }
}

/// Where a session sees its project and its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathMode {
    /// At their paths on the host.
    Same,
    /// At paths of the container's own.
    Mapped,
}

impl PathMode {
    /// The words of the setting, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["same", "mapped"];
}

/// What may come out of a session at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncLimits {
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of all files.
    pub total: u64,
    /// Number of files.
    pub files: u64,
}

/// The memory limit of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// Three quarters of what the engine has.
    Auto,
    /// This many bytes.
    Bytes(u64),
}

impl MemoryLimit {
    /// Reads `auto`, or a whole number with an optional `k`, `m` or `g` (powers of 1024).
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "auto" {
            return Some(Self::Auto);
        }
        let bytes = size(text)?;
        // Claude Code itself does not start in less.
        (bytes >= 512 << 20).then_some(Self::Bytes(bytes))
    }
}

/// A stretch of time: seconds, minutes, hours or days, up to a week.
pub(crate) fn stretch(text: &str) -> Option<chrono::TimeDelta> {
    use chrono::TimeDelta;
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let number: i64 = text[..at].parse().ok()?;
    let stretch = match &text[at..] {
        "s" => TimeDelta::try_seconds(number),
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    }?;
    (stretch <= TimeDelta::days(7)).then_some(stretch)
}

/// A whole number with an optional `k`, `m` or `g` (powers of 1024), in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (digits, unit) = match lower.strip_suffix('b').unwrap_or(&lower) {
        rest if rest.ends_with('k') => (&rest[..rest.len() - 1], 1 << 10),
        rest if rest.ends_with('m') => (&rest[..rest.len() - 1], 1 << 20),
        rest if rest.ends_with('g') => (&rest[..rest.len() - 1], 1 << 30),
        rest => (rest, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// A place of rclone's, from `remote:folder`, `rclone:remote:folder` or `rclone:remote/folder`. A folder is
/// needed: a whole remote is nobody's copy.
pub(super) fn remote(text: &str) -> Option<String> {
    let place = text.strip_prefix("rclone:").unwrap_or(text).trim_end_matches('/');
    let (name, folder) = place.split_once(':').or_else(|| place.split_once('/'))?;
    // Source: rclone's documentation, "Valid remote names".
    let is_named = !name.is_empty()
        && !name.starts_with(['-', ' '])
        && name.chars().all(|c| c.is_alphanumeric() || "_-.+@ ".contains(c));
    (is_named && !folder.trim_matches('/').is_empty()).then(|| format!("{name}:{folder}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_reads_sizes_and_refuses_nonsense() {
        assert_eq!(MemoryLimit::parse("8g"), Some(MemoryLimit::Bytes(8 << 30)));
        assert_eq!(MemoryLimit::parse("1024MB"), Some(MemoryLimit::Bytes(1 << 30)));
        for wrong in ["", "8x", "-1g", "1.5g", "12", "99999999999999g"] {
            assert_eq!(MemoryLimit::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn remotes_are_read_in_all_their_forms() {
        for text in ["r:claude-backups", "rclone:r:claude-backups", "rclone:r/claude-backups/"] {
            assert_eq!(remote(text).as_deref(), Some("r:claude-backups"), "{text}");
        }
        for wrong in ["r:", "folder", "-x:y", "rclone:", ":local:/x", "a$b:c"] {
            assert_eq!(remote(wrong), None, "{wrong}");
        }
    }
}
