//! `drydock alerts`.

use super::observed::window;
use clap::Subcommand;

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
