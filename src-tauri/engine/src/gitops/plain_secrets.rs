//! Secrets that stand in the open in a repository's files: found before they are committed, and before they are used.
//!
//! Tokens are known by their forms, as in [`crate::observability`]; other values by the names that they have, if they
//! look made by chance; and files that the rules of `.sops.yaml` want encrypted by not being so. What is found is said
//! by its line and kind, never by its text.
//!
//! Before a commit, when a repository is read, and when one is made of what is here, it is this that looks.

use super::sops::{Rules, Source, unencrypted_lines};
use crate::observability::secret_forms;
use regex::Regex;
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeSet, fmt, sync::LazyLock};

/// Something that should not stand where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Found {
    /// The line, counted from one.
    pub line: usize,
    /// What it is.
    pub kind: Kind,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A token of a known form.
    Token,
    /// A private key.
    PrivateKey,
    /// A name and a password in an address.
    AddressWithPassword,
    /// A value that looks made by chance and has a name such as `api_key`.
    NamedLikeOne,
    /// A file, or a value in it, that has to be encrypted.
    NotEncrypted,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "a token",
            Self::PrivateKey => "a private key",
            Self::AddressWithPassword => "an address with a password in it",
            Self::NamedLikeOne => "a value that is named and looks like a secret",
            Self::NotEncrypted => "something that has to be encrypted",
        })
    }
}

/// What of a file is a secret in the open. The path is that in the repository.
#[must_use]
pub fn plain_secrets(path: &str, text: &str) -> Vec<Found> {
    plain_secrets_by(&Rules::default(), path, text)
}

/// As [`plain_secrets`], with the repository's rules for what has to be encrypted.
#[must_use]
pub fn plain_secrets_by(rules: &Rules, path: &str, text: &str) -> Vec<Found> {
    let form = Form::of(path);
    let mut found = BTreeSet::new();
    let mut before = None;
    for (at, line) in text.lines().enumerate() {
        // What an option of a command is set to can stand on the line below it.
        let alone = option_alone(line);
        let with_name = before.map(|option| format!("{option} {}", line.trim().trim_start_matches("- ")));
        let kind = of_line(line, form).or_else(|| of_line(with_name.as_deref()?, form));
        found.extend(kind.map(|kind| Found { line: at + 1, kind }));
        before = alone;
    }
    if rules.wants_encrypted(path) || is_named_encrypted(path) {
        let lines = unencrypted_lines(Source { name: path, text }).into_iter();
        found.extend(lines.map(|line| Found { line, kind: Kind::NotEncrypted }));
    }
    found.into_iter().collect()
}

/// Whether the value of a key may be a secret. Where it can be kept encrypted or not be shown, and nobody is refused
/// anything, a name is enough: more is taken for one than in a file.
pub(super) fn may_be_secret(key: &str, value: &str) -> bool {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let is_named = names_secret(key) && value.chars().count() >= 8 && !is_number;
    (is_named && !is_placeholder(value) && !is_reference(value))
        || value.lines().any(|line| of_line(line, Form::Document).is_some())
        || of_line(&format!("{key}: {value}"), Form::Document).is_some()
}

/// Whether the JSON text of a value may have a secret in it, in whatever it consists of.
pub(super) fn may_hold_secret(key: &str, json: &str) -> bool {
    fn look(key: &str, value: &Value) -> bool {
        match value {
            Value::String(text) => may_be_secret(key, text),
            Value::Array(items) => named(key, items).any(|(name, item)| look(name, item)),
            Value::Object(map) => map.iter().any(|(key, value)| look(key, value)),
            _ => false,
        }
    }
    // What is no JSON is not known to be open.
    serde_json::from_str(json).map_or(true, |value| look(key, &value))
}

