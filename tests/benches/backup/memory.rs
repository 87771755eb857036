//! How much memory programs take at most, with all that they start.

use std::{
    fs,
    path::Path,
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const INTERVAL: Duration = Duration::from_millis(10);

/// A look at running programs, again and again.
pub(crate) struct Watch {
    over: Arc<AtomicBool>,
    looking: Option<JoinHandle<u64>>,
}

impl Watch {
    /// Looks at these programs, and at all below them.
    pub(crate) fn on(programs: &[Child]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        if !Path::new("/proc/thread-self/children").exists() {
            return Self { over, looking: None };
        }
        let roots: Vec<_> = programs.iter().map(Child::id).collect();
        let ends = Arc::clone(&over);
        let looking = thread::spawn(move || {
            let mut most = 0;
            while !ends.load(Ordering::Relaxed) {
                most = most.max(roots.iter().map(|root| peak_below(*root)).sum());
                thread::sleep(INTERVAL);
            }
            most
        });
        Self { over, looking: Some(looking) }
    }

    /// The most that all of them had, in kilobytes: the peaks of those that ran at one time, added up. `None`
    /// where the system does not tell.
    pub(crate) fn most(self) -> Option<u64> {
        self.over.store(true, Ordering::Relaxed);
        self.looking.map(|looking| looking.join().unwrap())
    }
}

fn peak_below(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let own = line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse().ok()).unwrap_or(0);
    own + children(process).into_iter().map(peak_below).sum::<u64>()
}

/// Each thread has those that it started.
fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let started = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    started
        .flat_map(|ids| ids.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}
