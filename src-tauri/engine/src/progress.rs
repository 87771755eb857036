//! What long work tells of itself while it goes on, and how it is told to stop.

use crate::error_handling::{Code, Error, Result};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// What long work reports while it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case", tag = "is", content = "of")]
pub enum Progress {
    /// A step begins.
    Step(String),
    /// Bytes of a known or unknown total.
    Bytes {
        /// What they are of.
        what: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, if known.
        total: Option<u64>,
    },
    /// Things of a known or unknown number.
    Count {
        /// What is done with them.
        what: String,
        /// So many so far.
        done: u64,
        /// So many in all, if known.
        total: Option<u64>,
    },
    /// A line of a program's output.
    Line(String),
}

/// Where progress goes, and where the word to stop comes from.
#[derive(Clone)]
pub struct ProgressSink {
    receive: Arc<dyn Fn(Progress) + Send + Sync>,
    stop: Stop,
}

/// The user's word that work is to stop. Work that can be stopped leaves everything as it was, or done in part and
/// whole.
#[derive(Clone, Default)]
pub struct Stop(Arc<Mutex<Stopping>>);

#[derive(Default)]
struct Stopping {
    asked: bool,
    next: u64,
    hooks: BTreeMap<u64, Box<dyn Fn() + Send>>,
}

/// What happens at the word to stop, for as long as this lives.
#[must_use]
pub struct StopHook {
    stop: Stop,
    number: u64,
}

impl Stop {
    /// Says it. What goes on hears it at its next step.
    pub fn ask(&self) {
        let mut stopping = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stopping.asked = true;
        stopping.hooks.values().for_each(|hook| hook());
    }

    fn is_asked(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).asked
    }

    fn hook(&self, hook: impl Fn() + Send + 'static) -> StopHook {
        let mut stopping = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stopping.asked {
            hook();
        }
        let number = stopping.next;
        stopping.next += 1;
        stopping.hooks.insert(number, Box::new(hook));
        drop(stopping);
        StopHook { stop: self.clone(), number }
    }
}

impl Drop for StopHook {
    fn drop(&mut self) {
        self.stop.0.lock().unwrap_or_else(PoisonError::into_inner).hooks.remove(&self.number);
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").field("asked", &self.is_asked()).finish_non_exhaustive()
    }
}

impl fmt::Debug for StopHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StopHook({})", self.number)
    }
}

impl ProgressSink {
    /// Gives each report to `receive`, which must return at once.
    pub fn new(receive: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self { receive: Arc::new(receive), stop: Stop::default() }
    }

    /// By which the work that reports here is told to stop.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Does something at once when the work is told to stop, for as long as the hook lives.
    pub fn when_stopped(&self, hook: impl Fn() + Send + 'static) -> StopHook {
        self.stop.hook(hook)
    }

    /// Whether the work may go on.
    ///
    /// # Errors
    /// [`Code::Stopped`] when it was told to stop.
    pub fn go_on(&self) -> Result<()> {
        if self.stop.is_asked() { Err(stopped()) } else { Ok(()) }
    }

    /// Nobody looks.
    #[must_use]
    pub fn none() -> Self {
        Self::new(drop)
    }

    pub(crate) fn report(&self, progress: Progress) {
        (self.receive)(progress);
    }
}

impl fmt::Debug for ProgressSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgressSink")
    }
}

/// What work says that was told to stop.
#[must_use]
pub fn stopped() -> Error {
    Error::new(Code::Stopped, "you stopped it").remedy("begin it again when you like")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn the_word_to_stop_reaches_what_listens_and_what_begins_later() {
        let heard = Arc::new(AtomicU32::new(0));
        let hear = |heard: &Arc<AtomicU32>| {
            let heard = heard.clone();
            move || _ = heard.fetch_add(1, Ordering::Relaxed)
        };
        let sink = ProgressSink::none();
        drop(sink.when_stopped(hear(&heard)));
        let _listening = sink.when_stopped(hear(&heard));
        assert!(sink.go_on().is_ok());

        sink.clone().stop().ask();

        assert_eq!(heard.load(Ordering::Relaxed), 1, "whoever ended hears nothing");
        let _late = sink.when_stopped(hear(&heard));
        assert_eq!(heard.load(Ordering::Relaxed), 2);
        assert_eq!(sink.go_on().unwrap_err().code(), Code::Stopped);
        assert!(ProgressSink::none().go_on().is_ok());
    }
}
