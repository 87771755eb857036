//! `drydock credentials`.

use clap::Subcommand;
use std::path::PathBuf;

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
    /// The key for Datadog
    DatadogKey,
}
