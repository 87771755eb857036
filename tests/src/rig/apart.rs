//! A `drydock` with everything that it starts, which a test can end as a power cut does.

use super::{Done, Running, until};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{fs, path::Path, time::Duration};

/// A `drydock` in a process group of its own. Dropping it kills the group.
pub struct Apart {
    running: Option<Running>,
    group: Pid,
}

impl Apart {
    pub(super) fn new(running: Running) -> Self {
        let group = Pid::from_raw(running.process().cast_signed()).expect("a process");
        Self { running: Some(running), group }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.running.as_mut().expect("it was started").has_ended()
    }

    /// Ends a program of this name, or with this word among its arguments, that it has started, if there is
    /// one now; and nothing else.
    #[must_use]
    pub fn kill_child(&self, word: &str) -> bool {
        let is_meant = |process: &Pid| {
            let words =
                fs::read_to_string(format!("/proc/{}/cmdline", process.as_raw_pid())).unwrap_or_default();
            *process != self.group && words.split('\0').any(|other| Path::new(other).ends_with(word))
        };
        self.members()
            .into_iter()
            .find(is_meant)
            .is_some_and(|child| kill_process(child, Signal::KILL).is_ok())
    }

    /// Ends it and all that it started, at once. Nothing of them runs when this returns.
    pub fn kill(mut self) {
        self.kill_group();
        self.running = None;
    }

    /// Waits for its end.
    pub fn done(mut self) -> Done {
        self.running.take().expect("it was started").done()
    }

    fn kill_group(&self) {
        // It may have ended already.
        let _ = kill_process_group(self.group, Signal::KILL);
        until("what was killed is gone", Duration::from_secs(10), || self.members().is_empty().then_some(()));
    }

    /// Those of the group that live.
    fn members(&self) -> Vec<Pid> {
        let entries = fs::read_dir("/proc").expect("a Linux computer").flatten();
        let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        processes.filter(|process| self.has(*process)).filter_map(Pid::from_raw).collect()
    }

    fn has(&self, process: i32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // After the name, which ends with the last bracket: state, parent, group.
        let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
        let mut words = rest.split(' ');
        let is_alive = words.next().is_some_and(|state| state != "Z" && state != "X");
        is_alive && words.nth(1) == Some(&self.group.as_raw_pid().to_string())
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if self.running.is_some() {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }
}
