//! Taking a snapshot.

use super::{
    archived::Archive,
    open::{Ids, LaterFull, Way, failed},
    order::{Reading, Take, Taken},
    source::Source,
};
use crate::{
    backup::{
        ledger::{Event, Known, Ledger},
        lock::Lock,
        sealed,
        snapshot::{DamagedDocument, Reason, Snapshot, SnapshotId},
    },
    error_handling::{Code, Error, IoContext, Result},
};
use chrono::{DateTime, Utc};
use rustic_core::{
    BackupOptions, ParentOptions, ProgressBars, SnapshotGroupCriterion, SnapshotOptions,
    repofile::SnapshotFile,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::PoisonError,
    time::SystemTime,
};

/// All snapshots of Drydock's have it, so that restic's own can be told from them.
const LABEL: &str = "drydock";
/// A file that is cut while it is read is read again so often.
const TRIES: usize = 3;

/// What a snapshot says of itself beyond what restic has a place for.
#[derive(Default, Serialize, Deserialize)]
struct Remarks {
    #[serde(default)]
    damaged: Vec<DamagedDocument>,
}

/// Takes a snapshot, and again when a file of it was cut while it was read.
pub(super) fn take(way: &Way, take: &Take, progress: &(impl ProgressBars + Clone)) -> Result<Taken> {
    let _lock = Lock::shared_for(&way.root, take.wait)?;
    let mut taken = take_once(way, take, progress.clone())?;
    for _ in 1..TRIES {
        let Taken::New { snapshot } = &taken else { break };
        if snapshot.unread.is_empty() {
            break;
        }
        taken = take_once(way, take, progress.clone())?;
    }
    Ok(taken)
}

fn take_once(way: &Way, take: &Take, progress: impl ProgressBars) -> Result<Taken> {
    let now = SystemTime::now();
    let mut source =
        Source::list(&take.origin, now).context("list", &take.origin.claude_dir).map_err(|error| {
            error.remedy(format!("make it readable for you: ls -ld {}", take.origin.claude_dir.display()))
        })?;
    let seen = SeenFile::of(&way.root);
    let before = seen.read();
    let signature = format!("{} {}", source.signature(), take.archive);
    if take.reading == Reading::Changed
        && let Some(snapshot) = before.as_ref().and_then(|seen| seen.unchanged(&signature, &way.root))
    {
        return Ok(Taken::Unchanged { snapshot, damaged: source.damaged });
    }
    let repository = way.open(progress)?;
    let last = match take.reading {
        Reading::Changed => latest(&repository, &way.root)?,
        Reading::Everything => None,
    };
    let reference = latest_good(&repository, &way.root);
    let repository = repository
        .to_indexed_ids()
        .map_err(|cause| failed("the index of the backups cannot be read", &cause))?;
    if let Some(last) = &last {
        note_lost(&repository, reference.as_ref().unwrap_or(last), &mut source);
        let names = before.map(|seen| seen.conversations);
        let stored = archive(way, &repository, last, &source, names, take.archive)
            .map_err(|cause| failed("the archive of the last snapshot cannot be read", &cause))?;
        source.add_stored(stored);
    }
    let saved = repository
        .archive(&options(last.as_ref()), &source, described(take.reason, &source)?, &[PathBuf::from("/")])
        .map_err(|cause| failed("the snapshot could not be taken", &cause))?;
    let unread = std::mem::take(&mut *source.unread.lock().unwrap_or_else(PoisonError::into_inner));
    let taken = match last {
        Some(last) if saved.id.is_null() => {
            Taken::Unchanged { snapshot: id_of(&last)?, damaged: source.damaged.clone() }
        }
        _ => Taken::New { snapshot: Snapshot { unread: unread.clone(), ..read(&saved)? } },
    };
    if let Taken::New { snapshot } = &taken {
        record(&way.root, snapshot)?;
    }
    let listing = unread.is_empty().then(|| Listing { signature, snapshot: taken.id().clone() });
    seen.keep(&Seen { conversations: source.conversations, listing })?;
    Ok(taken)
}

