//! Where held changes wait: one folder each, exchanged whole.

use super::{Held, HeldId, Part, Reason, State};
use crate::{
    backup::BeforeSync,
    claude_home::KeyChange,
    error_handling::{Code, Error, IoContext, Result},
    paths::{Locations, create_private_dir},
};
use chrono::{DateTime, TimeDelta, Utc};
use drydock_inside::{Mark, disk};
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// How long a decision can be undone.
const UNDO_DAYS: i64 = 30;

/// The held changes of one home.
#[derive(Debug, Clone)]
pub struct HeldChanges {
    folder: PathBuf,
    pub(super) locations: Locations,
    pub(super) before: BeforeSync,
}

/// A change to hold, as sync found it.
pub(crate) struct Finding<'a> {
    pub(crate) session: &'a str,
    pub(crate) project: &'a Path,
    pub(crate) subject: &'a str,
    pub(crate) reason: Reason,
    pub(crate) parts: Vec<FoundPart<'a>>,
}

/// One part of it, with its content.
pub(crate) enum FoundPart<'a> {
    File { name: &'a str, host: Option<Mark>, session: Mark, mode: u32, staged: &'a Path },
    Key { document: &'a str, change: KeyChange },
}

enum Place {
    Decided,
    Known(Held),
    Waiting(Held),
    Free(HeldId),
}

impl FoundPart<'_> {
    fn part(&self) -> Part {
        match self {
            Self::File { name, host, session, mode, .. } => {
                Part::File { name: (*name).to_owned(), host: *host, session: *session, mode: *mode }
            }
            Self::Key { document, change } => {
                Part::Key { document: (*document).to_owned(), change: change.clone() }
            }
        }
    }
}

impl HeldChanges {
    /// Those of this home. `before` is where what a change replaces is kept.
    #[must_use]
    pub fn of(locations: &Locations, before: BeforeSync) -> Self {
        Self { folder: locations.data_dir.join("held"), locations: locations.clone(), before }
    }

    /// Where copies are made before the host home is changed.
    pub(crate) fn before(&self) -> &BeforeSync {
        &self.before
    }

