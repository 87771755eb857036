//! Who may renew a login, as a value with its rules: nothing here touches a disk.
//!
//! A refresh token is good for one use. So of each stored login exactly one place holds the refresh
//! token at a time, and it alone renews; everybody else gets leases. In the modes *own* and *copy* that
//! place is a session, or the store itself while no session holds it.

use crate::keychain::{Account, Credentials, Fingerprint, LoginKind};
use serde::{Deserialize, Serialize};

/// So many refresh tokens are remembered as used.
const REMEMBERED: usize = 64;

/// What is written down of one store's login. It holds fingerprints, no tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// The session that holds the refresh token.
    pub(crate) hold: Option<Hold>,
    /// Refresh tokens that the store has had, the newest last. All but the newest are used up.
    #[serde(default)]
    lineage: Vec<Fingerprint>,
    /// The store's refresh token, if the server refused it: only the user can sign in again.
    #[serde(default)]
    ended: Option<Fingerprint>,
    /// Whose login it is, as far as it was told.
    #[serde(default)]
    account: Option<Account>,
}

/// A session's hold on the refresh token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hold {
    /// The session.
    pub(crate) session: String,
    /// The refresh token that store and session had in common last.
    pub(crate) agreed: Option<Fingerprint>,
}

/// What a session has of a login.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offered {
    /// Its stored login; nothing when it signed out, or has not signed in.
    pub(crate) login: Option<Credentials>,
    /// Whose it is by the session's own state, where the login does not tell.
    pub(crate) account: Option<Account>,
}

impl Offered {
    fn kind(&self) -> Option<LoginKind> {
        self.login.as_ref()?.kind()
    }

    fn account(&self) -> Option<Account> {
        self.login.as_ref().and_then(Credentials::account).or_else(|| self.account.clone())
    }
}

/// What follows from a look at store and session.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Turn {
    /// What the store gets. It is written before the ledger, and the ledger before the session.
    pub(crate) store: Option<Credentials>,
    /// What the session gets.
    pub(crate) give: Option<Credentials>,
    /// What the user should know.
    pub(crate) notice: Option<Notice>,
}

impl Turn {
    fn give(login: &Credentials) -> Self {
        Self { give: Some(login.clone()), ..Self::default() }
    }
}

/// What only the user can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// The server refused the newest refresh token: the login is over.
    Ended,
    /// The session signed in with another account.
    OtherAccount,
}

enum Verdict {
    Keep,
    Take,
    Other,
}