/// The items of a list with what each is about: an option that stands before it, or the name of the list.
pub(super) fn named<'v>(
    list: &'v str,
    items: &'v [Value],
) -> impl Iterator<Item = (&'v str, &'v Value)> + 'v {
    let option = move |before: usize| items.get(before)?.as_str().and_then(option_alone);
    let name = move |at: usize| at.checked_sub(1).and_then(option).unwrap_or(list);
    items.iter().enumerate().map(move |(at, item)| (name(at), item))
}

/// An option of a command, where nothing else stands in the text: `--api-key`.
fn option_alone(text: &str) -> Option<&str> {
    let text = text.trim().trim_end_matches(',').trim_matches(['"', '\'']);
    let text = text.trim_start_matches("- ").trim().trim_matches(['"', '\'']);
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    (text.starts_with('-') && text.len() > 2 && text.chars().all(is_name))
        .then(|| text.trim_start_matches('-'))
}

/// Of which form a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Keys and values: what is named like a secret is one, even where it is short.
    Document,
    /// Anything else.
    Prose,
}

impl Form {
    fn of(path: &str) -> Self {
        let is_document = [".json", ".yaml", ".yml", ".toml"].iter().any(|ending| path.ends_with(ending));
        if is_document { Self::Document } else { Self::Prose }
    }
}

/// Files that are encrypted by their name, whatever the rules say.
fn is_named_encrypted(path: &str) -> bool {
    [".enc.yaml", ".enc.yml", ".enc.json"].iter().any(|ending| path.ends_with(ending))
}

// The patterns are constants: one that is wrong fails its test.
static PRIVATE_KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|^PuTTY-User-Key-File-\d|AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]{20,}").ok()
});
static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[a-z][a-z0-9+.-]*://[^\s/@:'\x22]+:([^\s/@'\x22]+)@").ok());
/// What a browser's login is in a header: name and password, in base64.
static HEADER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)authorization["']?\s*[:=,]\s*["']?(?:basic|token|apikey)\s+([A-Za-z0-9+/._~=-]{8,})"#)
        .ok()
});
/// What a secret's name has in it.
macro_rules! secret_words {
    () => {
        r"token|secret|passw(?:or)?d|passphrase|api[_-]?key|private[_-]?key|access[_-]?key|auth[_-]?key|credential"
    };
}
static NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(concat!(r"(?i)", secret_words!(), r"|^authorization$")).ok());
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)(?:^|[\s"'{,(-])([a-z0-9_.-]*(?:"#,
        secret_words!(),
        r#")[a-z0-9_.-]*)["']?\s*([:=,]|\s)\s*["']?([^\s"',;}]+)"#
    ))
    .ok()
});

/// Names that have such a word in them and stand for something else.
const OTHER_NAMES: &[&str] = &[
    "tokens",
    "count",
    "limit",
    "max",
    "min",
    "file",
    "path",
    "dir",
    "helper",
    "cmd",
    "command",
    "url",
    "uri",
    "name",
    "kind",
    "type",
    "mode",
    "ttl",
    "expir",
    "public",
    "fingerprint",
    "regex",
    "suffix",
    "enabled",
    "version",
    "hash",
    "sha256",
];

fn of_line(line: &str, form: Form) -> Option<Kind> {
    let found =
        |pattern: &'static Option<Regex>| pattern.as_ref().is_some_and(|pattern| pattern.is_match(line));
    // The part of each match that is the secret itself.
    let holds = |pattern: &'static Option<Regex>| {
        let all = pattern.iter().flat_map(|pattern| pattern.captures_iter(line));
        all.filter_map(|found| found.get(1)).any(|secret| !is_placeholder(secret.as_str()))
    };
    if found(&PRIVATE_KEY) {
        return Some(Kind::PrivateKey);
    }
    if secret_forms(line).iter().any(|token| !is_placeholder(token) && !is_prose(token)) || holds(&HEADER) {
        return Some(Kind::Token);
    }
    if holds(&ADDRESS) {
        return Some(Kind::AddressWithPassword);
    }
    let named = NAMED.iter().flat_map(|pattern| pattern.captures_iter(line));
    let mut named = named.map(|found| found.extract::<3>().1);
    let is_one = |[name, between, value]: [&str; 3]| {
        let form = if [":", "="].contains(&between) { form } else { Form::Prose };
        is_secret(name, value, form)
    };
    named.any(is_one).then_some(Kind::NamedLikeOne)
}

