//! One look: fetch, compare, and bring here what git says, as one transaction that is proven or taken back.

use super::{
    apply::{self, Applied, Recorded},
    audit::{self, Actor, Cause, Entry},
    choose::{Chosen, choose},
    desired::{Desired, resolve},
    fights::{Revert, forget_old, revert},
    gitops::Gitops,
    mirror::{About, Commit, Mirror},
    observed::{self, News},
    place::{Arrives, Below, Place},
    plain_secrets::may_hold_secret,
    plan::{Sides, Step, plan},
    report::{Changed, Outcome, Report, drift_lines},
    repository::{self, Reader, Repository},
    root::{DriftPolicy, Emptying},
    runtime::{Runtime, below_home},
    sessions::Sessions,
    state::{DriftKind, Drifted, FailedCommit, HeldChange, State, Store, Suspended},
    value::{Print, Salt, Secrecy, Value},
    verify::{Verify, proven},
};
use crate::{
    backup::{BeforeSync, pre_sync_backup},
    error_handling::{Code, Error, Result},
    sync::SyncLock,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What is wanted of a look.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Who wants it.
    pub actor: Actor,
    /// Which commit is to be in force.
    pub target: Target,
    /// Whether what speaks against a commit is passed over: a rewritten history, a failure before.
    pub force: Force,
    /// Where git's value comes back over what somebody changed here, whatever the policies say.
    pub revert: Vec<Below>,
}

/// Which commit is to be in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The newest of the branch.
    Newest,
    /// This one, as it was typed; and nothing newer until the user says so.
    Commit(String),
}

/// Whether what speaks against a commit is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Wish {
    /// What the loop wants.
    #[must_use]
    pub fn of_loop() -> Self {
        Self { actor: Actor::Loop, target: Target::Newest, force: Force::No, revert: Vec::new() }
    }

    /// What a user wants who says no more.
    #[must_use]
    pub fn of_user() -> Self {
        Self { actor: Actor::User, ..Self::of_loop() }
    }
}

/// So often is a plan made anew when another program writes at the same time.
const ROUNDS: usize = 8;
/// So long another process is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Brings what git says to this computer, and tells what differs. Blocking.
///
/// # Errors
/// [`Code::GitopsOff`] where no repository is set up; [`Code::GitopsBusy`] or [`Code::LockHeld`] where others are at
/// work; what keeps this computer from being read or written. A commit that cannot be brought here is no error: the
/// report says so.
pub fn reconcile_config(gitops: &Gitops, wish: &Wish, now: DateTime<Utc>) -> Result<Report> {
    let store = Store::take(&gitops.locations.data_dir, PATIENCE)?;
    let mut look = Look::begin(gitops, store, now)?;
    let mut report = look.reconcile(wish)?;
    report.news = observed::told(&report, &look.before) == News::Some;
    Ok(report)
}

/// One look, while this process has the state for itself.
pub(super) struct Look<'a> {
    pub(super) gitops: &'a Gitops,
    pub(super) store: Store,
    pub(super) state: State,
    /// The state as it was found, to tell what is new.
    pub(super) before: State,
    pub(super) mirror: Mirror,
    pub(super) salt: Salt,
    pub(super) now: DateTime<Utc>,
}

/// What a commit says, and what follows.
pub(super) struct Planned {
    pub(super) commit: Commit,
    pub(super) about: About,
    pub(super) repository: Repository,
    pub(super) desired: Desired,
    pub(super) runtime: Runtime,
    pub(super) steps: BTreeMap<Place, (Step, Sides)>,
}

impl<'a> Look<'a> {
    /// Opens everything, and finishes what an ended process was at.
    pub(super) fn begin(gitops: &'a Gitops, store: Store, now: DateTime<Utc>) -> Result<Self> {
        let (remote, address) = gitops.remote()?;
        let mut state = store.load()?;
        let transaction = state.transaction;
        if apply::is_begun(&gitops.transaction()) {
            let _lock = SyncLock::acquire_blocking(
                &gitops.locations.sync_lock,
                "configuration from git",
                gitops.settings.lock_timeout(),
            )?;
            apply::recover(&gitops.transaction(), |id| transaction == Some(id))?;
        }
        audit::append(&store.folder().join(audit::FILE), &state.unlogged)?;
        if state.repository != address {
            // What was written from another repository is nobody's any more: it is compared anew.
            let (audit, unlogged) = (state.audit.clone(), Vec::new());
            state =
                State { version: 1, repository: address, audit, unlogged, transaction, ..State::default() };
        }
        let salt = Salt::of(store.folder())?;
        let mirror = Mirror::open(
            &store.folder().join("mirror.git"),
            &gitops.locations.home,
            remote,
            gitops.settings.gitops_branch(),
            Some(store.lock()),
        )?;
        Ok(Self { gitops, store, before: state.clone(), state, mirror, salt, now })
    }

