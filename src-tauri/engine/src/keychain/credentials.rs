//! Claude Code's stored login: one JSON object with a key for each thing it can log in to.

use super::Sensitive;
use crate::claude_home::{DocumentFault, parse_document};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt;

/// The key of the login with Anthropic; the others are of MCP servers, plugins and the like.
const CLAUDE: &str = "claudeAiOauth";

/// What a login is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginKind {
    /// Access token and refresh token: it renews itself.
    Full,
    /// An access token alone: it works until it ends.
    Lease,
    /// What Claude Code leaves when its refresh was refused: both tokens blank.
    Tombstone,
    /// The year-long token of `claude setup-token`.
    Token,
    /// A key of the Console.
    Key,
}

/// A token's digest, by which tokens are compared and told apart without being shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    fn hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Fingerprint {
    /// Eight digits: enough for a person to tell two logins apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex()[..8])
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<Fingerprint> for String {
    fn from(print: Fingerprint) -> Self {
        print.hex()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digit = |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(digit).collect();
        let bytes = bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| "not a fingerprint".into())
    }
}

/// Whose login it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Anthropic's id of the account.
    pub uuid: String,
    /// Anthropic's id of the organization, where it is told.
    pub organization: Option<String>,
}

impl Account {
    /// The account that a `.claude.json` names.
    #[must_use]
    pub fn in_state(state: &Map<String, Value>) -> Option<Self> {
        Self::read(state.get("oauthAccount")?)
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        Some(Self {
            uuid: text("accountUuid")?.to_owned(),
            organization: text("organizationUuid").map(str::to_owned),
        })
    }

    /// Whether it can be the other one's: an organization that one side does not tell differs from none.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let organizations = self.organization.as_ref().zip(other.organization.as_ref());
        self.uuid == other.uuid && organizations.is_none_or(|(one, other)| one == other)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An id of a person is no secret, but no business of a log either.
        write!(f, "account {}", Fingerprint::of(&self.uuid))
    }
}

/// A stored login, whole. Its `Debug` tells what it is and nothing of what it holds.
#[derive(Clone, PartialEq)]
pub struct Credentials {
    blob: Map<String, Value>,
}

impl Credentials {
    /// Reads what Claude Code stores.
    ///
    /// # Errors
    /// When it is not one JSON object.
    pub fn parse(text: &[u8]) -> Result<Self, DocumentFault> {
        parse_document(text).map(|blob| Self { blob })
    }

    /// A login of two tokens and nothing more, as the pair `claude.ai`, `claude.ai.refresh` holds it.
    #[must_use]
    pub fn of_pair(access: &str, refresh: &str) -> Self {
        let claude = json!({ "accessToken": access, "refreshToken": refresh, "scopes": ["user:inference"] });
        Self { blob: Map::from_iter([(CLAUDE.to_owned(), claude)]) }
    }

    /// The year-long token of `claude setup-token`, in the form of a lease. Claude Code uses a stored
    /// access token without a refresh token as it is, and it stands in nobody's environment then.
    ///
    /// Source: observed with 2.1.330 and 2.0.77; scope and lifetime by Anthropic's documentation.
    #[must_use]
    pub fn of_setup_token(token: &str, until: DateTime<Utc>) -> Self {
        let claude = json!({
            "accessToken": token, "expiresAt": until.timestamp_millis(), "scopes": ["user:inference"],
        });
        Self { blob: Map::from_iter([(CLAUDE.to_owned(), claude)]) }
    }

    /// As Claude Code stores it.
    #[must_use]
    pub fn text(&self) -> Sensitive<Vec<u8>> {
        Sensitive::new(Value::Object(self.blob.clone()).to_string().into_bytes())
    }

    fn claude(&self) -> Option<&Map<String, Value>> {
        self.blob.get(CLAUDE)?.as_object()
    }

    fn token(&self, key: &str) -> Option<&str> {
        self.claude()?.get(key)?.as_str().filter(|token| !token.is_empty())
    }

