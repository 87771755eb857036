//! `drydock run`, `sync` and `held`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

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