/// The newest snapshot, by the ledger or, if that cannot tell, by looking at all.
fn latest(repository: &super::open::Opened, root: &Path) -> Result<Option<SnapshotFile>> {
    let ledger = Ledger::read(&Ledger::file(root)).unwrap_or_default();
    if let Some(id) = ledger.newest()
        && let Ok(id) = id.as_str().parse::<rustic_core::repofile::SnapshotId>()
        && let Ok(mut found) = repository.get_file::<SnapshotFile>(&id)
    {
        found.id = id;
        return Ok(Some(found));
    }
    let all = all(repository)?;
    Ok(all.into_iter().max_by(|a, b| a.time.cmp(&b.time)))
}

/// The newest snapshot that counts as good, if that is not the newest of all.
fn latest_good(repository: &super::open::Opened, root: &Path) -> Option<SnapshotFile> {
    let ledger = Ledger::read(&Ledger::file(root)).ok()?;
    let good = ledger.newest_good().filter(|good| ledger.newest() != Some(good))?;
    repository.get_file::<SnapshotFile>(&good.as_str().parse().ok()?).ok()
}

/// What every home has and this one has lost since the last good snapshot is damage, not a choice.
fn note_lost(repository: &Ids, before: &SnapshotFile, source: &mut Source) {
    for name in [super::source::CLAUDE, super::source::STATE] {
        let had = || repository.node_from_path(before.tree, Path::new(name)).is_ok();
        if !source.has(name) && had() {
            source.damaged.push(DamagedDocument { name: name.to_owned(), fault: "it is missing".to_owned() });
        }
    }
}

fn archive(
    way: &Way,
    repository: &Ids,
    before: &SnapshotFile,
    source: &Source,
    names: Option<Vec<String>>,
    limit: u64,
) -> rustic_core::RusticResult<Vec<super::source::Entry>> {
    let present: HashSet<&str> = source.conversations.iter().map(String::as_str).collect();
    let mut archive = Archive::carried(repository, before.tree, &present)?;
    let names = match names {
        Some(names) => names,
        // It was lost: the snapshot itself says what there was.
        None => super::browse::conversations(repository, before.tree)?,
    };
    archive.add_gone(repository, before.tree, &names, &present);
    archive.limit(limit);
    if archive.is_empty() { Ok(Vec::new()) } else { Ok(archive.entries(&LaterFull::of(way))) }
}

fn options(before: Option<&SnapshotFile>) -> BackupOptions {
    let parents = before.map(|before| before.id.to_hex().as_str().to_owned()).into_iter().collect::<Vec<_>>();
    let parent = ParentOptions::default()
        .group_by(SnapshotGroupCriterion::new().label(true))
        .force(parents.is_empty())
        .parents(parents)
        .skip_if_unchanged(true);
    BackupOptions::default().parent_opts(parent)
}

fn described(reason: Reason, source: &Source) -> Result<SnapshotFile> {
    let remarks = Remarks { damaged: source.damaged.clone() };
    let description = serde_json::to_string(&remarks)
        .map_err(|cause| Error::new(Code::Internal, "a snapshot could not be described").why(cause))?;
    let mut options = SnapshotOptions::default()
        .label(LABEL.to_owned())
        // The command's own arguments have no business there.
        .command("drydock".to_owned())
        .description(description)
        .add_tags(reason.word())
        .map_err(|cause| failed("the snapshot could not be described", &cause))?;
    if !source.damaged.is_empty() {
        options = options
            .add_tags("damaged")
            .map_err(|cause| failed("the snapshot could not be described", &cause))?;
    }
    SnapshotFile::from_options(&options)
        .map_err(|cause| failed("the snapshot could not be described", &cause))
}

/// Writes a snapshot into the ledger.
fn record(root: &Path, snapshot: &Snapshot) -> Result<()> {
    let _ledger = Lock::ledger(root)?;
    let file = Ledger::file(root);
    let event =
        Event::Made { snapshot: snapshot.id.clone(), reason: snapshot.reason, good: snapshot.is_good() };
    Ledger::read(&file)?.add(&file, snapshot.time, vec![event])
}