    pub(super) fn reconcile(&mut self, wish: &Wish) -> Result<Report> {
        let chosen = choose(self, wish)?;
        self.state.looked = Some(self.now);
        let report = match chosen {
            Chosen::None(outcome) => Report::empty(outcome),
            // Nothing new: what is in force is compared, and what was decided since is done.
            Chosen::InForce(commit, outcome) => {
                let has_failed =
                    matches!(&outcome, Outcome::Failed { commit: failed, .. } if *failed == commit);
                let is_suspended = matches!(outcome, Outcome::Suspended { .. });
                let bring = if has_failed || is_suspended { Bring::Nothing } else { Bring::All };
                match self.bring(&commit, wish, bring) {
                    Ok(report) => report.with_outcome(outcome),
                    Err(error) if is_the_commits(&error) && has_failed => Report::empty(outcome),
                    Err(error) if is_the_commits(&error) => self.failed(&commit, wish, error)?,
                    Err(error) => return Err(error),
                }
            }
            Chosen::New(commit) => match self.bring(&commit, wish, Bring::All) {
                Ok(report) => report,
                Err(error) if is_the_commits(&error) => self.failed(&commit, wish, error)?,
                Err(error) => return Err(error),
            },
        };
        if let (Target::Commit(_), Some(commit), Outcome::Synced) =
            (&wish.target, &report.commit, &report.outcome)
        {
            let why = format!("you went back to commit {}", commit.short());
            self.state.suspended = Some(Suspended { at: self.now, why });
        }
        let mut report = report.with_state(&self.state);
        if !report.adopt.is_empty()
            && let Some(commit) = report.commit.clone()
        {
            let planned = self.planned(&commit)?;
            match self.adopt(&planned, &report.adopt, wish.actor) {
                Ok(adopted) => report.adopted = Some(adopted),
                // It stays drift, and is tried again.
                Err(error) => tracing::warn!(%error, "what was changed here did not become a commit"),
            }
        }
        self.save()?;
        Ok(report)
    }

    /// Compares what is in force with what stands here.
    pub(super) fn detect(&mut self, actor: Actor) -> Result<Report> {
        let Some(in_force) = self.state.in_force.clone() else {
            return Ok(Report::empty(Outcome::NothingFetched));
        };
        let wish = Wish { actor, ..Wish::of_loop() };
        let mut report = self.bring(&in_force.commit, &wish, Bring::Nothing)?;
        self.state.looked = Some(self.now);
        if let Some(sessions) = self.sessions() {
            let drift: BTreeSet<_> = report.drift.iter().map(|line| &line.place).collect();
            report.in_sessions =
                sessions.waiting(|place| self.state.inventory.contains_key(place) || drift.contains(place));
        }
        self.save()?;
        observed::told(&report, &self.before);
        Ok(report.with_state(&self.state))
    }

    /// A commit that is not tried again; what is in force is still looked after.
    fn failed(&mut self, commit: &Commit, wish: &Wish, error: Error) -> Result<Report> {
        let about = self.mirror.about(commit)?;
        let (at, settings) = (self.now, self.gitops.settings_digest());
        self.state.note_failed(FailedCommit {
            commit: commit.clone(),
            about,
            at,
            error: error.clone(),
            settings,
        });
        // The failure is remembered before anything else: it is not tried again after a crash.
        self.save()?;
        let outcome = if error.code() == Code::GitopsUnproven {
            Outcome::RolledBack { commit: commit.clone(), error }
        } else {
            Outcome::Failed { commit: commit.clone(), error }
        };
        let in_force = self.state.in_force.clone();
        Ok(match in_force.filter(|now| now.commit != *commit) {
            Some(now) => {
                let drift = Wish { revert: Vec::new(), ..wish.clone() };
                match self.bring(&now.commit, &drift, Bring::Nothing) {
                    Ok(report) => report.with_outcome(outcome),
                    Err(_) => Report::empty(outcome),
                }
            }
            None => Report::empty(outcome),
        })
    }

    /// What is on record of sessions' changes. Where that cannot be read, drift is told without it.
    pub(super) fn sessions(&self) -> Option<Sessions> {
        Sessions::read(self.gitops, self.now)
            .inspect_err(|error| tracing::warn!(%error, "what sessions changed is not known"))
            .ok()
    }

