//! How logins stand, for people and programs: kinds, times and fingerprints, never a value.

use super::{
    Asked, Contest, CredentialStore, Credentials, Fingerprint, HostStores, KEY_VARIABLES, LoginKind,
    OtherLogin, Place, Secret, StoreKind, Vault, Way,
    authority::{Authority, Standing},
    contests,
    login::{is_over, setup_token},
    renew::host_claude,
    stores::Pair,
    way_of,
};
use crate::{
    error_handling::{Code, Error, Result},
    paths::{Locations, write_private},
    settings::LoginMode,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::path::Path;

/// A login as it can be shown.
#[derive(Debug, Serialize)]
pub struct LoginView {
    /// What it is good for.
    pub kind: LoginKind,
    /// When its access token ends.
    pub expires: Option<DateTime<Utc>>,
    /// Whether that is past.
    pub expired: bool,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// The plan, as Claude Code wrote it down.
    pub plan: Option<String>,
    /// The access token's fingerprint, short.
    pub access: Option<String>,
    /// The refresh token's fingerprint, short.
    pub refresh: Option<String>,
}

impl LoginView {
    /// What can be shown of a login; nothing if it holds none with Anthropic.
    #[must_use]
    pub fn of(login: &Credentials) -> Option<Self> {
        let short = |print: Option<Fingerprint>| print.map(|print| print.to_string());
        Some(Self {
            kind: login.kind()?,
            expires: login.expires().filter(|_| login.kind() != Some(LoginKind::Tombstone)),
            expired: is_over(login),
            scopes: login.scopes(),
            plan: login.plan().map(str::to_owned),
            access: short(login.access_print()),
            refresh: short(login.refresh_print()),
        })
    }
}

/// A login that Drydock keeps, as it can be shown.
#[derive(Debug, Serialize)]
pub struct KeptLogin {
    /// The login.
    #[serde(flatten)]
    pub login: LoginView,
    /// Where it is kept.
    pub place: Place,
}

/// A key of the environment as it can be shown.
#[derive(Debug, Serialize)]
pub struct KeyView {
    /// The variable.
    pub variable: &'static str,
    /// What it is good for.
    pub kind: LoginKind,
    /// Its fingerprint, short.
    pub fingerprint: String,
}

impl KeyView {
    fn of(variable: &'static str) -> Option<Self> {
        let value = std::env::var(variable).ok().filter(|value| !value.is_empty())?;
        let kind = match variable {
            "ANTHROPIC_API_KEY" => LoginKind::Key,
            _ => LoginKind::Token,
        };
        Some(Self { variable, kind, fingerprint: Fingerprint::of(&value).to_string() })
    }
}

/// Whether the system's keyring answers.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "why")]
pub enum KeyringState {
    /// It does.
    Answers,
    /// There is none, or it refuses, and why.
    No(String),
}

/// Something to know of a login, and what to do.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// What was found, in one sentence.
    pub found: String,
    /// What to do.
    pub remedy: String,
}

/// How all logins of a home stand.
#[derive(Debug, Serialize)]
pub struct CredentialsStatus {
    /// The chosen way; nothing while it is not chosen.
    pub way: Option<&'static Way>,
    /// The stores of this computer's login, as they were asked.
    pub host_stores: Vec<Asked>,
    /// Which of them answered.
    pub host_store: Option<StoreKind>,
    /// This computer's login.
    pub host: Option<LoginView>,
    /// The login that Drydock keeps for sessions, and where.
    pub own: Option<KeptLogin>,
    /// The setup token, and where.
    pub setup_token: Option<LoginView>,
    /// Whether the system's keyring answers.
    pub keyring: KeyringState,
    /// The keys that are set in the environment.
    pub keys: Vec<KeyView>,
    /// The session that holds the refresh token.
    pub holder: Option<String>,
    /// The Claude Code on this computer that can renew its login.
    pub renewed_by: Option<std::path::PathBuf>,
    /// Logins of other accounts that wait for a decision.
    pub others: Vec<OtherLogin>,
    /// One way that wins over the chosen one.
    pub contests: Vec<Contest>,
    /// What wants attention.
    pub findings: Vec<Finding>,
}

