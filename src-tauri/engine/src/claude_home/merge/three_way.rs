//! What a session changed in a document, against what went in and what the host has now.

use super::{
    keys::{KeyPolicy, KeyTable},
    text::{Document, Value, remove, set},
};
use crate::claude_home::DocumentFault;
use serde::{Deserialize, Serialize};

/// A key that a session changed, with its texts on all sides; `None` is an absent key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct KeyChange {
    /// The key, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What went in.
    pub base: Option<String>,
    /// What the host has.
    pub host: Option<String>,
    /// What the session has.
    pub session: Option<String>,
}

impl KeyChange {
    fn path(&self) -> Vec<String> {
        let keys = self.pointer.split('/').skip(1);
        keys.map(|key| key.replace("~1", "/").replace("~0", "~")).collect()
    }
}

/// A document and what a session changed in it.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The host's new text; `None` when it stays as it is.
    pub(crate) text: Option<Vec<u8>>,
    /// What the host takes.
    pub(crate) taken: Vec<KeyChange>,
    /// What waits for the user.
    pub(crate) held: Vec<KeyChange>,
    /// What changed on both sides, differently.
    pub(crate) conflicts: Vec<KeyChange>,
}

/// Merges what `session` changed against `base` into `host`. The base is what went in: a form of the
/// host's document made for the session, which may lack keys that the host has.
///
/// A key that is absent in the session is not deleted: Claude Code leaves out what equals its default
/// when it writes. Only in a map of named things is a missing name a removal.
pub(crate) fn merge_documents(
    base: &[u8],
    host: &[u8],
    session: &[u8],
    table: KeyTable,
) -> Result<Merged, DocumentFault> {
    let (base, now) = (Document::read(base)?, Document::read(host)?);
    let session = Document::read(session)?;
    let mut merging = Merging { table, taken: Vec::new(), held: Vec::new(), conflicts: Vec::new() };
    merging.object(&mut Vec::new(), Some(&base.root()), Some(&now.root()), &session.root());
    let Merging { taken, held, conflicts, .. } = merging;
    let text = (!taken.is_empty()).then(|| write(host, &taken));
    Ok(Merged { text, taken, held, conflicts })
}

/// A document after single keys were set.
pub(crate) struct Applied {
    /// Its text.
    pub(crate) text: Vec<u8>,
    /// What was not set, since the document has another value there than the change was made against.
    pub(crate) refused: Vec<KeyChange>,
}

/// Sets keys in a document, each only where it still has the value that the change names as the
/// host's. One that is set already is no fault.
pub(crate) fn apply_changes(document: &[u8], changes: &[KeyChange]) -> Result<Applied, DocumentFault> {
    let root = Document::read(document)?.root();
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    for change in changes {
        let now = change.path().iter().try_fold(root.clone(), |at, key| at.get(key));
        if same_text(now.as_ref(), change.session.as_deref()) {
            continue;
        }
        if same_text(now.as_ref(), change.host.as_deref()) {
            wanted.push(change.clone());
        } else {
            refused.push(change.clone());
        }
    }
    Ok(Applied { text: write(document, &wanted), refused })
}

fn same_text(value: Option<&Value<'_>>, text: Option<&str>) -> bool {
    match (value, text) {
        (None, None) => true,
        (Some(value), Some(text)) => {
            let wrapped = format!("{{\"v\":{text}}}");
            Document::read(wrapped.as_bytes())
                .ok()
                .and_then(|document| document.root().get("v").map(|other| value.same_as(&other)))
                .unwrap_or(false)
        }
        _ => false,
    }
}

fn write(document: &[u8], changes: &[KeyChange]) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(document).into_owned();
    for change in changes {
        text = match &change.session {
            Some(value) => set(&text, &change.path(), value),
            None => remove(&text, &change.path()),
        };
    }
    text.into_bytes()
}

struct Merging {
    table: KeyTable,
    taken: Vec<KeyChange>,
    held: Vec<KeyChange>,
    conflicts: Vec<KeyChange>,
}

impl Merging {
    fn object(
        &mut self,
        path: &mut Vec<String>,
        base: Option<&Value<'_>>,
        host: Option<&Value<'_>>,
        session: &Value<'_>,
    ) {
        for entry in session.entries() {
            let (was, now) =
                (base.and_then(|base| base.get(&entry.key)), host.and_then(|host| host.get(&entry.key)));
            path.push(entry.key.clone());
            self.key(path, was.as_ref(), now.as_ref(), Some(&session.of(&entry)));
            path.pop();
        }
        let named = !path.is_empty() && self.policy(path) == KeyPolicy::Named;
        for entry in base.map(Value::entries).unwrap_or_default() {
            if named && session.get(&entry.key).is_none() {
                let (was, now) =
                    (base.map(|base| base.of(&entry)), host.and_then(|host| host.get(&entry.key)));
                path.push(entry.key.clone());
                self.key(path, was.as_ref(), now.as_ref(), None);
                path.pop();
            }
        }
    }

    fn policy(&self, path: &[String]) -> KeyPolicy {
        self.table.policy(&path.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn key(
        &mut self,
        path: &mut Vec<String>,
        base: Option<&Value<'_>>,
        host: Option<&Value<'_>>,
        session: Option<&Value<'_>>,
    ) {
        if same(base, session) || same(host, session) {
            return;
        }
        let policy = self.policy(path);
        if let (KeyPolicy::Into | KeyPolicy::Named, Some(session)) = (policy, session) {
            let opens = |value: Option<&Value<'_>>| value.is_none_or(Value::is_object);
            // An object that the host has not got at all is one change, not one for each of its keys.
            if session.is_object()
                && opens(base)
                && opens(host)
                && (host.is_some() || self.is_held_by_key(path))
            {
                return self.object(path, base, host, session);
            }
        }
        let text = |value: Option<&Value<'_>>| value.map(|value| value.text().to_owned());
        let change = KeyChange {
            pointer: path
                .iter()
                .map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")))
                .collect(),
            base: text(base),
            host: text(host),
            session: text(session),
        };
        let share = policy == KeyPolicy::Share || self.table == KeyTable::Inward;
        match policy {
            KeyPolicy::Stay => {}
            _ if !share => self.held.push(change),
            _ if same(base, host) => self.taken.push(change),
            _ => self.conflicts.push(change),
        }
    }

    /// Whether the keys below are to be decided about one by one even where the host has none of them.
    fn is_held_by_key(&self, path: &[String]) -> bool {
        self.table == KeyTable::State || (self.table == KeyTable::Settings && path.len() == 1)
    }
}

fn same(one: Option<&Value<'_>>, other: Option<&Value<'_>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.same_as(other),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
