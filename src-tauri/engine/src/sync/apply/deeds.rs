//! What is done to the host's files: everything is staged beside its place first, so that a deed is a rename or
//! an append, and then done.

use super::{
    Run,
    files::{ForkPlace, add_lines, append_deed, folder_of, grow, place_deed, prepare_fork, stage, window_at},
};
use crate::{
    container::{Refusal, Refused},
    error_handling::{Code, IoContext, Result},
    sync::{
        held::Reason,
        journal::{Deed, rescue, sweep},
        outward::{Content, Found},
        plan::{Change, Fork},
    },
};
use drydock_inside::{Before, Placed, Staged, Window, disk, place};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// A deed whose content stands beside its place.
pub(super) enum Ready<'a> {
    Place { found: &'a Found, staged: Staged, target: PathBuf, before: Before },
    Append { found: &'a Found, target: PathBuf, tail: PathBuf, skip: u64, window: Window },
    AddLines { found: &'a Found, target: PathBuf, staged: PathBuf },
    Fork { found: &'a Found, fork: Fork, place: ForkPlace },
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

impl<'a> Run<'a> {
    /// Stages everything beside its place, so that the deeds themselves are renames and appends.
    pub(super) fn prepare(&mut self, steps: Vec<(&'a Found, Change)>) -> Result<Vec<Ready<'a>>> {
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

    pub(super) fn finish(&mut self, ready: Ready<'a>) -> Result<()> {
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
}
