//! `drydock restore`: files of a snapshot, into a folder or back to where they were.

use super::backup::at_work;
use crate::{
    Context,
    arguments::Restore,
    render::{self, bytes},
};
use drydock_engine::{
    backup::{BroughtBack, IfDamaged, Restored},
    error_handling::Result,
};
use std::{path::PathBuf, process::ExitCode};

pub(super) async fn restore(context: &Context, wanted: Restore) -> Result<ExitCode> {
    let Some(to) = wanted.to else { return bring_back(context, wanted.snapshot, wanted.paths).await };
    let to = std::path::absolute(&to).unwrap_or(to);
    let damaged = if wanted.partial { IfDamaged::LeaveOut } else { IfDamaged::Refuse };
    let target = to.clone();
    let restored = at_work(context, move |backups, progress| {
        let snapshot = backups.find_snapshot(&wanted.snapshot)?;
        backups.restore(&snapshot.id, &wanted.paths, &target, damaged, progress)
    })
    .await?;
    render::answer(context.format, &restored, || told(&restored, &to));
    Ok(ExitCode::from(u8::from(!restored.failed.is_empty())))
}

fn told(restored: &Restored, to: &std::path::Path) -> String {
    let mut text = format!(
        "{} files, {}, are in {} and are what the snapshot holds\n",
        restored.files,
        bytes(restored.bytes),
        to.display()
    );
    for failed in &restored.failed {
        text.push_str(&format!("  MISSING: {}: {}\n", failed.path.display(), failed.why));
    }
    text
}

async fn bring_back(context: &Context, snapshot: String, paths: Vec<PathBuf>) -> Result<ExitCode> {
    let brought = at_work(context, move |backups, progress| {
        let snapshot = backups.find_snapshot(&snapshot)?;
        backups.bring_back(&snapshot.id, &paths, progress)
    })
    .await?;
    render::answer(context.format, &brought, || back(&brought));
    Ok(ExitCode::SUCCESS)
}

fn back(brought: &BroughtBack) -> String {
    let mut text: String = brought.back.iter().map(|path| format!("back: {}\n", path.display())).collect();
    for path in &brought.there {
        text.push_str(&format!("left as it is, since something is there: {}\n", path.display()));
    }
    text
}
