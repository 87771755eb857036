//! Whether the copies are what they should be: read back, compared, and mended from each other.

mod elsewhere;
mod heal;
mod local;

use super::{
    Backups,
    observed::observe_verified,
    snapshot::{CopyName, DamagedDocument, SnapshotId},
    state::Verified,
};
use crate::{
    error_handling::{Error, Result},
    observability::{Operation, traced_blocking},
    progress::ProgressSink,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// How much is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What is new, and a part of the rest: all of it once a month.
    Part,
    /// Everything.
    Everything,
}

/// What happens to damage that is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heal {
    /// It is only named.
    No,
    /// It is mended from another copy, or by reading the host home again.
    Yes,
}

/// What is wrong with one file of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file's name below the copy, or what else it is about.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// By what it was mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healed: Option<String>,
}

impl Fault {
    fn of(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self { file: file.into(), what: what.into(), healed: None }
    }
}

/// How one copy came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Verdict {
    /// Everything that was looked at is what it should be.
    Whole(Seen),
    /// It was not, and is now.
    Healed(Seen),
    /// It is not.
    Damaged(Seen),
    /// It could not be looked at.
    Unseen {
        /// Why.
        error: Error,
    },
    /// Nobody set it up.
    NotSetUp,
}

/// What was seen of a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The newest snapshot.
    pub newest: Option<SnapshotId>,
    /// Files whose content was read back.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Documents of the newest snapshot that were parsed.
    pub documents: u64,
    /// Documents of the newest snapshot that were damaged on the host already.
    pub damaged_documents: Vec<DamagedDocument>,
    /// Snapshots that have lost data for good; they go with the next prune.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<SnapshotId>,
    /// What is wrong, or was.
    pub faults: Vec<Fault>,
}

/// One copy's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedCopy {
    /// The copy.
    pub copy: CopyName,
    /// How it came out.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Backups {
    /// Looks over copies: their structure, their data read back, and the documents of the newest snapshot.
    /// What is damaged is named, and mended if that is wanted.
    ///
    /// # Errors
    /// When the looks cannot be remembered. What a look found is in the answer.
    pub fn verify_backup(
        &self,
        copies: &[CopyName],
        depth: Depth,
        heal: Heal,
        now: DateTime<Utc>,
        progress: &ProgressSink,
    ) -> Result<Vec<VerifiedCopy>> {
        let mut verified = Vec::new();
        for copy in CopyName::ALL.into_iter().filter(|copy| copies.contains(copy)) {
            let verdict = traced_blocking(Operation::Verify, || match copy {
                CopyName::Local => self.verify_local(depth, heal, now, progress).map(Some),
                copy => self.verify_elsewhere(copy, depth, heal, now, progress),
            });
            let verdict = match verdict {
                Ok(Some(seen)) if seen.faults.is_empty() => Verdict::Whole(seen),
                Ok(Some(seen)) if seen.faults.iter().all(|fault| fault.healed.is_some()) => {
                    Verdict::Healed(seen)
                }
                Ok(Some(seen)) => Verdict::Damaged(seen),
                Ok(None) => Verdict::NotSetUp,
                Err(error) => Verdict::Unseen { error },
            };
            self.note_verdict(copy, &verdict, depth, heal, now)?;
            let one = VerifiedCopy { copy, verdict };
            observe_verified(&one);
            verified.push(one);
        }
        Ok(verified)
    }

    fn note_verdict(
        &self,
        copy: CopyName,
        verdict: &Verdict,
        depth: Depth,
        heal: Heal,
        now: DateTime<Utc>,
    ) -> Result<()> {
        if heal == Heal::No && self.remembered().damage.is_some() {
            // A look changes nothing of what it found damaged.
            return Ok(());
        }
        let found = match verdict {
            Verdict::Whole(seen) | Verdict::Healed(seen) => seen.newest.clone(),
            Verdict::Damaged(seen) => {
                let error = damage(copy, seen);
                return self.remember(|state| {
                    state.copies.entry(copy).or_default().failed(&error, now);
                });
            }
            Verdict::Unseen { .. } | Verdict::NotSetUp => return Ok(()),
        };
        let Some(snapshot) = found else { return Ok(()) };
        if self.sound_ledger().is_ok() {
            let event = super::ledger::Event::Verified { snapshot: snapshot.clone(), copy };
            // A look needs no writing: a copy that cannot be written is looked at all the same.
            if let Err(error) = self.record(vec![event]) {
                tracing::warn!(%error, "a verification is not recorded");
            }
        }
        self.remember(|state| {
            let state = state.copies.entry(copy).or_default();
            state.verified = Some(Verified { at: now, snapshot });
            state.succeeded();
            state.part = match depth {
                Depth::Part => (state.part + 1) % PARTS,
                Depth::Everything => state.part,
            };
        })
    }
}

/// So many parts make all of the data.
const PARTS: u32 = 30;
/// A copy of less than this is read as a whole each time.
const SMALL: u64 = 2 << 30;

fn damage(copy: CopyName, seen: &Seen) -> Error {
    use crate::error_handling::Code;
    let open: Vec<_> = seen.faults.iter().filter(|fault| fault.healed.is_none()).collect();
    let mut error =
        Error::new(Code::BackupDamaged, format!("the {copy} copy is damaged in {} places", open.len()));
    for fault in open.iter().take(3) {
        error = error.why(format!("{}: {}", fault.file, fault.what));
    }
    error.remedy("drydock backup verify --heal")
}

/// The packs of a part of the data, by the first digits of their names.
fn belongs_to(name: &str, part: u32) -> bool {
    let digits = name.rsplit('/').next().and_then(|id| id.get(..6));
    digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).is_none_or(|number| number % PARTS == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_all_of_it_and_each_pack_is_in_one() {
        for n in 0_u32..500 {
            let digest = format!("{:06x}{}", n * 7919 % 0xff_ffff, "0".repeat(58));
            let name = format!("data/{}/{digest}", &digest[..2]);
            assert_eq!((0..PARTS).filter(|part| belongs_to(&name, *part)).count(), 1);
        }
        assert!(belongs_to("config", 3));
    }
}
