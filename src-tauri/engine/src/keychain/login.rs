//! What a session is given to log in with.

use super::{Sensitive, extract_keychain_credentials};
use crate::{
    claude_home::parse_document,
    error_handling::{Code, Error, IoContext, Result},
    paths::{Locations, create_private_dir},
    settings::LoginMode,
};
use chrono::Utc;
use serde_json::{Map, Value, json};
use std::{fs, io::Write, path::PathBuf};

/// The variables that carry a key or a token to Claude Code, in its own order of precedence.
pub const KEY_VARIABLES: &[&str] = &["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"];

/// What one session gets.
#[derive(Debug, Clone, Default)]
pub struct SessionLogin {
    /// The content of its `.credentials.json`.
    pub credentials: Option<Sensitive<Vec<u8>>>,
    /// Variables for Claude Code's environment.
    pub environment: Vec<(String, Sensitive<String>)>,
}

/// Makes what `mode` gives a session. `given` are the variables that the user passed or has set;
/// with [`LoginMode::Ask`] their presence is the choice.
///
/// # Errors
/// [`Code::LoginUndecided`] when nothing was chosen; [`Code::LoginNone`] when there is nothing to give.
pub fn session_login(
    locations: &Locations,
    mode: LoginMode,
    given: Vec<(String, Sensitive<String>)>,
) -> Result<SessionLogin> {
    match mode {
        LoginMode::Ask if given.is_empty() => Err(undecided()),
        LoginMode::Ask | LoginMode::ApiKey => {
            if given.is_empty() {
                return Err(Error::new(Code::LoginNone, "no key is given to the session")
                    .why(format!("none of {} is set", KEY_VARIABLES.join(", ")))
                    .remedy("set one of them, or choose another way: drydock settings set login.mode own"));
            }
            Ok(SessionLogin { credentials: None, environment: given })
        }
        LoginMode::Own => Ok(SessionLogin { credentials: own_login(locations), environment: Vec::new() }),
        LoginMode::Lease => {
            let credentials = Some(lease(locations)?);
            Ok(SessionLogin { credentials, environment: Vec::new() })
        }
    }
}

fn undecided() -> Error {
    Error::new(Code::LoginUndecided, "how sessions log in has not been chosen yet")
        .remedy("drydock settings set login.mode own       (sign in once inside; Drydock keeps that login for sessions)")
        .remedy("drydock settings set login.mode lease     (sessions borrow this computer's login: access token only)")
        .remedy("drydock settings set login.mode api-key   (sessions use ANTHROPIC_API_KEY from your environment)")
}

fn lease(locations: &Locations) -> Result<Sensitive<Vec<u8>>> {
    let none = |message: &str| {
        Error::new(Code::LoginNone, message)
            .remedy("sign in on this computer: claude auth login")
            .remedy("or sign in inside sessions: drydock settings set login.mode own")
    };
    let login = extract_keychain_credentials(locations)?
        .ok_or_else(|| none("there is no login on this computer to lend to the session"))?;
    let oauth = login.oauth().ok_or_else(|| none("this computer's login holds no Claude account"))?;
    let token = oauth.get("accessToken").and_then(Value::as_str).unwrap_or_default();
    if token.is_empty() {
        // What Claude Code leaves behind when its refresh was refused.
        return Err(none("this computer's login has ended"));
    }
    let expires = oauth.get("expiresAt").and_then(Value::as_i64).unwrap_or_default();
    if expires <= Utc::now().timestamp_millis() {
        return Err(none("this computer's login has expired")
            .why("the access token is past its time, and only Claude Code itself may renew it")
            .remedy("let it renew: claude -p hi"));
    }
    let kept: Map<_, _> = oauth
        .iter()
        .filter(|(key, _)| !key.starts_with("refreshToken"))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    Ok(Sensitive::new(json!({ "claudeAiOauth": kept }).to_string().into_bytes()))
}

fn own_file(locations: &Locations) -> PathBuf {
    locations.data_dir.join("login.json")
}