    pub(super) fn save(&mut self) -> Result<()> {
        if self.state == self.before { Ok(()) } else { self.store.save(&self.state) }
    }

    /// What a commit says and what follows from it.
    pub(super) fn planned(&self, commit: &Commit) -> Result<Planned> {
        let home = self.gitops.locations.home.to_string_lossy().into_owned();
        let (machine, host) = self.gitops.names();
        let tree = self.mirror.tree(commit)?;
        let (repository, problems) = repository::read(&tree, &Reader { home: &home, machine: &machine });
        if !problems.is_empty() {
            let mut error = Error::new(
                Code::GitopsInvalid,
                format!("commit {commit} says something that cannot be configuration"),
            );
            for problem in problems.iter().take(10) {
                error = error.why(problem);
            }
            return Err(error.remedy("mend it, and see with: drydock gitops validate"));
        }
        let desired = resolve(&repository, &home, &host, &self.gitops.secrets())?;
        let emptied =
            desired.values.is_empty() && desired.missing.is_empty() && !self.state.inventory.is_empty();
        if emptied && repository.root.emptying == Emptying::Refused {
            return Err(Error::new(Code::GitopsInvalid, format!("commit {commit} says nothing any more"))
                .why("all that came from git before would be taken away")
                .remedy("if that is meant, write `allow_empty: true` into drydock.yaml"));
        }
        let places: BTreeSet<_> = self.state.inventory.keys().chain(desired.values.keys()).collect();
        let runtime = Runtime::read(&self.gitops.locations, places.iter().copied())?;
        let print = |value: &Value| value.print(&self.salt);
        let actual = places
            .iter()
            .filter_map(|place| Some(((*place).clone(), print(&runtime.value(place)?))))
            .collect();
        let wanted = desired.values.iter().map(|(place, value)| (place.clone(), print(value))).collect();
        let waiting = desired.missing.keys().cloned().collect();
        let mut steps = plan(&self.state.inventory, &actual, &wanted, &waiting);
        // Git has no say in these any more, whatever was written.
        for place in self.state.inventory.keys().filter(|place| repository.root.ignores(place)) {
            if let Some((step, _)) = steps.get_mut(place) {
                *step = Step::Release;
            }
        }
        let about = self.mirror.about(commit)?;
        Ok(Planned { commit: commit.clone(), about, repository, desired, runtime, steps })
    }

    /// Brings what a commit says here.
    fn bring(&mut self, commit: &Commit, wish: &Wish, bring: Bring) -> Result<Report> {
        for round in 0..ROUNDS {
            let planned = self.planned(commit)?;
            let mut next = self.state.clone();
            let decided = self.decide(&planned, wish, bring, &mut next);
            if bring == Bring::All {
                next.take_in_force(commit, &planned.about, self.now);
            }
            if decided.writes.is_empty() {
                self.state = next;
                self.keep(commit);
                return Ok(self.report(&planned, &decided));
            }
            match self.write(&planned, &decided, wish, next, round)? {
                Applied::Done => {
                    self.keep(commit);
                    return Ok(self.report(&planned, &decided));
                }
                Applied::Moved(file) => {
                    tracing::debug!(file = %file.display(), "written meanwhile; planned anew");
                }
                Applied::Unproven(error) => return Err(error),
            }
        }
        Err(Error::new(Code::GitopsBusy, "what git says could not be written")
            .why("another program writes the same files without a pause")
            .remedy("nothing: it is tried again"))
    }

    /// The commit in force must not be cleared away. That it may be is no reason to fail.
    fn keep(&self, commit: &Commit) {
        if let Err(error) = self.mirror.keep(commit) {
            tracing::warn!(%error, "the commit in force is not marked as such");
        }
    }

