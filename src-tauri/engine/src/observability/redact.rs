//! Secrets are kept out of everything that is written down by their types; this is the second net, for texts of
//! other programs.

use aho_corasick::AhoCorasick;
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";

/// No secret that is known by its form is shorter.
const SHORTEST: usize = 13;

// The patterns are constants: one that is wrong fails its test.
// Sources of the forms: the documentation of Anthropic's API keys, age, Slack's tokens and webhooks, GitHub's
// tokens, GitLab's, npm's, Google's, Stripe's and OpenAI's keys, AWS's key ids, RFC 6750 (bearer tokens), RFC 7519 (JSON web tokens).
static SECRETS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"sk-ant-[A-Za-z0-9_-]{8,}",
        r"|AGE-SECRET-KEY-1[0-9A-Z]+",
        r"|xox[a-z]-[A-Za-z0-9-]{8,}",
        r"|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
        r"|AKIA[0-9A-Z]{16}",
        r"|glpat-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{36}|AIza[0-9A-Za-z_-]{35}|[rs]k_live_[0-9A-Za-z]{20,}",
        r"|sk-(?:proj-)?[A-Za-z0-9_]{32,}",
        r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"|https://hooks\.slack\.com/services/[A-Za-z0-9/_-]+",
        r"|(?i:bearer)\s+[A-Za-z0-9._~+/=-]{8,}",
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----",
    ))
    .ok()
});
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b([a-z0-9_.-]*(?:token|secret|password|passwd|api[_-]?key|credential)[a-z0-9_.-]*)(["']?\s*[:=]\s*["']?)([^\s"',;&]{4,})"#)
        .ok()
});
static CREDENTIALS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"([a-z][a-z0-9+.-]*://)[^\s/@:]+:[^\s/@]+@").ok());

/// A piece of every text that [`SECRETS`] and [`NAMED`] find, in whatever case, and of every address: where none of
/// them is, nothing has to be searched. One pass over a text costs a tenth of the patterns.
const SIGNS: &[&str] = &[
    "://",
    "sk-",
    "age-secret-key-",
    "xox",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "akia",
    "glpat-",
    "npm_",
    "aiza",
    "k_live_",
    "eyj",
    "bearer",
    "-----begin",
    "token",
    "secret",
    "passw",
    "api_key",
    "api-key",
    "apikey",
    "credential",
    "\\",
];
static ANY_SIGN: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(SIGNS).ok());

/// Whether a JSON text may hold a secret, the home, or a text whose form is another than it looks. It may err by
/// saying so.
pub(super) fn may_hold_secret(json: &str, home: &str) -> bool {
    ANY_SIGN.as_ref().is_none_or(|signs| signs.is_match(json)) || (home.len() > 1 && json.contains(home))
}

/// What in a text is a secret by its form.
pub(crate) fn secret_forms(text: &str) -> Vec<&str> {
    SECRETS.iter().flat_map(|pattern| pattern.find_iter(text)).map(|found| found.as_str()).collect()
}

/// The text without what looks like a secret, and with `~` for the home.
#[must_use]
pub fn redacted(text: &str, home: &str) -> String {
    let mut text = text.to_owned();
    // Most texts are short words of Drydock's own: what cannot match is not searched.
    if text.len() >= SHORTEST
        && let Some(secrets) = &*SECRETS
    {
        text = secrets.replace_all(&text, HIDDEN).into_owned();
    }
    if text.contains([':', '='])
        && let Some(named) = &*NAMED
    {
        let hide = |found: &Captures<'_>| format!("{}{}{HIDDEN}", &found[1], &found[2]);
        text = named.replace_all(&text, hide).into_owned();
    }
    if text.contains("://")
        && let Some(credentials) = &*CREDENTIALS
    {
        text = credentials.replace_all(&text, format!("${{1}}{HIDDEN}@")).into_owned();
    }
    if home.len() > 1 { without_home(&text, home) } else { text }
}

/// `~` for the home, where it is the home and no other path that begins or ends like it.
fn without_home(text: &str, home: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(home) {
        let (before, after) = (&rest[..at], &rest[at + home.len()..]);
        out.push_str(before);
        let is_home = !before.ends_with(is_name) && !after.starts_with(is_name);
        out.push_str(if is_home { "~" } else { home });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRETS: &[&str] = &[
        "sk-ant-api03-FAKEfakeFAKE0123456789",
        "sk-ant-oat01-FAKE_fake-FAKE",
        "AGE-SECRET-KEY-1FAKEFAKEFAKEFAKE",
        "xoxb-1234567890-fakefake",
        "ghp_FAKEfakeFAKEfakeFAKE0123",
        "AKIAFAKEFAKEFAKEFAKE",
        "glpat-FAKEfakeFAKEfakeFAKE",
        "npm_FAKEfakeFAKEfakeFAKEfakeFAKEfake0123",
        "AIzaFAKEfakeFAKEfakeFAKEfakeFAKEfake012",
        "sk_live_FAKEfakeFAKEfakeFAKE",
        "sk-proj-FAKEfakeFAKEfakeFAKEfakeFAKEfake",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJmYWtlIn0.fakefakefake",
        "https://hooks.slack.com/services/T000/B000/FAKEfake",
    ];

    #[test]
    fn secrets_by_form_and_by_name_are_hidden() {
        for secret in SECRETS {
            let text = redacted(&format!("before {secret} after"), "/home/me");
            assert_eq!(text, format!("before {HIDDEN} after"), "{secret}");
            assert!(may_hold_secret(secret, ""), "{secret}");
        }
        assert_eq!(
            redacted("Authorization: Bearer abc.def-123456", "/x"),
            format!("Authorization: {HIDDEN}")
        );
        assert_eq!(
            redacted(r#"{"refreshToken": "opaque-one"}"#, "/x"),
            format!(r#"{{"refreshToken": "{HIDDEN}"}}"#)
        );
        assert_eq!(redacted("ssh://me:pass@host/x", "/x"), format!("ssh://{HIDDEN}@host/x"));
        assert_eq!(
            redacted("/home/me/.claude.json: no token here", "/home/me"),
            "~/.claude.json: no token here"
        );
    }

    #[test]
    fn whatever_the_patterns_find_has_a_sign() {
        for text in [
            "PASSWD: hunter22",
            "my.Api-Key=abcd",
            "API_KEY=abcd",
            "apikey: abcd",
            "X-Auth-Token: abcd",
            "client_secret=abcd",
            "Credentials: abcd",
            "bEaReR abcdefgh",
            "-----BEGIN EC PRIVATE KEY-----x-----END EC PRIVATE KEY-----",
            "sk-proj-FAKEfakeFAKEfakeFAKEfakeFAKEfake",
            "postgres://me:pass@host/x",
        ] {
            assert!(redacted(text, "").contains(HIDDEN), "{text}");
            assert!(may_hold_secret(text, ""), "{text}");
        }
        assert!(!may_hold_secret(r#"{"event":"sync.out","attrs":{"created":3,"seconds":0.25}}"#, "/home/me"));
    }

    proptest! {
        #[test]
        fn a_planted_secret_never_comes_through(before in "[ -~]{0,40}", after in "[ -~]{0,40}", which in 0..SECRETS.len()) {
            let text = redacted(&format!("{before} {} {after}", SECRETS[which]), "/home/me");
            prop_assert!(!text.contains(SECRETS[which]));
        }
    }
}
