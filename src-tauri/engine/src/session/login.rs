//! A session's login: given at its start, kept current while it runs, taken back at its end.

use super::{
    SessionId, Sessions,
    blocking::blocking,
    record::{Record, RecordedLogin},
};
use crate::{
    claude_home::parse_document,
    container::engine_error,
    error_handling::{Code, Error, IoContext, Result},
    keychain::{
        Account, Authority, Credentials, Fingerprint, KEY_VARIABLES, LoginKind, Notice, Offered,
        RENEWED_BEFORE, SecretVariables, SessionLogin, check_login, give_login, is_over_within,
        renew_in_time,
    },
    paths::Locations,
    sync::{HomeVolume, Layout, Put},
};
use bollard::exec::{CreateExecOptions, StartExecResults};
use chrono::{DateTime, Utc};
use drydock_inside::digest;
use futures_util::StreamExt;
use std::time::Duration;

/// The Keychain is not asked more often than this without a reason: macOS may ask the user each time.
const RARELY: chrono::Duration = chrono::Duration::minutes(15);
/// When it did not help, as without a network, there is no use in asking again at once.
const NOT_AGAIN_WITHIN: chrono::Duration = chrono::Duration::seconds(30);
/// Looking more closely begins this long before a lease ends.
const CLOSELY: chrono::Duration = chrono::Duration::minutes(10);

/// Has the session's own Claude Code renew its login. It gets the variables of the one that runs, since
/// their values are written down nowhere, but no key: with one it would not look at the login. The list of
/// children has no line's end, so that `read` fails although it has read.
const RENEW: &str = r#"
read -r main _ </proc/1/task/1/children
while IFS= read -r -d '' pair; do export "$pair"; done <"/proc/${main:-1}/environ"
unset ANTHROPIC_AUTH_TOKEN ANTHROPIC_API_KEY CLAUDE_CODE_OAUTH_TOKEN
# An older one would take the two words for something that the user says.
timeout 20 claude auth --help </dev/null | grep -q '^Usage: claude auth' || exit 0
exec timeout 40 claude auth status </dev/null
"#;

/// What was seen of a running session's login last.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: Option<Vec<u8>>,
    looked: Option<DateTime<Utc>>,
    /// When somebody was asked to renew which login.
    asked: Option<(DateTime<Utc>, Option<Fingerprint>)>,
    account: Option<Account>,
}

impl Watch {
    /// Whether the store has to be asked now.
    fn is_due(&self, text: &[u8], login: &Credentials, stores: Asking, now: DateTime<Utc>) -> bool {
        let closely = login.expires().is_none_or(|at| at <= now + CLOSELY);
        let long_ago = self.looked.is_none_or(|at| now - at >= RARELY);
        stores == Asking::Freely || self.seen.as_deref() != Some(text) || closely || long_ago
    }
}

/// How freely a store can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    Freely,
    Rarely,
}

impl Asking {
    fn of(locations: &Locations) -> Self {
        if cfg!(target_os = "macos") && locations.own_home { Self::Rarely } else { Self::Freely }
    }
}

impl Sessions {
    /// The keys that a session is given: those among the variables that were passed, else `keys`. Fails
    /// when the chosen way has nothing to give, before anything is made.
    pub(super) async fn keys_given(
        &self,
        variables: &SecretVariables,
        keys: SecretVariables,
    ) -> Result<SecretVariables> {
        let passed = |name: &String| KEY_VARIABLES.contains(&name.as_str());
        let mut given: Vec<_> = variables.iter().filter(|(name, _)| passed(name)).cloned().collect();
        if given.is_empty() {
            given = keys;
        }
        let (locations, mode) = (self.locations.clone(), self.settings.login_mode());
        blocking(move || check_login(&locations, mode, &given).map(|_| given)).await
    }

    /// What a session gets that is on record. It may hold the refresh token from then on.
    pub(super) async fn give(&self, record: &Record, given: SecretVariables) -> Result<SessionLogin> {
        let (locations, mode) = (self.locations.clone(), self.settings.login_mode());
        let id = record.id.to_string();
        blocking(move || give_login(&locations, mode, given, &id, &lives(&locations))).await
    }

