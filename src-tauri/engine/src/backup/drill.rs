//! The drill: a snapshot is restored into a scratch folder, compared, parsed and timed. A backup that was never
//! restored is a hope.

use super::{
    Backups,
    copies::Place,
    ledger::Ledger,
    observed::observe_drill,
    restore::Staging,
    snapshot::{CopyName, SnapshotId},
    state::Drill,
};
use crate::{
    claude_home::{Class, class_of, parse_document},
    error_handling::{Code, Error, IoContext, Result},
    observability::{Operation, traced_blocking},
    paths::create_private_dir,
    progress::ProgressSink,
};
use chrono::{DateTime, Utc};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    time::Instant,
};

impl Backups {
    /// Restores the newest good snapshot of a copy into a scratch folder, and proves it. What it took is the
    /// recovery time that is known to be possible.
    ///
    /// # Errors
    /// [`Code::DrillFailed`] with what was wrong; [`Code::CopyAbsent`] when the copy is not here.
    pub fn drill(&self, copy: CopyName, now: DateTime<Utc>, progress: &ProgressSink) -> Result<Drill> {
        let done = traced_blocking(Operation::Drill, || {
            let done = self.drill_once(copy, now, progress);
            observe_drill(copy, &done);
            done
        });
        self.remember(|state| {
            let state = state.copies.entry(copy).or_default();
            match &done {
                Ok(drill) => state.drill = Some(drill.clone()),
                Err(error) if error.code() == Code::DrillFailed => state.failed(error, now),
                Err(_) => {}
            }
        })?;
        done
    }

    fn drill_once(&self, copy: CopyName, now: DateTime<Utc>, progress: &ProgressSink) -> Result<Drill> {
        let key = self.existing()?;
        let scratch = self.locations.cache_dir.join("drill");
        create_private_dir(&scratch)?;
        let fetched = Staging::beside(&scratch)?;
        let started = Instant::now();
        let root = match (copy, self.place(copy)?) {
            (CopyName::Local, _) => self.root.clone(),
            (CopyName::External, Some(_)) => {
                self.volume()?.map(|volume| volume.folder().to_path_buf()).ok_or_else(|| not_set_up(copy))?
            }
            (_, Some(place)) => {
                fetch_all(&*place, &fetched.path, progress)?;
                fetched.path.clone()
            }
            (_, None) => return Err(not_set_up(copy)),
        };
        let snapshot = self.newest_good_in(&root)?;
        let target = Staging::beside(&scratch)?;
        let failed = |error: Error| {
            if error.code() == Code::Stopped {
                return error;
            }
            let mut failed = Error::new(
                Code::DrillFailed,
                format!("the snapshot {snapshot} in the {copy} copy could not be proven"),
            )
            .why(error.message());
            for cause in error.causes() {
                failed = failed.why(cause);
            }
            failed.remedy("drydock backup verify --all --heal")
        };
        let restored =
            self.restore_into(&root, &key, &snapshot, &[], &target.path, progress).map_err(failed)?;
        if let Some(first) = restored.failed.first() {
            let what = format!("{} files did not come back", restored.failed.len());
            return Err(failed(Error::new(Code::DrillFailed, what).why(format!(
                "{}: {}",
                first.path.display(),
                first.why
            ))));
        }
        let parsed = parse_all(&target.path).map_err(failed)?;
        Ok(Drill {
            at: now,
            snapshot,
            seconds: started.elapsed().as_secs_f64(),
            files: restored.files,
            bytes: restored.bytes,
            records: parsed.records,
            broken: parsed.broken,
        })
    }

    /// The newest snapshot in a copy that was whole when it was taken.
    fn newest_good_in(&self, root: &Path) -> Result<SnapshotId> {
        let ledger = Ledger::read(&Ledger::file(&self.root))?;
        let there = |id: &SnapshotId| root.join("snapshots").join(id.as_str()).exists();
        let good =
            ledger.snapshots.iter().filter(|(id, known)| known.is_good() && !known.forgotten && there(id));
        good.max_by_key(|(_, known)| known.made).map(|(id, _)| id.clone()).ok_or_else(|| {
            Error::new(Code::BackupNone, "no snapshot there counts as good").remedy("drydock backup now")
        })
    }
}

fn not_set_up(copy: CopyName) -> Error {
    Error::new(Code::CopyAbsent, format!("there is no {copy} copy")).remedy("drydock backup copies")
}

fn fetch_all(place: &dyn Place, to: &Path, progress: &ProgressSink) -> Result<()> {
    let names: Vec<_> = place.list()?.into_keys().collect();
    place.fetch(&names, to, progress)
}

/// What was parsed of a restored home.
#[derive(Debug, Default)]
struct Parsed {
    records: u64,
    broken: u64,
}

/// Parses what can be parsed: documents as a whole, conversations record by record. A record that was broken
/// on the host already is counted, and no fault of the backup's: Claude Code passes over it.
fn parse_all(folder: &Path) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        let Ok(name) = entry.path().strip_prefix(folder) else { continue };
        if !entry.file_type().is_file() {
            continue;
        }
        let below = name.strip_prefix(".claude").unwrap_or(name).to_string_lossy();
        match class_of(&below) {
            Class::State | Class::Settings | Class::PluginRegistry if below.ends_with(".json") => {
                let text = fs::read(entry.path()).context("read", entry.path())?;
                if let Err(fault) = parse_document(&text) {
                    let what = format!("{} cannot be used", name.display());
                    return Err(Error::new(Code::DrillFailed, what).why(fault));
                }
            }
            Class::Transcript | Class::PromptHistory => parse_records(entry.path(), &mut parsed)?,
            _ => {}
        }
    }
    Ok(parsed)
}

fn parse_records(path: &Path, parsed: &mut Parsed) -> Result<()> {
    let mut reader = BufReader::new(File::open(path).context("read", path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).context("read", path)? == 0 {
            return Ok(());
        }
        parsed.records += 1;
        // The last one may be without its end: Claude Code was ended while it wrote.
        let is_whole = line.ends_with(b"\n");
        if is_whole && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_err() {
            parsed.broken += 1;
        }
    }
}
