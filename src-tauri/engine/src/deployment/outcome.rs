//! What a launch came to, and what of it counts against the image: one table, read by the rules, the
//! documentation and the tests.

use crate::error_handling::Code;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Claude Code that ends by itself with an error this soon after its start has died of its image.
pub const FIRST_MINUTE: Duration = Duration::from_secs(60);

/// Whether an outcome counts in the rate of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// It is a good launch.
    Good,
    /// It is an error.
    Error,
    /// It says nothing of the image.
    Not,
}

macro_rules! outcomes {
    ($($name:ident = $text:literal, $counts:ident, $doc:literal;)*) => {
        /// What a launch came to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Outcome { $(#[doc = $doc] $name,)* }

        impl Outcome {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word for it.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Whether it counts.
            #[must_use]
            pub fn counts(self) -> Counts {
                match self { $(Self::$name => Counts::$counts,)* }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

outcomes! {
    Ok = "ok", Good, "It started, and at its end everything was on the host and compared.";
    NoStart = "no-start", Error, "The container or the first program in it did not start.";
    Died = "died", Error, "Claude Code ended with an error in its first minute, and neither the login, the network nor its arguments were the reason.";
    OutOfMemory = "out-of-memory", Error, "The session was ended for want of memory.";
    SyncFailed = "sync-failed", Error, "Data could not be brought in or out.";
    Unverified = "unverified", Error, "What came out is not what is inside: once is enough.";
    Unknown = "unknown", Error, "It failed, and nobody knows why.";
    EngineFault = "engine-fault", Not, "The engine or this computer failed, or the session was killed from outside.";
    UserCancel = "user-cancel", Not, "The user ended it, or something of the user's was missing or wrong.";
    Auth = "auth", Not, "The login was missing or refused.";
    Network = "network", Not, "The network or the service was not there.";
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::from_word(&word).ok_or_else(|| serde::de::Error::custom("there is no such outcome"))
    }
}

/// How a session's Claude Code ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending<'a> {
    /// Its exit code, where the engine knows it.
    pub(crate) exit_code: Option<i64>,
    /// Whether it was ended for want of memory.
    pub(crate) out_of_memory: bool,
    /// Whether the user asked for its end.
    pub(crate) asked: bool,
    /// From its start to its end.
    pub(crate) lasted: Option<Duration>,
    /// The last of what it printed.
    pub(crate) said: &'a str,
}

impl Outcome {
    /// The outcome that a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.word() == word)
    }

    /// A launch that failed before Claude Code ran.
    pub(crate) fn of_failed_launch(code: Code) -> Self {
        match code {
            Code::ImageBroken | Code::ImageMissing | Code::SessionStart => Self::NoStart,
            Code::SyncIn | Code::SyncVerify | Code::SyncBase => Self::SyncFailed,
            Code::EngineNone
            | Code::EngineFailed
            | Code::EngineUnsupported
            | Code::DiskFull
            | Code::FileAccess
            | Code::LockHeld
            | Code::LockUnsafe => Self::EngineFault,
            Code::LoginUndecided
            | Code::LoginNone
            | Code::LoginBusy
            | Code::LoginRefused
            | Code::KeychainLocked
            | Code::KeychainRefused
            | Code::KeyringNone => Self::Auth,
            Code::ImageBaseMissing | Code::ImageDownload => Self::Network,
            Code::Usage
            | Code::ProjectMissing
            | Code::ProjectRefused
            | Code::HomeMissing
            | Code::HomeUnsupported
            | Code::ConfigDamaged
            | Code::NameRefused => Self::UserCancel,
            _ => Self::Unknown,
        }
    }

    /// A session whose data could not be brought out at its end.
    pub(crate) fn of_failed_end(code: Code) -> Self {
        match code {
            Code::SyncVerify => Self::Unverified,
            // A side is not what it was, or holds what nobody may take: that is not the image's doing.
            Code::SyncStopped | Code::SyncRefused | Code::ConfigDamaged => Self::UserCancel,
            Code::SyncOut | Code::SyncBase => Self::SyncFailed,
            Code::SessionLost => Self::EngineFault,
            other => Self::of_failed_launch(other),
        }
    }

    /// A session that ended, with everything on the host.
    pub(crate) fn of_end(ending: Ending<'_>) -> Self {
        const BY_KEYS: i64 = 130;
        const TOLD_TO_GO: i64 = 143;
        const FROM_OUTSIDE: [i64; 3] = [129, 137, 255];
        let is_young = ending.lasted.is_none_or(|lasted| lasted < FIRST_MINUTE);
        match ending.exit_code {
            _ if ending.out_of_memory => Self::OutOfMemory,
            _ if ending.asked => Self::UserCancel,
            Some(0) => Self::Ok,
            Some(BY_KEYS | TOLD_TO_GO) => Self::UserCancel,
            Some(code) if FROM_OUTSIDE.contains(&code) => Self::EngineFault,
            None => Self::EngineFault,
            // An older session that ends with an error had worked: the code is Claude Code's own answer.
            Some(_) if !is_young => Self::Ok,
            Some(_) => why_it_died(ending.said),
        }
    }
}

/// What Claude Code says when it ends for a reason that is not its own.
///
/// Source: what 2.1.330 printed with `-p` against a server that answered 401, 403, 429, 500, 502, 529, a refused
/// limit, a page of HTML, or not at all, and with wrong arguments; and the texts that 2.0.50 has for the same.
/// A request that the server finds wrong (400) is not among them: it is Claude Code's own.
const SAYINGS: &[(&str, Outcome)] = &[
    ("Invalid API key", Outcome::Auth),
    ("Please run /login", Outcome::Auth),
    ("Not logged in", Outcome::Auth),
    ("Failed to authenticate", Outcome::Auth),
    ("authentication_error", Outcome::Auth),
    ("OAuth token", Outcome::Auth),
    ("Credit balance", Outcome::Auth),
    ("Request rejected (429)", Outcome::Network),
    ("API Error: 429", Outcome::Network),
    ("API Error: 5", Outcome::Network),
    ("Repeated 529", Outcome::Network),
    ("overloaded_error", Outcome::Network),
    ("You've hit your", Outcome::Network),
    ("You've reached your", Outcome::Network),
    ("You're out of usage credits", Outcome::Network),
    ("limit reached", Outcome::Network),
    ("Unable to connect to API", Outcome::Network),
    ("Can't reach the API server", Outcome::Network),
    ("Connection error", Outcome::Network),
    ("Connection refused", Outcome::Network),
    ("Connection dropped", Outcome::Network),
    ("proxy or gateway intercepting", Outcome::Network),
    ("ECONNREFUSED", Outcome::Network),
    ("ECONNRESET", Outcome::Network),
    ("ENOTFOUND", Outcome::Network),
    ("ETIMEDOUT", Outcome::Network),
    ("EAI_AGAIN", Outcome::Network),
    ("fetch failed", Outcome::Network),
    ("issue with the selected model", Outcome::UserCancel),
    ("error: unknown option", Outcome::UserCancel),
    ("error: option", Outcome::UserCancel),
    ("error: missing required argument", Outcome::UserCancel),
    ("Error: --resume requires", Outcome::UserCancel),
    ("Error: Invalid session ID", Outcome::UserCancel),
    ("Error: Settings file not found", Outcome::UserCancel),
    ("Invalid MCP configuration", Outcome::UserCancel),
    ("Input must be provided", Outcome::UserCancel),
    ("No conversation found", Outcome::UserCancel),
];

fn why_it_died(said: &str) -> Outcome {
    SAYINGS.iter().find(|(words, _)| said.contains(words)).map_or(Outcome::Died, |(_, outcome)| *outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(exit_code: i64, seconds: u64) -> Ending<'static> {
        Ending {
            exit_code: Some(exit_code),
            out_of_memory: false,
            asked: false,
            lasted: Some(Duration::from_secs(seconds)),
            said: "",
        }
    }

    #[test]
    fn every_outcome_has_its_own_word_and_is_read_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::from_word(outcome.word()), Some(*outcome));
            assert!(outcome.meaning().ends_with('.'));
        }
    }

    #[test]
    fn claude_code_that_dies_in_its_first_minute_is_an_error_and_later_it_is_not() {
        assert_eq!(Outcome::of_end(ending(1, 59)), Outcome::Died);
        assert_eq!(Outcome::of_end(ending(139, 2)), Outcome::Died);
        assert_eq!(Outcome::of_end(ending(1, 60)), Outcome::Ok);
        assert_eq!(Outcome::of_end(ending(0, 1)), Outcome::Ok);
    }

    #[test]
    fn what_the_user_ends_is_no_error() {
        for code in [130, 143] {
            assert_eq!(Outcome::of_end(ending(code, 1)).counts(), Counts::Not, "{code}");
        }
        assert_eq!(Outcome::of_end(Ending { asked: true, ..ending(1, 1) }), Outcome::UserCancel);
    }

    #[test]
    fn want_of_memory_is_an_error_at_any_time_and_a_kill_from_outside_is_none() {
        assert_eq!(
            Outcome::of_end(Ending { out_of_memory: true, ..ending(137, 9_000) }),
            Outcome::OutOfMemory
        );
        assert_eq!(Outcome::of_end(ending(137, 1)), Outcome::EngineFault);
        assert_eq!(Outcome::OutOfMemory.counts(), Counts::Error);
        assert_eq!(Outcome::EngineFault.counts(), Counts::Not);
    }

    #[test]
    fn the_login_the_network_and_wrong_arguments_are_not_the_images_fault() {
        for (said, expected) in [
            ("Invalid API key · Fix external API key", Outcome::Auth),
            ("Failed to authenticate. API Error: 403 Your account does not have access", Outcome::Auth),
            ("You've hit your 5-hour limit · resets 11:35am (UTC)", Outcome::Network),
            ("API Error: Request rejected (429) · Number of requests has exceeded", Outcome::Network),
            (
                "API Error: Can't reach the API server — check your internet or DNS (ENOTFOUND)",
                Outcome::Network,
            ),
            ("API Error: 529 Overloaded. This is a server-side issue", Outcome::Network),
            ("There's an issue with the selected model (claude-nope)", Outcome::UserCancel),
            ("error: unknown option '--frobnicate'", Outcome::UserCancel),
            ("API Error: 400 messages.0: wrong", Outcome::Died),
            ("TypeError: undefined is not a function", Outcome::Died),
        ] {
            assert_eq!(Outcome::of_end(Ending { said, ..ending(1, 1) }), expected, "{said}");
        }
    }

    #[test]
    fn failed_launches_are_told_apart_by_their_code() {
        assert_eq!(Outcome::of_failed_launch(Code::ImageBroken).counts(), Counts::Error);
        assert_eq!(Outcome::of_failed_launch(Code::SyncIn).counts(), Counts::Error);
        assert_eq!(Outcome::of_failed_launch(Code::Internal), Outcome::Unknown);
        for code in [Code::EngineFailed, Code::LoginNone, Code::ImageDownload, Code::ProjectMissing] {
            assert_eq!(Outcome::of_failed_launch(code).counts(), Counts::Not, "{code}");
        }
        assert_eq!(Outcome::of_failed_end(Code::SyncVerify), Outcome::Unverified);
        assert_eq!(Outcome::of_failed_end(Code::SyncOut), Outcome::SyncFailed);
        assert_eq!(Outcome::of_failed_end(Code::SyncRefused).counts(), Counts::Not);
    }
}
