//! What a session is given to log in with.

use super::{
    Credentials, LoginKind, Secret, Sensitive, Vault,
    authority::{Authority, Lives, Standing},
    helper::key_by_helper,
    renew::{ask_host_to_renew, host_claude},
    stores::{CredentialStore, HostLogin, HostStores, Place, Written},
    ways::WAYS,
};
use crate::{
    claude_home::KEY_VARIABLES,
    error_handling::{Code, Error, Result},
    paths::Locations,
    settings::LoginMode,
};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// Claude Code renews a login that ends within this time (observed with 2.1.330).
pub(crate) const RENEWED_BEFORE: Duration = Duration::minutes(5);

/// Variables with a secret value.
pub type SecretVariables = Vec<(String, Sensitive<String>)>;

/// What one session gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct SessionLogin {
    /// Its stored login.
    pub(crate) credentials: Option<Credentials>,
    /// Variables for Claude Code's environment.
    pub(crate) environment: SecretVariables,
}

/// Claude Code's login on this host: from its Keychain item on macOS, else from its file, else from the
/// pair `claude.ai`, `claude.ai.refresh`. `None` when there is none. Blocking.
///
/// # Errors
/// [`Code::ConfigDamaged`] when a store holds something that is not a login;
/// [`Code::KeychainLocked`] and [`Code::KeychainRefused`] when the Keychain does not give it.
pub fn extract_keychain_credentials(locations: &Locations) -> Result<Option<HostLogin>> {
    HostStores::of(locations).ask().0
}

/// Puts a login where Claude Code on this host looks for it: into its Keychain item on macOS. Off macOS the
/// Keychain is skipped, with the reason, and the file has it. Never over a newer login, or one of another
/// account. Blocking.
///
/// # Errors
/// [`Code::LoginRefused`] when the store's own login is the one to keep; when the store refuses.
pub fn store_to_keychain(locations: &Locations, login: &Credentials) -> Result<Stored> {
    let skipped = HostStores::of(locations)
        .ask()
        .1
        .into_iter()
        .find(|asked| asked.store == super::StoreKind::Keychain)
        .and_then(|asked| asked.not_because)
        .filter(|_| cfg!(not(target_os = "macos")) || !locations.own_home);
    match Authority::of_host(locations).bring(login)? {
        super::authority::Brought::Taken => Ok(Stored { keychain_skipped: skipped }),
        super::authority::Brought::Refused => {
            Err(Error::new(Code::LoginRefused, "this computer keeps the login it has")
                .why("the one that was given is older, is no whole login, or is another account's")
                .remedy("look at both: drydock credentials status")
                .remedy("to change accounts, sign in again: claude auth login"))
        }
    }
}

/// Where a login went.
#[derive(Debug, Serialize)]
pub struct Stored {
    /// Why the Keychain was not asked; nothing where it has the login.
    pub keychain_skipped: Option<String>,
}

/// Keeps the token that `claude setup-token` printed. Blocking.
///
/// # Errors
/// [`Code::Usage`] when it is none; when the keyring refuses.
pub fn keep_setup_token(locations: &Locations, token: &Sensitive<String>) -> Result<Place> {
    let text = token.reveal().trim();
    if !text.starts_with("sk-ant-oat") || text.contains(char::is_whitespace) {
        return Err(Error::new(Code::Usage, "that is not a token of `claude setup-token`")
            .why("such a token begins with sk-ant-oat and is one word")
            .remedy("run `claude setup-token`, and give drydock the last line it prints"));
    }
    let kept = KeptToken { token: text.to_owned(), since: Utc::now() };
    let value = serde_json::to_string(&kept)
        .map_err(|_| Error::new(Code::Internal, "the token cannot be written down"))?;
    Vault::of(locations).write(&Secret::SetupToken, &Sensitive::new(value))
}

/// The setup token, and until when it is good. Blocking.
///
/// # Errors
/// When the keyring refuses.
pub(crate) fn setup_token(locations: &Locations) -> Result<Option<Credentials>> {
    let Some((text, _)) = Vault::of(locations).read(&Secret::SetupToken)? else { return Ok(None) };
    let kept: KeptToken = serde_json::from_str(text.reveal())
        .map_err(|_| Error::new(Code::ConfigDamaged, "the kept setup token cannot be read").remedy(SETUP))?;
    // A year by Anthropic's documentation, counted from when it was given to us.
    Ok(Some(Credentials::of_setup_token(&kept.token, kept.since + Duration::days(365))))
}

const SETUP: &str = "claude setup-token, then: drydock credentials store setup-token";

#[derive(Serialize, Deserialize)]
struct KeptToken {
    token: String,
    since: DateTime<Utc>,
}