impl Ledger {
    /// Whether a session holds the refresh token.
    pub(crate) fn is_held_by(&self, session: &str) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.session == session)
    }

    /// What has to be written down before the store is: that the session holds what the store is about to
    /// get. Else whoever starts in between would be handed the same refresh token.
    pub(crate) fn announced(&self, decided: &Self) -> Option<Self> {
        let hold = decided.hold.as_ref().filter(|hold| !self.is_held_by(&hold.session))?;
        Some(Self { hold: Some(Hold { session: hold.session.clone(), agreed: None }), ..self.clone() })
    }

    /// Whether the server refused the store's refresh token.
    pub(crate) fn has_ended(&self, store: Option<&Credentials>) -> bool {
        self.ended.is_some() && self.ended == store.and_then(Credentials::refresh_print)
    }

    /// What a session that starts gets, with nothing inside yet.
    pub(crate) fn launch(
        &mut self,
        store: Option<&Credentials>,
        session: &str,
        lives: &dyn Fn(&str) -> bool,
    ) -> Option<Credentials> {
        self.note(store);
        let store = store.filter(|login| login.is_full() && !self.has_ended(Some(login)))?;
        if self.is_free(session, lives) {
            self.hand_over(store, session);
            return Some(store.clone());
        }
        store.lease()
    }

    /// What follows from what a session that runs has now.
    pub(crate) fn look(
        &mut self,
        store: Option<&Credentials>,
        offered: &Offered,
        session: &str,
        lives: &dyn Fn(&str) -> bool,
    ) -> Turn {
        self.note(store);
        if self.is_anothers(store, offered) {
            // What it held is not there any more.
            self.let_go(session);
            return Turn { notice: Some(Notice::OtherAccount), ..Turn::default() };
        }
        let whole = store.filter(|login| login.is_full() && !self.has_ended(Some(login))).cloned();
        match (offered.kind(), &offered.login) {
            (Some(LoginKind::Full), Some(login)) => self.look_at_full(store, login, offered, session, lives),
            (Some(LoginKind::Tombstone), _) if self.is_held_by(session) => {
                let agreed = self.hold.as_ref().and_then(|hold| hold.agreed);
                match whole {
                    Some(newer) if newer.refresh_print() != agreed => Turn::give(&newer),
                    _ => self.end(store, agreed),
                }
            }
            (Some(LoginKind::Tombstone | LoginKind::Lease), Some(login)) => {
                let Some(whole) = whole else { return Turn::default() };
                if self.is_free(session, lives) {
                    self.promise(session);
                    return Turn::give(&whole);
                }
                let news = whole.access_print() != login.access_print();
                whole.lease().filter(|_| news).map_or_else(Turn::default, |lease| Turn::give(&lease))
            }
            // Signed out inside, or not signed in: no reason to sign anybody in or out. It holds nothing.
            _ => {
                self.let_go(session);
                Turn::default()
            }
        }
    }

    fn look_at_full(
        &mut self,
        store: Option<&Credentials>,
        login: &Credentials,
        offered: &Offered,
        session: &str,
        lives: &dyn Fn(&str) -> bool,
    ) -> Turn {
        let whole = store.filter(|login| login.is_full());
        let is_stores = whole.is_some_and(|whole| whole.refresh_print() == login.refresh_print());
        if !self.is_free(session, lives) {
            // A copy of what another session holds now would be renewed twice. Anything else it signed in
            // with by itself, and that is its own.
            let copied = is_stores || self.is_spent(login, store);
            let give = whole.filter(|_| copied).and_then(Credentials::lease);
            return Turn { give, ..Turn::default() };
        }
        match self.weigh(store, login, offered, session) {
            Verdict::Take => self.take(store, login, offered, session),
            Verdict::Other => Turn::default(),
            Verdict::Keep => {
                let spent = self.is_spent(login, store);
                let Some(whole) = whole.filter(|_| is_stores || spent) else { return Turn::default() };
                if is_stores {
                    self.hand_over(whole, session);
                    return Turn::default();
                }
                // A used-up refresh token would be refused.
                self.promise(session);
                Turn::give(whole)
            }
        }
    }

    /// What follows from what a session that is over had last. It holds nothing any more.
    pub(crate) fn release(&mut self, store: Option<&Credentials>, offered: &Offered, session: &str) -> Turn {
        self.note(store);
        let held = self.is_held_by(session);
        let turn = match (offered.kind(), &offered.login) {
            (Some(LoginKind::Full), Some(login)) => match self.weigh(store, login, offered, session) {
                Verdict::Take => self.take(store, login, offered, session),
                Verdict::Other => Turn { notice: Some(Notice::OtherAccount), ..Turn::default() },
                Verdict::Keep => Turn::default(),
            },
            (Some(LoginKind::Tombstone), _) if held => {
                let agreed = self.hold.as_ref().and_then(|hold| hold.agreed);
                self.end(store, agreed);
                // It may have been found while the session ran, and been said to nobody.
                let notice = self.has_ended(store).then_some(Notice::Ended);
                Turn { notice, ..Turn::default() }
            }
            _ => Turn::default(),
        };
        self.let_go(session);
        turn
    }

    /// Notes that a session has got what it was to get. Until then a blank of its own says nothing of that.
    pub(crate) fn confirm(&mut self, login: &Credentials, session: &str) {
        if self.is_held_by(session) && login.is_full() {
            self.hand_over(login, session);
        }
    }

    /// The session is to hold the refresh token, and has not got it yet.
    fn promise(&mut self, session: &str) {
        if !self.is_held_by(session) {
            self.hold = Some(Hold { session: session.to_owned(), agreed: None });
        }
    }

    fn let_go(&mut self, session: &str) {
        if self.is_held_by(session) {
            self.hold = None;
        }
    }

    /// Follows what the host's own Claude Code renews, as sessions do in the mode *lease*.
    pub(crate) fn follow(&mut self, store: Option<&Credentials>, offered: &Offered) -> Turn {
        self.note(store);
        let (Some(store), Some(login)) = (store, &offered.login) else { return Turn::default() };
        // What a session signed in with by itself is its own.
        if login.kind() != Some(LoginKind::Lease) || !store.is_full() {
            return Turn::default();
        }
        if self.is_anothers(Some(store), offered) {
            return Turn { notice: Some(Notice::OtherAccount), ..Turn::default() };
        }
        let news = store.access_print() != login.access_print();
        store.lease().filter(|_| news).map_or_else(Turn::default, |lease| Turn::give(&lease))
    }

    /// Whose login the store has, as the host's own state tells.
    pub(crate) fn told_account(&mut self, account: Option<Account>) {
        self.account = account.or(self.account.take());
    }

    /// Whether a login may replace the store's, which nobody has to be asked about.
    pub(crate) fn admits(&self, store: Option<&Credentials>, login: &Credentials) -> bool {
        let offered = Offered { login: Some(login.clone()), account: None };
        login.is_full() && matches!(self.weigh(store, login, &offered, ""), Verdict::Take)
    }

    /// Notes a login that the store has got by the user's own act.
    pub(crate) fn adopt(&mut self, login: &Credentials, account: Option<Account>) {
        self.account = account.or_else(|| login.account());
        self.note(Some(login));
    }

    fn weigh(
        &self,
        store: Option<&Credentials>,
        login: &Credentials,
        offered: &Offered,
        session: &str,
    ) -> Verdict {
        let agreed = self.hold.as_ref().filter(|hold| hold.session == session).and_then(|hold| hold.agreed);
        if self.is_spent(login, store) {
            return Verdict::Keep;
        }
        let differs = self.is_anothers(store, offered);
        match store {
            // The user signed out here while the session had the login.
            None if agreed.is_some() => Verdict::Keep,
            _ if differs => Verdict::Other,
            Some(store) if store.is_full() => {
                let successor = agreed.is_some()
                    && agreed == store.refresh_print()
                    && store.refresh_print() != login.refresh_print();
                if successor || login.expires_ms() > store.expires_ms() {
                    Verdict::Take
                } else {
                    Verdict::Keep
                }
            }
            _ => Verdict::Take,
        }
    }

    /// Whether both sides tell whose login they have, and it is not the same one's.
    fn is_anothers(&self, store: Option<&Credentials>, offered: &Offered) -> bool {
        let known = store.and_then(Credentials::account).or_else(|| self.account.clone());
        store.is_some() && known.zip(offered.account()).is_some_and(|(known, theirs)| !known.is_same(&theirs))
    }

    fn take(
        &mut self,
        store: Option<&Credentials>,
        login: &Credentials,
        offered: &Offered,
        session: &str,
    ) -> Turn {
        let merged = match store {
            Some(store) => login.with_entries_of(store),
            None => login.clone(),
        };
        if let Some(account) = offered.account() {
            self.account = Some(account);
        }
        self.note(Some(&merged));
        self.hand_over(&merged, session);
        Turn { store: Some(merged), ..Turn::default() }
    }

    fn hand_over(&mut self, login: &Credentials, session: &str) {
        self.hold = Some(Hold { session: session.to_owned(), agreed: login.refresh_print() });
    }

    fn end(&mut self, store: Option<&Credentials>, agreed: Option<Fingerprint>) -> Turn {
        let current = store.and_then(Credentials::refresh_print);
        if current.is_none() || current != agreed || self.ended == current {
            return Turn::default();
        }
        self.ended = current;
        Turn { notice: Some(Notice::Ended), ..Turn::default() }
    }

    /// Remembers the store's refresh token, whoever put it there.
    fn note(&mut self, store: Option<&Credentials>) {
        let Some(print) = store.and_then(Credentials::refresh_print) else { return };
        if self.lineage.last() == Some(&print) {
            return;
        }
        self.lineage.retain(|known| *known != print);
        self.lineage.push(print);
        let too_many = self.lineage.len().saturating_sub(REMEMBERED);
        self.lineage.drain(..too_many);
    }

    /// Whether the store had this refresh token before the one it has now.
    fn is_spent(&self, login: &Credentials, store: Option<&Credentials>) -> bool {
        let print = login.refresh_print();
        print != store.and_then(Credentials::refresh_print)
            && print.is_some_and(|print| self.lineage.contains(&print))
    }

    /// Whether a session may hold the refresh token: it does already, or no living one does.
    fn is_free(&self, session: &str, lives: &dyn Fn(&str) -> bool) -> bool {
        self.hold.as_ref().is_none_or(|hold| hold.session == session || !lives(&hold.session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(token: &str, expires: i64) -> Credentials {
        let text = format!(
            r#"{{"claudeAiOauth":{{"accessToken":"FAKE-a-{token}","refreshToken":"FAKE-r-{token}","expiresAt":{expires}}}}}"#
        );
        Credentials::parse(text.as_bytes()).unwrap()
    }

    fn blank() -> Credentials {
        Credentials::parse(br#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0}}"#)
            .unwrap()
    }

    fn of(login: Credentials) -> Offered {
        Offered { login: Some(login), account: None }
    }

    const LIVES: &dyn Fn(&str) -> bool = &|_| true;

    #[test]
    fn a_blank_is_no_source_and_a_dead_login_is_said_once_while_it_runs_and_at_its_end() {
        let (mut ledger, store) = (Ledger::default(), login("1", 5));
        ledger.launch(Some(&store), "s", LIVES).unwrap();
        let turn = ledger.look(Some(&store), &of(blank()), "s", LIVES);
        assert_eq!((turn.store, turn.give, turn.notice), (None, None, Some(Notice::Ended)));
        assert_eq!(ledger.look(Some(&store), &of(blank()), "s", LIVES), Turn::default());
        assert_eq!(ledger.release(Some(&store), &of(blank()), "s").notice, Some(Notice::Ended));
        assert_eq!(ledger.launch(Some(&store), "t", LIVES), None, "a dead login is handed out");
        // The user signs in again.
        assert!(ledger.launch(Some(&login("2", 9)), "t", LIVES).is_some());
    }

    #[test]
    fn a_session_that_lost_the_race_gets_the_winners_login() {
        let mut ledger = Ledger::default();
        ledger.launch(Some(&login("1", 5)), "s", LIVES).unwrap();
        let winner = login("2", 9);
        // As often as it does not get there.
        for _ in 0..3 {
            let turn = ledger.look(Some(&winner), &of(blank()), "s", LIVES);
            assert_eq!((turn.give, turn.notice), (Some(winner.clone()), None));
        }
        ledger.confirm(&winner, "s");
        assert_eq!(ledger.look(Some(&winner), &of(winner.clone()), "s", LIVES), Turn::default());
        // The winner's is refused as well.
        let turn = ledger.look(Some(&winner), &of(blank()), "s", LIVES);
        assert_eq!((turn.give, turn.notice), (None, Some(Notice::Ended)));
    }

    #[test]
    fn the_later_end_wins_among_two_that_nobody_agreed_on_and_a_used_one_never_does() {
        let mut ledger = Ledger::default();
        ledger.note(Some(&login("old", 99)));
        ledger.note(Some(&login("store", 5)));
        let store = login("store", 5);
        let admits = |token: &str, expires| ledger.admits(Some(&store), &login(token, expires));
        assert!(admits("new", 6) && !admits("older", 4));
        assert!(!admits("old", 99), "a used refresh token is restored");
        assert!(!ledger.admits(Some(&store), &blank()));
    }

    #[test]
    fn a_login_that_was_removed_here_does_not_come_back_from_a_session() {
        let mut ledger = Ledger::default();
        ledger.launch(Some(&login("1", 5)), "s", LIVES).unwrap();
        assert_eq!(ledger.release(None, &of(login("2", 9)), "s"), Turn::default());
    }

    #[test]
    fn sessions_do_not_follow_into_another_account() {
        let account = |uuid: &str| Some(Account { uuid: uuid.into(), organization: None });
        let mut ledger = Ledger::default();
        ledger.told_account(account("ann"));
        let lease = login("1", 5).lease().unwrap();
        let bobs = Offered { login: Some(lease.clone()), account: account("bob") };
        let anns = Offered { login: Some(lease), account: account("ann") };
        let store = login("2", 9);
        assert_eq!(ledger.follow(Some(&store), &bobs).notice, Some(Notice::OtherAccount));
        assert!(ledger.follow(Some(&store), &anns).give.is_some());
        assert_eq!(ledger.look(Some(&store), &bobs, "s", LIVES).give, None);
    }
}
