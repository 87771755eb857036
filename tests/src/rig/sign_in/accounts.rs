//! Who has an account, and which tokens of whom open what: the sign-in server's books.

use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// What a login may do; a token of `claude setup-token` may do the first alone.
const SCOPES: [&str; 2] = ["user:inference", "user:profile"];
/// As long as a token of `claude setup-token` lasts.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What the test calls them.
    pub name: String,
    /// Their id.
    pub uuid: String,
    /// Their address.
    pub email: String,
    /// The id of the organization that they belong to.
    pub organization: String,
}

impl Account {
    pub(super) fn new(name: &str) -> Self {
        let id = || Uuid::new_v4().to_string();
        Self { name: name.into(), uuid: id(), email: format!("{name}@example.com"), organization: id() }
    }

    /// What their organization is called.
    #[must_use]
    pub fn organization_name(&self) -> String {
        format!("{}'s Organization", self.name)
    }
}

/// What somebody has after they signed in, or after their login was renewed.
#[derive(Debug, Clone)]
pub struct Login {
    account: Account,
    access: String,
    refresh: String,
    expires_at: SystemTime,
}

impl Login {
    /// Whose it is.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Its access token.
    #[must_use]
    pub fn access(&self) -> &str {
        &self.access
    }

    /// Its refresh token.
    #[must_use]
    pub fn refresh(&self) -> &str {
        &self.refresh
    }

    /// When the access token's time is over, in milliseconds since 1970.
    #[must_use]
    pub fn expires_at_ms(&self) -> u64 {
        let since = self.expires_at.duration_since(UNIX_EPOCH).expect("a time after 1970");
        u64::try_from(since.as_millis()).expect("a time that Claude Code can write")
    }

    /// It as Claude Code keeps it.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "claudeAiOauth": {
            "accessToken": self.access, "refreshToken": self.refresh, "expiresAt": self.expires_at_ms(),
            "scopes": SCOPES, "subscriptionType": "max",
        } })
    }
}

/// A refresh token that somebody wanted to renew a login with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The token.
    pub refresh: String,
    /// The status it was answered with.
    pub status: u16,
    /// When.
    pub at: SystemTime,
}

/// One time that somebody signed in, with all that came of it.
struct Grant {
    account: Account,
    revoked: bool,
}

struct Access {
    token: String,
    grant: usize,
    until: SystemTime,
    scopes: &'static [&'static str],
}

struct Refresh {
    token: String,
    grant: usize,
    used: bool,
}

/// All accounts, logins and tokens there are. It is told the time.
pub(super) struct Books {
    grants: Vec<Grant>,
    access: Vec<Access>,
    refresh: Vec<Refresh>,
    /// How long the access tokens last that renewals give.
    pub(super) lifetime: Duration,
    pub(super) token_requests: Vec<TokenRequest>,
    pub(super) revocations: Vec<String>,
    /// Every token that was ever given to somebody.
    pub(super) issued: Vec<String>,
}

impl Books {
    pub(super) fn new() -> Self {
        Self {
            grants: Vec::new(),
            access: Vec::new(),
            refresh: Vec::new(),
            lifetime: Duration::from_secs(8 * 3600),
            token_requests: Vec::new(),
            revocations: Vec::new(),
            issued: Vec::new(),
        }
    }

    /// Somebody signs in.
    pub(super) fn login(&mut self, account: &Account, lifetime: Duration, now: SystemTime) -> Login {
        let grant = self.grant(account);
        self.give(grant, lifetime, now)
    }

    /// Somebody makes a token for a machine that cannot sign in.
    pub(super) fn setup_token(&mut self, account: &Account, now: SystemTime) -> String {
        let grant = self.grant(account);
        self.give_access(grant, now + YEAR, &SCOPES[..1])
    }

    /// Somebody wants new tokens for a refresh token, which only the first one gets.
    pub(super) fn renew(&mut self, refresh: &str, now: SystemTime) -> Option<Login> {
        let grants = &self.grants;
        let good = |one: &&mut Refresh| one.token == refresh && !one.used && !grants[one.grant].revoked;
        let grant = self.refresh.iter_mut().find(good).map(|found| {
            found.used = true;
            found.grant
        });
        let login = grant.map(|grant| self.give(grant, self.lifetime, now));
        let status = if login.is_some() { 200 } else { 400 };
        self.token_requests.push(TokenRequest { refresh: refresh.into(), status, at: now });
        login
    }

    /// A refresh token takes the whole login with it, an access token only itself.
    pub(super) fn revoke(&mut self, token: &str) {
        self.revocations.push(token.into());
        if let Some(found) = self.refresh.iter().find(|one| one.token == token) {
            self.grants[found.grant].revoked = true;
        }
        for one in self.access.iter_mut().filter(|one| one.token == token) {
            one.until = UNIX_EPOCH;
        }
    }