/// Looks whether a mode has something to give, and changes nothing. `given` are the variables that the
/// user passed or has set; with [`LoginMode::Ask`] their presence is the choice. Blocking.
///
/// # Errors
/// [`Code::LoginUndecided`] when nothing was chosen; [`Code::LoginNone`] when there is nothing to give.
pub(crate) fn check_login(
    locations: &Locations,
    mode: LoginMode,
    given: &[(String, Sensitive<String>)],
) -> Result<Option<Credentials>> {
    match mode {
        LoginMode::Ask if given.is_empty() => Err(undecided()),
        LoginMode::Ask | LoginMode::ApiKey => {
            if given.is_empty() && !super::helper::has_helper(locations) {
                return Err(no_key());
            }
            Ok(None)
        }
        LoginMode::SetupToken => setup_token(locations)?
            .map(Some)
            .ok_or_else(|| Error::new(Code::LoginNone, "no setup token is kept").remedy(SETUP)),
        LoginMode::Own => {
            let (store, standing) = standing(locations, mode)?;
            Ok(store.filter(|_| standing != Standing::Ended))
        }
        LoginMode::Lease => {
            let login = lendable(standing(locations, mode)?.0)?;
            if is_over(&login) && host_claude(&locations.home).is_none() {
                return Err(expired());
            }
            Ok(Some(login))
        }
        LoginMode::Copy => {
            let (store, standing) = standing(locations, mode)?;
            if standing == Standing::Ended {
                return Err(none("this computer's login has ended"));
            }
            lendable(store).map(Some)
        }
    }
}

/// Makes what a session gets. From then on it may hold the refresh token. Blocking.
///
/// # Errors
/// As [`check_login`].
pub(crate) fn give_login(
    locations: &Locations,
    mode: LoginMode,
    mut given: SecretVariables,
    session: &str,
    lives: Lives<'_>,
) -> Result<SessionLogin> {
    if mode == LoginMode::Lease {
        renew_in_time(locations, |login| is_over_within(login, RENEWED_BEFORE));
    }
    let checked = check_login(locations, mode, &given)?;
    let stored = |credentials| SessionLogin { credentials, environment: Vec::new() };
    match Authority::of(locations, mode) {
        Some(authority) => {
            let login = authority.launch(session, lives)?;
            if mode == LoginMode::Lease && login.as_ref().is_none_or(is_over) {
                return Err(expired());
            }
            Ok(stored(login))
        }
        None if mode == LoginMode::SetupToken => Ok(stored(checked)),
        None => {
            if given.is_empty() {
                given.push(("ANTHROPIC_API_KEY".into(), key_by_helper(locations)?));
            }
            Ok(SessionLogin { credentials: None, environment: given })
        }
    }
}

/// Has the host's Claude Code renew the host's login when that is due. What hinders it shows in the login
/// itself.
pub(crate) fn renew_in_time(locations: &Locations, is_due: impl Fn(&Credentials) -> bool) {
    let due = || {
        let login = HostStores::of(locations).read().ok().and_then(super::Found::login);
        login.is_some_and(|login| login.is_full() && is_due(&login))
    };
    if due()
        && let Err(error) = ask_host_to_renew(locations, due)
    {
        tracing::warn!(%error, "the login on this computer was not renewed");
    }
}

fn standing(locations: &Locations, mode: LoginMode) -> Result<(Option<Credentials>, Standing)> {
    Authority::of(locations, mode).map_or(Ok((None, Standing::Held(None))), |authority| authority.standing())
}

fn lendable(login: Option<Credentials>) -> Result<Credentials> {
    let login = login.ok_or_else(|| none("there is no login on this computer to lend to the session"))?;
    match login.kind() {
        Some(LoginKind::Full) => Ok(login),
        Some(LoginKind::Tombstone) => Err(none("this computer's login has ended")),
        _ => Err(none("this computer's login holds no Claude account")),
    }
}

pub(crate) fn is_over(login: &Credentials) -> bool {
    is_over_within(login, Duration::zero())
}

pub(crate) fn is_over_within(login: &Credentials, time: Duration) -> bool {
    login.expires().is_some_and(|at| at <= Utc::now() + time)
}

fn undecided() -> Error {
    let error = Error::new(Code::LoginUndecided, "how sessions log in has not been chosen yet");
    let width = WAYS.iter().map(|way| way.word.len()).max().unwrap_or_default();
    let error = WAYS.iter().fold(error, |error, way| {
        error.remedy(format!("drydock settings set login.mode {:width$}   ({})", way.word, short(way.mode)))
    });
    error.why("docs/login.md says what each means")
}

