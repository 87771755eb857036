//! What has to go when this process ends in the middle of its work. What a killed process leaves goes with the next.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

type ClearUp = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

enum Left {
    /// A process that works for this one, and writes.
    Process(Pid),
    /// A folder that holds half-made files.
    Folder(PathBuf),
    /// Something that is cleared up by more than a removal, such as a session.
    Other(ClearUp),
}

static LEFT: Mutex<BTreeMap<u64, Left>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Something half-made; while this lives, it goes when the process is asked to go.
pub(crate) struct HalfMade(u64);

impl HalfMade {
    /// A folder.
    pub(crate) fn folder(path: &Path) -> Self {
        Self::note(Left::Folder(path.to_path_buf()))
    }

    /// A process that writes what would go; it ends before anything is removed. Nothing is kept where there is none.
    pub(crate) fn process(id: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(id).ok()?)?;
        Some(Self::note(Left::Process(pid)))
    }

    /// Something with its own way of going.
    pub(crate) fn cleared_by<F>(clear_up: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::note(Left::Other(Box::new(|| Box::pin(clear_up()))))
    }

    fn note(left: Left) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).insert(number, left);
        Self(number)
    }
}

impl Drop for HalfMade {
    fn drop(&mut self) {
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

impl fmt::Debug for HalfMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HalfMade({})", self.0)
    }
}

/// Removes what is half-made: folders, and sessions on their way. Locks are the kernel's, and go with the process.
pub async fn cleanup_on_error() {
    let left = std::mem::take(&mut *LEFT.lock().unwrap_or_else(PoisonError::into_inner));
    let (processes, others): (Vec<_>, Vec<_>) =
        left.into_values().partition(|left| matches!(left, Left::Process(_)));
    for left in processes.into_iter().chain(others) {
        match left {
            Left::Process(pid) => end(pid).await,
            Left::Folder(folder) => {
                // The process ends: nothing else is kept waiting. One that stays goes with the next process.
                let _ = fs::remove_dir_all(folder);
            }
            Left::Other(clear_up) => clear_up().await,
        }
    }
}

/// Ends a process of ours, and waits until whoever waits for it has heard.
async fn end(pid: Pid) {
    const LOOKS: u32 = 200;
    const BETWEEN: Duration = Duration::from_millis(10);
    if kill_process(pid, Signal::KILL).is_err() {
        return;
    }
    for _ in 0..LOOKS {
        if test_kill_process(pid).is_err() {
            return;
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, atomic::AtomicBool};

    /// One test, since what is half-made is known to the whole process.
    #[tokio::test]
    async fn what_is_half_made_goes_and_what_was_finished_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (half, done) = (folder.path().join("half"), folder.path().join("done"));
        fs::create_dir(&half).unwrap();
        fs::create_dir(&done).unwrap();
        let called = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
        let clear_up = |called: &Arc<AtomicBool>| {
            let called = called.clone();
            move || async move { called.store(true, Ordering::SeqCst) }
        };
        let _half = HalfMade::folder(&half);
        let _session = HalfMade::cleared_by(clear_up(&called[0]));
        drop(HalfMade::folder(&done));
        drop(HalfMade::cleared_by(clear_up(&called[1])));
        cleanup_on_error().await;
        assert!(!half.exists() && done.exists());
        assert!(called[0].load(Ordering::SeqCst) && !called[1].load(Ordering::SeqCst));
    }
}
