//! What is told of backups: counts, times and codes.

use super::{Drill, MirrorReport, Taken, VerifiedCopy, snapshot::CopyName, verify::Verdict};
use crate::{
    error_handling::{Code, Result},
    observability::{Event, EventName, Level, Metric, MetricName, log_event, record_metric},
};
use std::time::Duration;

pub(super) fn observe_taken(taken: &Result<Taken>, took: Duration) {
    match taken {
        Ok(Taken::New { snapshot }) => {
            log_event(
                &Event::new(EventName::BackupTaken)
                    .level(if snapshot.is_good() { Level::Info } else { Level::Warn })
                    .with("snapshot", snapshot.id.short())
                    .with("reason", snapshot.reason.word())
                    .with("new", snapshot.new)
                    .with("changed", snapshot.changed)
                    .with("added", snapshot.added)
                    .with("damaged", snapshot.damaged.len())
                    .with("seconds", took.as_secs_f64()),
            );
            measured(CopyName::Local, took, snapshot.added);
        }
        Ok(Taken::Unchanged { .. }) => {}
        Err(error) if [Code::BackupNothing, Code::Stopped].contains(&error.code()) => {}
        Err(error) => {
            log_event(&Event::new(EventName::BackupFailed).code(error.code()));
            record_metric(&Metric::count(MetricName::BackupFailures, 1).with("copy", CopyName::Local.word()));
        }
    }
}

pub(super) fn observe_mirror(copy: CopyName, done: &Result<Option<MirrorReport>>, took: Duration) {
    match done {
        Ok(Some(report)) => {
            log_event(
                &Event::new(EventName::CopyWritten)
                    .with("copy", copy.word())
                    .with("copied", report.copied)
                    .with("bytes", report.bytes)
                    .with("removed", report.removed)
                    .with("seconds", took.as_secs_f64()),
            );
            measured(copy, took, report.bytes);
        }
        Ok(None) => {}
        Err(error) => {
            // An unplugged disk is no fault.
            let absent = [Code::CopyAbsent, Code::BackupBusy, Code::Stopped].contains(&error.code());
            if !absent {
                log_event(&Event::new(EventName::CopyFailed).code(error.code()).with("copy", copy.word()));
                record_metric(&Metric::count(MetricName::BackupFailures, 1).with("copy", copy.word()));
            }
        }
    }
}

pub(super) fn observe_verified(verified: &VerifiedCopy) {
    let (state, seen) = match &verified.verdict {
        Verdict::Whole(seen) => ("whole", seen),
        Verdict::Healed(seen) => ("healed", seen),
        Verdict::Damaged(seen) => ("damaged", seen),
        Verdict::Unseen { .. } | Verdict::NotSetUp => return,
    };
    let level = match verified.verdict {
        Verdict::Damaged(_) => Level::Error,
        Verdict::Healed(_) => Level::Warn,
        _ => Level::Info,
    };
    log_event(
        &Event::new(EventName::BackupVerified)
            .level(level)
            .with("copy", verified.copy.word())
            .with("state", state)
            .with("files", seen.files)
            .with("bytes", seen.bytes)
            .with("faults", seen.faults.len()),
    );
}

pub(super) fn observe_drill(copy: CopyName, drill: &Result<Drill>) {
    match drill {
        Ok(drill) => {
            log_event(
                &Event::new(EventName::DrillDone)
                    .with("copy", copy.word())
                    .with("seconds", drill.seconds)
                    .with("files", drill.files)
                    .with("bytes", drill.bytes),
            );
            record_metric(&Metric::new(MetricName::DrillSeconds, drill.seconds).with("copy", copy.word()));
        }
        Err(error) => {
            log_event(&Event::new(EventName::DrillDone).code(error.code()).with("copy", copy.word()));
        }
    }
}

#[allow(clippy::cast_precision_loss)] // a metric
fn measured(copy: CopyName, took: Duration, bytes: u64) {
    record_metric(&Metric::new(MetricName::BackupSeconds, took.as_secs_f64()).with("copy", copy.word()));
    record_metric(&Metric::new(MetricName::BackupBytes, bytes as f64).with("copy", copy.word()));
}
