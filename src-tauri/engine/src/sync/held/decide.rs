//! What the user decides about held changes, and taking it back.

use super::{
    super::{
        documents::damaged,
        journal::{Deed, Journal, recover_journals, rescue},
        lock::SyncLock,
    },
    Held, HeldChanges, HeldId, Part, Reason, State,
};
use crate::{
    backup::pre_sync_backup,
    claude_home::{FolderLock, KeyChange, apply_changes},
    error_handling::{Code, Error, IoContext, Result},
};
use chrono::{DateTime, Utc};
use drydock_inside::{Before, Digest, Mark, Placed, Staged, digest, disk, place};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// What became of a decision.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Decided {
    /// The change, as it stands now.
    pub held: Held,
    /// The files on the host that were written, by name.
    pub written: Vec<String>,
}

impl HeldChanges {
    /// Lets a held change onto the host: exactly what was shown, and only over what it was shown
    /// against. Blocking; the sync lock is held by the caller.
    ///
    /// # Errors
    /// [`Code::HeldStale`] when the host's file or key is another by now: the change then waits on,
    /// against what the host has now.
    pub fn approve(&self, id: &HeldId, _lock: &SyncLock, now: DateTime<Utc>) -> Result<Decided> {
        let held = self.waiting_one(id)?;
        recover_journals(&self.locations.data_dir)?;
        self.refuse_stale(&held, now)?;
        let documents = self.documents(&held);
        let names: Vec<_> = held.parts.iter().map(|part| PathBuf::from(part.name())).collect();
        pre_sync_backup(&self.before, &self.locations.home, &held.session, &names, now)?;
        let mut ready = Vec::new();
        for (index, part) in held.parts.iter().enumerate() {
            if let Part::File { name, host, mode, session } = part {
                let target = real(&self.locations.home.join(name))?;
                if mark_if_there(&target)? == Some(*session) {
                    continue;
                }
                let content = self.session_content(&held, index);
                ready.push((
                    name.clone(),
                    target.clone(),
                    stage(&target, mode & 0o700 | 0o600, &content)?,
                    *host,
                ));
            }
        }
        let mut written = self.place_all(ready)?;
        for (document, changes) in documents {
            self.set_keys(&document, &changes)?;
            written.push(document);
        }
        self.decided(held, State::Approved(now), written)
    }

    /// Leaves the host as it is. The same content from the same session is not held again.
    ///
    /// # Errors
    /// When there is no such change waiting.
    pub fn reject(&self, id: &HeldId, now: DateTime<Utc>) -> Result<Decided> {
        let held = self.waiting_one(id)?;
        self.decided(held, State::Rejected(now), Vec::new())
    }

    /// Takes a decision back: what was approved is as it was before, and the change waits again, also where it was
    /// approved always.
    ///
    /// # Errors
    /// [`Code::HeldStale`] when the host's file has changed since it was approved.
    pub fn undo(&self, id: &HeldId, _lock: &SyncLock, now: DateTime<Utc>) -> Result<Decided> {
        let held = self.find(id)?.ok_or_else(|| unknown(id))?;
        let mut written = Vec::new();
        match held.state {
            State::Waiting => {
                return Err(Error::new(Code::HeldUnknown, format!("{id} was not decided yet"))
                    .remedy(format!("drydock held show {id}")));
            }
            State::Rejected(_) => {}
            State::Approved(_) => {
                self.forget_rules_of(&held)?;
                recover_journals(&self.locations.data_dir)?;
                let names: Vec<_> = held.parts.iter().map(|part| PathBuf::from(part.name())).collect();
                pre_sync_backup(&self.before, &self.locations.home, &held.session, &names, now)?;
                let mut ready = Vec::new();
                for (index, part) in held.parts.iter().enumerate() {
                    let Part::File { name, host, session, mode } = part else { continue };
                    let target = real(&self.locations.home.join(name))?;
                    if mark_if_there(&target)? != Some(*session) {
                        return Err(stale(&held, name));
                    }
                    match host {
                        Some(_) => {
                            let content = self.host_content(&held, index);
                            let staged = stage(&target, mode & 0o700 | 0o600, &content)?;
                            ready.push((name.clone(), target, staged, Some(*session)));
                        }
                        None => {
                            // It is in the held change's folder, and in the backup.
                            disk::remove_file(&target).context("remove", &target)?;
                            written.push(name.clone());
                        }
                    }
                }
                written.extend(self.place_all(ready)?);
                for (document, changes) in self.documents(&held) {
                    let back: Vec<_> = changes
                        .into_iter()
                        .map(|change| KeyChange {
                            host: change.session,
                            session: change.host.clone(),
                            ..change
                        })
                        .collect();
                    self.set_keys(&document, &back)?;
                    written.push(document);
                }
            }
        }
        self.decided(held, State::Waiting, written)
    }

