//! One authority over each login: who may renew it, what sessions get of it, and what comes back.
//!
//! The rules are in [`ledger`]; here they meet the stores and the disk. What is written down goes in this
//! order: who holds the refresh token, the store, the rest of the ledger, the session. Whoever is killed in between leaves a state from which the
//! next look goes on.

#[cfg(test)]
mod crash;
mod ledger;
mod own;
#[cfg(test)]
mod schedules;

pub use ledger::Notice;
pub(crate) use ledger::Offered;

use super::{
    Account, Credentials, Fingerprint, Secret, Sensitive, Vault,
    stores::{CredentialStore, HostStores, Written, login_dir, tidy_login_dir},
};
use crate::{
    claude_home::parse_document,
    error_handling::{Code, Error, IoContext, Result},
    paths::{Locations, create_private_dir, write_private},
    settings::LoginMode,
};
use chrono::{DateTime, Utc};
use ledger::{Ledger, Turn};
pub(super) use own::OwnLogin;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io,
    path::PathBuf,
};

/// So often a store may change between the look and the deed.
const ROUNDS: usize = 8;

/// Whether a session is on record.
pub(crate) type Lives<'a> = &'a dyn Fn(&str) -> bool;

/// The authority over the login that a mode gives sessions. All its methods block.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    locations: Locations,
    source: Source,
}

/// Whose login sessions get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Source {
    /// Drydock's own, which one session at a time renews.
    Own,
    /// The host's, which one session at a time renews.
    Copied,
    /// The host's, which the host renews.
    Lent,
}

/// A session's login with another account, which waits for the user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OtherLogin {
    /// The session that signed in.
    pub session: String,
    /// When it was found.
    pub since: DateTime<Utc>,
    /// The refresh token's fingerprint.
    pub fingerprint: Option<Fingerprint>,
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Account>,
}

impl Authority {
    /// The authority of a mode; nothing for modes that give no login of an account.
    pub(crate) fn of(locations: &Locations, mode: LoginMode) -> Option<Self> {
        let source = match mode {
            LoginMode::Own => Source::Own,
            LoginMode::Copy => Source::Copied,
            LoginMode::Lease => Source::Lent,
            LoginMode::Ask | LoginMode::ApiKey | LoginMode::SetupToken => return None,
        };
        Some(Self { locations: locations.clone(), source })
    }

    /// The authority over the host's login, whatever sessions get.
    pub(crate) fn of_host(locations: &Locations) -> Self {
        Self { locations: locations.clone(), source: Source::Copied }
    }

    fn store(&self) -> Box<dyn CredentialStore> {
        match self.source {
            Source::Own => Box::new(OwnLogin::of(&self.locations)),
            Source::Copied | Source::Lent => Box::new(HostStores::of(&self.locations)),
        }
    }

    /// The login in the store, and whether the server has ended it.
    pub(crate) fn standing(&self) -> Result<(Option<Credentials>, Standing)> {
        let store = self.store().read()?.login();
        let ledger = self.load()?;
        let ended = ledger.has_ended(store.as_ref());
        let holder = ledger.hold.map(|hold| hold.session);
        Ok((store, if ended { Standing::Ended } else { Standing::Held(holder) }))
    }

    /// What a session that starts gets; from then on it may hold the refresh token.
    pub(crate) fn launch(&self, session: &str, lives: Lives<'_>) -> Result<Option<Credentials>> {
        let source = self.source;
        let turn = self.act(|ledger, store| Turn {
            give: match source {
                Source::Lent => store.filter(|login| login.is_full()).and_then(Credentials::lease),
                Source::Own | Source::Copied => ledger.launch(store, session, lives),
            },
            ..Turn::default()
        })?;
        Ok(turn.give)
    }