/// Looks at every login of a home. Blocking; on macOS it reads Claude Code's Keychain item once.
///
/// # Errors
/// When Drydock's own records cannot be read.
pub fn credentials_status(locations: &Locations, mode: LoginMode) -> Result<CredentialsStatus> {
    let (answer, host_stores) = HostStores::of(locations).ask();
    let mut findings = Vec::new();
    let host = match answer {
        Ok(host) => host,
        Err(error) => {
            findings.push(as_finding(&error));
            None
        }
    };
    let vault = Vault::of(locations);
    let own = match vault.read(&Secret::OwnLogin) {
        Ok(own) => own,
        Err(error) => {
            findings.push(as_finding(&error));
            None
        }
    };
    let own = own.and_then(|(text, place)| {
        let login = LoginView::of(&Credentials::parse(text.reveal().as_bytes()).ok()?)?;
        Some(KeptLogin { login, place })
    });
    let (keyring, token) = match setup_token(locations) {
        Ok(token) => (KeyringState::Answers, token),
        Err(error) => {
            // Without a keyring all else works, but for the one way that has to have one.
            if error.code() != Code::KeyringNone || mode == LoginMode::SetupToken {
                findings.push(as_finding(&error));
            }
            (KeyringState::No(why(&error)), None)
        }
    };
    let mut standing = Standing::Held(None);
    if let Some(authority) = Authority::of(locations, mode) {
        match authority.standing() {
            Ok((_, found)) => standing = found,
            Err(error) if findings.is_empty() => findings.push(as_finding(&error)),
            Err(_) => {}
        }
    }
    let status = CredentialsStatus {
        way: way_of(mode),
        host_stores,
        host_store: host.as_ref().map(|host| host.store),
        host: host.as_ref().and_then(|host| LoginView::of(&host.login)),
        own,
        setup_token: token
            .as_ref()
            .and_then(LoginView::of)
            .map(|view| LoginView { kind: LoginKind::Token, ..view }),
        keyring,
        keys: KEY_VARIABLES.iter().filter_map(|name| KeyView::of(name)).collect(),
        holder: match &standing {
            Standing::Held(holder) => holder.clone(),
            Standing::Ended => None,
        },
        renewed_by: host_claude(&locations.home),
        others: Authority::of_host(locations).others()?,
        contests: contests(locations, mode, |name| std::env::var_os(name).is_some()),
        findings,
    };
    Ok(with_findings(status, mode, &standing))
}

fn with_findings(mut status: CredentialsStatus, mode: LoginMode, standing: &Standing) -> CredentialsStatus {
    let mut found = Vec::new();
    let mut say = |text: String, remedy: &str| found.push(Finding { found: text, remedy: remedy.into() });
    const SIGN_IN: &str = "claude auth login";
    let needs_host = matches!(mode, LoginMode::Lease | LoginMode::Copy);
    if mode == LoginMode::Ask && status.keys.is_empty() {
        say(
            "how sessions log in has not been chosen yet".into(),
            "drydock settings set login.mode own   (or setup-token, lease, copy, api-key)",
        );
    }
    match &status.host {
        None if needs_host && status.findings.is_empty() => {
            say("sessions are to get this computer's login, and it has none".into(), SIGN_IN);
        }
        Some(host) => match host.kind {
            LoginKind::Tombstone => {
                say("this computer's login has ended: its renewal was refused".into(), SIGN_IN);
            }
            LoginKind::Lease => {
                say("this computer's login has no refresh token, and ends for good".into(), SIGN_IN);
            }
            _ => {
                if host.expired && needs_host && status.renewed_by.is_none() {
                    say(
                        "this computer's login has expired, and no claude is here that could renew it".into(),
                        "install Claude Code here, or: drydock settings set login.mode own",
                    );
                }
                if !host.scopes.is_empty() && !host.scopes.iter().any(|scope| scope == "user:inference") {
                    say(
                        "this computer's login may not talk to the model (no user:inference)".into(),
                        SIGN_IN,
                    );
                }
                if status.host_store == Some(StoreKind::Pair) {
                    say(
                        "only the pair claude.ai has a login, and nobody renews that".into(),
                        "sign in on this computer: claude auth login",
                    );
                }
            }
        },
        None => {}
    }
    if mode == LoginMode::Own && status.own.is_none() && status.findings.is_empty() {
        say("sessions have no login yet".into(), "drydock run, and sign in inside");
    }
    if *standing == Standing::Ended {
        say(
            "the login that sessions get has ended: the server refused to renew it".into(),
            if mode == LoginMode::Own { "drydock run, and sign in inside (/login)" } else { SIGN_IN },
        );
    }
    if mode == LoginMode::SetupToken {
        const SETUP: &str = "claude setup-token, then: drydock credentials store setup-token";
        match &status.setup_token {
            None if status.findings.is_empty() => say("no setup token is kept".into(), SETUP),
            Some(token) if token.expired => say("the setup token's year is over".into(), SETUP),
            _ => {}
        }
    }
    for other in &status.others {
        say(
            format!("{} signed in with another account; its login waits for you", other.session),
            &format!("drydock credentials adopt {0}   or: drydock credentials drop {0}", other.session),
        );
    }
    status.findings.extend(found);
    status
}