fn own_login(locations: &Locations) -> Option<Sensitive<Vec<u8>>> {
    fs::read(own_file(locations)).ok().map(Sensitive::new)
}

/// Keeps the login that a session made inside, for later sessions. A blanked login or an older one
/// never replaces one that is good.
///
/// # Errors
/// When it cannot be written.
pub fn keep_own_login(locations: &Locations, from_session: &Sensitive<Vec<u8>>) -> Result<bool> {
    let Some(new) = expiry(from_session.reveal()) else { return Ok(false) };
    let file = own_file(locations);
    if fs::read(&file).ok().and_then(|old| expiry(&old)).is_some_and(|old| old >= new) {
        return Ok(false);
    }
    create_private_dir(&locations.data_dir)?;
    // Made for its owner only, whatever the umask: tempfile opens with 0600.
    let mut staged =
        tempfile::NamedTempFile::new_in(&locations.data_dir).context("write in", &locations.data_dir)?;
    staged
        .write_all(from_session.reveal())
        .and_then(|()| staged.as_file().sync_all())
        .context("write", &file)?;
    staged.persist(&file).map(|_| true).map_err(|failed| Error::io("write", &file, &failed.error))
}

/// When a whole login ends; `None` for a blanked one, a lease, or something else.
fn expiry(text: &[u8]) -> Option<i64> {
    let blob = parse_document(text).ok()?;
    let oauth = blob.get("claudeAiOauth")?;
    let full = |key: &str| oauth.get(key).and_then(Value::as_str).is_some_and(|token| !token.is_empty());
    (full("accessToken") && full("refreshToken")).then(|| oauth.get("expiresAt").and_then(Value::as_i64))?
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_lease_is_the_access_token_and_nothing_that_renews_it() {
        let (_home, locations) = home_with(&full("FAKE-access", FAR));
        let login = session_login(&locations, LoginMode::Lease, Vec::new()).unwrap();
        let text = String::from_utf8(login.credentials.unwrap().reveal().clone()).unwrap();
        assert!(text.contains("FAKE-access") && text.contains("expiresAt") && text.contains("scopes"));
        assert!(!text.contains("refresh") && !text.contains("mcp"), "{text}");
    }

    #[test]
    fn ended_and_expired_logins_are_told_apart() {
        let (_home, locations) = home_with(&full("", 0));
        let error = session_login(&locations, LoginMode::Lease, Vec::new()).unwrap_err();
        assert!(error.message().contains("ended"), "{error}");
        let (_home, locations) = home_with(&full("FAKE-access", 1));
        let error = session_login(&locations, LoginMode::Lease, Vec::new()).unwrap_err();
        assert!(error.message().contains("expired"), "{error}");
    }

    #[test]
    fn undecided_names_every_way() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let error = session_login(&locations, LoginMode::Ask, Vec::new()).unwrap_err();
        assert_eq!((error.code(), error.remedies().len()), (Code::LoginUndecided, 3));
        let given = vec![("ANTHROPIC_API_KEY".to_owned(), Sensitive::new("FAKE".to_owned()))];
        assert_eq!(session_login(&locations, LoginMode::Ask, given).unwrap().environment.len(), 1);
    }

    #[test]
    fn a_blanked_login_never_replaces_a_good_one() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let keep = |value: &Value| {
            keep_own_login(&locations, &Sensitive::new(value.to_string().into_bytes())).unwrap()
        };
        assert!(keep(&full("FAKE-one", FAR)));
        assert!(!keep(&json!({"claudeAiOauth": {"accessToken": "", "refreshToken": "", "expiresAt": 0}})));
        assert!(!keep(&full("FAKE-old", FAR - 1)));
        assert!(keep(&full("FAKE-two", FAR + 1)));
        let login = session_login(&locations, LoginMode::Own, Vec::new()).unwrap();
        assert!(String::from_utf8(login.credentials.unwrap().reveal().clone()).unwrap().contains("FAKE-two"));
    }
}