    /// What is done about each place.
    fn decide(&self, planned: &Planned, wish: &Wish, bring: Bring, next: &mut State) -> Decided {
        let mut decided = Decided::default();
        let mut held = BTreeMap::new();
        let mut drift = BTreeMap::new();
        for (place, (step, sides)) in &planned.steps {
            let id = held_id(&self.salt, place, sides.desired.as_ref());
            let is_wished = wish.revert.iter().any(|below| below.covers(place));
            let secrecy = planned.desired.values.get(place).map(|value| value.secrecy);
            let cause = match step {
                Step::Own => {
                    if let Some(print) = &sides.desired {
                        next.inventory.insert(place.clone(), print.clone());
                        note_secret(next, place, secrecy);
                        next.approved.insert(id);
                        decided.owned.push(place.clone());
                    }
                    continue;
                }
                Step::Release => {
                    next.inventory.remove(place);
                    next.secret.remove(place);
                    decided.released.push(place.clone());
                    continue;
                }
                _ if bring == Bring::Nothing
                    && !is_wished
                    && *step != Step::Drift
                    && *step != Step::Conflict =>
                {
                    continue;
                }
                Step::Write if matches!(wish.target, Target::Commit(_)) => Cause::RolledBack,
                Step::Write => Cause::Commit,
                Step::Remove => Cause::Pruned,
                Step::Drift | Step::Conflict if is_wished => Cause::Reverted,
                Step::Drift | Step::Conflict => {
                    let kind = if *step == Step::Drift { DriftKind::Here } else { DriftKind::Both };
                    let policy =
                        planned.repository.root.policy(place, self.gitops.settings.gitops_drift_policy());
                    let mut drifted = self.drifted(place, kind, sides.actual.clone());
                    let taken_back = next.taken_back.entry(place.clone()).or_default();
                    forget_old(taken_back, self.now);
                    let reverts =
                        policy == DriftPolicy::Revert && kind == DriftKind::Here && bring == Bring::All;
                    match revert(taken_back, self.now) {
                        Revert::Now if reverts => {
                            taken_back.push(self.now);
                            Cause::Reverted
                        }
                        fight => {
                            if reverts && fight == Revert::Fight {
                                drifted.fight = drifted.fight.or(Some(self.now));
                            }
                            let is_commit = next.adopted.get(place) == Some(&sides.actual);
                            if policy == DriftPolicy::Adopt
                                && kind == DriftKind::Here
                                && bring == Bring::All
                                && !is_commit
                            {
                                decided.adopt.push(place.clone());
                            }
                            drift.insert(place.clone(), drifted);
                            continue;
                        }
                    }
                }
            };
            if place.arrives() == Arrives::OnceApproved && !next.approved.contains(&id) {
                held.insert(place.clone(), self.held(planned, place, &id));
                // Until it is approved, what somebody changed is still what is there.
                if matches!(step, Step::Drift | Step::Conflict) {
                    let kind = if *step == Step::Drift { DriftKind::Here } else { DriftKind::Both };
                    drift.insert(place.clone(), self.drifted(place, kind, sides.actual.clone()));
                }
                continue;
            }
            match &sides.desired {
                Some(print) => {
                    next.inventory.insert(place.clone(), print.clone());
                    note_secret(next, place, secrecy);
                }
                None => {
                    next.inventory.remove(place);
                    next.secret.remove(place);
                }
            }
            if cause == Cause::Reverted && is_wished {
                next.taken_back.remove(place);
            }
            let value = planned.desired.values.get(place).cloned();
            decided.writes.insert(place.clone(), (cause, value));
        }
        next.taken_back.retain(|_, times| !times.is_empty());
        next.adopted.retain(|place, _| drift.contains_key(place));
        if bring == Bring::All {
            next.held = held;
        }
        next.drift = drift;
        decided
    }

    fn drifted(&self, place: &Place, kind: DriftKind, actual: Option<Print>) -> Drifted {
        let known = self.state.drift.get(place);
        Drifted {
            since: known.map_or(self.now, |known| known.since),
            kind,
            actual,
            fight: known.and_then(|known| known.fight),
        }
    }

    fn held(&self, planned: &Planned, place: &Place, id: &str) -> HeldChange {
        let known = self.state.held.get(place).filter(|known| known.id == id);
        HeldChange {
            id: id.to_owned(),
            since: known.map_or(self.now, |known| known.since),
            from: self.actual(planned, place).map(|value| value.shown(&self.salt)),
            to: planned.desired.values.get(place).map(|value| value.shown(&self.salt)),
            // A later commit about other things did not want it: whoever judges it has to know who did.
            commit: known.map_or_else(|| Some(planned.commit.clone()), |known| known.commit.clone()),
            about: known.map_or_else(|| Some(planned.about.clone()), |known| known.about.clone()),
        }
    }

    /// What stands at a place, as it may be shown: where git has a secret, what is there is taken for one.
    pub(super) fn actual(&self, planned: &Planned, place: &Place) -> Option<Value> {
        let mut value = planned.runtime.value(place)?;
        let wanted = planned.desired.values.get(place).map(|value| value.secrecy);
        let is_known = wanted == Some(Secrecy::Secret) || self.state.secret.contains(place);
        let looks = || {
            let key = place.keys.last().map_or("", String::as_str);
            value.json().is_some_and(|json| may_hold_secret(key, json))
        };
        if is_known || looks() {
            value.secrecy = Secrecy::Secret;
        }
        Some(value)
    }