    fn waiting_one(&self, id: &HeldId) -> Result<Held> {
        let held = self.find(id)?.ok_or_else(|| unknown(id))?;
        if held.is_waiting() {
            return Ok(held);
        }
        Err(Error::new(Code::HeldUnknown, format!("{id} was decided already"))
            .remedy(format!("take the decision back: drydock held undo {id}")))
    }

    /// What is approved is what was looked at: when the host has moved on, the change is shown anew.
    fn refuse_stale(&self, held: &Held, now: DateTime<Utc>) -> Result<()> {
        let mut fresh = held.clone();
        let mut first = None;
        for (index, part) in held.parts.iter().enumerate() {
            let Part::File { name, host, session, mode } = part else { continue };
            let target = real(&self.locations.home.join(name))?;
            if target.exists() && !target.is_file() {
                return Err(Error::new(Code::HeldStale, format!("{} is not a file", target.display()))
                    .why("Drydock writes no folder over")
                    .remedy("move it away, then approve again"));
            }
            let there = mark_if_there(&target)?;
            // A process that was killed after it wrote has done this part already.
            if there != *host && there != Some(*session) {
                first.get_or_insert_with(|| name.clone());
                if there.is_some() {
                    let shown = self.host_content(held, index);
                    let fresh = shown.with_extension("fresh");
                    super::copy(&target, &fresh)?;
                    disk::rename(&fresh, &shown).context("write", &shown)?;
                }
                fresh.parts[index] =
                    Part::File { name: name.clone(), host: there, session: *session, mode: *mode };
            }
        }
        let Some(name) = first else { return Ok(()) };
        fresh.seen = now;
        self.update(&fresh)?;
        Err(stale(held, &name))
    }

    /// The keys of a held change, by their documents.
    fn documents(&self, held: &Held) -> BTreeMap<String, Vec<KeyChange>> {
        let mut documents: BTreeMap<String, Vec<KeyChange>> = BTreeMap::new();
        for part in &held.parts {
            if let Part::Key { document, change } = part {
                documents.entry(document.clone()).or_default().push(change.clone());
            }
        }
        documents
    }

    fn place_all(&self, ready: Vec<(String, PathBuf, Staged, Option<Mark>)>) -> Result<Vec<String>> {
        let deeds: Vec<_> = ready
            .iter()
            .map(|(_, target, staged, before)| Deed::Place {
                staged: staged.path().to_path_buf(),
                target: target.clone(),
                before: *before,
                after: staged.mark(),
            })
            .collect();
        let journal = Journal::begin(&self.locations.data_dir, &deeds)?;
        let mut written = Vec::new();
        let done = ready.into_iter().try_for_each(|(name, target, staged, before)| {
            let before = before.map_or(Before::Nothing, Before::Holds);
            match place(staged, &target, before).context("write", &target)? {
                Placed::Done { displaced, .. } => {
                    written.push(name);
                    displaced.map_or(Ok(()), |old| disk::remove_file(&old).context("remove", &old))
                }
                Placed::Surprise { kept } => {
                    let rescued = self.locations.data_dir.join("rescued");
                    kept.iter().try_for_each(|path| rescue(&rescued, path))?;
                    Err(Error::new(
                        Code::HeldStale,
                        format!("{} was written at the same moment", target.display()),
                    )
                    .remedy("run the command again"))
                }
            }
        });
        journal.finish(done)?;
        Ok(written)
    }

