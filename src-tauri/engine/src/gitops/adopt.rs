//! Taking what somebody changed here into the repository: as a commit on its branch, or beside it where that has moved
//! on. Secrets never go that way.

use super::{
    audit::{self, Actor, Cause, Entry},
    commit::Commit,
    edit::with_value,
    gitops::Gitops,
    place::{Below, Place, Target},
    plain_secrets::plain_secrets_by,
    planned::Planned,
    push::{Pushed, Signed},
    reconcile::Look,
    repository::Source,
    sops::Rules,
    state::Store,
    template::unfilled,
    tree::{Blob, Tree},
    value::{Content, Runs, Secrecy, Value},
};
use crate::error_handling::{Code, Error, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// What became a commit.
#[derive(Debug, Clone, Serialize)]
pub struct Adopted {
    /// The commit; none where nothing could be taken.
    pub commit: Option<Commit>,
    /// Where it went.
    #[serde(flatten)]
    pub pushed: Option<Pushed>,
    /// What is in it.
    pub places: Vec<Place>,
    /// What is for a person to do, and why.
    pub left: BTreeMap<Place, String>,
}

impl Gitops {
    /// Makes what differs at these places a commit. Blocking.
    ///
    /// # Errors
    /// [`Code::GitopsPlace`] when nothing differs there; [`Code::GitopsUnreachable`] when the repository takes no
    /// commit.
    pub fn adopt(&self, places: &[Below], actor: Actor, now: DateTime<Utc>) -> Result<Adopted> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let store = Store::take(&self.locations.data_dir, PATIENCE)?;
        let mut look = Look::begin(self, store, now)?;
        let commit = newest(&look)?;
        let planned = look.planned(&commit)?;
        let wanted: Vec<_> = planned
            .steps
            .iter()
            .filter(|(place, (step, _))| {
                use super::plan::Step::{Conflict, Drift};
                matches!(step, Drift | Conflict) && places.iter().any(|below| below.covers(place))
            })
            .map(|(place, _)| place.clone())
            .collect();
        if wanted.is_empty() {
            return Err(Error::new(Code::GitopsPlace, "nothing differs there from what git says")
                .remedy("drydock gitops drift"));
        }
        let adopted = look.adopt(&planned, &wanted, actor)?;
        look.save()?;
        Ok(adopted)
    }
}

fn newest(look: &Look<'_>) -> Result<Commit> {
    look.mirror.fetch()?;
    look.mirror.incoming()?.ok_or_else(|| {
        Error::new(Code::GitopsUnreachable, "the configuration's repository was never fetched")
            .remedy("drydock gitops reconcile")
    })
}

impl Look<'_> {
    /// Makes what stands at these places a commit after the planned one.
    pub(super) fn adopt(&mut self, planned: &Planned, places: &[Place], actor: Actor) -> Result<Adopted> {
        let tree = self.mirror.tree(&planned.commit)?;
        let rules = planned.repository.rules.clone();
        let mut taken =
            Taken { tree, rules, files: BTreeMap::new(), places: Vec::new(), left: BTreeMap::new() };
        let home = self.gitops.locations.home.to_string_lossy().into_owned();
        for place in places {
            let Some((_, source)) = planned.repository.wanted.get(place) else { continue };
            let done = match self.actual(planned, place) {
                Some(value) if value.secrecy == Secrecy::Secret => {
                    Err("a secret is in it: change it in the repository's secrets".to_owned())
                }
                value => taken.take(place, source, value.as_ref(), &home),
            };
            match done {
                Ok(()) => taken.places.push(place.clone()),
                Err(why) => _ = taken.left.insert(place.clone(), why),
            }
        }
        let Taken { files, places, left, .. } = taken;
        if files.is_empty() {
            return Ok(Adopted { commit: None, pushed: None, places, left });
        }
        let (_, host) = self.gitops.names();
        let list: String = places.iter().map(|place| format!("- {place}\n")).collect();
        let message = format!("Take over what was changed on {host}\n\n{list}");
        let signed = if self.gitops.settings.gitops_requires_signature() { Signed::Yes } else { Signed::No };
        let commit = self.mirror.commit_over(&planned.commit, &files, &message, signed)?;
        let otherwise = format!("drydock/adopt-{}-{}", self.now.format("%Y%m%d-%H%M%S"), commit.short());
        let pushed = self.mirror.push(&commit, &planned.commit, &otherwise)?;
        let entries = places.iter().map(|place| Entry {
            at: self.now,
            actor,
            cause: Cause::Adopted,
            commit: Some(commit.clone()),
            author: None,
            place: place.clone(),
            from: planned.desired.values.get(place).map(|value| value.shown(&self.salt)),
            to: self.actual(planned, place).map(|value| value.shown(&self.salt)),
        });
        let (lines, head) = audit::chained(&self.state.audit, entries.collect())?;
        (self.state.audit, self.state.unlogged) = (head, lines);
        let actual = |place: &Place| planned.steps.get(place).and_then(|(_, sides)| sides.actual.clone());
        self.state.adopted.extend(places.iter().map(|place| (place.clone(), actual(place))));
        self.store.save(&self.state)?;
        audit::append(&self.store.folder().join(audit::FILE), &self.state.unlogged)?;
        Ok(Adopted { commit: Some(commit), pushed: Some(pushed), places, left })
    }
}

