//! Doing what a plan says, on the host home: each file is old or new at every moment, and a process
//! killed in between leaves a journal that the next one finishes.

use super::{
    Layout, PathMap,
    base::{Agreed, Base, News},
    documents,
    held::{Finding, FoundPart, Held, HeldChanges, Reason},
    journal::{Deed, Journal, recover_journals, rescue, sweep},
    lock::SyncLock,
    outward::{Collected, Content, Found},
    plan::{Change, Decision, Folders, Fork, Planned, Step, subject_of, subject_of_key},
    stops::{Side, Vanished, check_replica, check_vanished},
};
use crate::{
    backup::{PreSyncBackup, pre_sync_backup},
    claude_home::{KeyChange, Merge, Outward, compare, fork_id, rewrite_session_id},
    container::{Refusal, Refused},
    error_handling::{Code, Error, IoContext, Result},
};
use chrono::{DateTime, Utc};
use drydock_inside::{Appended, Before, Placed, Sign, Staged, Window, append, digest, disk, place};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File},
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// Where changes go.
pub(crate) struct Host<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) data_dir: &'a Path,
    pub(crate) held: &'a HeldChanges,
}

/// Whose changes come.
pub(crate) struct Outgoing<'a> {
    pub(crate) session: &'a str,
    pub(crate) project: &'a Path,
    /// Where the session has the host's folders.
    pub(crate) map: &'a PathMap,
    pub(crate) vanished: Vanished,
    pub(crate) now: DateTime<Utc>,
}

/// Something of the session that waits for the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The held change's name.
    pub id: super::HeldId,
    /// What it is about.
    pub subject: String,
    /// Why it waits.
    pub reason: Reason,
}

impl Waiting {
    pub(crate) fn of(held: &Held) -> Self {
        Self { id: held.id.clone(), subject: held.subject.clone(), reason: held.reason }
    }
}

/// What a sync out did.
#[derive(Debug, Default, Serialize)]
pub struct OutReport {
    /// Conversations and files that are new on the host, by name.
    pub created: Vec<String>,
    /// Files that grew or were replaced, by name.
    pub updated: Vec<String>,
    /// Keys that documents took, as `document pointer`.
    pub merged: Vec<String>,
    /// Conversations that went on in two ways.
    pub forks: Vec<Fork>,
    /// What waits for the user.
    pub held: Vec<Waiting>,
    /// What would have waited, and the user lets through each time.
    pub approved: Vec<Waiting>,
    /// What was not read out of the session.
    pub refused: Vec<Refused>,
    /// The copy of what was changed, as it was before.
    pub backup: Option<PreSyncBackup>,
    /// Files that changed while they were looked at; they have to be read whole.
    #[serde(skip)]
    pub(crate) again: Vec<String>,
}

impl OutReport {
    /// Whether nothing came out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.created.is_empty()
            && self.updated.is_empty()
            && self.merged.is_empty()
            && self.forks.is_empty()
            && self.held.is_empty()
            && self.approved.is_empty()
    }

    /// Lets through what the user said so of.
    pub(crate) fn let_through(&mut self, held: &HeldChanges, lock: &SyncLock, now: DateTime<Utc>) {
        let waiting: Vec<_> = self.held.iter().map(|waiting| waiting.id.clone()).collect();
        let approved = held.approve_by_rules(&waiting, lock, now);
        let all = std::mem::take(&mut self.held).into_iter();
        (self.approved, self.held) = all.partition(|waiting| approved.contains(&waiting.id));
    }

    /// Adds what a further round did.
    pub(crate) fn add(&mut self, other: Self) {
        self.created.extend(other.created);
        self.updated.extend(other.updated);
        self.merged.extend(other.merged);
        self.forks.extend(other.forks);
        self.held.extend(other.held);
        self.approved.extend(other.approved);
        self.refused.extend(other.refused);
        self.backup = self.backup.take().or(other.backup);
        self.again = other.again;
    }
}

