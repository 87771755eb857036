//! The table of settings: name, kind, default, and what each is for.

use crate::alerting::{ChannelName, QuietHours, time_of_day};
use serde::Serialize;

/// One setting.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Key {
    /// Dotted name, as in `settings.toml` and on the command line.
    pub name: &'static str,
    /// What values it takes.
    #[serde(skip)]
    pub kind: Kind,
    /// The default, in its written form.
    pub default: &'static str,
    /// One line for people.
    pub about: &'static str,
}

/// What a setting's value must be.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "SettingKind"))]
#[serde(rename_all = "kebab-case", tag = "is", content = "of")]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// Text that may be empty.
    OptionalText,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number in a range, both ends included.
    Integer(i64, i64),
    /// `auto`, or a size such as `8g`.
    Memory,
    /// A size such as `4g`.
    Size,
    /// Empty, or a place as rclone names it, such as `remote:folder`.
    Remote,
    /// Names or patterns of files, separated by spaces.
    Patterns,
    /// `auto`, or a number of CPUs such as `2` or `1.5`.
    Cpus,
    /// A version such as `2.1.330`.
    Version,
    /// Debian package names, separated by spaces.
    Packages,
    /// Empty, or the address of a server: https, or http on this computer.
    Server,
    /// Any number.
    Number,
    /// A stretch of time such as `10m`, `2h` or `7d`.
    Stretch,
    /// Empty, or a time of the day such as `09:00`.
    TimeOfDay,
    /// Empty, or hours of the day such as `22:00-07:00`.
    Hours,
    /// Names of channels, separated by spaces.
    Channels,
    /// Empty, or the address of a web page.
    Address,
    /// What a rule for alerts can look at.
    Measure,
    /// Empty, or one address of mail.
    MailAddress,
    /// Empty, or addresses of mail, separated by commas or spaces.
    MailAddresses,
    /// Empty, or the name or address of a computer.
    Host,
}

