//! How long work takes, and moments of it by chance.

use super::{dice::Dice, tally::Trace};
use crate::rig::{Apart, Invocation};
use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long work takes until it writes, and from then on.
#[derive(Debug)]
pub struct Times {
    before: Duration,
    writing: Duration,
}

impl Times {
    /// Those of work that writes into a folder, done once.
    pub fn of(folder: &Path, work: Invocation) -> Self {
        let (trace, begun) = (Trace::of(folder), Instant::now());
        let mut work = work.start_apart();
        until_written(&mut work, folder, &trace);
        let before = begun.elapsed();
        work.done().ok();
        Self { before, writing: begun.elapsed().saturating_sub(before) }
    }

    /// Waits for some moment: half of the time for any, half of the time for one after the first write.
    pub fn wait(&self, work: &mut Apart, folder: &Path, trace: &Trace, dice: &mut Dice) {
        if dice.below(2) == 0 {
            thread::sleep((self.before + self.writing).mul_f64(dice.fraction()));
        } else {
            until_written(work, folder, trace);
            thread::sleep(self.writing.mul_f64(dice.fraction()));
        }
    }

    /// The work had ended before: the next moments are earlier ones.
    pub fn were_shorter(&mut self) {
        self.before = self.before.mul_f64(0.9);
        self.writing = self.writing.mul_f64(0.9);
    }

    /// The work had not ended: the next moments may be later ones.
    pub fn may_be_longer(&mut self) {
        self.before = self.before.mul_f64(1.02);
        self.writing = self.writing.mul_f64(1.02);
    }
}

fn until_written(work: &mut Apart, folder: &Path, trace: &Trace) {
    while *trace == Trace::of(folder) && !work.has_ended() {}
}
