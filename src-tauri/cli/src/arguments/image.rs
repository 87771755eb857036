//! `drydock image` and `deploy`.

use clap::Subcommand;

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
