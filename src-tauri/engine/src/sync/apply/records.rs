//! What is on record of a file after a run: that both sides have the same, that it is dealt with, or that it
//! waits for the user.

use super::{Run, Waiting};
use crate::{
    claude_home::Outward,
    error_handling::{IoContext, Result},
    sync::{
        base::Agreed,
        held::{Finding, FoundPart, Reason},
        outward::{Content, Found},
        plan::subject_of,
    },
};
use drydock_inside::{Sign, digest};
use std::fs;

impl<'a> Run<'a> {
    pub(super) fn note_hold(&mut self, found: &'a Found, reason: Reason) -> Result<()> {
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

    pub(super) fn hold(&mut self) -> Result<()> {
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
    pub(super) fn agree(&mut self, found: &Found, host: Option<Sign>) {
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
    pub(super) fn settle(&mut self, found: &Found, fork: Option<String>) {
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
    pub(super) fn note_looked_at(&mut self, looked_at: &[(String, Sign)]) {
        for (name, sign) in looked_at {
            let mut agreed = self.known.get(name).cloned().unwrap_or_default();
            agreed.session = Some(*sign);
            agreed.packed = None;
            self.news.files.push((name.clone(), agreed));
        }
    }
}
