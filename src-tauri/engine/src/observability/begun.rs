//! Operations that are not over are on record, so that one whose process ended in its middle is seen, and is no trace
//! that never was.
//!
//! Each process has a file of its own while it does something, and holds its lock: the kernel lets go of it with the
//! process, however that ends. The next process finds such a file without an owner.

use super::otlp::FinishedSpan;
use crate::paths::create_private_dir;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::UNIX_EPOCH,
};

/// How an operation that was cut off stands in the traces.
pub(super) const ABORTED: &str = "aborted";

const ENDING: &str = "jsonl";

/// A line of such a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Ended { ended: String },
    Begun(Begun),
}

/// An operation that has begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) trace: String,
    pub(super) span: String,
    pub(super) parent: Option<String>,
    pub(super) name: String,
    pub(super) session: Option<String>,
    /// Nanoseconds since 1970.
    pub(super) began: u64,
    pub(super) pid: u32,
}

/// The operations of this process that are not over.
#[derive(Debug)]
pub(super) struct OpenOperations {
    folder: PathBuf,
    file: Mutex<Option<Own>>,
}

/// The file of this process.
#[derive(Debug)]
struct Own {
    path: PathBuf,
    /// Locked.
    file: File,
    open: usize,
}

impl OpenOperations {
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { folder, file: Mutex::new(None) }
    }

    /// An operation begins. What cannot be written down is done all the same.
    pub(super) fn begin(&self, begun: &Begun) {
        let mut own = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_none() {
            *own = Own::make(&self.folder).ok();
        }
        if let Some(own) = &mut *own {
            own.open += 1;
            own.append(&Line::Begun(begun.clone()));
        }
    }

    /// It is over.
    pub(super) fn end(&self, span: &str) {
        let mut own = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(there) = &mut *own else { return };
        there.open = there.open.saturating_sub(1);
        if there.open > 0 {
            there.append(&Line::Ended { ended: span.to_owned() });
            return;
        }
        let _ = fs::remove_file(&there.path);
        *own = None;
    }

    /// Takes those of processes that are no more. Each is given to one caller only.
    pub(super) fn take_aborted(&self) -> Vec<FinishedSpan> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let files = entries.flatten().map(|entry| entry.path());
        let left = files.filter(|path| path.extension().is_some_and(|ending| ending == ENDING));
        left.filter_map(|path| take(&path).ok()).flatten().collect()
    }
}

impl Own {
    fn make(folder: &Path) -> io::Result<Self> {
        create_private_dir(folder).map_err(io::Error::other)?;
        let name = uuid::Uuid::now_v7().to_string();
        let (new, path) = (folder.join(format!("{name}.new")), folder.join(format!("{name}.{ENDING}")));
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&new)?;
        file.lock()?;
        // Under its name only when it is locked: nobody takes it for left behind.
        fs::rename(&new, &path)?;
        Ok(Self { path, file, open: 0 })
    }

    fn append(&mut self, line: &Line) {
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            let _ = self.file.write_all(&text);
        }
    }
}

/// What was not over in a file that nobody owns; the file goes.
fn take(path: &Path) -> io::Result<Vec<FinishedSpan>> {
    let file = File::open(path)?;
    if file.try_lock().is_err() {
        return Ok(Vec::new());
    }
    let data = file.metadata()?;
    if fs::metadata(path)?.ino() != data.ino() {
        return Ok(Vec::new());
    }
    // Its owner was alive when it last wrote.
    let last = data.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let last = u64::try_from(last.as_nanos()).unwrap_or(u64::MAX);
    let mut open: Vec<Begun> = Vec::new();
    for line in fs::read_to_string(path)?.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Begun(begun) => open.push(begun),
            Line::Ended { ended } => open.retain(|begun| begun.span != ended),
        }
    }
    fs::remove_file(path)?;
    Ok(open.into_iter().map(|begun| begun.aborted(last)).collect())
}

impl Begun {
    fn aborted(self, last: u64) -> FinishedSpan {
        FinishedSpan {
            ended: last.max(self.began),
            trace: self.trace,
            span: self.span,
            parent: self.parent,
            name: self.name,
            session: self.session,
            began: self.began,
            code: Some(ABORTED.to_owned()),
            pid: self.pid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        env,
        process::{Command, Stdio},
    };

    const FOLDER: &str = "DRYDOCK_TEST_BEGUN_FOLDER";

    fn begun(span: &str, parent: Option<&str>) -> Begun {
        Begun {
            trace: "t".repeat(32),
            span: span.to_owned(),
            parent: parent.map(str::to_owned),
            name: "backup".to_owned(),
            session: None,
            began: 1,
            pid: std::process::id(),
        }
    }

    #[test]
    #[ignore = "the process that is ended in the middle"]
    fn child_ends_in_the_middle() {
        let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
        let open = OpenOperations::at(folder);
        for (span, parent) in [("outer", None), ("done", Some("outer")), ("inner", Some("outer"))] {
            open.begin(&begun(span, parent));
        }
        open.end("done");
        std::process::abort();
    }

    #[test]
    fn what_a_process_left_open_is_found_once_and_what_is_open_now_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "observability::begun::tests::child_ends_in_the_middle",
                "--ignored",
                "--quiet",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(!status.success());
        let (one, other) =
            (OpenOperations::at(folder.path().into()), OpenOperations::at(folder.path().into()));
        other.begin(&begun("now", None));

        let found = one.take_aborted();

        let spans: Vec<_> = found.iter().map(|span| span.span.as_str()).collect();
        assert_eq!(spans, ["outer", "inner"]);
        assert!(found.iter().all(|span| span.code.as_deref() == Some(ABORTED) && span.ended > span.began));
        assert!(one.take_aborted().is_empty());
        other.end("now");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