/// Whether a value of this name is likely a secret.
fn is_secret(name: &str, value: &str, form: Form) -> bool {
    if !names_secret(name) || is_placeholder(value) || is_reference(value) {
        return false;
    }
    let name = name.to_ascii_lowercase();
    let is_password = name.contains("passw") || name.contains("passphrase");
    let (letters, digits) =
        (value.chars().any(char::is_alphabetic), value.chars().any(|letter| letter.is_ascii_digit()));
    let (shortest, bits) = if is_password || form == Form::Document { (8, 2.5) } else { (16, 3.0) };
    value.chars().count() >= shortest && letters && digits && entropy(value) >= bits
}

/// Whether a key of this name has a secret as its value.
fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_other = OTHER_NAMES.iter().any(|part| {
        // What a name ends with says what it is: `token_file`, `max_tokens`.
        name.split(['_', '-', '.']).any(|word| word.starts_with(part)) || name.ends_with(part)
    });
    !is_other && NAME.as_ref().is_some_and(|pattern| pattern.is_match(&name))
}

/// What only says where a secret is: a variable, a template, a ciphertext, a file, a place in a keyring.
fn is_reference(value: &str) -> bool {
    let begins =
        ["$", "{", "<", "%", "ENC[", "/", "~", "./", "op://", "env:", "keychain:", "http://", "https://"];
    begins.iter().any(|begin| value.starts_with(begin)) || value.contains("${") || value.contains(['(', '['])
}

/// What stands for a secret in an example.
fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let words = [
        "example",
        "your",
        "placeholder",
        "xxxx",
        "....",
        "redacted",
        "hidden",
        "changeme",
        "****",
        "${",
        "<",
    ];
    let distinct: BTreeSet<_> = value.chars().collect();
    words.iter().any(|word| lower.contains(word)) || distinct.len() < 4
}

/// "Bearer" and a word are no token.
fn is_prose(token: &str) -> bool {
    let rest = token.split_whitespace().nth(1);
    rest.is_some_and(|rest| rest.len() < 16 || !rest.chars().any(|letter| letter.is_ascii_digit()))
        && !token.contains("-----")
}