    /// What a session gets that was interrupted and goes on: what it has may be newer than the store's.
    pub(super) async fn give_again(
        &self,
        record: &Record,
        volume: &mut HomeVolume,
        given: SecretVariables,
    ) -> Result<SessionLogin> {
        let offered = self.offered(record, volume).await?;
        let (locations, mode) = (self.locations.clone(), self.settings.login_mode());
        let same_way = RecordedLogin::from(mode) == record.login;
        let authority = Authority::of(&locations, mode).filter(|_| same_way && offered.login.is_some());
        let Some(authority) = authority else { return self.give(record, given).await };
        let id = record.id.to_string();
        blocking(move || {
            renew_in_time(&locations, |login| {
                mode == crate::settings::LoginMode::Lease && is_over_within(login, RENEWED_BEFORE)
            });
            let credentials = authority.look(&offered, &id, &lives(&locations))?;
            Ok(SessionLogin { credentials, environment: Vec::new() })
        })
        .await
    }

    /// Looks at the login of a running session: what it renewed goes to the store, and what was renewed
    /// elsewhere goes to it, before its own ends.
    pub(super) async fn look_after_login(
        &self,
        record: &Record,
        volume: &mut HomeVolume,
        watch: &mut Watch,
    ) -> Result<()> {
        let Some(authority) = Authority::of(&self.locations, record.login.mode()) else { return Ok(()) };
        let name = Layout::of(&self.locations)?.in_config(".credentials.json");
        let Some(text) = read(volume, &name).await? else {
            // It signed out, or never signed in: then it holds nothing.
            if record.login == RecordedLogin::Lease {
                return Ok(());
            }
            let (locations, id) = (self.locations.clone(), record.id.to_string());
            return blocking(move || authority.look(&Offered::default(), &id, &lives(&locations)).map(drop))
                .await;
        };
        // One that cannot be read is being written.
        let Ok(login) = Credentials::parse(&text) else { return Ok(()) };
        let now = Utc::now();
        if !watch.is_due(&text, &login, Asking::of(&self.locations), now) {
            return Ok(());
        }
        let print = login.access_print();
        let asked_lately = watch.asked.is_some_and(|(at, of)| of == print && now - at < NOT_AGAIN_WITHIN);
        if login.kind() == Some(LoginKind::Lease) && is_over_within(&login, RENEWED_BEFORE) && !asked_lately {
            watch.asked = Some((now, print));
            if let Err(error) = self.have_it_renewed(record, &authority).await {
                tracing::warn!(session = %record.id, %error, "the session's login was not renewed");
            }
        }
        if watch.seen.as_deref() != Some(text.as_slice()) || watch.account.is_none() {
            watch.account = self.account_in(volume).await?;
        }
        watch.looked = Some(now);
        let offered = Offered { login: Some(login), account: watch.account.clone() };
        let (locations, id) = (self.locations.clone(), record.id.to_string());
        let asked = authority.clone();
        let give = blocking(move || asked.look(&offered, &id, &lives(&locations))).await?;
        watch.seen = Some(text.clone());
        let Some(give) = give else { return Ok(()) };
        let Some(inside) = volume.inside().await else { return Ok(()) };
        let before = digest::read(&mut &text[..]).context("read", name.as_ref())?;
        let new = give.text();
        match inside.put(&name, 0o600, Some(before), &mut &new.reveal()[..]).await? {
            Put::Done { .. } => {
                tracing::debug!(session = %record.id, login = ?give, "the session's login is current");
                let id = record.id.to_string();
                blocking(move || authority.confirm(&give, &id)).await?;
            }
            // Claude Code in the session wrote at the same moment: it is looked at again.
            Put::Differs => watch.seen = None,
        }
        Ok(())
    }

    /// Looks at the login of a running session, now.
    pub(super) async fn look_once(&self, record: &Record) -> Result<()> {
        if Authority::of(&self.locations, record.login.mode()).is_none() {
            return Ok(());
        }
        let mut volume = self.open_volume(record).await?;
        let looked = self.look_after_login(record, &mut volume, &mut Watch::default()).await;
        volume.close().await?;
        looked
    }

    /// Has whoever may renew the login do so: the Claude Code of this computer, or of the session that
    /// holds the refresh token.
    async fn have_it_renewed(&self, record: &Record, authority: &Authority) -> Result<()> {
        if record.login == RecordedLogin::Lease {
            let locations = self.locations.clone();
            return blocking(move || {
                renew_in_time(&locations, |login| is_over_within(login, RENEWED_BEFORE));
                Ok(())
            })
            .await;
        }
        let asked = authority.clone();
        let holder = blocking(move || asked.holder()).await?;
        let Some(holder) = holder.as_deref().and_then(SessionId::known).filter(|id| *id != record.id) else {
            return Ok(());
        };
        let locations = self.locations.clone();
        let Some(holding) = blocking(move || Record::load(&locations, &holder)).await? else {
            return Ok(());
        };
        if self.is_running(&holding.id).await? {
            self.renew_inside(&holding.id).await?;
        }
        // What it renewed goes to the store, from where this session gets it.
        Box::pin(self.look_once(&holding)).await
    }

