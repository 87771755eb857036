//! Doing what a plan says, on the host home: each file is old or new at every moment, and a process
//! killed in between leaves a journal that the next one finishes.

#[cfg(test)]
mod crash;
mod files;
#[cfg(test)]
mod model;
mod report;
#[cfg(test)]
mod tests;

pub use report::{OutReport, Waiting};

use super::{
    Layout, PathMap,
    base::{Agreed, Base, News},
    brought::Brought,
    documents,
    held::{Finding, FoundPart, HeldChanges, Reason},
    journal::{Deed, Journal, recover_journals, rescue, sweep},
    outward::{Collected, Content, Found},
    plan::{Change, Decision, Folders, Fork, Planned, Step, subject_of, subject_of_key},
    stops::{Side, Vanished, check_replica, check_vanished},
};
use crate::{
    backup::pre_sync_backup,
    claude_home::{KeyChange, Outward},
    container::{Refusal, Refused},
    error_handling::{Code, Error, IoContext, Result},
};
use chrono::{DateTime, Utc};
use drydock_inside::{Before, Placed, Sign, Staged, Window, digest, disk, place};
use files::{ForkPlace, add_lines, append_deed, folder_of, grow, place_deed, prepare_fork, stage, window_at};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
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
        let Outgoing { session, now, .. } = *self.outgoing;
        let noted = Brought::note(self.host.data_dir, session, &found.name, merged.taken(), now);
        // It came out all the same.
        if let Err(error) = noted {
            tracing::warn!(%error, "which session brought a key is not on record");
        }
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
