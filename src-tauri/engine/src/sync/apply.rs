//! Doing what a plan says, on the host home: each file is old or new at every moment, and a process
//! killed in between leaves a journal that the next one finishes.

#[cfg(test)]
mod crash;
mod deeds;
mod files;
mod merging;
#[cfg(test)]
mod model;
mod records;
mod report;
#[cfg(test)]
mod tests;

pub use report::{OutReport, Waiting};

use super::{
    Layout, PathMap,
    base::{Agreed, Base, News},
    documents,
    held::{FoundPart, HeldChanges, Reason},
    journal::{Deed, Journal, recover_journals},
    outward::{Collected, Content, Found},
    plan::{Change, Decision, Folders, Planned, Step},
    stops::{Side, Vanished, check_replica, check_vanished},
};
use crate::{
    backup::pre_sync_backup,
    claude_home::Outward,
    error_handling::{IoContext, Result},
};
use chrono::{DateTime, Utc};
use std::{
    collections::{BTreeMap, HashMap},
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