    /// What kind of login with Anthropic it holds, if any.
    #[must_use]
    pub fn kind(&self) -> Option<LoginKind> {
        self.claude()?;
        Some(match (self.token("accessToken"), self.token("refreshToken")) {
            (Some(_), Some(_)) => LoginKind::Full,
            (Some(_), None) => LoginKind::Lease,
            (None, _) => LoginKind::Tombstone,
        })
    }

    /// Whether it renews itself.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.kind() == Some(LoginKind::Full)
    }

    /// When the access token ends, in milliseconds since 1970.
    #[must_use]
    pub fn expires_ms(&self) -> Option<i64> {
        self.claude()?.get("expiresAt")?.as_i64()
    }

    /// When the access token ends.
    #[must_use]
    pub fn expires(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.expires_ms()?)
    }

    /// What the access token may be used for.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        let scopes = self.claude().and_then(|claude| claude.get("scopes")).and_then(Value::as_array);
        scopes.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The plan that Claude Code wrote down, such as `max`.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        self.token("subscriptionType")
    }

    /// Whose it is, where the login itself tells.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        Account::read(self.blob.get(CLAUDE)?)
    }

    /// The access token's fingerprint.
    #[must_use]
    pub fn access_print(&self) -> Option<Fingerprint> {
        self.token("accessToken").map(Fingerprint::of)
    }

    /// The refresh token's fingerprint.
    #[must_use]
    pub fn refresh_print(&self) -> Option<Fingerprint> {
        self.token("refreshToken").map(Fingerprint::of)
    }

    /// Both tokens, for the stores that keep them apart.
    pub(super) fn tokens(&self) -> Option<(Sensitive<String>, Sensitive<String>)> {
        let secret = |key: &str| self.token(key).map(|token| Sensitive::new(token.to_owned()));
        secret("accessToken").zip(secret("refreshToken"))
    }

    /// What a session gets that must not renew the login: the access token and when it ends, and
    /// nothing of MCP servers or plugins. `None` when there is no access token.
    #[must_use]
    pub fn lease(&self) -> Option<Self> {
        self.token("accessToken")?;
        let kept = self.claude()?.iter().filter(|(key, _)| !key.starts_with("refreshToken"));
        let mut claude: Map<_, _> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
        // Without a time Claude Code would take it for ended.
        let soon = Utc::now().timestamp_millis() + 3_600_000;
        claude.entry("expiresAt").or_insert_with(|| json!(soon));
        Some(Self { blob: Map::from_iter([(CLAUDE.to_owned(), Value::Object(claude))]) })
    }

    /// This login's Anthropic part with everything else of both: each entry that only one side has, and
    /// of entries that both have the one that ends later. Nothing that `other` has is lost.
    #[must_use]
    pub fn with_entries_of(&self, other: &Self) -> Self {
        let mut blob = self.blob.clone();
        for (key, theirs) in other.blob.iter().filter(|(key, _)| *key != CLAUDE) {
            match (blob.get_mut(key), theirs) {
                (None, _) => {
                    blob.insert(key.clone(), theirs.clone());
                }
                (Some(Value::Object(ours)), Value::Object(theirs)) => {
                    for (name, entry) in theirs {
                        let newer = ours.get(name).is_none_or(|known| ends(entry) > ends(known));
                        if newer {
                            ours.insert(name.clone(), entry.clone());
                        }
                    }
                }
                _ => {}
            }
        }
        Self { blob }
    }

    /// Everything but the login with Anthropic of this one, and that of `other`.
    #[must_use]
    pub fn with_login_of(&self, other: &Self) -> Self {
        let mut blob = self.blob.clone();
        if let Some(claude) = other.blob.get(CLAUDE) {
            blob.insert(CLAUDE.to_owned(), claude.clone());
        }
        Self { blob }
    }
}

