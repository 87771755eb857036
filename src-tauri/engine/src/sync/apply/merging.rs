//! Documents that both sides write: what the session changed is merged into the host's.

use super::{
    Outgoing, Run,
    files::{folder_of, place_deed},
};
use crate::{
    claude_home::KeyChange,
    error_handling::{Code, Error, IoContext, Result},
    sync::{
        base::Base,
        brought::Brought,
        documents,
        held::{FoundPart, Reason},
        journal::{Journal, rescue, sweep},
        outward::Found,
        plan::subject_of_key,
    },
};
use drydock_inside::{Before, Placed, Sign, Staged, disk, place};

impl<'a> Run<'a> {
    /// Merges a document into the host's, under Claude Code's own lock where it has one.
    pub(super) fn merge(&mut self, base: &Base, found: &'a Found) -> Result<()> {
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
}