/// Every setting. `drydock settings list` prints this table.
pub const KEYS: &[Key] = &[
    Key {
        name: "container.engine",
        kind: Kind::Text,
        default: "auto",
        about: "\"auto\", a Docker context's name, or a socket (unix://, tcp://, ssh://)",
    },
    Key {
        name: "container.memory",
        kind: Kind::Memory,
        default: "auto",
        about: "memory limit of a session (8g); \"auto\" is three quarters of the engine's memory",
    },
    Key {
        name: "container.cpus",
        kind: Kind::Cpus,
        default: "auto",
        about: "CPU limit of a session (2, 1.5); \"auto\" is no limit",
    },
    Key {
        name: "container.pids",
        kind: Kind::Integer(64, 1_000_000),
        default: "4096",
        about: "process limit of a session",
    },
    Key {
        name: "image.base",
        kind: Kind::Text,
        default: "debian:bookworm-slim",
        about: "the image that session images start from; \"debootstrap:bookworm\" makes one from Debian's packages",
    },
    Key {
        name: "image.claude_version",
        kind: Kind::Version,
        default: crate::image::PINNED_VERSION,
        about: "the version of Claude Code in session images",
    },
    Key {
        name: "image.packages",
        kind: Kind::Packages,
        default: "",
        about: "more Debian packages for session images, separated by spaces",
    },
    Key {
        name: "login.mode",
        kind: Kind::Choice(LoginMode::WORDS),
        default: "ask",
        about: "how sessions log in: \"own\", \"setup-token\", \"lease\", \"copy\", \"api-key\"; \"ask\" asks once",
    },
    Key {
        name: "session.terminal",
        kind: Kind::Text,
        default: "auto",
        about: "the terminal that the app opens sessions in: \"auto\", a name such as iterm2 or kitty, or a command",
    },
    Key {
        name: "session.history",
        kind: Kind::Choice(HistoryScope::WORDS),
        default: "project",
        about: "which conversations a session gets: \"project\", \"all\", \"none\"",
    },
    Key {
        name: "session.paths",
        kind: Kind::Choice(PathMode::WORDS),
        default: "same",
        about: "where a session sees project and home: \"same\" paths as here, or \"mapped\" to /workspace and /home",
    },
    Key {
        name: "session.localhost",
        kind: Kind::Choice(&["leave", "reach"]),
        default: "leave",
        about: "\"reach\" lets MCP servers that name localhost reach this computer from a session",
    },
    Key {
        name: "sync.interval_seconds",
        kind: Kind::Integer(1, 86_400),
        default: "30",
        about: "how often what a running session writes comes out",
    },
    Key {
        name: "sync.exclude",
        kind: Kind::Patterns,
        default: "",
        about: "more files of Claude Code's folder that no sync touches, by name or pattern (notes/ *.bak), separated by spaces",
    },
    Key {
        name: "sync.max_file_size",
        kind: Kind::Size,
        default: "4g",
        about: "the largest file that comes out of a session",
    },
    Key {
        name: "sync.max_total_size",
        kind: Kind::Size,
        default: "64g",
        about: "how much comes out of a session at once",
    },
    Key {
        name: "sync.max_files",
        kind: Kind::Integer(1000, 10_000_000),
        default: "500000",
        about: "how many files of a session are looked at",
    },
    Key {
        name: "sync.lock_timeout_seconds",
        kind: Kind::Integer(1, 600),
        default: "30",
        about: "how long a sync waits for another one",
    },
    Key {
        name: "backup.local.path",
        kind: Kind::OptionalText,
        default: "~/.claude-backups",
        about: "where the local copy of the backups is",
    },
    Key {
        name: "backup.external.path",
        kind: Kind::OptionalText,
        default: "/Volumes/TimeMachine/claude-backups",
        about: "where the external copy is, on another volume; empty is no external copy",
    },
    Key {
        name: "backup.cloud.remote",
        kind: Kind::Remote,
        default: "",
        about: "where the cloud copy is, as rclone names it (remote:claude-backups); empty is no cloud copy",
    },
    Key {
        name: "backup.interval_minutes",
        kind: Kind::Integer(1, 60),
        default: "60",
        about: "at most so long between two snapshots while data changes",
    },
    Key {
        name: "backup.retention_days",
        kind: Kind::Integer(1, 3650),
        default: "30",
        about: "so many days the last snapshot of each day stays",
    },
    Key {
        name: "backup.hourly_hours",
        kind: Kind::Integer(0, 8760),
        default: "48",
        about: "so many hours the last snapshot of each hour stays",
    },
    Key {
        name: "backup.archive_size",
        kind: Kind::Size,
        default: "10g",
        about: "how much conversations may take that Claude Code has deleted; the oldest go first",
    },
    Key {
        name: "backup.quarantine_days",
        kind: Kind::Integer(1, 365),
        default: "7",
        about: "so many days after a prune the other copies still keep what was removed",
    },
    Key {
        name: "recovery.automatic",
        kind: Kind::Choice(AutomaticRecovery::WORDS),
        default: "ask",
        about: "what is recovered without asking: \"off\" nothing, \"ask\" only an unreadable .claude.json, \"on\" all that Claude Code cannot work with",
    },
    Key {
        name: "observability.datadog.enabled",
        kind: Kind::Choice(&["false", "true"]),
        default: "false",
        about: "whether events and metrics are sent to Datadog, with the key of `drydock credentials store datadog-key`",
    },
    Key {
        name: "observability.datadog.site",
        kind: Kind::Choice(crate::observability::DATADOG_SITES),
        default: "datadoghq.com",
        about: "the Datadog site that your account is on",
    },
    Key {
        name: "observability.datadog.address",
        kind: Kind::Server,
        default: "",
        about: "a server that takes Datadog's requests in the site's place, such as your own proxy; it gets the key. Empty is the site",
    },
    Key {
        name: "observability.otlp.endpoint",
        kind: Kind::Server,
        default: "",
        about: "an OpenTelemetry collector or agent that events, metrics and traces are sent to (http://127.0.0.1:4318); empty is none",
    },
    Key {
        name: "observability.send.errors",
        kind: Kind::Choice(&["false", "true"]),
        default: "false",
        about: "whether the error log is sent too: its messages name files and folders",
    },
    Key {
        name: "observability.send.names",
        kind: Kind::Choice(&["false", "true"]),
        default: "false",
        about: "whether this computer and sessions (and so projects' folders) are sent by their names, and not as digests",
    },
    Key {
        name: "alerts.throttle_minutes",
        kind: Kind::Integer(1, 1440),
        default: "15",
        about: "the same alert is not said twice in a channel within so many minutes, unless it matters more",
    },
    Key {
        name: "alerts.escalation_minutes",
        kind: Kind::Integer(1, 1440),
        default: "15",
        about: "a High alert that nobody takes on goes to the next channel after so many minutes awake, a Medium one after four times as many",
    },
    Key {
        name: "alerts.quiet_hours",
        kind: Kind::Hours,
        default: "",
        about: "hours in which only High alerts are said (22:00-07:00); empty is none",
    },
    Key {
        name: "alerts.digest_at",
        kind: Kind::TimeOfDay,
        default: "09:00",
        about: "when alerts without a channel of their own are said together, once a day; empty is never",
    },
    Key {
        name: "alerts.routes.high",
        kind: Kind::Channels,
        default: "desktop slack email",
        about: "where High alerts go: the first at once, the next while nobody takes it on",
    },
    Key {
        name: "alerts.routes.medium",
        kind: Kind::Channels,
        default: "desktop slack",
        about: "where Medium alerts go",
    },
    Key {
        name: "alerts.routes.low",
        kind: Kind::Channels,
        default: "",
        about: "where Low alerts go; empty is only the daily digest",
    },
    Key {
        name: "alerts.ping_url",
        kind: Kind::Address,
        default: "",
        about: "an address that is asked for every five minutes while Drydock watches, so that somebody else notices when it does not",
    },
    Key {
        name: "alerts.desktop",
        kind: Kind::Choice(&["on", "off"]),
        default: "on",
        about: "whether alerts are shown as notifications on this computer",
    },
    Key {
        name: "alerts.slack",
        kind: Kind::Choice(&["on", "off"]),
        default: "off",
        about: "whether alerts go to Slack; \"drydock alerts slack set\" keeps the webhook and turns it on",
    },
    Key {
        name: "alerts.email.to",
        kind: Kind::MailAddresses,
        default: "",
        about: "who gets alerts by mail, separated by commas; empty is nobody",
    },
    Key {
        name: "alerts.email.from",
        kind: Kind::MailAddress,
        default: "",
        about: "from whom the mails are; empty is the first of alerts.email.to",
    },
    Key {
        name: "alerts.email.via",
        kind: Kind::Choice(&["sendmail", "smtp"]),
        default: "sendmail",
        about: "who takes the mails: \"sendmail\", this computer's own mail system, or \"smtp\", a mail server",
    },
    Key { name: "alerts.email.smtp.server", kind: Kind::Host, default: "", about: "the mail server's name" },
    Key {
        name: "alerts.email.smtp.port",
        kind: Kind::Integer(0, 65_535),
        default: "0",
        about: "the mail server's port; 0 is the usual one: 465 with \"tls\", 587 with \"starttls\"",
    },
    Key {
        name: "alerts.email.smtp.user",
        kind: Kind::OptionalText,
        default: "",
        about: "who logs in at the mail server, with the password of \"drydock alerts email set-password\"; empty is nobody",
    },
    Key {
        name: "alerts.email.smtp.tls",
        kind: Kind::Choice(super::mail::MailTls::WORDS),
        default: "starttls",
        about: "how the connection to the mail server is protected: \"tls\" from its beginning, \"starttls\", or \"none\" for a server on this computer",
    },
];

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