    /// What follows from what a running session has now.
    pub(crate) fn look(
        &self,
        offered: &Offered,
        session: &str,
        lives: Lives<'_>,
    ) -> Result<Option<Credentials>> {
        let source = self.source;
        let turn = self.act(|ledger, store| match source {
            Source::Lent => ledger.follow(store, offered),
            Source::Own | Source::Copied => ledger.look(store, offered, session, lives),
        })?;
        if let Some(notice) = turn.notice {
            tracing::info!(session, ?notice, "a session's login");
        }
        Ok(turn.give)
    }

    /// Notes that a running session has got what it was to get.
    pub(crate) fn confirm(&self, login: &Credentials, session: &str) -> Result<()> {
        if self.source == Source::Lent {
            return Ok(());
        }
        self.act(|ledger, _| {
            ledger.confirm(login, session);
            Turn::default()
        })
        .map(drop)
    }

    /// Takes back what a session that is over had last. It holds nothing any more.
    pub(crate) fn release(&self, offered: &Offered, session: &str) -> Result<Option<Notice>> {
        if self.source == Source::Lent {
            return Ok(None);
        }
        let turn = self.act(|ledger, store| ledger.release(store, offered, session))?;
        if turn.notice == Some(Notice::OtherAccount) {
            self.keep_other(offered, session)?;
        }
        Ok(turn.notice)
    }

    /// The session that holds the refresh token now.
    pub(crate) fn holder(&self) -> Result<Option<String>> {
        match self.source {
            Source::Lent => Ok(None),
            Source::Own | Source::Copied => Ok(self.load()?.hold.map(|hold| hold.session)),
        }
    }

    /// Puts a login into the store that the user brings. It is refused when the store has a newer one, or
    /// another account's.
    pub(crate) fn bring(&self, login: &Credentials) -> Result<Brought> {
        let mut admitted = true;
        self.act(|ledger, store| {
            admitted = ledger.admits(store, login);
            if !admitted {
                return Turn::default();
            }
            ledger.adopt(login, None);
            let merged = store.map_or_else(|| login.clone(), |store| login.with_entries_of(store));
            Turn { store: Some(merged), ..Turn::default() }
        })?;
        Ok(if admitted { Brought::Taken } else { Brought::Refused })
    }

    /// Uses another account's login from now on, as the user decided.
    pub(crate) fn adopt_other(&self, session: &str) -> Result<()> {
        let vault = Vault::of(&self.locations);
        let secret = Secret::OtherLogin(session.to_owned());
        let other = self.others()?.into_iter().find(|other| other.session == session);
        let kept = vault.read(&secret)?;
        let Some((other, (text, _))) = other.zip(kept) else { return Err(unknown_other(session)) };
        let login = Credentials::parse(text.reveal().as_bytes())
            .map_err(|fault| Error::new(Code::ConfigDamaged, "that login cannot be read").why(fault))?;
        Self { source: other.source, ..self.clone() }.act(|ledger, _| {
            ledger.adopt(&login, other.account.clone());
            Turn { store: Some(login.clone()), ..Turn::default() }
        })?;
        self.drop_other(session)
    }

    /// Forgets another account's login.
    pub(crate) fn drop_other(&self, session: &str) -> Result<()> {
        let _lock = self.lock()?;
        let mut others = self.others()?;
        let before = others.len();
        others.retain(|other| other.session != session);
        if others.len() == before {
            return Err(unknown_other(session));
        }
        Vault::of(&self.locations).remove(&Secret::OtherLogin(session.to_owned()))?;
        self.write("others.json", &others)
    }

    /// Forgets the store's login and who held it.
    pub(crate) fn forget(&self) -> Result<()> {
        let _lock = self.lock()?;
        self.store().remove()?;
        self.write(self.ledger_name(), &Ledger::default())
    }

    /// Logins of other accounts that wait for the user.
    pub(crate) fn others(&self) -> Result<Vec<OtherLogin>> {
        Ok(read(&self.file("others.json"))?.unwrap_or_default())
    }

