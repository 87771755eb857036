//! The command line, as people type it.

mod alerts;
mod backup;
mod credentials;
mod gitops;
mod image;
mod observed;
mod sessions;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

pub(crate) use alerts::{AlertsDeed, ChannelWord, EmailDeed, SlackDeed};
pub(crate) use backup::{Backup, BackupKey, CopiesDeed, Copy, Recover, Restore};
pub(crate) use credentials::{Credentials, Forgotten, Storable};
pub(crate) use gitops::{Gitops, GitopsKey};
pub(crate) use image::{Deploy, Image};
pub(crate) use observed::{LevelWord, Seen, Shipping};
use observed::{metric, window};
pub(crate) use sessions::{Held, Run, Sync};

/// Claude Code in a safe container, with your own configuration, and your history back on your computer.
#[derive(Debug, Parser)]
#[command(name = "drydock", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Work on another home folder; `DRYDOCK_HOME` names one as well
    // Not clap's `env`: it takes a variable that is set to nothing for a value, and refuses it.
    #[arg(long, global = true, value_name = "DIR")]
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
    fn what_follows_two_dashes_is_claude_codes() {
        let parsed =
            Arguments::try_parse_from(["drydock", "run", ".", "--", "-p", "say hi", "--json"]).unwrap();
        let Command::Run(run) = parsed.command else { panic!("not a run") };
        assert_eq!(run.arguments, ["-p", "say hi", "--json"]);
        assert!(!parsed.json);
    }
}
