//! `drydock backup`, `restore` and `recover`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

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
