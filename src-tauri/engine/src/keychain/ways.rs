//! The ways in which sessions log in, as people choose among them.

use crate::settings::LoginMode;
use serde::Serialize;

/// One way to log in.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Way {
    /// Its setting.
    pub mode: LoginMode,
    /// Its word in `login.mode`.
    pub word: &'static str,
    /// What leaves which store, in one sentence.
    pub what: &'static str,
    /// What that costs, and what Anthropic's terms say about it, in one sentence.
    ///
    /// Source of the terms: the page "Legal and compliance", section "Authentication and credential use",
    /// of Claude Code's documentation (August 2026).
    pub terms: &'static str,
}

/// Every way, the one that touches least first.
pub const WAYS: &[Way] = &[
    Way {
        mode: LoginMode::Own,
        word: "own",
        what: "You sign in once inside a session, by Claude Code's own flow, and Drydock keeps what Claude Code \
               stored there, in your keyring, for later sessions; this computer's login is not read.",
        terms: "Anthropic's terms leave signing in to Claude Code itself and say that others must not store such \
                logins, so it never leaves this computer and only Claude Code ever uses it.",
    },
    Way {
        mode: LoginMode::SetupToken,
        word: "setup-token",
        what: "You run `claude setup-token` yourself and give Drydock the token it prints, which is kept in your \
               keyring and lent to each session.",
        terms: "Anthropic makes these tokens for use without a browser: one lasts a year, can only talk to the \
                model, and counts against your plan.",
    },
    Way {
        mode: LoginMode::Lease,
        word: "lease",
        what: "Sessions borrow this computer's login: its access token and when that ends, never the refresh \
               token; Claude Code on this computer alone renews it, and running sessions follow.",
        terms: "Anthropic's terms say that others must not collect or mediate logins; here your own is copied on \
                your own computer, at your word, and is sent nowhere.",
    },
    Way {
        mode: LoginMode::Copy,
        word: "copy",
        what: "One session at a time gets this computer's whole login, and what it renews is put back; it is for \
               computers that have no Claude Code of their own.",
        terms: "A session that is lost with its home takes the login with it, and then you sign in again; the \
                terms on mediated logins apply as with lease.",
    },
    Way {
        mode: LoginMode::ApiKey,
        word: "api-key",
        what: "Sessions use ANTHROPIC_API_KEY from your environment, or what the apiKeyHelper of your settings \
               prints; no login is read.",
        terms: "Usage is billed to that key, and the terms put no limit on using it this way.",
    },
];

/// The way of a mode; none for the one that asks.
#[must_use]
pub fn way_of(mode: LoginMode) -> Option<&'static Way> {
    WAYS.iter().find(|way| way.mode == mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_but_ask_is_explained_in_two_sentences() {
        let words: Vec<_> = WAYS.iter().map(|way| way.word).collect();
        let settable: Vec<_> = LoginMode::WORDS.iter().filter(|word| **word != "ask").collect();
        assert_eq!(words.iter().collect::<Vec<_>>(), settable);
        for way in WAYS {
            for sentence in [way.what, way.terms] {
                assert!(sentence.ends_with('.') && sentence.matches(". ").count() == 0, "{sentence}");
            }
        }
    }
}