impl Kind {
    /// Says what is wrong with `value`, or nothing.
    pub(super) fn fault(self, value: &str) -> Option<String> {
        let good = match self {
            Self::Text => !value.trim().is_empty(),
            Self::OptionalText => true,
            Self::Choice(words) => words.contains(&value),
            Self::Integer(low, high) => value.parse::<i64>().is_ok_and(|n| (low..=high).contains(&n)),
            Self::Memory => MemoryLimit::parse(value).is_some(),
            Self::Size => size(value).is_some_and(|bytes| bytes >= 1 << 20),
            Self::Remote => value.is_empty() || remote(value).is_some(),
            Self::Patterns => value.split_whitespace().all(is_pattern),
            Self::Cpus => {
                value == "auto"
                    || value.parse::<f64>().is_ok_and(|n| n.is_finite() && (0.1..=1024.0).contains(&n))
            }
            Self::Version => is_version(value),
            Self::Packages => value.split_whitespace().all(is_package_name),
            Self::Server => value.is_empty() || crate::observability::Server::parse(value).is_some(),
            Self::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Stretch => stretch(value).is_some(),
            Self::TimeOfDay => value.is_empty() || time_of_day(value).is_some(),
            Self::Hours => value.is_empty() || QuietHours::parse(value).is_some(),
            Self::Channels => value.split_whitespace().all(|word| ChannelName::from_word(word).is_some()),
            Self::Address => {
                value.is_empty() || value.starts_with("https://") || value.starts_with("http://")
            }
            Self::Measure => super::rules::measures().any(|word| word == value),
            Self::MailAddress => super::mail::addresses(value).is_some_and(|all| all.len() <= 1),
            Self::MailAddresses => super::mail::addresses(value).is_some(),
            Self::Host => value.is_empty() || super::mail::is_host(value),
        };
        (!good).then(|| format!("it must be {}", self.wanted()))
    }