/// What a sync out would do.
pub(crate) fn plan_out(
    host: &Host<'_>,
    outgoing: &Outgoing<'_>,
    base: &Base,
    collected: &Collected,
) -> Result<Vec<Step>> {
    let known = base.files()?;
    let planned =
        Planned { layout: host.layout, session: outgoing.session, project: outgoing.project, base: &known };
    let folders = Folders::of(&planned);
    let mut steps = Vec::new();
    for found in &collected.files {
        if host.layout.class(&found.name).is_some_and(|class| class.outward() == Outward::Merge) {
            let merged = documents::merge_out(host.layout, outgoing.map, base, found)?;
            let keys: Vec<_> = merged.taken().map(|change| change.pointer.clone()).collect();
            if !keys.is_empty() {
                steps.push(Step { name: found.name.clone(), change: Change::Merge { keys } });
            }
            for (reason, change) in merged.held() {
                let name = format!("{} {}", found.name, change.pointer);
                steps.push(Step { name, change: Change::Hold { reason } });
            }
        } else if let Decision::Do(change) = planned.decide(&folders, found)? {
            steps.push(Step { name: found.name.clone(), change });
        }
    }
    steps.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(steps)
}

/// Brings what was collected onto the host. Blocking; the caller holds the sync lock.
pub(crate) fn apply_out(
    host: &Host<'_>,
    outgoing: &Outgoing<'_>,
    base: &mut Base,
    collected: &Collected,
) -> Result<OutReport> {
    recover_journals(host.data_dir)?;
    let known = base.files()?;
    check_replica(base.replica()?.as_deref(), collected.replica.as_deref())?;
    check_host(host, &known, outgoing)?;
    check_vanished(Side::Session, collected.known, collected.gone, outgoing.vanished)?;
    let mut run = Run {
        host,
        outgoing,
        known: &known,
        report: OutReport { refused: collected.refused.clone(), ..OutReport::default() },
        news: News::default(),
        holds: BTreeMap::new(),
        to_settle: Vec::new(),
        journal: Vec::new(),
    };
    run.note_looked_at(&collected.looked_at);
    let done = run.carry_out(base, collected);
    // What was done stays done, and is on record, also when a later file failed.
    base.record(&run.news)?;
    done?;
    Ok(run.report)
}

/// Stops where the host home is not what it was when the session began.
fn check_host(host: &Host<'_>, known: &HashMap<String, Agreed>, outgoing: &Outgoing<'_>) -> Result<()> {
    // Claude Code itself deletes conversations that are older than its retention, many at a time.
    const RETENTION_DAYS: i64 = 30;
    let old =
        (outgoing.now - chrono::TimeDelta::days(RETENTION_DAYS)).timestamp_nanos_opt().unwrap_or_default();
    let mut gone = 0;
    let mut here = 0;
    for (name, agreed) in known {
        let Some(sign) = &agreed.host else { continue };
        if sign.mtime_ns < old {
            continue;
        }
        here += 1;
        if fs::symlink_metadata(host.layout.path(name)).is_err() {
            gone += 1;
        }
    }
    check_vanished(Side::Host, here, gone, outgoing.vanished)
}

/// One run: what is prepared, what is done, and what is then on record.
struct Run<'a> {
    host: &'a Host<'a>,
    outgoing: &'a Outgoing<'a>,
    known: &'a HashMap<String, Agreed>,
    report: OutReport,
    news: News,
    /// What is put on hold, by its subject.
    holds: BTreeMap<String, (Reason, Vec<FoundPart<'a>>)>,
    /// Files that are dealt with once they are on hold.
    to_settle: Vec<&'a Found>,
    journal: Vec<Deed>,
}