    fn keep_other(&self, offered: &Offered, session: &str) -> Result<()> {
        let Some(login) = &offered.login else { return Ok(()) };
        let _lock = self.lock()?;
        let text = String::from_utf8_lossy(login.text().reveal()).into_owned();
        Vault::of(&self.locations).write(&Secret::OtherLogin(session.to_owned()), &Sensitive::new(text))?;
        let mut others = self.others()?;
        others.retain(|other| other.session != session);
        others.push(OtherLogin {
            session: session.to_owned(),
            since: Utc::now(),
            fingerprint: login.refresh_print(),
            source: self.source,
            account: login.account().or_else(|| offered.account.clone()),
        });
        self.write("others.json", &others)
    }

    /// Looks at store and ledger under the lock, decides, and carries it out.
    fn act(&self, mut decide: impl FnMut(&mut Ledger, Option<&Credentials>) -> Turn) -> Result<Turn> {
        let _lock = self.lock()?;
        let store = self.store();
        store.tidy()?;
        tidy_login_dir(&self.locations)?;
        for _ in 0..ROUNDS {
            let there = store.read()?.login();
            let known = self.load()?;
            let mut ledger = known.clone();
            if self.source != Source::Own {
                ledger.told_account(self.host_account());
            }
            let turn = decide(&mut ledger, there.as_ref());
            if let Some(login) = &turn.store {
                if let Some(announced) = known.announced(&ledger) {
                    self.write(self.ledger_name(), &announced)?;
                }
                match store.replace(there.as_ref(), login)? {
                    Written::Done => {}
                    // Claude Code here wrote at the same moment: its version is decided about anew.
                    Written::Changed => continue,
                    Written::Skipped(why) => {
                        return Err(
                            Error::new(Code::LoginNone, "there is nowhere to keep the login").why(why)
                        );
                    }
                }
            }
            if ledger != known {
                self.write(self.ledger_name(), &ledger)?;
            }
            return Ok(turn);
        }
        Err(Error::new(Code::LoginBusy, "the login changes faster than it can be looked at")
            .remedy("run the command again"))
    }

    fn host_account(&self) -> Option<Account> {
        let text = fs::read(&self.locations.claude_json).ok()?;
        Account::in_state(&parse_document(&text).ok()?)
    }

    fn ledger_name(&self) -> &'static str {
        match self.source {
            Source::Own => "own.json",
            Source::Copied | Source::Lent => "host.json",
        }
    }

    fn load(&self) -> Result<Ledger> {
        Ok(read(&self.file(self.ledger_name()))?.unwrap_or_default())
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec_pretty(value)
            .map_err(|cause| Error::new(Code::Internal, "a record cannot be written").why(cause))?;
        write_private(&self.file(name), &text)
    }

    fn file(&self, name: &str) -> PathBuf {
        login_dir(&self.locations).join(name)
    }

    /// Held for as long as a look takes; the kernel lets go of it when its process dies.
    fn lock(&self) -> Result<File> {
        let path = self.file("lock");
        create_private_dir(path.parent().unwrap_or(&self.locations.data_dir))?;
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).context("open", &path)?;
        file.lock().context("lock", &path)?;
        Ok(file)
    }
}

/// How a store's login stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is renewed by the session that is named, or by nobody now.
    Held(Option<String>),
    /// The server refused its refresh token.
    Ended,
}

/// What became of a login that the user brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brought {
    /// The store has it.
    Taken,
    /// The store has a newer one, or another account's.
    Refused,
}

fn unknown_other(session: &str) -> Error {
    Error::new(Code::SessionUnknown, format!("no login of {session} waits for you"))
        .remedy("drydock credentials status")
}

/// A record of ours, which may not be there. One that cannot be read is set aside: it holds no secret, and
/// the rules hold without it.
fn read<T: for<'a> Deserialize<'a>>(file: &std::path::Path) -> Result<Option<T>> {
    match fs::read(file) {
        Ok(text) => Ok(serde_json::from_slice(&text)
            .inspect_err(|cause| tracing::warn!(file = %file.display(), %cause, "a record is damaged"))
            .ok()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::io("read", file, &cause)),
    }
}