    /// The words that it can be, where they are few.
    pub(super) fn words(self) -> Vec<&'static str> {
        match self {
            Self::Choice(words) => words.to_vec(),
            Self::Measure => super::rules::measures().collect(),
            _ => Vec::new(),
        }
    }

    fn wanted(self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::OptionalText => "a text, or empty".into(),
            Self::Choice(words) => format!("one of: {}", words.join(", ")),
            Self::Integer(low, high) => format!("a whole number from {low} to {high}"),
            Self::Memory => "\"auto\" or a size of at least 512m, such as 8g".into(),
            Self::Size => "a size of at least 1m, such as 4g".into(),
            Self::Remote => {
                "empty, or a remote of rclone's with a folder, such as remote:claude-backups".into()
            }
            Self::Patterns => "names or patterns separated by spaces, such as notes/ or *.bak".into(),
            Self::Cpus => "\"auto\" or a number such as 2 or 1.5".into(),
            Self::Version => "a version such as 2.1.330".into(),
            Self::Packages => "Debian package names separated by spaces".into(),
            Self::Server => {
                "empty, or an address that begins with https://, or http:// on this computer, without a login in it"
                    .into()
            }
            Self::Number => "a number".into(),
            Self::Stretch => "a stretch of time of at most 7 days, such as 10m, 2h or 7d".into(),
            Self::TimeOfDay => "empty, or a time such as 09:00".into(),
            Self::Hours => "empty, or hours such as 22:00-07:00".into(),
            Self::Channels => format!(
                "some of {}, separated by spaces",
                ChannelName::ALL.iter().map(|name| name.word()).collect::<Vec<_>>().join(", ")
            ),
            Self::Address => "empty, or an address that begins with https://".into(),
            Self::Measure => {
                format!("one of: {}", super::rules::measures().collect::<Vec<_>>().join(", "))
            }
            Self::MailAddress => "empty, or an address such as me@example.org".into(),
            Self::MailAddresses => "empty, or addresses such as me@example.org, separated by commas".into(),
            Self::Host => "empty, or the name of a computer such as mail.example.org".into(),
        }
    }
}

fn is_version(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// A name below Claude Code's folder, with `*` for any text within one part.
fn is_pattern(text: &str) -> bool {
    !text.starts_with('/') && text.split('/').all(|part| part != "..")
}

/// Debian policy §5.6.7. Checked because the names stand in the image's recipe.
fn is_package_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_its_key_takes() {
        for key in KEYS {
            assert_eq!(key.kind.fault(key.default), None, "{}", key.name);
        }
    }

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

    #[test]
    fn package_names_cannot_carry_shell() {
        assert!(Kind::Packages.fault("python3 g++ libssl-dev").is_none());
        assert!(Kind::Packages.fault("x; rm -rf /").is_some());
        assert!(Kind::Packages.fault("$(id)").is_some());
    }
}