fn why(error: &Error) -> String {
    error
        .causes()
        .first()
        .map_or_else(|| error.message().to_owned(), |why| format!("{}: {why}", error.message()))
}

fn as_finding(error: &Error) -> Finding {
    Finding { found: why(error), remedy: error.remedies().first().cloned().unwrap_or_default() }
}

/// Uses the login of another account that a session signed in with. Blocking.
///
/// # Errors
/// When none waits under that name, or the store refuses.
pub fn adopt_other_login(locations: &Locations, session: &str) -> Result<()> {
    Authority::of_host(locations).adopt_other(session)
}

/// Forgets the login of another account that a session signed in with. Blocking.
///
/// # Errors
/// When none waits under that name.
pub fn drop_other_login(locations: &Locations, session: &str) -> Result<()> {
    Authority::of_host(locations).drop_other(session)
}

/// What the user can have forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgettable {
    /// The login that Drydock keeps for sessions.
    Own,
    /// The setup token.
    SetupToken,
    /// The pair `claude.ai`, `claude.ai.refresh`.
    Pair,
    /// The key for Datadog.
    DatadogKey,
}

/// Forgets a login or a secret. Claude Code's own login is not Drydock's to forget. Blocking.
///
/// # Errors
/// When the keyring refuses.
pub fn forget_credentials(locations: &Locations, what: Forgettable) -> Result<()> {
    let vault = Vault::of(locations);
    match what {
        Forgettable::Own => match Authority::of(locations, LoginMode::Own) {
            Some(authority) => authority.forget(),
            None => Ok(()),
        },
        Forgettable::SetupToken => vault.remove(&Secret::SetupToken),
        Forgettable::Pair => Pair::of(locations).remove(),
        Forgettable::DatadogKey => vault.remove(&Secret::DatadogKey),
    }
}

/// Writes a lease of this computer's login to a file for its owner only, in the form of
/// `.credentials.json`: access token and expiry, never the refresh token. Blocking.
///
/// # Errors
/// [`Code::LoginNone`] when there is none; when the file cannot be written.
pub fn write_lease(locations: &Locations, file: &Path) -> Result<LoginView> {
    let lease = super::check_login(locations, LoginMode::Lease, &[])?.and_then(|login| login.lease());
    let (lease, view) = lease
        .and_then(|lease| LoginView::of(&lease).map(|view| (lease, view)))
        .ok_or_else(|| Error::new(Code::LoginNone, "there is no login on this computer to lend"))?;
    write_private(file, lease.text().reveal())?;
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    /// What is found of a home whose `.credentials.json` is this.
    fn found(credentials: &str, mode: LoginMode) -> Vec<Finding> {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        fs::create_dir_all(&locations.claude_dir).unwrap();
        fs::write(locations.claude_dir.join(".credentials.json"), credentials).unwrap();
        credentials_status(&locations, mode).unwrap().findings
    }

    fn login(refresh: &str, expires: i64, scope: &str) -> String {
        json!({"claudeAiOauth": {
            "accessToken": "sk-ant-oat01-FAKE", "refreshToken": refresh, "expiresAt": expires, "scopes": [scope],
        }})
        .to_string()
    }

    #[test]
    fn each_fault_of_a_login_has_its_words_and_a_remedy() {
        const FAR: i64 = 4_000_000_000_000;
        let blank = r#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0,"scopes":[]}}"#;
        for (credentials, words) in [
            ("{\"claudeAiOauth\":".to_owned(), "is not a login"),
            ("{}".to_owned(), "it has none"),
            (blank.to_owned(), "has ended"),
            (login("", FAR, "user:inference"), "no refresh token"),
            (login("FAKE", FAR, "user:profile"), "may not talk to the model"),
        ] {
            let found = found(&credentials, LoginMode::Lease);
            assert_eq!(found.len(), 1, "{words}: {found:?}");
            assert!(found[0].found.contains(words), "{words}: {found:?}");
            assert!(!found[0].remedy.is_empty() && !found[0].found.contains("FAKE"));
        }
        assert!(found(&login("FAKE", FAR, "user:inference"), LoginMode::Lease).is_empty());
    }

    #[test]
    fn what_is_shown_holds_no_token() {
        let login = Credentials::parse(login("sk-ant-ort01-FAKE", 5, "user:inference").as_bytes()).unwrap();
        let view = LoginView::of(&login).unwrap();
        let shown = serde_json::to_string(&view).unwrap();
        assert!(!shown.contains("FAKE"), "{shown}");
        assert!(view.expired && view.kind == LoginKind::Full);
        assert_eq!(view.refresh.unwrap().len(), 8);
    }
}