    fn set_keys(&self, document: &str, changes: &[KeyChange]) -> Result<()> {
        const ROUNDS: usize = 8;
        let target = self.locations.home.join(document);
        for _ in 0..ROUNDS {
            let _lock =
                (target == self.locations.claude_json).then(|| FolderLock::on_state(&target)).flatten();
            let (text, before) = match fs::read(&target) {
                Ok(text) => {
                    let sha256 = Digest::from(<[u8; 32]>::from(Sha256::digest(&text)));
                    let mark = Mark { len: text.len() as u64, sha256 };
                    (text, Some(mark))
                }
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => (b"{}\n".to_vec(), None),
                Err(cause) => return Err(Error::io("read", &target, &cause)),
            };
            let applied = apply_changes(&text, changes).map_err(|fault| damaged(&target, &fault))?;
            if let Some(refused) = applied.refused.first() {
                return Err(Error::new(
                    Code::HeldStale,
                    format!("{} in {} has changed here meanwhile", refused.pointer, target.display()),
                )
                .why("approving would write over that")
                .remedy("sync the session again: drydock sync out SESSION, then look again"));
            }
            let staged =
                Staged::write(target.parent().unwrap_or(Path::new("/")), 0o600, &mut &applied.text[..])
                    .context("write", &target)?;
            match self.place_all(vec![(document.to_owned(), target.clone(), staged, before)]) {
                Err(error) if error.code() == Code::HeldStale => {}
                done => return done.map(drop),
            }
        }
        Err(Error::new(Code::HeldStale, format!("{} is being written without a pause", target.display()))
            .remedy("run the command again"))
    }

    fn decided(&self, mut held: Held, state: State, written: Vec<String>) -> Result<Decided> {
        held.state = state;
        self.update(&held)?;
        Ok(Decided { held, written })
    }
}

impl Part {
    /// The name of the file or document below the home.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::File { name, .. } => name,
            Self::Key { document, .. } => document,
        }
    }
}

fn stage(target: &Path, mode: u32, content: &Path) -> Result<Staged> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    if !folder.is_dir() {
        disk::create_folder(folder).context("make the folder", folder)?;
    }
    let mut from = File::open(content).context("read", content)?;
    Staged::write(folder, mode, &mut from).context("write", target)
}

/// Where a file really is: people keep what they write in a repository of dotfiles, and link it.
fn real(path: &Path) -> Result<PathBuf> {
    if path.is_symlink() { fs::canonicalize(path).context("follow", path) } else { Ok(path.to_path_buf()) }
}

fn mark_if_there(path: &Path) -> Result<Option<Mark>> {
    match digest::mark_of(path) {
        Ok(mark) => Ok(Some(mark)),
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(cause) => Err(Error::io("read", path, &cause)),
    }
}

fn unknown(id: &HeldId) -> Error {
    Error::new(Code::HeldUnknown, format!("there is no held change {id}")).remedy("drydock held list")
}

fn stale(held: &Held, name: &str) -> Error {
    let id = &held.id;
    Error::new(Code::HeldStale, format!("{name} has changed on this computer since {id} was looked at"))
        .why("what you approve is what you have seen")
        .remedy(format!("look again: drydock held show {id}"))
}

/// Whether a reason is a conflict: then approving takes the session's version over the host's.
impl Reason {
    /// Whether both sides changed it.
    #[must_use]
    pub fn is_conflict(self) -> bool {
        self == Self::BothChanged
    }
}
