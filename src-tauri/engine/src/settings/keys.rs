//! The table of settings: name, kind, default, and what each is for.

use super::{AutomaticRecovery, HistoryScope, Kind, LoginMode, PathMode};
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
        name: "deployment.stages",
        kind: Kind::Weights,
        default: "0.1 0.5 1.0",
        about: "the shares of launches that try a new image version, one stage after the other",
    },
    Key {
        name: "deployment.min_launches",
        kind: Kind::Counts,
        default: "5 15 30",
        about: "so many launches of the new version, all stages together, before each stage is left",
    },
    Key {
        name: "deployment.min_minutes",
        kind: Kind::Integer(0, 10_080),
        default: "10",
        about: "a stage lasts at least so many minutes",
    },
    Key {
        name: "deployment.bake_days",
        kind: Kind::Integer(0, 90),
        default: "7",
        about: "after so many days the last stage is left with fewer launches, if there were at least five in it",
    },
    Key {
        name: "deployment.max_error_rate",
        kind: Kind::Fraction,
        default: "0.10",
        about: "a greater share of failed launches is too much for a new version",
    },
    Key {
        name: "deployment.max_p95_seconds",
        kind: Kind::Integer(1, 600),
        default: "15",
        about: "a new version is too slow when more than one launch in twenty takes longer",
    },
    Key {
        name: "deployment.strict",
        kind: Kind::Choice(&["false", "true"]),
        default: "false",
        about: "whether these two bounds alone decide, from five launches on; else there must be enough evidence as well",
    },
    Key {
        name: "deployment.probes",
        kind: Kind::Choice(&["on", "off"]),
        default: "on",
        about: "whether a new version is launched by Drydock itself while nobody works, once an hour at most",
    },
    Key {
        name: "deployment.new_versions",
        kind: Kind::Choice(&["off", "notice", "try"]),
        default: "notice",
        about: "what is done about new versions of Claude Code, for which the npm registry is asked once a day: \"off\" nothing, \"notice\" they are told of, \"try\" they are built and tried on a few launches",
    },
    Key {
        name: "gitops.repository",
        kind: Kind::Repository,
        default: "",
        about: "the git repository that configuration comes from: a folder, https:// or ssh://; empty is none",
    },
    Key {
        name: "gitops.branch",
        kind: Kind::Branch,
        default: "main",
        about: "the branch of that repository",
    },
    Key {
        name: "gitops.enabled",
        kind: Kind::Choice(&["false", "true"]),
        default: "false",
        about: "whether the app or the daemon looks at the repository by itself",
    },
    Key {
        name: "gitops.interval_seconds",
        kind: Kind::Integer(10, 86_400),
        default: "300",
        about: "how often; a repository on this computer is also looked at when something is committed",
    },
    Key {
        name: "gitops.require_signed",
        kind: Kind::Choice(&["false", "true"]),
        default: "false",
        about: "whether only commits count that are signed by somebody whom your git trusts",
    },
    Key {
        name: "gitops.drift_policy",
        kind: Kind::Choice(crate::gitops::DriftPolicy::WORDS),
        default: "report",
        about: "what happens to what is changed here and git says otherwise, where the repository does not say: \"report\", \"revert\" or \"adopt\"",
    },
    Key {
        name: "gitops.machine",
        kind: Kind::Machine,
        default: "",
        about: "this computer's folder in the repository's machines/; empty is the computer's name",
    },
    Key {
        name: "gitops.recovery_recipient",
        kind: Kind::Recipient,
        default: "",
        about: "the public half of a key that you keep elsewhere: new secrets of the repository are encrypted for it as well, for the day that this computer is lost",
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
    fn package_names_cannot_carry_shell() {
        assert!(Kind::Packages.fault("python3 g++ libssl-dev").is_none());
        assert!(Kind::Packages.fault("x; rm -rf /").is_some());
        assert!(Kind::Packages.fault("$(id)").is_some());
    }
}