fn short(mode: LoginMode) -> &'static str {
    match mode {
        LoginMode::Own => "sign in once inside; Drydock keeps that login for sessions",
        LoginMode::SetupToken => "the token of your own `claude setup-token`",
        LoginMode::Lease => "sessions borrow this computer's login: access token only",
        LoginMode::Copy => "one session at a time gets this computer's whole login",
        LoginMode::Ask | LoginMode::ApiKey => "ANTHROPIC_API_KEY or your apiKeyHelper",
    }
}

fn no_key() -> Error {
    Error::new(Code::LoginNone, "no key is given to the session")
        .why(format!("none of {} is set, and your settings name no apiKeyHelper", KEY_VARIABLES.join(", ")))
        .remedy("set one of them, or choose another way: drydock settings set login.mode own")
}

fn none(message: &str) -> Error {
    Error::new(Code::LoginNone, message)
        .remedy("sign in on this computer: claude auth login")
        .remedy("or sign in inside sessions: drydock settings set login.mode own")
}

fn expired() -> Error {
    none("this computer's login has expired")
        .why("the access token is past its time, and only Claude Code itself may renew it")
        .remedy("let it renew: claude auth status")
}

/// Copies the host's login into the pair `claude.ai`, `claude.ai.refresh`. Blocking.
///
/// # Errors
/// [`Code::LoginNone`] when there is no whole login here; when the keyring refuses.
pub fn copy_to_pair(locations: &Locations) -> Result<Written> {
    let login = lendable(extract_keychain_credentials(locations)?.map(|found| found.login))?;
    let pair = super::stores::Pair::of(locations);
    let there = pair.read()?.login();
    pair.replace(there.as_ref(), &login)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;

    fn home_with(credentials: &Value) -> (tempfile::TempDir, Locations) {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        fs::create_dir_all(&locations.claude_dir).unwrap();
        fs::write(locations.claude_dir.join(".credentials.json"), credentials.to_string()).unwrap();
        (home, locations)
    }

    fn full(access: &str, expires: i64) -> Value {
        json!({"claudeAiOauth": {"accessToken": access, "refreshToken": "FAKE-refresh", "refreshTokenExpiresAt": 1,
            "expiresAt": expires, "scopes": ["user:inference"]}, "mcpOAuth": {"x": {"accessToken": "FAKE-mcp"}}})
    }

    const FAR: i64 = 4_000_000_000_000;

    fn give(locations: &Locations, mode: LoginMode) -> Result<SessionLogin> {
        give_login(locations, mode, Vec::new(), "s", &|_| false)
    }

    #[test]
    fn a_lease_is_the_access_token_and_nothing_that_renews_it() {
        let (_home, locations) = home_with(&full("FAKE-access", FAR));
        let login = give(&locations, LoginMode::Lease).unwrap();
        let text = String::from_utf8(login.credentials.unwrap().text().reveal().clone()).unwrap();
        assert!(text.contains("FAKE-access") && text.contains("expiresAt") && text.contains("scopes"));
        assert!(!text.contains("refresh") && !text.contains("mcp"), "{text}");
    }

    #[test]
    fn a_copy_is_whole_for_one_session_and_a_lease_for_the_next() {
        let (_home, locations) = home_with(&full("FAKE-access", FAR));
        let kind = |session: &str| {
            let given = give_login(&locations, LoginMode::Copy, Vec::new(), session, &|_| true).unwrap();
            given.credentials.unwrap().kind()
        };
        assert_eq!(kind("one"), Some(LoginKind::Full));
        assert_eq!(kind("two"), Some(LoginKind::Lease));
        assert_eq!(kind("one"), Some(LoginKind::Full));
    }

    #[test]
    fn ended_and_expired_logins_are_told_apart() {
        let (_home, locations) = home_with(&full("", 0));
        let error = give(&locations, LoginMode::Lease).unwrap_err();
        assert!(error.message().contains("ended"), "{error}");
        let error = give(&locations, LoginMode::Copy).unwrap_err();
        assert!(error.message().contains("ended"), "{error}");
    }

    #[test]
    fn undecided_names_every_way() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let error = give(&locations, LoginMode::Ask).unwrap_err();
        assert_eq!((error.code(), error.remedies().len()), (Code::LoginUndecided, 5));
        let given = vec![("ANTHROPIC_API_KEY".to_owned(), Sensitive::new("FAKE".to_owned()))];
        let login = give_login(&locations, LoginMode::Ask, given, "s", &|_| false).unwrap();
        assert_eq!(login.environment.len(), 1);
    }

    #[test]
    fn what_is_no_setup_token_is_refused_and_not_shown() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        for wrong in ["sk-ant-api03-FAKE", "", "sk-ant-oat01-FAKE and more"] {
            let error = keep_setup_token(&locations, &Sensitive::new(wrong.to_owned())).unwrap_err();
            assert_eq!(error.code(), Code::Usage);
            assert!(!format!("{error:?}").contains("FAKE"));
        }
    }
}
