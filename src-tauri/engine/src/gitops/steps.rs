//! What is done about each place that git has or had a say in.

use super::{
    audit::Cause,
    bring::Bring,
    fights::{Revert, forget_old, revert},
    place::{Arrives, Place},
    plan::{Sides, Step},
    planned::Planned,
    reconcile::Look,
    root::DriftPolicy,
    state::{DriftKind, Drifted, HeldChange, State},
    value::{Print, Salt, Secrecy, Value},
    wish::{Target, Wish},
};
use std::collections::BTreeMap;

/// What is done, place by place.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) writes: BTreeMap<Place, (Cause, Option<Value>)>,
    pub(super) owned: Vec<Place>,
    pub(super) released: Vec<Place>,
    pub(super) adopt: Vec<Place>,
}

/// The deciding, on its way through the places.
pub(super) struct Deciding<'a> {
    look: &'a Look<'a>,
    planned: &'a Planned,
    wish: &'a Wish,
    bring: Bring,
    /// The state, once what was decided is done.
    next: State,
    decided: Decided,
    held: BTreeMap<Place, HeldChange>,
    drift: BTreeMap<Place, Drifted>,
}

impl<'a> Deciding<'a> {
    pub(super) fn begin(look: &'a Look<'a>, planned: &'a Planned, wish: &'a Wish, bring: Bring) -> Self {
        let (held, drift) = (BTreeMap::new(), BTreeMap::new());
        Self {
            look,
            planned,
            wish,
            bring,
            next: look.state.clone(),
            decided: Decided::default(),
            held,
            drift,
        }
    }

    /// Decides about every place: what to do, and the state that follows from it.
    pub(super) fn all(mut self) -> (Decided, State) {
        for (place, (step, sides)) in &self.planned.steps {
            if let Some(cause) = self.cause(place, *step, sides) {
                self.write(place, *step, sides, cause);
            }
        }
        self.next.taken_back.retain(|_, times| !times.is_empty());
        self.next.adopted.retain(|place, _| self.drift.contains_key(place));
        if self.bring == Bring::All {
            self.next.held = self.held;
        }
        self.next.drift = self.drift;
        (self.decided, self.next)
    }

    /// Why a place is written; nothing where it is not.
    fn cause(&mut self, place: &Place, step: Step, sides: &Sides) -> Option<Cause> {
        let is_asked = || self.bring == Bring::All || self.is_wished(place);
        match step {
            Step::Own => {
                self.own(place, sides);
                None
            }
            Step::Release => {
                self.next.inventory.remove(place);
                self.next.secret.remove(place);
                self.decided.released.push(place.clone());
                None
            }
            Step::Write if matches!(self.wish.target, Target::Commit(_)) => {
                is_asked().then_some(Cause::RolledBack)
            }
            Step::Write => is_asked().then_some(Cause::Commit),
            Step::Remove => is_asked().then_some(Cause::Pruned),
            Step::Drift | Step::Conflict if self.is_wished(place) => Some(Cause::Reverted),
            Step::Drift => self.differs(place, DriftKind::Here, sides),
            Step::Conflict => self.differs(place, DriftKind::Both, sides),
        }
    }

    /// It is as git says: from now on git has its say there.
    fn own(&mut self, place: &Place, sides: &Sides) {
        let Some(print) = &sides.desired else { return };
        self.next.inventory.insert(place.clone(), print.clone());
        self.note_secret(place);
        self.next.approved.insert(held_id(&self.look.salt, place, Some(print)));
        self.decided.owned.push(place.clone());
    }

    /// What somebody changed here: reverted, adopted or told, as the policy says.
    fn differs(&mut self, place: &Place, kind: DriftKind, sides: &Sides) -> Option<Cause> {
        let now = self.look.now;
        let default = self.look.gitops.settings.gitops_drift_policy();
        let policy = self.planned.repository.root.policy(place, default);
        let may_act = kind == DriftKind::Here && self.bring == Bring::All;
        let mut drifted = self.drifted(place, kind, sides);
        let taken_back = self.next.taken_back.entry(place.clone()).or_default();
        forget_old(taken_back, now);
        if may_act && policy == DriftPolicy::Revert {
            match revert(taken_back, now) {
                Revert::Now => {
                    taken_back.push(now);
                    return Some(Cause::Reverted);
                }
                Revert::Fight => drifted.fight = drifted.fight.or(Some(now)),
                Revert::Later(_) => {}
            }
        }
        let is_commit = self.next.adopted.get(place) == Some(&sides.actual);
        if may_act && policy == DriftPolicy::Adopt && !is_commit {
            self.decided.adopt.push(place.clone());
        }
        self.drift.insert(place.clone(), drifted);
        None
    }

    /// Writes what git says, unless it has to be approved first.
    fn write(&mut self, place: &Place, step: Step, sides: &Sides, cause: Cause) {
        let id = held_id(&self.look.salt, place, sides.desired.as_ref());
        if place.arrives() == Arrives::OnceApproved && !self.next.approved.contains(&id) {
            self.held.insert(place.clone(), self.held(place, id));
            // Until it is approved, what somebody changed is still what is there.
            let kind = match step {
                Step::Drift => DriftKind::Here,
                Step::Conflict => DriftKind::Both,
                Step::Own | Step::Write | Step::Remove | Step::Release => return,
            };
            self.drift.insert(place.clone(), self.drifted(place, kind, sides));
            return;
        }
        match &sides.desired {
            Some(print) => {
                self.next.inventory.insert(place.clone(), print.clone());
                self.note_secret(place);
            }
            None => {
                self.next.inventory.remove(place);
                self.next.secret.remove(place);
            }
        }
        if cause == Cause::Reverted && self.is_wished(place) {
            self.next.taken_back.remove(place);
        }
        let value = self.planned.desired.values.get(place).cloned();
        self.decided.writes.insert(place.clone(), (cause, value));
    }

    fn is_wished(&self, place: &Place) -> bool {
        self.wish.revert.iter().any(|below| below.covers(place))
    }

    fn note_secret(&mut self, place: &Place) {
        let value = self.planned.desired.values.get(place);
        if value.is_some_and(|value| value.secrecy == Secrecy::Secret) {
            self.next.secret.insert(place.clone());
        } else {
            self.next.secret.remove(place);
        }
    }

    fn drifted(&self, place: &Place, kind: DriftKind, sides: &Sides) -> Drifted {
        let known = self.look.state.drift.get(place);
        Drifted {
            since: known.map_or(self.look.now, |known| known.since),
            kind,
            actual: sides.actual.clone(),
            fight: known.and_then(|known| known.fight),
        }
    }

    fn held(&self, place: &Place, id: String) -> HeldChange {
        let (look, planned) = (self.look, self.planned);
        let known = look.state.held.get(place).filter(|known| known.id == id);
        HeldChange {
            id,
            since: known.map_or(look.now, |known| known.since),
            from: look.actual(planned, place).map(|value| value.shown(&look.salt)),
            to: planned.desired.values.get(place).map(|value| value.shown(&look.salt)),
            // A later commit about other things did not want it: whoever judges it has to know who did.
            commit: known.map_or_else(|| Some(planned.commit.clone()), |known| known.commit.clone()),
            about: known.map_or_else(|| Some(planned.about.clone()), |known| known.about.clone()),
        }
    }
}

/// The name of a change that waits: the same thing at the same place has the same one.
pub(super) fn held_id(salt: &Salt, place: &Place, desired: Option<&Print>) -> String {
    let what = desired.map_or("", Print::whole);
    salt.print(&[b"held", place.to_string().as_bytes(), what.as_bytes()]).short().to_owned()
}