/// When a token of an MCP server or the like ends; one that does not say counts as oldest.
fn ends(entry: &Value) -> i64 {
    entry.get("expiresAt").and_then(Value::as_i64).unwrap_or(i64::MIN)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?}, {:?})", self.kind(), self.refresh_print())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(value: &Value) -> Credentials {
        Credentials::parse(value.to_string().as_bytes()).unwrap()
    }

    fn full() -> Credentials {
        parse(&json!({
            "claudeAiOauth": {"accessToken": "FAKE-a", "refreshToken": "FAKE-r", "refreshTokenExpiresAt": 9, "expiresAt": 5,
                "scopes": ["user:inference"], "subscriptionType": "max", "accountUuid": "u", "future": 1},
            "mcpOAuth": {"one": {"accessToken": "FAKE-m", "refreshToken": "FAKE-n"}},
        }))
    }

    #[test]
    fn kinds_are_told_apart() {
        let kind = |value: Value| parse(&value).kind();
        assert_eq!(full().kind(), Some(LoginKind::Full));
        assert_eq!(full().lease().unwrap().kind(), Some(LoginKind::Lease));
        let blank = json!({"claudeAiOauth": {"accessToken": "", "refreshToken": "", "expiresAt": 0}});
        assert_eq!(kind(blank), Some(LoginKind::Tombstone));
        assert_eq!(
            kind(json!({"claudeAiOauth": {"accessToken": "FAKE", "refreshToken": null}})),
            Some(LoginKind::Lease)
        );
        assert_eq!(kind(json!({"mcpOAuth": {}})), None);
    }

    #[test]
    fn a_lease_holds_nothing_that_renews() {
        let lease = full().lease().unwrap();
        let text = String::from_utf8(lease.text().reveal().clone()).unwrap();
        assert!(text.contains("FAKE-a") && text.contains("\"future\":1"), "{text}");
        for secret in ["FAKE-r", "refresh", "mcp", "FAKE-m"] {
            assert!(!text.contains(secret), "{text}");
        }
        let untimed = Credentials::of_pair("FAKE-a", "FAKE-r").lease().unwrap();
        assert!(untimed.expires_ms().is_some());
    }

    #[test]
    fn debug_output_shows_no_token() {
        let shown = format!("{:?} {:?}", full(), full().account());
        assert!(!shown.contains("FAKE") && !shown.contains("\"u\""), "{shown}");
    }

    #[test]
    fn entries_of_both_sides_stay_and_the_later_one_wins() {
        let entry = |ends: i64| json!({"accessToken": "FAKE", "expiresAt": ends});
        let store = parse(&json!({"claudeAiOauth": {"accessToken": "FAKE-s"}, "unknown": 7,
            "mcpOAuth": {"both": entry(1), "ours": entry(1), "old": entry(9)}}));
        let session = parse(&json!({"claudeAiOauth": {"accessToken": "FAKE-x"}, "new": {"a": 1},
            "mcpOAuth": {"both": entry(2), "theirs": entry(1), "old": entry(8)}}));
        let merged = store.with_entries_of(&session);
        assert_eq!(merged.blob["claudeAiOauth"]["accessToken"], "FAKE-s");
        let mcp = merged.blob["mcpOAuth"].as_object().unwrap();
        assert_eq!(
            (mcp.len(), &mcp["both"]["expiresAt"], &mcp["old"]["expiresAt"]),
            (4, &json!(2), &json!(9))
        );
        assert_eq!((&merged.blob["unknown"], &merged.blob["new"]["a"]), (&json!(7), &json!(1)));
    }

    #[test]
    fn accounts_are_the_same_unless_both_sides_tell_otherwise() {
        let account = |uuid: &str, organization: Option<&str>| Account {
            uuid: uuid.into(),
            organization: organization.map(str::to_owned),
        };
        assert!(account("a", None).is_same(&account("a", Some("o"))));
        assert!(!account("a", Some("p")).is_same(&account("a", Some("o"))));
        assert!(!account("b", Some("o")).is_same(&account("a", Some("o"))));
    }

    proptest! {
        #[test]
        fn fingerprints_survive_being_written_down(token in ".*") {
            let print = Fingerprint::of(&token);
            let text = serde_json::to_string(&print).unwrap();
            prop_assert_eq!(serde_json::from_str::<Fingerprint>(&text).unwrap(), print);
        }

        #[test]
        fn what_is_no_fingerprint_is_refused(text in "[0-9a-fé]{0,70}") {
            prop_assert_eq!(Fingerprint::try_from(text.clone()).is_ok(), text.len() == 64 && text.is_ascii());
        }
    }
}