    async fn renew_inside(&self, id: &SessionId) -> Result<()> {
        const PATIENCE: Duration = Duration::from_secs(65);
        let failed = |cause| engine_error("have the session's login renewed", cause);
        let exec = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(vec!["bash", "-c", RENEW]),
            ..CreateExecOptions::default()
        };
        let api = self.engine.api();
        let exec = api.create_exec(&id.container(), exec).await.map_err(failed)?;
        if let StartExecResults::Attached { mut output, .. } =
            api.start_exec(&exec.id, None).await.map_err(failed)?
        {
            // What it prints names the user's account, and is nobody's business.
            let ended = tokio::time::timeout(PATIENCE, async { while output.next().await.is_some() {} });
            if ended.await.is_err() {
                tracing::warn!(session = %id, "the session's Claude Code did not renew its login in time");
            }
        }
        Ok(())
    }

    /// Takes back what a session that is over had last.
    pub(super) async fn take_login_back(&self, record: &Record, offered: Offered) -> Result<Option<Notice>> {
        let Some(authority) = Authority::of(&self.locations, record.login.mode()) else { return Ok(None) };
        let id = record.id.to_string();
        blocking(move || authority.release(&offered, &id)).await
    }

    /// The login in a session's home, whether or not it runs.
    pub(super) async fn offered(&self, record: &Record, volume: &mut HomeVolume) -> Result<Offered> {
        if Authority::of(&self.locations, record.login.mode()).is_none() {
            return Ok(Offered::default());
        }
        let name = Layout::of(&self.locations)?.in_config(".credentials.json");
        let text = read(volume, &name).await?;
        let login = text.and_then(|text| Credentials::parse(&text).ok());
        let account = match login {
            Some(_) => self.account_in(volume).await?,
            None => None,
        };
        Ok(Offered { login, account })
    }

    async fn account_in(&self, volume: &mut HomeVolume) -> Result<Option<Account>> {
        let text = read(volume, Layout::of(&self.locations)?.state()).await?;
        Ok(text.and_then(|text| Account::in_state(&parse_document(&text).ok()?)))
    }
}

/// Whether a session is on record: its hold on a refresh token counts as long as it is.
fn lives(locations: &Locations) -> impl Fn(&str) -> bool {
    let locations = locations.clone();
    move |id: &str| {
        let id = SessionId::known(id);
        // A record that cannot be read is one that is there.
        id.is_some_and(|id| !matches!(Record::load(&locations, &id), Ok(None)))
    }
}

/// A small file of a session's, by the program beside its home or by the archive.
async fn read(volume: &mut HomeVolume, name: &str) -> Result<Option<Vec<u8>>> {
    const LARGEST: u64 = 64 << 20;
    let Some(inside) = volume.inside().await else { return volume.read_small(name).await };
    let mut content = Vec::new();
    match inside.read(name, 0, LARGEST, &mut content).await {
        Ok(read) => Ok(read.map(|_| content)),
        Err(error) if error.code() == Code::Internal => Err(error),
        Err(error) => Err(Error::new(Code::SyncOut, "the session's login could not be looked at").why(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keychain_is_asked_rarely_but_in_time() {
        let now = Utc::now();
        let login = |minutes: i64| {
            let until = now + chrono::Duration::minutes(minutes);
            Credentials::of_setup_token("FAKE", until)
        };
        let watch = Watch {
            seen: Some(b"same".to_vec()),
            looked: Some(now - chrono::Duration::minutes(3)),
            ..Watch::default()
        };
        let due = |text: &[u8], minutes, stores| watch.is_due(text, &login(minutes), stores, now);
        assert!(due(b"same", 60, Asking::Freely));
        assert!(!due(b"same", 60, Asking::Rarely));
        assert!(due(b"same", 9, Asking::Rarely), "the lease ends soon");
        assert!(due(b"other", 60, Asking::Rarely), "the session's login changed");
        let later = now + chrono::Duration::minutes(20);
        assert!(watch.is_due(b"same", &login(60), Asking::Rarely, later), "not asked for long");
    }
}