/// A deed whose content stands beside its place.
enum Ready<'a> {
    Place { found: &'a Found, staged: Staged, target: PathBuf, before: Before },
    Append { found: &'a Found, target: PathBuf, tail: PathBuf, skip: u64, window: Window },
    AddLines { found: &'a Found, target: PathBuf, staged: PathBuf },
    Fork { found: &'a Found, fork: Fork, place: ForkPlace },
}

/// Where a fork's lines go.
enum ForkPlace {
    New { staged: Staged, target: PathBuf },
    Grow { target: PathBuf, rewritten: PathBuf, at: u64 },
    Same,
}

impl<'a> Run<'a> {
    fn carry_out(&mut self, base: &Base, collected: &'a Collected) -> Result<()> {
        let planned = Planned {
            layout: self.host.layout,
            session: self.outgoing.session,
            project: self.outgoing.project,
            base: self.known,
        };
        let folders = Folders::of(&planned);
        let (mut steps, mut documents) = (Vec::new(), Vec::new());
        for found in &collected.files {
            if self.host.layout.class(&found.name).is_some_and(|class| class.outward() == Outward::Merge) {
                documents.push(found);
                continue;
            }
            if self.is_settled(found) {
                continue;
            }
            match planned.decide(&folders, found)? {
                Decision::Settled => self.agree(found, None),
                Decision::NeedsWhole => self.report.again.push(found.name.clone()),
                Decision::Do(change) => steps.push((found, change)),
            }
        }
        self.back_up(&steps, &documents)?;
        let ready = self.prepare(steps)?;
        let journal = Journal::begin(self.host.data_dir, &self.journal)?;
        let done = ready.into_iter().try_for_each(|ready| self.finish(ready));
        journal.finish(done)?;
        for found in documents {
            self.merge(base, found)?;
        }
        self.hold()
    }

    /// A content that the user decided about, or that waits already.
    fn is_settled(&self, found: &Found) -> bool {
        let Content::Whole { mark, .. } = &found.content else { return false };
        self.known.get(&found.name).and_then(|agreed| agreed.settled) == Some(mark.sha256)
    }

    /// Copies what is about to be changed. What only grows is not among it: its beginning stays.
    fn back_up(&mut self, steps: &[(&Found, Change)], documents: &[&Found]) -> Result<()> {
        let replaced = steps
            .iter()
            .filter(|(_, change)| matches!(change, Change::Replace { .. }))
            .map(|(found, _)| *found);
        let names: Vec<_> =
            replaced.chain(documents.iter().copied()).map(|found| PathBuf::from(&found.name)).collect();
        self.report.backup = pre_sync_backup(
            self.host.held.before(),
            self.host.layout.home(),
            self.outgoing.session,
            &names,
            self.outgoing.now,
        )?;
        Ok(())
    }

    /// Stages everything beside its place, so that the deeds themselves are renames and appends.
    fn prepare(&mut self, steps: Vec<(&'a Found, Change)>) -> Result<Vec<Ready<'a>>> {
        let mut ready = Vec::new();
        let mut swept = HashSet::new();
        for (found, change) in steps {
            let target = self.target(found)?;
            if swept.insert(folder_of(&target).to_path_buf()) {
                sweep(folder_of(&target));
            }
            match self.prepare_one(found, change, &target) {
                Ok(Some(one)) => {
                    self.journal.extend(one.deeds());
                    ready.push(one);
                }
                Ok(None) => {}
                Err(error) if error.code() == Code::NameRefused => {
                    self.report.refused.push(Refused { name: found.name.clone(), reason: Refusal::Name });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(ready)
    }

    fn prepare_one(&mut self, found: &'a Found, change: Change, target: &Path) -> Result<Option<Ready<'a>>> {
        let whole = match &found.content {
            Content::Whole { staged, .. } => staged.clone(),
            Content::Tail { staged, .. } => staged.clone(),
        };
        let target = target.to_path_buf();
        Ok(Some(match change {
            Change::Create => {
                let staged = stage(&target, found.mode, &whole)?;
                Ready::Place { found, staged, target, before: Before::Nothing }
            }
            Change::Replace { before } => {
                let staged = stage(&target, found.mode, &whole)?;
                Ready::Place { found, staged, target, before: Before::Holds(before) }
            }
            Change::Append { at } => {
                let skip = match &found.content {
                    Content::Whole { .. } => at,
                    Content::Tail { .. } => 0,
                };
                let window = window_at(&target, at)?;
                Ready::Append { found, target, tail: whole, skip, window }
            }
            Change::AddLines => Ready::AddLines { found, target, staged: whole },
            Change::Fork(fork) => {
                let (fork, place) = prepare_fork(self.outgoing.session, &target, &whole, &fork, found.mode)?;
                Ready::Fork { found, fork, place }
            }
            Change::Hold { reason } => {
                self.note_hold(found, reason)?;
                return Ok(None);
            }
            Change::Merge { .. } => return Ok(None),
        }))
    }

    fn finish(&mut self, ready: Ready<'a>) -> Result<()> {
        match ready {
            Ready::Place { found, staged, target, before } => {
                let new = matches!(before, Before::Nothing);
                match place(staged, &target, before).context("write", &target)? {
                    Placed::Done { displaced, sign } => {
                        if let Some(old) = displaced {
                            disk::remove_file(&old).context("remove", &old)?;
                        }
                        let list = if new { &mut self.report.created } else { &mut self.report.updated };
                        list.push(found.name.clone());
                        self.agree(found, Some(sign));
                    }
                    Placed::Surprise { kept } => {
                        kept.iter().try_for_each(|path| rescue(&self.rescued(), path))?;
                        self.note_hold(found, Reason::BothChanged)?;
                    }
                }
            }
            Ready::Append { found, target, tail, skip, window } => {
                if let Some(sign) = grow(&target, &tail, skip, &window)? {
                    self.report.updated.push(found.name.clone());
                    self.agree(found, Some(sign));
                } else {
                    self.report.again.push(found.name.clone());
                }
            }
            Ready::AddLines { found, target, staged } => {
                if add_lines(&target, &staged)? {
                    self.report.updated.push(found.name.clone());
                }
                self.agree(found, None);
            }
            Ready::Fork { found, fork, place: fork_place } => {
                let grew = match fork_place {
                    ForkPlace::Same => false,
                    ForkPlace::New { staged, target } => {
                        match place(staged, &target, Before::Nothing).context("write", &target)? {
                            Placed::Done { .. } => true,
                            Placed::Surprise { .. } => {
                                self.report.again.push(found.name.clone());
                                return Ok(());
                            }
                        }
                    }
                    ForkPlace::Grow { target, rewritten, at } => {
                        grow(&target, &rewritten, at, &window_at(&target, at)?)?.is_some()
                    }
                };
                self.settle(found, Some(fork.fork.clone()));
                if grew {
                    self.report.forks.push(fork);
                }
            }
        }
        Ok(())
    }

    /// Merges a document into the host's, under Claude Code's own lock where it has one.
    fn merge(&mut self, base: &Base, found: &'a Found) -> Result<()> {
        const ROUNDS: usize = 8;
        let target = self.target(found)?;
        for _ in 0..ROUNDS {
            let _lock = documents::lock_for(self.host.layout, &found.name);
            let merged = documents::merge_out(self.host.layout, self.outgoing.map, base, found)?;
            let Some(text) = merged.text() else {
                return self.merged(found, merged, None);
            };
            sweep(folder_of(&target));
            let staged =
                Staged::write(folder_of(&target), 0o600, &mut &text[..]).context("write", &target)?;
            let before = merged.host_mark().map_or(Before::Nothing, Before::Holds);
            let journal = Journal::begin(self.host.data_dir, &[place_deed(&staged, &target, &before)])?;
            let placed = place(staged, &target, before).context("write", &target);
            match journal.finish(placed)? {
                Placed::Done { displaced, sign } => {
                    if let Some(old) = displaced {
                        disk::remove_file(&old).context("remove", &old)?;
                    }
                    return self.merged(found, merged, Some(sign));
                }
                // Claude Code on the host wrote at the same moment: its version is merged with.
                Placed::Surprise { kept } => {
                    kept.iter().try_for_each(|path| rescue(&self.rescued(), path))?;
                }
            }
        }
        Err(Error::new(Code::SyncOut, format!("{} is being written without a pause", target.display()))
            .why("another program wrote to it each time that the session's changes were to be merged")
            .remedy("run the command again"))
    }

    fn merged(
        &mut self,
        found: &'a Found,
        merged: documents::MergedDocument,
        host: Option<Sign>,
    ) -> Result<()> {
        let document = found.name.rsplit('/').next().unwrap_or(&found.name);
        self.report.merged.extend(merged.taken().map(|change| format!("{document} {}", change.pointer)));
        for (reason, change) in merged.held() {
            self.note_key(&found.name, reason, change.clone());
        }
        if let Some(reason) = merged.unreadable() {
            return self.note_hold(found, reason);
        }
        if let Some(document) = merged.into_agreed() {
            self.news.documents.push((found.name.clone(), document));
        }
        self.agree(found, host);
        Ok(())
    }

    fn note_key(&mut self, document: &'a str, reason: Reason, change: KeyChange) {
        let subject = subject_of_key(document, &change);
        let entry = self.holds.entry(subject).or_insert_with(|| (reason, Vec::new()));
        entry.1.push(FoundPart::Key { document, change });
    }

    fn note_hold(&mut self, found: &'a Found, reason: Reason) -> Result<()> {
        let Content::Whole { staged, mark } = &found.content else {
            self.report.again.push(found.name.clone());
            return Ok(());
        };
        let target = self.host.layout.path(&found.name);
        let host = match target.is_file() {
            true => Some(digest::mark_of(&target).context("read", &target)?),
            false => None,
        };
        let below = self.host.layout.below_config(&found.name).unwrap_or(&found.name);
        let entry = self.holds.entry(subject_of(below)).or_insert_with(|| (reason, Vec::new()));
        entry.1.push(FoundPart::File { name: &found.name, host, session: *mark, mode: found.mode, staged });
        self.to_settle.push(found);
        Ok(())
    }

    fn hold(&mut self) -> Result<()> {
        for (subject, (reason, parts)) in std::mem::take(&mut self.holds) {
            let finding = &Finding {
                session: self.outgoing.session,
                project: self.outgoing.project,
                subject: &subject,
                reason,
                parts,
            };
            if let Some(held) = self.host.held.hold(finding, self.outgoing.now)? {
                self.report.held.push(Waiting::of(&held));
            }
        }
        // Only what waits is dealt with.
        for found in std::mem::take(&mut self.to_settle) {
            self.settle(found, None);
        }
        Ok(())
    }

    /// Both sides have the same now; the host's file with this sign, if this run wrote it.
    fn agree(&mut self, found: &Found, host: Option<Sign>) {
        let grows = self
            .host
            .layout
            .class(&found.name)
            .is_some_and(|class| matches!(class.outward(), Outward::Append | Outward::AddLines));
        let (len, digest) = match &found.content {
            Content::Whole { mark, .. } => (mark.len, (!grows).then_some(mark.sha256)),
            Content::Tail { at, len, .. } => (at + len, None),
        };
        let host = host
            .or_else(|| fs::metadata(self.host.layout.path(&found.name)).ok().map(|data| Sign::of(&data)));
        let agreed = Agreed {
            len,
            digest,
            host,
            session: found.sign,
            translated: found.translated,
            ..Agreed::default()
        };
        self.news.files.push((found.name.clone(), agreed));
    }

    /// The session's content is dealt with, and the two sides stay different.
    fn settle(&mut self, found: &Found, fork: Option<String>) {
        let mut agreed = self.known.get(&found.name).cloned().unwrap_or_default();
        if let Content::Whole { mark, .. } = &found.content {
            agreed.settled = Some(mark.sha256);
        }
        agreed.session = found.sign;
        agreed.packed = None;
        agreed.fork = fork.or(agreed.fork);
        self.news.files.push((found.name.clone(), agreed));
    }

    /// Files that were read and are what they were: only their signs are new.
    fn note_looked_at(&mut self, looked_at: &[(String, Sign)]) {
        for (name, sign) in looked_at {
            let mut agreed = self.known.get(name).cloned().unwrap_or_default();
            agreed.session = Some(*sign);
            agreed.packed = None;
            self.news.files.push((name.clone(), agreed));
        }
    }

    /// Where a file goes: through the user's own links, as Claude Code itself writes.
    fn target(&self, found: &Found) -> Result<PathBuf> {
        let named = self.host.layout.path(&found.name);
        if named.is_symlink() {
            return fs::canonicalize(&named).context("read", &named);
        }
        Ok(named)
    }

    fn rescued(&self) -> PathBuf {
        self.host.data_dir.join("rescued")
    }
}

impl Ready<'_> {
    fn deeds(&self) -> Vec<Deed> {
        match self {
            Self::Place { staged, target, before, .. } => vec![place_deed(staged, target, before)],
            Self::Append { target, tail, skip, window, .. } => {
                vec![append_deed(target, window.end, tail, *skip)]
            }
            Self::Fork { place: ForkPlace::New { staged, target }, .. } => {
                vec![place_deed(staged, target, &Before::Nothing)]
            }
            Self::Fork { place: ForkPlace::Grow { target, rewritten, at }, .. } => {
                vec![append_deed(target, *at, rewritten, *at)]
            }
            // Whole lines in one write each: there is nothing to finish.
            Self::AddLines { .. } | Self::Fork { .. } => Vec::new(),
        }
    }
}

fn place_deed(staged: &Staged, target: &Path, before: &Before) -> Deed {
    Deed::Place {
        staged: staged.path().to_path_buf(),
        target: target.to_path_buf(),
        before: match before {
            Before::Nothing => None,
            Before::Holds(mark) => Some(*mark),
        },
        after: staged.mark(),
    }
}

fn append_deed(target: &Path, at: u64, tail: &Path, skip: u64) -> Deed {
    Deed::Append { target: target.to_path_buf(), at, tail: tail.to_path_buf(), skip }
}

/// Stages a file beside its place. A name that this file system cannot hold is the session's doing.
fn stage(target: &Path, mode: u32, content: &Path) -> Result<Staged> {
    let folder = folder_of(target);
    match create_folder(folder)
        .and_then(|()| Staged::write(folder, mode & 0o700 | 0o600, &mut File::open(content)?))
    {
        Ok(staged) => Ok(staged),
        Err(cause) => Err(match cause.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename | io::ErrorKind::AlreadyExists => {
                Error::new(Code::NameRefused, format!("no file here can be named {}", target.display()))
                    .why(cause)
            }
            _ => Error::io("write", target, &cause),
        }),
    }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() { Ok(()) } else { disk::create_folder(folder) }
}

fn folder_of(target: &Path) -> &Path {
    target.parent().unwrap_or(Path::new("/"))
}

/// Appends a tail; `None` when the file is not what it was thought to be.
fn grow(target: &Path, tail: &Path, skip: u64, window: &Window) -> Result<Option<Sign>> {
    let mut from = open(tail)?;
    from.seek(SeekFrom::Start(skip)).context("read", tail)?;
    Ok(match append(target, &mut from, window).context("write", target)? {
        Appended::Done(sign) => Some(sign),
        Appended::Moved { .. } | Appended::Differs => None,
    })
}

fn window_at(target: &Path, at: u64) -> Result<Window> {
    digest::window(target, at).context("read", target)
}

/// Rewrites the session's way on under an id of its own, and finds where it goes: behind what an
/// earlier sync made of it, or, where that went on in another way as well, beside it.
fn prepare_fork(
    session: &str,
    target: &Path,
    staged: &Path,
    fork: &Fork,
    mode: u32,
) -> Result<(Fork, ForkPlace)> {
    let rewritten = staged.with_extension("fork");
    for attempt in 0.. {
        let id = fork_id(session, &fork.conversation, attempt).to_string();
        let place = target.with_file_name(format!("{id}.jsonl"));
        let mut out = io::BufWriter::new(File::create(&rewritten).context("write", &rewritten)?);
        rewrite_session_id(open(staged)?, &mut out, &fork.conversation, &id)
            .and_then(|()| io::Write::flush(&mut out))
            .context("write", &rewritten)?;
        drop(out);
        let fork = Fork { fork: id, ..fork.clone() };
        if !place.exists() {
            let staged = stage(&place, mode, &rewritten)?;
            return Ok((fork, ForkPlace::New { staged, target: place }));
        }
        match compare(open(&place)?, open(&rewritten)?).context("compare", &place)? {
            Merge::Append(at) => return Ok((fork, ForkPlace::Grow { target: place, rewritten, at })),
            Merge::Same | Merge::HostAhead => return Ok((fork, ForkPlace::Same)),
            Merge::Diverged(_) => {}
        }
    }
    Err(Error::new(Code::Internal, "a conversation went on in too many ways"))
}

/// Adds the whole JSON lines that the host's file does not have, in their order.
fn add_lines(target: &Path, staged: &Path) -> Result<bool> {
    const ROUNDS: usize = 16;
    for _ in 0..ROUNDS {
        let host = fs::read(target).context("read", target)?;
        let known: HashSet<&[u8]> = host.split(|byte| *byte == b'\n').collect();
        let mut new = Vec::new();
        for line in BufReader::new(open(staged)?).split(b'\n') {
            let line = line.context("read", staged)?;
            let is_new = !known.contains(line.as_slice());
            if is_new && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok() {
                new.extend_from_slice(&line);
                new.push(b'\n');
            }
        }
        if new.is_empty() {
            return Ok(false);
        }
        if host.last().is_some_and(|last| *last != b'\n') {
            new.insert(0, b'\n');
        }
        let window = window_at(target, host.len() as u64)?;
        if let Appended::Done(_) = append(target, &mut &new[..], &window).context("write", target)? {
            return Ok(true);
        }
        // Claude Code here has added prompts of its own meanwhile.
    }
    Err(Error::new(Code::SyncOut, format!("{} is being written without a pause", target.display()))
        .remedy("run the command again"))
}

fn open(path: &Path) -> Result<File> {
    File::open(path).context("read", path)
}

#[cfg(test)]
mod crash;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