    /// All on record, the newest first; what was decided long ago is forgotten on the way.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn all(&self, now: DateTime<Utc>) -> Result<Vec<Held>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(Error::io("read", &self.folder, &cause)),
        };
        let mut all = Vec::new();
        for entry in entries.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(HeldId::parse) else { continue };
            let Some(held) = self.find(&id)? else { continue };
            match held.state {
                State::Approved(at) | State::Rejected(at) if now - at > TimeDelta::days(UNDO_DAYS) => {
                    fs::remove_dir_all(entry.path()).context("remove", &entry.path())?;
                }
                _ => all.push(held),
            }
        }
        all.sort_by(|a, b| b.seen.cmp(&a.seen).then_with(|| a.subject.cmp(&b.subject)));
        Ok(all)
    }

    /// Those that wait for the user.
    ///
    /// # Errors
    /// As [`HeldChanges::all`].
    pub fn waiting(&self, now: DateTime<Utc>) -> Result<Vec<Held>> {
        Ok(self.all(now)?.into_iter().filter(Held::is_waiting).collect())
    }

    /// One by its name.
    ///
    /// # Errors
    /// When its record is damaged.
    pub fn find(&self, id: &HeldId) -> Result<Option<Held>> {
        let file = self.dir(id).join("held.json");
        match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|cause| {
                Error::new(Code::Internal, format!("Drydock's record {} is damaged", file.display()))
                    .why(cause)
            }),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::io("read", &file, &cause)),
        }
    }

    /// Puts a change on hold. What the user decided about the same content stays decided: then
    /// `None` comes back. Parts that already wait under the same subject go on waiting with it.
    pub(crate) fn hold(&self, finding: &Finding<'_>, now: DateTime<Utc>) -> Result<Option<Held>> {
        let found: Vec<_> = finding.parts.iter().map(FoundPart::part).collect();
        let (id, waiting) = match self.place_for(finding, &found)? {
            Place::Decided => return Ok(None),
            Place::Known(held) => return Ok(Some(held)),
            Place::Free(id) => (id, None),
            Place::Waiting(held) => (held.id.clone(), Some(held)),
        };
        create_private_dir(&self.folder)?;
        let staged = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&self.folder)
            .context("make a folder in", &self.folder)?;
        let mut parts = Vec::new();
        for (part, found) in found.into_iter().zip(&finding.parts) {
            if let FoundPart::File { name, staged: content, host, .. } = found {
                copy(content, &staged.path().join(format!("{}.session", parts.len())))?;
                if host.is_some() {
                    copy(
                        &self.locations.home.join(name),
                        &staged.path().join(format!("{}.host", parts.len())),
                    )?;
                }
            }
            parts.push(part);
        }
        if let Some(waiting) = &waiting {
            let kept =
                waiting.parts.iter().enumerate().filter(|(_, old)| !parts.iter().any(|new| new.is_of(old)));
            for (index, part) in kept.collect::<Vec<_>>() {
                if let Part::File { host, .. } = part {
                    let at = parts.len();
                    copy(
                        &self.session_content(waiting, index),
                        &staged.path().join(format!("{at}.session")),
                    )?;
                    if host.is_some() {
                        copy(&self.host_content(waiting, index), &staged.path().join(format!("{at}.host")))?;
                    }
                }
                parts.push(part.clone());
            }
        }
        let held = Held {
            id,
            session: finding.session.to_owned(),
            project: Some(finding.project.to_path_buf()),
            subject: finding.subject.to_owned(),
            reason: finding.reason,
            seen: now,
            state: State::Waiting,
            parts,
        };
        write_record(staged.path(), &held)?;
        let place = self.dir(&held.id);
        let staged = staged.keep();
        if waiting.is_some() {
            disk::exchange(&staged, &place).context("name", &place)?;
            // What came out is the record before this one.
            fs::remove_dir_all(&staged).context("remove", &staged)?;
        } else {
            disk::rename(&staged, &place).context("name", &place)?;
        }
        disk::sync_folder(&self.folder).context("flush", &self.folder)?;
        Ok(Some(held))
    }

    /// Where a finding belongs: each decision keeps its own place, so that it can be undone.
    fn place_for(&self, finding: &Finding<'_>, parts: &[Part]) -> Result<Place> {
        for attempt in 0_u32.. {
            let subject = match attempt {
                0 => finding.subject.to_owned(),
                _ => format!("{}\0{attempt}", finding.subject),
            };
            let id = HeldId::of(finding.session, &subject);
            let Some(known) = self.find(&id)? else { return Ok(Place::Free(id)) };
            let same = parts
                .iter()
                .all(|new| known.parts.iter().any(|old| old.is_of(new) && old.digest() == new.digest()));
            match (known.is_waiting(), same) {
                (true, true) => return Ok(Place::Known(known)),
                (true, false) => return Ok(Place::Waiting(known)),
                (false, true) => return Ok(Place::Decided),
                (false, false) => {}
            }
        }
        Ok(Place::Decided)
    }

    /// Writes a held change's record anew.
    pub(super) fn update(&self, held: &Held) -> Result<()> {
        write_record(&self.dir(&held.id), held)
    }

    /// Where a part's content is: the session's.
    pub(super) fn session_content(&self, held: &Held, part: usize) -> PathBuf {
        self.dir(&held.id).join(format!("{part}.session"))
    }

    /// Where a part's content is: the host's as it was.
    pub(super) fn host_content(&self, held: &Held, part: usize) -> PathBuf {
        self.dir(&held.id).join(format!("{part}.host"))
    }

    /// Where it stands what is let through each time; beside the changes, whose names it does not look like.
    pub(super) fn always_file(&self) -> PathBuf {
        self.folder.join("always.json")
    }

    fn dir(&self, id: &HeldId) -> PathBuf {
        self.folder.join(id.as_str())
    }
}

fn write_record(dir: &Path, held: &Held) -> Result<()> {
    let text = serde_json::to_vec_pretty(held)
        .map_err(|cause| Error::new(Code::Internal, "a record cannot be written").why(cause))?;
    let file = dir.join("held.json");
    let staged = dir.join("held.json.new");
    let mut out = disk::create(&staged, 0o600).context("write", &staged)?;
    disk::write(&mut out, &text).and_then(|()| disk::sync(&out)).context("write", &staged)?;
    disk::rename(&staged, &file).context("write", &file)?;
    disk::sync_folder(dir).context("flush", dir)
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = fs::File::open(from).context("read", from)?;
    let mut target = disk::create(to, 0o600).context("write", to)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match source.read(&mut buffer).context("read", from)? {
            0 => break,
            count => disk::write(&mut target, &buffer[..count]).context("write", to)?,
        }
    }
    disk::sync(&target).context("flush", to)
}