/// The files of the commit that is being made.
struct Taken {
    tree: Tree,
    rules: Rules,
    files: BTreeMap<String, Option<Blob>>,
    places: Vec<Place>,
    left: BTreeMap<Place, String>,
}

impl Taken {
    fn take(
        &mut self,
        place: &Place,
        source: &Source,
        value: Option<&Value>,
        home: &str,
    ) -> std::result::Result<(), String> {
        let blob = match (&place.target, value.map(|value| &value.content)) {
            (Target::File(_), Some(Content::File { bytes, runs })) => {
                Some(Blob { bytes: bytes.clone(), runs: *runs })
            }
            (Target::File(_), _) => None,
            (_, content) => {
                let json = match content {
                    Some(Content::Key(text)) => {
                        serde_json::from_str(text).map_err(|cause| cause.to_string())?
                    }
                    _ => serde_json::Value::Null,
                };
                let json = as_written(place, open_again(json, home));
                let now = self.files.get(&source.file).cloned().flatten();
                let blob =
                    now.or_else(|| self.tree.0.get(&source.file).cloned()).ok_or("its file is gone")?;
                let text = String::from_utf8(blob.bytes).map_err(|_| "its file is no text".to_owned())?;
                let text = with_value(&source.file, &text, &source.keys, &json)?;
                Some(Blob { bytes: text.into_bytes(), runs: Runs::No })
            }
        };
        if let Some(blob) = &blob
            && !plain_secrets_by(&self.rules, &source.file, &String::from_utf8_lossy(&blob.bytes)).is_empty()
        {
            return Err("a secret seems to be in it: change it in the repository by hand".to_owned());
        }
        self.files.insert(source.file.clone(), blob);
        Ok(())
    }
}

/// The value with `${home}` for the home, so that another computer can have it as well.
fn open_again(json: serde_json::Value, home: &str) -> serde_json::Value {
    match json {
        serde_json::Value::String(text) => serde_json::Value::String(unfilled(&text, home)),
        serde_json::Value::Array(items) => {
            serde_json::Value::Array(items.into_iter().map(|item| open_again(item, home)).collect())
        }
        serde_json::Value::Object(map) => serde_json::Value::Object(
            map.into_iter().map(|(key, value)| (key, open_again(value, home))).collect(),
        ),
        other => other,
    }
}

/// Settings of Drydock's are texts here; in the repository a number is a number.
fn as_written(place: &Place, json: serde_json::Value) -> serde_json::Value {
    let number = json
        .as_str()
        .filter(|_| place.target == Target::Drydock)
        .and_then(|text| text.parse::<i64>().ok().filter(|number| number.to_string() == *text));
    match number {
        Some(number) => number.into(),
        None => json,
    }
}