/// Bits for each character, after Shannon.
fn entropy(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for letter in text.chars() {
        *counts.entry(letter).or_insert(0_u32) += 1;
    }
    let all = f64::from(counts.values().sum::<u32>());
    counts.values().map(|count| f64::from(*count) / all).map(|part| -part * part.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::{
        identity::Identity,
        sops::{MacScope, Rule, Selection, encrypt},
    };

    fn kinds(text: &str) -> Vec<(usize, Kind)> {
        plain_secrets("desired/claude/settings.json", text)
            .into_iter()
            .map(|found| (found.line, found.kind))
            .collect()
    }

    #[test]
    fn secrets_are_found_by_form_and_by_name_with_their_lines() {
        for (text, kind) in [
            ("key: sk-ant-api03-FAKEfakeFAKE0123456789", Kind::Token),
            ("url = https://hooks.slack.com/services/T000/B000/FAKEfake", Kind::Token),
            ("Authorization: Bearer FAKE0123456789abcdef", Kind::Token),
            (r#""GITHUB_TOKEN": "ghp_FAKEfakeFAKEfakeFAKE0123""#, Kind::Token),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", Kind::PrivateKey),
            ("  key: |\n    -----BEGIN EC PRIVATE KEY-----", Kind::PrivateKey),
            ("-----BEGIN PGP PRIVATE KEY BLOCK-----", Kind::PrivateKey),
            ("AGE-SECRET-KEY-1FAKEFAKEFAKEFAKEFAKEFAKE", Kind::PrivateKey),
            ("remote: https://me:hunter2fake@git.example.org/x", Kind::AddressWithPassword),
            (r#"{"apiKey": "9f8e7d6c5b4a39281706f5e4d3c2b1a0"}"#, Kind::NamedLikeOne),
            ("DB_PASSWORD=correct-horse-7", Kind::NamedLikeOne),
            ("client_secret: 'aB3dE5fG7hI9jK1lM3nO5p'", Kind::NamedLikeOne),
            (r#""args": ["--api-key", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"]"#, Kind::NamedLikeOne),
            ("\"--api-key\",\n\"9f8e7d6c5b4a39281706f5e4d3c2b1a0\"", Kind::NamedLikeOne),
            ("  - --api-key\n  - 9f8e7d6c5b4a39281706f5e4d3c2b1a0", Kind::NamedLikeOne),
            (r#""Authorization": "Basic ZmFrZTpmYWtlLWZha2U=""#, Kind::Token),
            ("GITHUB_TOKEN: abcdefgh12345", Kind::NamedLikeOne),
        ] {
            let text = format!("first line\n{text}\nlast line\n");
            let found = kinds(&text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].0 >= 2 && found[0].1 == kind, "{text}: {found:?}");
        }
    }

    #[test]
    fn what_only_speaks_of_secrets_is_left_alone() {
        for text in [
            "max_tokens: 4096",
            r#""CLAUDE_CODE_MAX_OUTPUT_TOKENS": "32000""#,
            r#""apiKeyHelper": "/opt/tools/print-key-2024.sh""#,
            "token: ${secret:github.token}",
            "password: $DB_PASSWORD",
            "api_key: <your key here>",
            "token: ENC[AES256_GCM,data:FAKE0123456789,iv:a,tag:b,type:str]",
            "Bearer authentication is described in RFC 6750",
            "token_file: /run/secrets/token-0123456789abcdef",
            "secret: see the wiki",
            "user, password = sys.argv[1:8]",
            "export ANTHROPIC_API_KEY=sk-ant-...",
            "https://user:${PASSWORD}@host/",
            "the password is asked for when the session starts 12345678",
            "recipient: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
        ] {
            assert_eq!(kinds(text), [], "{text}");
        }
    }

    #[test]
    fn where_nobody_is_refused_anything_a_name_is_enough() {
        for (key, value) in [
            ("API_TOKEN", "FAKE-abcdefgh"),
            ("password", "correct horse"),
            ("Authorization", "FAKEfakeFAKE"),
            ("command", "run --api-key=9f8e7d6c5b4a39281706f5e4d3c2b1a0"),
            ("note", "first\n-----BEGIN EC PRIVATE KEY-----\n"),
        ] {
            assert!(may_be_secret(key, value), "{key}: {value}");
        }
        for (key, value) in [
            ("apiKeyHelper", "pass show anthropic"),
            ("GITHUB_TOKEN", "${GITHUB_TOKEN}"),
            ("MAX_THINKING_TOKENS", "31999000"),
            ("token", "/run/secrets/token"),
            ("model", "claude-sonnet-4-5-20250929"),
        ] {
            assert!(!may_be_secret(key, value), "{key}: {value}");
        }
        assert!(may_hold_secret("s", r#"{"args": ["-y", "x", "--api-key", "FAKE-abcdefgh"]}"#));
        assert!(!may_hold_secret("s", r#"{"args": ["-y", "x", "--mode", "FAKE-abcdefgh"]}"#));
        assert!(may_hold_secret("s", "no JSON"));
    }

    #[test]
    fn in_prose_a_short_word_after_a_name_is_none() {
        let text = "Ask for the token: abcdefgh12345 is only its name.\n";
        assert_eq!(plain_secrets("desired/claude/CLAUDE.md", text), []);
        assert_eq!(plain_secrets("desired/mcp.yaml", text).len(), 1);
    }

    #[test]
    fn what_a_rule_wants_encrypted_and_is_not_is_found() {
        let rules = "creation_rules:\n  - path_regex: ^secrets/.*\\.yaml$\n";
        let rules = Rules::read(Source { name: ".sops.yaml", text: rules }).unwrap();
        let plain = "a: b\n";
        let not = [Found { line: 1, kind: Kind::NotEncrypted }];
        assert_eq!(plain_secrets_by(&rules, "secrets/mail.yaml", plain), not);
        assert_eq!(plain_secrets_by(&rules, "desired/mail.yaml", plain), []);
        assert_eq!(plain_secrets("any/where.enc.yaml", plain), not);
    }

    /// As Claude Code writes it, with what people have in it.
    const SETTINGS: &str = r#"{
  "cleanupPeriodDays": 30,
  "env": {
    "MY_TOOL_HOME": "/Users/me/tools",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "32000",
    "MAX_THINKING_TOKENS": "31999",
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "3600000",
    "ANTHROPIC_MODEL": "claude-sonnet-4-5-20250929",
    "GITHUB_TOKEN": "${GITHUB_TOKEN}",
    "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer ${OTEL_TOKEN}"
  },
  "apiKeyHelper": "/Users/me/bin/anthropic-key-2024",
  "permissions": {
    "allow": ["Bash(npm run test:*)", "Read(//Users/me/notes/**)", "Edit(/src/**)", "mcp__fs", "WebFetch(domain:docs.rs)"],
    "deny": ["Read(./.env)", "Read(./secrets/**)", "Bash(security find-generic-password:*)"],
    "additionalDirectories": ["/Users/me/shared", "../lib"]
  },
  "hooks": {
    "PostToolUse": [
      {"matcher": "Edit|Write", "hooks": [{"type": "command", "command": "/Users/me/.claude/hooks/fmt.sh \"$CLAUDE_PROJECT_DIR\""}]}
    ]
  },
  "statusLine": {"type": "command", "command": "~/.claude/statusline.sh"},
  "enabledPlugins": {"hello@demo-market": true},
  "feedbackSurveyState": {"lastShownTime": 1754082110438},
  "projectHash": "3f786850e387550fdab836ed7e6dc881de23001b"
}"#;

    #[test]
    fn a_usual_settings_file_and_the_products_own_pages_hold_none() {
        assert_eq!(kinds(SETTINGS), []);
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut pages = 0;
        for file in walkdir::WalkDir::new(root.join("docs")).into_iter().flatten() {
            if let Ok(text) = std::fs::read_to_string(file.path()) {
                assert_eq!(kinds(&text), [], "{}", file.path().display());
                pages += 1;
            }
        }
        assert!(pages > 20, "there are only {pages} pages");
        assert_eq!(kinds(&std::fs::read_to_string(root.join("README.md")).unwrap()), []);
    }

    #[test]
    fn an_encrypted_file_is_well_until_somebody_writes_into_it() {
        let identity = Identity::generate();
        let recipients = vec![identity.recipient()];
        let rule = Rule { recipients, selection: Selection::default(), scope: MacScope::All };
        let source =
            Source { name: "a.enc.yaml", text: "api_key: 9f8e7d6c5b4a39281706f5e4d3c2b1a0\nempty: \"\"\n" };
        let text = encrypt(source, &rule, chrono::DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(plain_secrets("a.enc.yaml", &text), []);
        let by_hand = text.replace("empty: \"\"", "empty: \"\"\nadded: word");
        assert_eq!(plain_secrets("a.enc.yaml", &by_hand), [Found { line: 3, kind: Kind::NotEncrypted }]);
        let broken = text.replace("sops:", "sops: [");
        assert_eq!(plain_secrets("a.enc.yaml", &broken), [Found { line: 1, kind: Kind::NotEncrypted }]);
    }
}
