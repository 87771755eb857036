//! A thousand random schedules of sessions, refreshes, expiries, crashes and sign-outs, against a server
//! that takes each refresh token once.

use super::ledger::{Ledger, Notice, Offered, Turn};
use crate::keychain::{Credentials, LoginKind};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};

/// The server: of each sign-in the newest refresh token is good, and each is good once.
#[derive(Default)]
struct Server {
    issued: u64,
    now: i64,
    /// The newest refresh token of each sign-in; `None` once it was signed out.
    families: Vec<Option<u64>>,
    used: HashSet<u64>,
    /// Refresh tokens that were posted although they were used up.
    replays: u64,
}

const LIFETIME: i64 = 100;

impl Server {
    fn pair(&mut self, family: usize) -> Credentials {
        self.issued += 1;
        self.families[family] = Some(self.issued);
        let text = json!({"claudeAiOauth": {
            "accessToken": format!("a-{family}-{}", self.issued), "refreshToken": format!("r-{family}-{}", self.issued),
            "expiresAt": self.now + LIFETIME,
        }});
        Credentials::parse(text.to_string().as_bytes()).unwrap()
    }

    fn sign_in(&mut self) -> Credentials {
        self.families.push(None);
        self.pair(self.families.len() - 1)
    }

    /// Family and number of a login's refresh token.
    fn token(login: &Credentials) -> Option<(usize, u64)> {
        let (_, refresh) = login.tokens()?;
        let mut parts = refresh.reveal().split('-').skip(1).map(|part| part.parse().unwrap());
        Some((usize::try_from(parts.next()?).unwrap(), parts.next()?))
    }

    fn refresh(&mut self, login: &Credentials) -> Credentials {
        let (family, number) = Self::token(login).unwrap();
        if self.families[family] == Some(number) {
            self.used.insert(number);
            return self.pair(family);
        }
        // After a sign-out nothing is good any more, whoever posts it.
        let signed_out = self.families[family].is_none();
        self.replays += u64::from(self.used.contains(&number) && !signed_out);
        let blank = r#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0}}"#;
        Credentials::parse(blank.as_bytes()).unwrap()
    }
}

/// A session's home: it stays when its container is killed.
#[derive(Default)]
struct Inside {
    login: Option<Credentials>,
    runs: bool,
}

#[derive(Default)]
struct World {
    server: Server,
    store: Option<Credentials>,
    ledger: Ledger,
    sessions: BTreeMap<String, Inside>,
    started: usize,
    /// Sign-ins that somebody signed out of, or whose only copy went with a lost home.
    lost: HashSet<usize>,
    ended: u64,
}

/// How far a step gets before its process is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Until {
    Announced,
    Store,
    Ledger,
    Given,
    End,
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Launch(Until),
    Look(usize, Until),
    /// A turn of Claude Code's, which renews what has ended.
    Work(usize),
    TimePasses(i64),
    End(usize, Until),
    Kill(usize),
    GoOn(usize, Until),
    SignOut(usize),
    SignIn(usize),
}

impl World {
    fn act(&mut self, act: Act) {
        match act {
            Act::Launch(until) => self.launch(until),
            Act::TimePasses(time) => self.server.now += time,
            Act::Look(which, until) => self.with(which, true, |world, id| world.look(id, until)),
            Act::Work(which) => self.with(which, true, Self::work),
            Act::End(which, until) => self.with(which, true, |world, id| {
                world.sessions.get_mut(id).unwrap().runs = false;
                world.finish(id, until);
            }),
            Act::Kill(which) => self.with(which, true, |world, id| {
                world.sessions.get_mut(id).unwrap().runs = false;
            }),
            Act::GoOn(which, until) => self.with(which, false, |world, id| {
                world.look(id, until);
                world.sessions.get_mut(id).unwrap().runs = until == Until::End;
            }),
            Act::SignOut(which) => self.with(which, true, |world, id| {
                let login = world.sessions.get_mut(id).unwrap().login.take();
                // The server revokes what it is shown; a lease shows nothing that others need.
                if let Some((family, _)) = login.as_ref().and_then(Server::token) {
                    world.server.families[family] = None;
                    world.lost.insert(family);
                }
            }),
            Act::SignIn(which) => self.with(which, true, |world, id| {
                let signed_out =
                    world.sessions[id].login.as_ref().is_none_or(|login| login.expires_ms() == Some(0));
                if signed_out {
                    let login = world.server.sign_in();
                    world.sessions.get_mut(id).unwrap().login = Some(login);
                }
            }),
        }
    }