/// All snapshots of a repository, the oldest first.
pub(super) fn list(way: &Way) -> Result<Vec<Snapshot>> {
    let _lock = Lock::shared(&way.root)?;
    let mut all: Vec<_> =
        all(&way.open(rustic_core::NoProgressBars)?)?.iter().map(read).collect::<Result<_>>()?;
    all.sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.id.cmp(&b.id)));
    Ok(all)
}

/// Reads all snapshots of Drydock's.
pub(super) fn all(repository: &super::open::Opened) -> Result<Vec<SnapshotFile>> {
    let ids = repository
        .list::<rustic_core::repofile::SnapshotId>()
        .map_err(|cause| failed("the snapshots cannot be listed", &cause))?;
    let mut all = Vec::new();
    for id in ids {
        match repository.get_file::<SnapshotFile>(&id) {
            Ok(mut snapshot) if snapshot.label == LABEL => {
                snapshot.id = id;
                all.push(snapshot);
            }
            Ok(_) => {}
            // One that is damaged must not hide the others; a verification names it.
            Err(cause) => tracing::warn!(%id, cause = %cause.display_log(), "a snapshot cannot be read"),
        }
    }
    Ok(all)
}

pub(super) fn id_of(snapshot: &SnapshotFile) -> Result<SnapshotId> {
    snapshot.id.to_hex().as_str().parse()
}

/// A snapshot in Drydock's words.
pub(super) fn read(file: &SnapshotFile) -> Result<Snapshot> {
    let reason = [Reason::Scheduled, Reason::Change, Reason::PreSync, Reason::PreRecovery]
        .into_iter()
        .find(|reason| file.tags.contains(reason.word()))
        .unwrap_or(Reason::Manual);
    let remarks: Remarks =
        file.description.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let summary = file.summary.clone().unwrap_or_default();
    let time = file.time.timestamp();
    Ok(Snapshot {
        id: id_of(file)?,
        time: DateTime::from_timestamp(
            time.as_second(),
            u32::try_from(time.subsec_nanosecond()).unwrap_or_default(),
        )
        .unwrap_or_else(Utc::now),
        reason,
        files: summary.total_files_processed,
        bytes: summary.total_bytes_processed,
        new: summary.files_new,
        changed: summary.files_changed,
        added: summary.data_added_packed,
        damaged: remarks.damaged,
        unread: Vec::new(),
    })
}

/// What the last snapshot was taken of. It can be lost: the snapshot itself tells it as well, more slowly.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backup) struct Seen {
    /// The names of all conversations' files, so that what is gone is found without reading that snapshot.
    conversations: Vec<String>,
    /// What the home looked like, if all of it could be read.
    listing: Option<Listing>,
}

/// A home's looks, and the snapshot that holds it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Listing {
    signature: String,
    snapshot: SnapshotId,
}

impl Seen {
    /// The snapshot that holds a home of this look already, if it is the newest and is there.
    fn unchanged(&self, signature: &str, root: &Path) -> Option<SnapshotId> {
        let listing = self.listing.as_ref().filter(|listing| listing.signature == signature)?;
        let ledger = Ledger::read(&Ledger::file(root)).ok()?;
        let newest = ledger.newest()?;
        let is_there = root.join("snapshots").join(newest.as_str()).is_file();
        // What is wrong with a home is told again each time.
        let is_good = ledger.snapshots.get(newest).is_some_and(Known::is_good);
        (*newest == listing.snapshot && is_there && is_good).then(|| newest.clone())
    }
}

struct SeenFile(PathBuf);

impl SeenFile {
    fn of(root: &Path) -> Self {
        Self(root.join("drydock/seen.json"))
    }

    fn read(&self) -> Option<Seen> {
        sealed::read(&self.0).ok().flatten()
    }

    fn keep(&self, seen: &Seen) -> Result<()> {
        if self.read().as_ref() == Some(seen) {
            return Ok(());
        }
        sealed::write(&self.0, seen)
    }
}
