//! Letting go of snapshots, and of what only they needed.

use super::{
    open::{Way, failed},
    order::{PruneDeed, Pruned},
};
use crate::{
    backup::{
        copies::sweep,
        ledger::{Event, Ledger},
        lock::Lock,
        retention::{Retention, sort},
        snapshot::SnapshotId,
    },
    error_handling::{Code, Error, Result},
};
use chrono::{DateTime, Utc};
use rustic_core::{ProgressBars, PruneOptions, RepairIndexOptions};

/// Lets the snapshots go that need not stay. What nobody needs then is marked, and removed a day later: a
/// program that reads the repository meanwhile still finds it.
pub(super) fn prune(
    way: &Way,
    retention: Retention,
    now: DateTime<Utc>,
    deed: PruneDeed,
    progress: impl ProgressBars + Clone,
) -> Result<Pruned> {
    let lock = Lock::alone(&way.root)?;
    sweep(&way.root);
    let file = Ledger::file(&way.root);
    let mut ledger = Ledger::read(&file)?;
    refuse_unverified(&ledger)?;
    let sorted = sort(&ledger.snapshots, retention, now);
    let unusable = |cause: Box<rustic_core::RusticError>| failed("the backups could not be pruned", &cause);
    let gone: Vec<SnapshotId> = sorted.go.iter().cloned().collect();
    let mut pruned = Pruned { stay: sorted.stay.into_iter().collect(), gone, unused: 0 };
    // Also those that an earlier prune recorded and was ended before it removed them.
    let recorded = ledger.snapshots.iter().filter(|(_, known)| known.forgotten).map(|(id, _)| id);
    let ids: Vec<_> = pruned.gone.iter().chain(recorded).filter_map(|id| id.as_str().parse().ok()).collect();
    let mut options = PruneOptions::default();
    if cfg!(test) {
        // So that tests see files go.
        options.keep_delete = rustic_core::jiff::Span::new();
    }
    if deed == PruneDeed::Plan {
        options.ignore_snaps = ids;
        let repository = way.open(progress)?;
        let plan = repository.prune_plan(&options).map_err(unusable)?;
        pruned.unused = plan.stats.size_sum().remove + plan.stats.size_sum().repackrm;
        return Ok(pruned);
    }
    let events = pruned.gone.iter().map(|id| Event::Forgotten { snapshot: id.clone() }).collect();
    ledger.add(&file, now, events)?;
    let repository = way.open_to_prune(progress)?;
    let there: Vec<_> = repository
        .list::<rustic_core::repofile::SnapshotId>()
        .map_err(unusable)?
        .filter(|id| ids.contains(id))
        .collect();
    repository.delete_snapshots(&there).map_err(unusable)?;
    let plan = repository.prune_plan(&options).map_err(unusable)?;
    pruned.unused = plan.stats.size_sum().remove + plan.stats.size_sum().repackrm;
    repository.prune(&options, plan).map_err(unusable)?;
    drop(lock);
    Ok(pruned)
}

/// While the newest snapshot is not proven, the older ones are all there is.
fn refuse_unverified(ledger: &Ledger) -> Result<()> {
    let newest = ledger
        .snapshots
        .iter()
        .filter(|(_, known)| !known.forgotten && !known.broken)
        .max_by_key(|(_, known)| known.made);
    match newest {
        Some((id, known)) if known.verified.is_empty() => Err(Error::new(
            Code::BackupUnverified,
            format!("nothing was removed: the newest snapshot {id} is not verified"),
        )
        .why("until it is, the older ones are the only proven backups")
        .remedy("drydock backup verify")),
        _ => Ok(()),
    }
}

/// Makes the index anew from the packs that are there.
pub(super) fn repair_index(way: &Way) -> Result<()> {
    let _lock = Lock::alone(&way.root)?;
    way.open_to_prune(rustic_core::NoProgressBars)?
        .repair_index(&RepairIndexOptions::default(), false)
        .map_err(|cause| failed("the index could not be made anew", &cause))
}
