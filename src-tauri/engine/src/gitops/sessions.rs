//! What sessions have to do with places that come from git: which one brought a value here, and what one changed in its
//! own copy that waits for the user and is not here.

use super::{
    gitops::Gitops,
    place::{Place, Target},
    value::{Content, Value},
};
use crate::{
    backup::BeforeSync,
    error_handling::Result,
    sync::{Brought, Held, HeldChanges, HeldId, Layout, Part, Reason, State},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A place that a session changed in its own copy alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InSession {
    /// The place.
    pub place: Place,
    /// The session.
    pub session: String,
    /// The held change, as `drydock held show` takes it.
    pub change: String,
    /// Why it did not come out by itself.
    pub reason: Reason,
    /// When it was seen last.
    pub seen: DateTime<Utc>,
}

/// What is on record of sessions' changes.
pub(super) struct Sessions {
    layout: Layout,
    brought: Brought,
    held: Vec<Held>,
}

impl Sessions {
    /// Reads the records.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn read(gitops: &Gitops, now: DateTime<Utc>) -> Result<Self> {
        let before = BeforeSync::Snapshot(Box::new(gitops.backups()));
        Ok(Self {
            layout: Layout::of(&gitops.locations)?,
            brought: Brought::load(&gitops.locations.data_dir)?,
            held: HeldChanges::of(&gitops.locations, before).all(now)?,
        })
    }

    /// The session that what stands at a place came from, as far as that is known.
    pub(super) fn origin(&self, place: &Place, now: Option<&Value>) -> Option<String> {
        let json = now.and_then(Value::json);
        let document = match place.target {
            Target::Settings => Some(self.layout.settings()),
            Target::State => Some(self.layout.state().to_owned()),
            Target::Drydock | Target::File(_) => None,
        };
        let by_itself = document.and_then(|name| self.brought.by(&name, &place.pointer(), json));
        let approved = || {
            let is_it = |held: &&Held| {
                matches!(held.state, State::Approved(_))
                    && held.parts.iter().any(|part| self.is_what_stands(part, place, now))
            };
            self.held.iter().find(is_it).map(|held| held.session.as_str())
        };
        by_itself.or_else(approved).map(str::to_owned)
    }

    /// What waits for the user at these places.
    pub(super) fn waiting(&self, is_owned: impl Fn(&Place) -> bool) -> Vec<InSession> {
        let mut found = Vec::new();
        for held in self.held.iter().filter(|held| held.is_waiting()) {
            let places = held.parts.iter().filter_map(|part| self.place_of(part));
            found.extend(places.filter(|place| is_owned(place)).map(|place| InSession {
                place,
                session: held.session.clone(),
                change: HeldId::as_str(&held.id).to_owned(),
                reason: held.reason,
                seen: held.seen,
            }));
        }
        found.sort_by(|one, other| (&one.place, &one.session).cmp(&(&other.place, &other.session)));
        found
    }

    fn place_of(&self, part: &Part) -> Option<Place> {
        match part {
            Part::File { name, .. } => self.layout.below_config(name).map(Place::file),
            Part::Key { document, change } => {
                let target = match document {
                    name if *name == self.layout.settings() => Target::Settings,
                    name if *name == self.layout.state() => Target::State,
                    _ => return None,
                };
                let keys = change.pointer.strip_prefix('/')?.split('/');
                let keys: Vec<_> = keys.map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
                Some(Place { target, keys })
            }
        }
    }

    fn is_what_stands(&self, part: &Part, place: &Place, now: Option<&Value>) -> bool {
        let same_json = |one: &str, other: &str| {
            let parsed = |text| serde_json::from_str::<serde_json::Value>(text).ok();
            parsed(one).is_some_and(|one| Some(one) == parsed(other))
        };
        self.place_of(part).as_ref() == Some(place)
            && match (part, now.map(|value| &value.content)) {
                (Part::File { session, .. }, Some(Content::File { bytes, .. })) => {
                    let digest: [u8; 32] = Sha256::digest(bytes).into();
                    drydock_inside::Digest::from(digest) == session.sha256
                }
                (Part::Key { change, .. }, Some(Content::Key(json))) => {
                    change.session.as_deref().is_some_and(|session| same_json(session, json))
                }
                (Part::Key { change, .. }, None) => change.session.is_none(),
                _ => false,
            }
    }
}
