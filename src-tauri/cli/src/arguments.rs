//! The command line, as people type it.

mod gitops;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

pub(crate) use gitops::{Gitops, GitopsKey};

/// Claude Code in a safe container, with your own configuration, and your history back on your computer.
#[derive(Debug, Parser)]
#[command(name = "drydock", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Work on another home folder
    #[arg(long, global = true, value_name = "DIR", env = drydock_engine::paths::HOME_VARIABLE)]
    pub(crate) home: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Launch a session and attach to it
    Run(Run),
    /// Join a session again
    Attach {
        /// The session; the only one, or this project's, if left out
        session: Option<String>,
        /// A variable for Claude Code, for a session that was interrupted and starts again
        #[arg(long = "env", value_name = "NAME[=VALUE]")]
        variables: Vec<String>,
    },
    /// End a session and bring its data out
    Stop {
        /// The session
        session: Option<String>,
    },
    /// Remove a session that has ended, after its data is out
    Rm {
        /// The session
        session: String,
        /// Throw away what it wrote
        #[arg(long)]
        discard: bool,
    },
    /// List sessions
    #[command(visible_alias = "ls")]
    List,
    /// Print what a session has printed
    Logs {
        /// The session
        session: Option<String>,
        /// Go on until it ends
        #[arg(short, long)]
        follow: bool,
    },
    /// Bring data between this computer and a session
    #[command(subcommand)]
    Sync(Sync),
    /// Look at what sessions changed that waits for you, and decide
    #[command(subcommand)]
    Held(Held),
    /// Let configuration come from a git repository, its secrets encrypted, and see where this computer differs
    #[command(subcommand)]
    Gitops(Gitops),
    /// See and change what sessions log in with; no value is ever shown
    #[command(subcommand)]
    Credentials(Credentials),
    /// Back up all Claude data, and see that it can be restored
    #[command(subcommand)]
    Backup(Backup),
    /// Bring files of a snapshot back into a folder, or to where they were
    Restore(Restore),
    /// Bring back what is damaged or gone of your Claude data, after a plan that you can look at
    #[command(visible_alias = "disaster-recovery")]
    Recover(Recover),
    /// Do the scheduled work without the app: backups, their mirrors, their proof, recovery, and alerts
    Daemon,
    /// Let scheduled backups rest for a while, on a slow or costly network or a battery
    Pause {
        /// So long: 30m, 2h, 1d
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = window)]
        long: chrono::TimeDelta,
        /// Go on now
        #[arg(long, conflicts_with = "long")]
        end: bool,
    },
    /// See what wants your attention, and say who is told of it
    Alerts {
        #[command(subcommand)]
        deed: Option<AlertsDeed>,
    },
    /// Show what happened
    Events(Seen),
    /// Show what was measured, and how things stand
    Metrics {
        /// Of this long: 30m, 2h, 7d
        #[arg(long, default_value = "7d", value_parser = window)]
        since: chrono::TimeDelta,
        /// In the text format of Prometheus
        #[arg(long, conflicts_with = "over_time")]
        prometheus: bool,
        /// One metric over that time, in so many parts as `--parts` says
        #[arg(long, value_name = "METRIC", value_parser = metric)]
        over_time: Option<drydock_engine::observability::MetricName>,
        /// Parts of the time
        #[arg(long, default_value_t = 24, requires = "over_time", value_parser = clap::value_parser!(u32).range(1..=1000))]
        parts: u32,
    },
    /// Gather what helps to find a fault into one file, without secrets and names of yours
    Report {
        /// The file to write; it must not be there yet
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Show how long operations took, and what they consisted of
    Traces(Seen),
    /// Show the errors of late
    Errors(Seen),
    /// Send what is on record to Datadog or to a collector, where you have set that up
    #[command(subcommand)]
    Shipping(Shipping),
    /// Build and look after session images
    #[command(subcommand)]
    Image(Image),
    /// Try a new image version on a few launches at a time, and take it back
    #[command(subcommand)]
    Deploy(Deploy),
    /// Read all Claude data on this computer, and tell what of it is damaged, gone or open to others
    Validate {
        /// Mend what can be mended without a backup and without a loss, after a snapshot
        #[arg(long)]
        fix: bool,
    },
    /// Check engine, image, disk, login and configuration
    Doctor,
    /// Say in one look how things stand
    Status,
    /// Read and change settings
    #[command(subcommand)]
    Settings(SettingsCommand),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // flags, as people type them
pub(crate) struct Run {
    /// The project's folder
    #[arg(default_value = ".")]
    pub(crate) project: PathBuf,
    /// A variable for Claude Code; without a value, your own is passed. Its value stands in no configuration
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    pub(crate) variables: Vec<String>,
    /// Let the session use your SSH agent
    #[arg(long)]
    pub(crate) ssh_agent: bool,
    /// Refuse instead of building a missing image
    #[arg(long)]
    pub(crate) no_build: bool,
    /// On the image version that is being tried out, whatever its weight
    #[arg(long, conflicts_with = "stable")]
    pub(crate) canary: bool,
    /// On the image version that most launches use
    #[arg(long)]
    pub(crate) stable: bool,
    /// Arguments for Claude Code
    #[arg(last = true, value_name = "CLAUDE ARGS")]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sync {
    /// Bring what changed on this computer into a running session
    In {
        /// The session
        session: Option<String>,
    },
    /// Bring out what a session has written so far
    Out {
        /// The session
        session: Option<String>,
        /// Go on although many files are gone at once
        #[arg(long)]
        accept_vanished: bool,
    },
    /// Show what sync out would do
    Diff {
        /// The session
        session: Option<String>,
    },
    /// Show how a session and this computer stand to each other
    Status {
        /// The session; all of them if left out
        session: Option<String>,
        /// Compare every synced file's content on both sides
        #[arg(long)]
        verify: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Held {
    /// List what waits, and what was decided lately
    List {
        /// Also what was decided
        #[arg(long)]
        all: bool,
    },
    /// Show one change: here against in the session
    Show {
        /// Its name, as `drydock held list` prints it
        id: String,
    },
    /// Let a change onto this computer
    Approve {
        /// Its name
        id: String,
        /// Also each time that a session of the same project makes exactly this change again
        #[arg(long)]
        always: bool,
    },
    /// List what is let through each time, by project
    Always,
    /// Let nothing more through by a rule; what it let through stays
    Forget {
        /// The rule's name, as `drydock held always` prints it
        rule: String,
    },
    /// Leave this computer as it is
    Reject {
        /// Its name
        id: String,
    },
    /// Take a decision back, up to thirty days later
    Undo {
        /// Its name
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Credentials {
    /// Show every login: where it is, of what kind, until when, and what wants attention
    Status,
    /// Find this computer's login, and write a lease of it to a file: access token and expiry only
    Extract {
        /// The file, made for you alone; without it nothing is written
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Keep a secret, read from standard input or asked for
    Store {
        /// What to keep
        #[arg(value_enum)]
        what: Storable,
    },
    /// Forget a secret that Drydock keeps
    Forget {
        /// What to forget
        #[arg(value_enum)]
        what: Forgotten,
    },
    /// Use the login of another account that a session signed in with
    Adopt {
        /// The session
        session: String,
    },
    /// Forget the login of another account that a session signed in with
    Drop {
        /// The session
        session: String,
    },
}

/// What can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Storable {
    /// The token that `claude setup-token` printed
    SetupToken,
    /// A login for Claude Code on this computer, in the form of .credentials.json
    Login,
    /// This computer's login, once more in the keyring items claude.ai and claude.ai.refresh; nothing is read
    Pair,
    /// The address that alerts go to in Slack
    SlackWebhook,
    /// The key for Datadog
    DatadogKey,
}

/// What can be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Forgotten {
    /// The login that Drydock keeps for sessions
    Own,
    /// The token of `claude setup-token`
    SetupToken,
    /// The keyring items claude.ai and claude.ai.refresh
    Pair,
    /// The address that alerts go to in Slack
    SlackWebhook,
    /// The key for Datadog
    DatadogKey,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    /// Take a snapshot now, and bring the other copies up to it
    Now {
        /// Only this one of the other copies
        #[arg(long, value_enum)]
        copy: Option<Copy>,
    },
    /// List snapshots, or what is in one, or the conversations in which a text stands
    List {
        /// A snapshot, to see what is in it
        snapshot: Option<String>,
        /// A folder in that snapshot
        #[arg(requires = "snapshot", value_name = "FOLDER")]
        folder: Option<PathBuf>,
        /// Look for this text in the conversations of all snapshots
        #[arg(long, value_name = "TEXT", conflicts_with = "snapshot")]
        find: Option<String>,
    },
    /// Read copies back and compare them
    Verify {
        /// Only this copy
        #[arg(long, value_enum)]
        copy: Option<Copy>,
        /// Read everything, not only what is new and a part of the rest
        #[arg(long)]
        all: bool,
        /// Mend what is damaged, from another copy or from this computer's data
        #[arg(long)]
        heal: bool,
    },
    /// Let go of snapshots whose time is over
    Prune {
        /// Only show which
        #[arg(long)]
        plan: bool,
    },
    /// Show how the three copies stand
    Copies {
        #[command(subcommand)]
        deed: Option<CopiesDeed>,
    },
    /// Restore the newest snapshot into a scratch folder, compare it and time it
    Drill {
        /// The copy to restore from
        #[arg(long, value_enum, default_value = "local")]
        copy: Copy,
    },
    /// Keep a snapshot for good
    Pin {
        /// The snapshot
        snapshot: String,
    },
    /// Let a pinned snapshot go when its time comes
    Unpin {
        /// The snapshot
        snapshot: String,
    },
    /// The key of the backups, and its recovery sheet
    #[command(subcommand)]
    Key(BackupKey),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CopiesDeed {
    /// Forget where a copy was; nothing of it is removed
    Forget {
        /// The copy
        #[arg(value_enum)]
        copy: Copy,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupKey {
    /// Print the recovery sheet, or write it into a file for you alone
    Export {
        /// The file
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Say that you have saved the sheet, by the last group of its code
    Confirm {
        /// The last four letters of the code; asked for if left out
        last_group: Option<String>,
    },
    /// Open backups with the code of their recovery sheet, read from standard input or asked for
    Import,
}

/// One of the three places where backups are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Copy {
    /// The one in your home
    Local,
    /// The one on another volume
    External,
    /// The one at a remote of rclone's
    Cloud,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("where").required(true).args(["to", "back"])))]
pub(crate) struct Restore {
    /// The snapshot, or `latest`
    pub(crate) snapshot: String,
    /// Files or folders in it; everything if left out
    pub(crate) paths: Vec<PathBuf>,
    /// A folder that is empty or not there yet
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// Put them back where they were, where nothing is there now
    #[arg(long, requires = "paths")]
    pub(crate) back: bool,
    /// Restore the others although some cannot be read
    #[arg(long, conflicts_with = "back")]
    pub(crate) partial: bool,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // flags, as people type them
#[command(group(clap::ArgGroup::new("past").args(["undo", "history"]).conflicts_with_all(["plan", "yes", "whole", "from", "only", "copy"])))]
pub(crate) struct Recover {
    /// Only show what would be done
    #[arg(long)]
    pub(crate) plan: bool,
    /// Do it without asking
    #[arg(long, conflicts_with = "plan")]
    pub(crate) yes: bool,
    /// Everything as the snapshot has it, not only what is damaged
    #[arg(long, conflicts_with = "only")]
    pub(crate) whole: bool,
    /// A snapshot; the newest good one if left out
    #[arg(long, value_name = "SNAPSHOT")]
    pub(crate) from: Option<String>,
    /// Only this file or folder, as the snapshot has it
    #[arg(long, value_name = "PATH")]
    pub(crate) only: Vec<PathBuf>,
    /// On a new computer: the copy to recover from, a folder or a remote of rclone's. Asks for the code of the
    /// recovery sheet
    #[arg(long, value_name = "FOLDER|REMOTE:FOLDER")]
    pub(crate) copy: Option<String>,
    /// Take a recovery back, up to thirty days later; the newest if none is named
    #[arg(long, value_name = "RECOVERY", num_args = 0..=1)]
    pub(crate) undo: Option<Option<String>>,
    /// Show the recoveries so far
    #[arg(long)]
    pub(crate) history: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsDeed {
    /// List what fires
    List,
    /// Show every rule, and how it stands
    Rules,
    /// Take an alert on: nothing more is said of it until it is over or matters more
    Ack {
        /// The incident, or the beginning of its name
        incident: String,
    },
    /// Do not hear of something for a while
    Silence {
        /// A rule, an incident, or `all`
        what: String,
        /// For so long: 30m, 2h, 7d
        #[arg(long = "for", value_name = "TIME", value_parser = window)]
        long: chrono::TimeDelta,
    },
    /// Hear of it again
    Unsilence {
        /// A rule, an incident, or `all`
        what: String,
    },
    /// Show what fired and what was said
    History {
        /// Of this long: 30m, 2h, 7d
        #[arg(long, default_value = "30d", value_parser = window)]
        since: chrono::TimeDelta,
    },
    /// Show the ways to reach you: which are set up, and how each did last
    Channels,
    /// Send a test over one channel, and say what became of it
    Test {
        /// The channel
        #[arg(value_enum)]
        channel: ChannelWord,
        /// Wait until the notification is clicked, and say what came back
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60",
              value_parser = clap::value_parser!(u64).range(1..=3600))]
        wait: Option<u64>,
    },
    /// The webhook of Slack
    #[command(subcommand)]
    Slack(SlackDeed),
    /// The password of the mail server; the rest of mail is in the settings (alerts.email)
    #[command(subcommand)]
    Email(EmailDeed),
}

/// A way to reach the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ChannelWord {
    /// A notification on this computer
    Desktop,
    /// A message in Slack
    Slack,
    /// A mail
    Email,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SlackDeed {
    /// Keep the address of an incoming webhook, read from standard input or asked for, and send alerts there
    Set,
    /// Forget it, and send no alerts there
    Forget,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EmailDeed {
    /// Keep the password, read from standard input or asked for
    SetPassword,
    /// Forget it
    ForgetPassword,
}

/// Which of what is on record.
#[derive(Debug, Args)]
pub(crate) struct Seen {
    /// Of this long: 30m, 2h, 7d
    #[arg(long, value_parser = window)]
    pub(crate) since: Option<chrono::TimeDelta>,
    /// Of this session
    #[arg(long)]
    pub(crate) session: Option<String>,
    /// At least so important
    #[arg(long, value_enum)]
    pub(crate) level: Option<LevelWord>,
    /// Of this trace, by the beginning of its name
    #[arg(long)]
    pub(crate) trace: Option<String>,
    /// Go on as more comes
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Shipping {
    /// Show what was sent, what was dropped and why, and what waits
    Status,
    /// Send all that waits now, also what waits for its time or stands still
    Now,
    /// Print what would be sent of the newest lines; nothing is sent
    Preview,
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LevelWord {
    /// As usual
    Info,
    /// Something to look at
    Warn,
    /// Something failed
    Error,
}

/// The name of a metric.
fn metric(text: &str) -> Result<drydock_engine::observability::MetricName, String> {
    use drydock_engine::observability::MetricName;
    MetricName::ALL.iter().copied().find(|name| name.as_str() == text).ok_or_else(|| {
        let names: Vec<_> = MetricName::ALL.iter().map(|name| name.as_str()).collect();
        format!("there is no such metric; there are {}", names.join(", "))
    })
}

/// A stretch of time, as people type it.
fn window(text: &str) -> Result<chrono::TimeDelta, String> {
    let wrong = || format!("`{text}` is no time such as 30m, 2h or 7d");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: i64 = text[..at].parse().map_err(|_| wrong())?;
    let window = match &text[at..] {
        "s" => chrono::TimeDelta::try_seconds(number),
        "m" => chrono::TimeDelta::try_minutes(number),
        "h" => chrono::TimeDelta::try_hours(number),
        "d" => chrono::TimeDelta::try_days(number),
        _ => None,
    };
    window.filter(|window| *window < chrono::TimeDelta::days(36_500)).ok_or_else(wrong)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Build the session image
    Build {
        /// The image to start from; debootstrap:bookworm makes one from Debian's packages
        #[arg(long, value_name = "IMAGE")]
        base: Option<String>,
        /// Run every step again, with today's packages
        #[arg(long)]
        fresh: bool,
    },
    /// List session images
    List,
    /// Remove session images that nothing uses
    Gc,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Deploy {
    /// Build a candidate, test it, and give it the first share of launches
    Canary {
        /// The version of Claude Code; the newest if left out
        version: Option<String>,
        /// Although it was taken back before
        #[arg(long)]
        force: bool,
    },
    /// Show how the newest deployment stands
    Status {
        /// You have seen how it ended: an alert about it is over
        #[arg(long)]
        seen: bool,
    },
    /// Take the candidate to its next stage
    Promote {
        /// To the end at once
        #[arg(long)]
        full: bool,
    },
    /// Take the candidate back, or what became stable last
    Rollback,
    /// Keep the candidate in its stage; it is still taken back when it fails
    Pause,
    /// Let it go on
    Resume,
    /// Show what became of deployments
    History {
        /// The launches of the newest one instead, each with its version and why
        #[arg(long)]
        launches: bool,
    },
    /// Test the candidate, or what sessions use where there is none
    Smoke,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Print one setting
    Get {
        /// Its name, such as image.base
        key: String,
    },
    /// Change one setting
    Set {
        /// Its name, such as image.base
        key: String,
        /// Its new value
        value: String,
    },
    /// Print all settings
    List,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn stretches_of_time_are_read_as_people_type_them() {
        assert_eq!(window("90m").unwrap(), chrono::TimeDelta::minutes(90));
        assert_eq!(window("7d").unwrap(), chrono::TimeDelta::days(7));
        for wrong in ["", "7", "d", "-1h", "7w", "9999999999d", "1.5h"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_follows_two_dashes_is_claude_codes() {
        let parsed =
            Arguments::try_parse_from(["drydock", "run", ".", "--", "-p", "say hi", "--json"]).unwrap();
        let Command::Run(run) = parsed.command else { panic!("not a run") };
        assert_eq!(run.arguments, ["-p", "say hi", "--json"]);
        assert!(!parsed.json);
    }
}