    fn with(&mut self, which: usize, running: bool, act: impl FnOnce(&mut Self, &str)) {
        let ids: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, inside)| inside.runs == running)
            .map(|(id, _)| id.clone())
            .collect();
        if !ids.is_empty() {
            act(self, &ids[which % ids.len()]);
        }
    }

    fn launch(&mut self, until: Until) {
        self.started += 1;
        let id = format!("s{}", self.started);
        let known: HashSet<_> = self.sessions.keys().cloned().chain([id.clone()]).collect();
        let mut ledger = self.ledger.clone();
        let given = ledger.launch(self.store.as_ref(), &id, &|other| known.contains(other));
        if matches!(until, Until::Announced | Until::Store) {
            return;
        }
        self.ledger = ledger;
        // Killed before the session has it: the session's record is removed with it.
        if until == Until::End {
            self.sessions.insert(id, Inside { login: given, runs: true });
        }
    }

    fn offered(&self, id: &str) -> Offered {
        Offered { login: self.sessions[id].login.clone(), account: None }
    }

    fn look(&mut self, id: &str, until: Until) {
        let mut ledger = self.ledger.clone();
        let sessions = &self.sessions;
        let turn =
            ledger.look(self.store.as_ref(), &self.offered(id), id, &|other| sessions.contains_key(other));
        self.carry_out(ledger, turn, id, until);
    }

    fn finish(&mut self, id: &str, until: Until) {
        let mut ledger = self.ledger.clone();
        let turn = ledger.release(self.store.as_ref(), &self.offered(id), id);
        self.carry_out(ledger, turn, id, until);
        if until == Until::End {
            // What the session had of a login of its own goes with it.
            if let Some((family, _)) = self.sessions[id].login.as_ref().and_then(Server::token)
                && self.store.as_ref().and_then(Server::token).is_none_or(|(kept, _)| kept != family)
            {
                self.lost.insert(family);
            }
            self.sessions.remove(id);
        }
    }

    fn carry_out(&mut self, ledger: Ledger, turn: Turn, id: &str, until: Until) {
        self.ended += u64::from(turn.notice == Some(Notice::Ended));
        if let Some(login) = turn.store {
            if let Some(announced) = self.ledger.announced(&ledger) {
                self.ledger = announced;
            }
            if until == Until::Announced {
                return;
            }
            // Of two sign-ins the store keeps one.
            let kept = Server::token(&login).map(|(family, _)| family);
            if let Some((family, _)) = self.store.as_ref().and_then(Server::token)
                && kept != Some(family)
            {
                self.lost.insert(family);
            }
            self.store = Some(login);
        }
        if matches!(until, Until::Announced | Until::Store) {
            return;
        }
        self.ledger = ledger;
        let Some(login) = turn.give.filter(|_| until != Until::Ledger) else { return };
        if until == Until::End {
            self.ledger.confirm(&login, id);
        }
        self.sessions.get_mut(id).unwrap().login = Some(login);
    }

    fn work(&mut self, id: &str) {
        let Some(login) = self.sessions[id].login.clone() else { return };
        let over = login.expires_ms().unwrap_or_default() <= self.server.now;
        if over && login.is_full() {
            let renewed = self.server.refresh(&login);
            self.sessions.get_mut(id).unwrap().login = Some(renewed);
        }
    }

    /// What must hold at every moment.
    fn check(&self) {
        assert_eq!(self.server.replays, 0, "a used refresh token was posted");
        assert!(self.ended == 0 || !self.lost.is_empty(), "a login ended that nobody had signed out of");
        for (family, newest) in self.server.families.iter().enumerate() {
            let Some(newest) = newest.filter(|_| !self.lost.contains(&family)) else { continue };
            let everywhere = self.sessions.values().map(|inside| &inside.login).chain([&self.store]);
            let kept = everywhere.flatten().any(|login| Server::token(login) == Some((family, newest)));
            assert!(kept, "the newest refresh token of sign-in {family} is nowhere");
        }
    }

    /// Looks after all until nothing changes: then everybody can work.
    fn settle(&mut self) {
        let over: Vec<_> =
            self.sessions.iter().filter(|(_, inside)| !inside.runs).map(|(id, _)| id.clone()).collect();
        for id in over {
            self.finish(&id, Until::End);
            self.check();
        }
        for _ in 0..3 {
            let ids: Vec<_> = self.sessions.keys().cloned().collect();
            for id in &ids {
                self.look(id, Until::End);
                self.work(id);
                self.look(id, Until::End);
                self.check();
            }
        }
        let alive = self.store.as_ref().and_then(Server::token).is_some_and(|(family, number)| {
            self.server.families[family] == Some(number) && !self.ledger.has_ended(self.store.as_ref())
        });
        if !alive {
            return;
        }
        let whole = self.sessions.values().flat_map(|inside| &inside.login).filter(|login| {
            login.is_full() && login.refresh_print() == self.store.as_ref().unwrap().refresh_print()
        });
        assert!(whole.count() <= 1, "two sessions hold one refresh token");
        for (id, inside) in &self.sessions {
            let Some(login) = &inside.login else { continue };
            assert_ne!(login.kind(), Some(LoginKind::Tombstone), "{id} is logged out");
            assert!(login.expires_ms().unwrap() > self.server.now, "{id} has an ended login");
        }
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let until = || prop_oneof![1 => Just(Until::Announced), 1 => Just(Until::Store), 1 => Just(Until::Ledger), 1 => Just(Until::Given), 8 => Just(Until::End)];
    let which = || 0..8_usize;
    let act = prop_oneof![
        3 => until().prop_map(Act::Launch),
        8 => (which(), until()).prop_map(|(which, until)| Act::Look(which, until)),
        8 => which().prop_map(Act::Work),
        3 => (1..150_i64).prop_map(Act::TimePasses),
        2 => (which(), until()).prop_map(|(which, until)| Act::End(which, until)),
        1 => which().prop_map(Act::Kill),
        1 => (which(), until()).prop_map(|(which, until)| Act::GoOn(which, until)),
        1 => which().prop_map(Act::SignOut),
        1 => which().prop_map(Act::SignIn),
    ];
    proptest::collection::vec(act, 1..80)
}

#[test]
fn in_a_thousand_schedules_nobody_is_logged_out() {
    let mut runner = TestRunner::new(Config { cases: 1000, ..Config::default() });
    let ran = runner.run(&(acts(), any::<bool>()), |(acts, signed_in)| {
        let mut world = World::default();
        if signed_in {
            world.store = Some(world.server.sign_in());
        }
        for act in acts {
            world.act(act);
            world.check();
        }
        world.settle();
        Ok(())
    });
    if let Err(found) = ran {
        panic!("{found}");
    }
}
