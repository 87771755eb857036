//! Doors for the fuzz targets (tests/fuzz) to what is not public. Not part of the engine's interface.
#![allow(missing_docs)]

use crate::{
    claude_home::{self, KeyTable, Merge},
    container::{ArchiveLimits, visit_entries},
    sync::{Direction, PathMap, normalize_session_history},
};

pub const STATE: u8 = 0;
pub const SETTINGS: u8 = 1;
pub const INWARD: u8 = 2;
pub const TABLES: &[u8] = &[STATE, SETTINGS, INWARD];
pub const TAR_ENTRIES: usize = 20;
pub const TAR_BYTES: usize = 4096;

#[derive(Debug)]
pub struct Merged {
    pub text: Option<Vec<u8>>,
}

#[must_use]
pub fn merge(base: &[u8], host: &[u8], session: &[u8], table: u8) -> Option<Merged> {
    let table = match table {
        STATE => KeyTable::State,
        SETTINGS => KeyTable::Settings,
        _ => KeyTable::Inward,
    };
    let merged = claude_home::merge_documents(base, host, session, table).ok()?;
    let held: Vec<_> = merged.held.iter().chain(&merged.conflicts).cloned().collect();
    // Approving what waits sets keys, and leaves a document.
    let approved = claude_home::apply_changes(host, &held).ok()?;
    claude_home::parse_document(&approved.text).ok()?;
    Some(Merged { text: merged.text })
}

#[derive(Debug, PartialEq, Eq)]
pub enum Growth {
    Same,
    HostAhead,
    Append(u64),
    Diverged(u64),
}

#[must_use]
pub fn compare(host: &[u8], session: &[u8]) -> Growth {
    match claude_home::compare(host, session) {
        Ok(Merge::HostAhead) => Growth::HostAhead,
        Ok(Merge::Append(at)) => Growth::Append(at),
        Ok(Merge::Diverged(at)) => Growth::Diverged(at),
        // Reading a slice does not fail.
        Ok(Merge::Same) | Err(_) => Growth::Same,
    }
}

#[must_use]
pub fn fork(session: &[u8], old: &str, new: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = claude_home::rewrite_session_id(session, &mut out, old, new);
    out
}

#[must_use]
pub fn there_and_back(text: &[u8]) -> Vec<u8> {
    let map = PathMap::new([("/Users/me".into(), "/workspace".into())]);
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let _ = normalize_session_history(text, &mut there, &map, Direction::Inward);
    let _ = normalize_session_history(&there[..], &mut back, &map, Direction::Outward);
    back
}

/// # Errors
/// When the archive is none.
pub fn read_tar(bytes: &[u8], visit: &mut dyn FnMut(&str, &[u8])) -> crate::error_handling::Result<()> {
    let limits = ArchiveLimits { file: 1024, total: TAR_BYTES as u64, entries: TAR_ENTRIES as u64 };
    visit_entries(bytes, limits, &mut |name, reader, _| {
        let mut content = Vec::new();
        let _ = reader.read_to_end(&mut content);
        visit(&name.to_string_lossy(), &content);
        Ok(())
    })
    .map(drop)
}
