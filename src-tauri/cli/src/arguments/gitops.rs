//! `drydock gitops`, as people type it.

use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Gitops {
    /// Make a repository of what this computer has; secrets become names
    Init {
        /// The folder, which must be empty or not there yet
        folder: PathBuf,
    },
    /// Check a repository's files: what is wrong, with file and line
    Validate {
        /// The repository's folder
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Check what is staged for the next commit
        #[arg(long)]
        staged: bool,
    },
    /// Show how it stands: what is in force, what waits, what differs
    Status,
    /// Show what the repository says now, beside what is here; nothing is changed
    Diff,
    /// Bring here what the repository says, now
    Reconcile {
        /// Also a commit that failed before, and a history that was rewritten
        #[arg(long)]
        force: bool,
    },
    /// Show what was changed here that the repository says otherwise
    Drift,
    /// Make what was changed here a commit
    Adopt {
        /// Where, such as claude/settings.json#/model or claude/skills/
        #[arg(required = true, value_name = "PLACE")]
        places: Vec<String>,
    },
    /// Bring back what the repository says, over what was changed here
    Revert {
        /// Where, such as claude/settings.json#/model or claude/skills/
        #[arg(required = true, value_name = "PLACE")]
        places: Vec<String>,
    },
    /// Go back to an earlier commit, and take nothing newer until `resume`
    Rollback {
        /// The commit; the one before what is in force, if left out
        commit: Option<String>,
    },
    /// Take new commits again
    Resume,
    /// Show all of a change that waits: here against in git
    Show {
        /// What `status` names
        #[arg(value_name = "CHANGE")]
        change: String,
    },
    /// Let happen what waits, since this computer would act on it
    Approve {
        /// What `status` names
        #[arg(value_name = "CHANGE", required_unless_present = "all")]
        changes: Vec<String>,
        /// All of it
        #[arg(long, conflicts_with = "changes")]
        all: bool,
    },
    /// Show every change that came from the repository or went there
    Audit {
        /// Prove that the log is what was written
        #[arg(long)]
        verify: bool,
    },
    /// Encrypt the values of a YAML file in its place, in the format of SOPS, by the rules of .sops.yaml
    Encrypt {
        /// The file
        file: PathBuf,
        /// For a file that is encrypted: let those open it whom .sops.yaml names now
        #[arg(long)]
        rewrap: bool,
    },
    /// Print what an encrypted file says; nothing is written
    Decrypt {
        /// The file
        file: PathBuf,
    },
    /// Change or add one value of an encrypted file; the value is read from standard input or asked for
    Set {
        /// The file
        file: PathBuf,
        /// The value's name, such as slack.webhook
        key: String,
    },
    /// The key that opens your secrets
    #[command(subcommand)]
    Key(GitopsKey),
}

#[derive(Debug, Subcommand)]
pub(crate) enum GitopsKey {
    /// Print the public half of the key, for .sops.yaml; the key is made if there is none
    ShowRecipient,
    /// Print the secret key into a pipe or a file: for sops (SOPS_AGE_KEY_CMD) and to keep it elsewhere
    Export {
        /// Also onto a terminal
        #[arg(long)]
        show: bool,
    },
    /// Use a key of another computer, read from standard input or asked for
    Import {
        /// In the place of the key that is here
        #[arg(long)]
        replace: bool,
    },
}
