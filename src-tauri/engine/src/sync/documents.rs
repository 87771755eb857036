//! `.claude.json` and `settings.json` on their way out: merged key by key into the host's.

use super::{
    Layout, PathMap,
    base::{AgreedDocument, Base},
    held::Reason,
    outward::{Content, Found},
    path_map::{self, Direction},
};
use crate::{
    claude_home::{
        DocumentFault, FolderLock, KeyChange, KeyTable, apply_changes, merge_documents, parse_document,
    },
    error_handling::{Code, Error, IoContext, Result},
};
use drydock_inside::{Digest, Mark};
use sha2::{Digest as _, Sha256};
use std::{borrow::Cow, fs, io, path::Path};

/// What becomes of a document.
#[derive(Debug, Default)]
pub(crate) struct MergedDocument {
    text: Option<Vec<u8>>,
    host: Option<Mark>,
    taken: Vec<KeyChange>,
    held: Vec<(Reason, KeyChange)>,
    unreadable: Option<Reason>,
    agreed: Option<AgreedDocument>,
}

impl MergedDocument {
    /// The host's new text; `None` when it stays as it is.
    pub(crate) fn text(&self) -> Option<&[u8]> {
        self.text.as_deref()
    }

    /// The host's document that this was merged with.
    pub(crate) fn host_mark(&self) -> Option<Mark> {
        self.host
    }

    /// What the host takes.
    pub(crate) fn taken(&self) -> impl Iterator<Item = &KeyChange> {
        self.taken.iter()
    }

    /// What waits for the user.
    pub(crate) fn held(&self) -> impl Iterator<Item = (Reason, &KeyChange)> {
        self.held.iter().map(|(reason, change)| (*reason, change))
    }

    /// Why the session's document as a whole has to wait.
    pub(crate) fn unreadable(&self) -> Option<Reason> {
        self.unreadable
    }

    /// What both sides agree on once the text stands on the host.
    pub(crate) fn into_agreed(self) -> Option<AgreedDocument> {
        self.agreed
    }
}

/// Merges a session's document with what the host has now.
///
/// A damaged host document is an error: nothing is merged into what cannot be read. A damaged
/// session's document waits for the user.
pub(crate) fn merge_out(
    layout: &Layout,
    map: &PathMap,
    base: &Base,
    found: &Found,
) -> Result<MergedDocument> {
    let (Content::Whole { staged, .. }, Some(agreed)) = (&found.content, base.document(&found.name)?) else {
        return Ok(MergedDocument::default());
    };
    let session = fs::read(staged).context("read", staged)?;
    let target = layout.path(&found.name);
    let (host, mark) = match fs::read(&target) {
        Ok(text) => {
            let sha256 = Digest::from(<[u8; 32]>::from(Sha256::digest(&text)));
            let mark = Mark { len: text.len() as u64, sha256 };
            (text, Some(mark))
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => (b"{}\n".to_vec(), None),
        Err(cause) => return Err(Error::io("read", &target, &cause)),
    };
    let table = if found.name == layout.state() { KeyTable::State } else { KeyTable::Settings };
    parse_document(&host).map_err(|fault| damaged(&target, &fault))?;
    let (was, is) = (outward(&agreed.session, map, table), outward(&session, map, table));
    let merged = match merge_documents(&was, &host, &is, table) {
        Ok(merged) => merged,
        Err(fault) => {
            tracing::warn!(document = %found.name, %fault, "a session's document cannot be merged");
            return Ok(MergedDocument { unreadable: Some(Reason::Unreadable), ..MergedDocument::default() });
        }
    };
    let held = merged.held.into_iter().map(|change| (Reason::Acts, change));
    let conflicts = merged.conflicts.into_iter().map(|change| (Reason::BothChanged, change));
    let held: Vec<_> = held.chain(conflicts).collect();
    // What the host takes, both have from now on; the rest of the base stays what it was.
    let shared: Vec<_> =
        merged.taken.iter().map(|change| KeyChange { host: change.base.clone(), ..change.clone() }).collect();
    let session_base = if map.is_identity() {
        apply_changes(&agreed.session, &shared).map_or(agreed.session, |applied| applied.text)
    } else {
        // The base is the session's own form, in which the host's keys do not stand.
        agreed.session
    };
    let host_now = merged.text.clone().unwrap_or(host);
    Ok(MergedDocument {
        text: merged.text,
        host: mark,
        taken: merged.taken,
        held,
        unreadable: None,
        agreed: Some(AgreedDocument { host: host_now, session: session_base }),
    })
}

/// A document of the session with the host's paths. One that cannot be read stays as it is, and is
/// then refused for what it is.
fn outward<'t>(text: &'t [u8], map: &PathMap, table: KeyTable) -> Cow<'t, [u8]> {
    if map.is_identity() {
        return Cow::Borrowed(text);
    }
    let Ok(mut document) = parse_document(text) else { return Cow::Borrowed(text) };
    match table {
        KeyTable::Settings => path_map::settings(&mut document, map, Direction::Outward),
        KeyTable::State | KeyTable::Inward => path_map::state(&mut document, map, Direction::Outward),
    }
    serde_json::to_vec_pretty(&document).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Claude Code's own lock, for the document that has one. Without it the exchange still notices a
/// writer; the lock keeps the two from having to notice each other.
pub(crate) fn lock_for(layout: &Layout, name: &str) -> Option<FolderLock> {
    (name == layout.state()).then(|| FolderLock::on_state(&layout.path(name))).flatten()
}

/// A document of the host that cannot be read.
pub(crate) fn damaged(file: &Path, fault: &DocumentFault) -> Error {
    Error::new(Code::ConfigDamaged, format!("{} is damaged", file.display()))
        .why(fault)
        .remedy("drydock doctor")
}