    /// Writes what was decided, as one transaction.
    fn write(
        &mut self,
        planned: &Planned,
        decided: &Decided,
        wish: &Wish,
        mut next: State,
        round: usize,
    ) -> Result<Applied> {
        let gitops = self.gitops;
        let lock = SyncLock::acquire_blocking(
            &gitops.locations.sync_lock,
            "configuration from git",
            gitops.settings.lock_timeout(),
        )?;
        let changes: BTreeMap<_, _> =
            decided.writes.iter().map(|(place, (_, value))| (place.clone(), value.clone())).collect();
        let files = planned.runtime.with(&changes)?;
        pre_sync_backup(
            &BeforeSync::Snapshot(Box::new(gitops.backups())),
            &gitops.locations.home,
            "gitops",
            &below_home(&gitops.locations.home, &files),
            // Each round has a backup of its own, and they are named after their times.
            self.now + TimeDelta::milliseconds(i64::try_from(round).unwrap_or(0)),
        )?;
        let entries = decided.writes.iter().map(|(place, (cause, value))| Entry {
            at: self.now,
            actor: wish.actor,
            cause: *cause,
            commit: Some(planned.commit.clone()),
            author: Some(planned.about.author.clone()),
            place: place.clone(),
            from: self.actual(planned, place).map(|value| value.shown(&self.salt)),
            to: value.as_ref().map(|value| value.shown(&self.salt)),
        });
        let (lines, head) = audit::chained(&self.state.audit, entries.collect())?;
        (next.audit, next.unlogged) = (head, lines);
        let verify = Verify::before(&gitops.locations, &gitops.settings);
        let (store, salt) = (&self.store, &self.salt);
        let mut recorded = None;
        let applied = apply::apply(
            &gitops.transaction(),
            files,
            || proven(&verify, &changes, salt, &planned.commit),
            |id| {
                next.transaction = Some(id);
                let saved = store.save(&next);
                // A failing disk may have taken it all the same.
                let holds = saved.is_ok() || store.load().is_ok_and(|now| now.transaction == Some(id));
                recorded = holds.then_some(id);
                Ok(match saved {
                    Err(error) if !holds => Recorded::No(error),
                    _ => Recorded::Yes,
                })
            },
        );
        // What was recorded holds, even if clearing up behind it failed.
        if recorded.is_some() {
            self.state = next;
            audit::append(&store.folder().join(audit::FILE), &self.state.unlogged)?;
        }
        drop(lock);
        applied
    }

    fn report(&self, planned: &Planned, decided: &Decided) -> Report {
        let changed = decided.writes.iter().map(|(place, (cause, value))| Changed {
            place: place.clone(),
            cause: *cause,
            to: value.as_ref().map(|value| value.shown(&self.salt)),
        });
        Report {
            repository: self.state.repository.clone(),
            commit: Some(planned.commit.clone()),
            about: Some(planned.about.clone()),
            outcome: Outcome::Synced,
            unreachable: None,
            changed: changed.collect(),
            owned: decided.owned.len(),
            released: decided.released.clone(),
            drift: drift_lines(self, planned),
            in_sessions: Vec::new(),
            held: self.state.held.clone(),
            missing: planned.desired.missing.clone(),
            news: false,
            adopt: decided.adopt.clone(),
            adopted: None,
        }
    }
}

/// What is done, place by place.
#[derive(Debug, Default)]
struct Decided {
    writes: BTreeMap<Place, (Cause, Option<Value>)>,
    owned: Vec<Place>,
    released: Vec<Place>,
    adopt: Vec<Place>,
}

/// How much of a commit is brought here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bring {
    All,
    /// It is looked at alone.
    Nothing,
}

fn note_secret(state: &mut State, place: &Place, secrecy: Option<Secrecy>) {
    if secrecy == Some(Secrecy::Secret) {
        state.secret.insert(place.clone());
    } else {
        state.secret.remove(place);
    }
}

/// The name of a change that waits: the same thing at the same place has the same one.
pub(super) fn held_id(salt: &Salt, place: &Place, desired: Option<&Print>) -> String {
    let what = desired.map_or("", Print::whole);
    salt.print(&[b"held", place.to_string().as_bytes(), what.as_bytes()]).short().to_owned()
}

/// Whether an error is the commit's fault, and not that of this computer.
fn is_the_commits(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::GitopsInvalid
            | Code::GitopsSecret
            | Code::GitopsUnproven
            | Code::SettingsValue
            | Code::SettingsUnknownKey
    )
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