    /// The time of every access token of a login is over, whatever was said when it was given.
    pub(super) fn expire_access_tokens(&mut self) {
        for one in self.access.iter_mut().filter(|one| one.scopes == SCOPES) {
            one.until = UNIX_EPOCH;
        }
    }

    /// Whom an access token lets in, and what it may do.
    pub(super) fn holder(&self, token: &str, now: SystemTime) -> Option<(&Account, &[&str])> {
        let found = self.access.iter().find(|one| one.token == token && now < one.until)?;
        let grant = &self.grants[found.grant];
        (!grant.revoked).then_some((&grant.account, found.scopes))
    }

    /// The newest refresh token of somebody, and whether it can be used.
    pub(super) fn newest(&self, account: &Account) -> Option<(&str, bool)> {
        let of = |one: &&Refresh| self.grants[one.grant].account == *account;
        let newest = self.refresh.iter().rev().find(of)?;
        Some((&newest.token, !newest.used && !self.grants[newest.grant].revoked))
    }

    fn grant(&mut self, account: &Account) -> usize {
        self.grants.push(Grant { account: account.clone(), revoked: false });
        self.grants.len() - 1
    }

    fn give(&mut self, grant: usize, lifetime: Duration, now: SystemTime) -> Login {
        let expires_at = now + lifetime;
        let access = self.give_access(grant, expires_at, &SCOPES);
        let refresh = self.token("sk-ant-ort01");
        self.refresh.push(Refresh { token: refresh.clone(), grant, used: false });
        Login { account: self.grants[grant].account.clone(), access, refresh, expires_at }
    }

    fn give_access(&mut self, grant: usize, until: SystemTime, scopes: &'static [&'static str]) -> String {
        let token = self.token("sk-ant-oat01");
        self.access.push(Access { token: token.clone(), grant, until, scopes });
        token
    }

    /// A token that nobody can take for a real one, and that no other test has.
    fn token(&mut self, prefix: &str) -> String {
        let token = format!("{prefix}-FAKE-{}-FAKE", Uuid::new_v4().simple());
        self.issued.push(token.clone());
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn signed_in() -> (Books, Login, SystemTime) {
        let now = UNIX_EPOCH + 1000 * HOUR;
        let mut books = Books::new();
        let login = books.login(&Account::new("ann"), HOUR, now);
        (books, login, now)
    }

    #[test]
    fn a_refresh_token_is_good_once() {
        let (mut books, first, now) = signed_in();
        let second = books.renew(first.refresh(), now).unwrap();
        assert!(books.renew(first.refresh(), now).is_none(), "a used one is good again");
        assert!(books.renew("sk-ant-ort01-FAKE-unknown", now).is_none());
        assert_eq!(books.newest(first.account()), Some((second.refresh(), true)));
        let answered: Vec<_> = books.token_requests.iter().map(|request| request.status).collect();
        assert_eq!(answered, [200, 400, 400]);
    }

    #[test]
    fn an_access_token_lives_until_its_time_is_over() {
        let (mut books, first, now) = signed_in();
        let second = books.renew(first.refresh(), now).unwrap();
        let lets_in = |books: &Books, login: &Login, at| books.holder(login.access(), at).is_some();
        assert!(lets_in(&books, &first, now) && lets_in(&books, &second, now));
        assert!(!lets_in(&books, &first, now + HOUR) && lets_in(&books, &second, now + HOUR));
        books.expire_access_tokens();
        assert!(!lets_in(&books, &second, now));
        assert!(books.renew(second.refresh(), now).is_some(), "the login died with its access token");
    }

    #[test]
    fn revoking_ends_a_login_or_one_access_token_of_it() {
        let (mut books, login, now) = signed_in();
        let other = books.login(login.account(), HOUR, now);
        books.revoke(other.access());
        assert!(books.holder(other.access(), now).is_none());
        assert!(books.renew(other.refresh(), now).is_some());
        books.revoke(login.refresh());
        assert!(books.holder(login.access(), now).is_none());
        assert!(books.renew(login.refresh(), now).is_none());
        assert_eq!(books.revocations, [other.access(), login.refresh()]);
    }

    #[test]
    fn a_setup_token_outlives_logins_and_may_do_less() {
        let (mut books, login, now) = signed_in();
        let token = books.setup_token(login.account(), now);
        books.expire_access_tokens();
        let (account, scopes) = books.holder(&token, now + 24 * HOUR).unwrap();
        assert_eq!((account, scopes), (login.account(), &SCOPES[..1]));
        assert_eq!(books.newest(login.account()), Some((login.refresh(), true)));
        assert_eq!(books.issued, [login.access(), login.refresh(), &token]);
    }
}
