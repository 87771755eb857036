//! What is known of the launches of one version, in numbers.

use super::{Counts, Outcome};
use crate::observability::Quantiles;
use serde::Serialize;

/// Launches of one version, counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Those that say something of the image.
    pub launches: u32,
    /// Errors among them.
    pub faults: u32,
    /// Errors of the image, one after the other, that the newest launches were.
    pub in_a_row: u32,
    /// Launches whose data did not come out as it was inside.
    pub unverified: u32,
    /// Launches that were not the first of their image on this computer, and whose time is known.
    pub timed: u32,
    /// Those of them that took longer than the limit.
    pub slow: u32,
    /// The 95th percentile of their seconds.
    pub p95: Option<f64>,
}

/// One launch, as it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Counted {
    pub(super) outcome: Outcome,
    /// Seconds, where it was not the first of its image on this computer.
    pub(super) seconds: Option<f64>,
}

impl Tally {
    /// Counts launches, the oldest first.
    pub(super) fn of(launches: &[Counted], limit: f64) -> Self {
        let mut tally = Self::default();
        let mut times = Vec::new();
        for launch in launches {
            tally.add(launch.outcome);
            // A launch that failed for want of an engine or by the user's will says nothing of how quick the image is.
            if let (Counts::Good | Counts::Error, Some(seconds)) = (launch.outcome.counts(), launch.seconds) {
                tally.time(seconds, limit);
                times.push(seconds);
            }
        }
        tally.p95 = Quantiles::of(times).map(|found| found.p95);
        tally
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        match outcome.counts() {
            Counts::Good => {
                self.launches += 1;
                self.in_a_row = 0;
            }
            Counts::Error => {
                self.launches += 1;
                self.faults += 1;
                self.in_a_row += 1;
                self.unverified += u32::from(outcome == Outcome::Unverified);
            }
            Counts::Not => {}
        }
    }

    pub(super) fn time(&mut self, seconds: f64, limit: f64) {
        self.timed += 1;
        self.slow += u32::from(seconds > limit);
    }

    /// The share of errors, where there are launches.
    #[must_use]
    pub fn error_rate(&self) -> Option<f64> {
        share(self.faults, self.launches)
    }

    /// The share of slow launches, where there are timed ones.
    #[must_use]
    pub fn slow_rate(&self) -> Option<f64> {
        share(self.slow, self.timed)
    }
}

fn share(part: u32, whole: u32) -> Option<f64> {
    (whole > 0).then(|| f64::from(part) / f64::from(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_something_of_the_image_counts() {
        let launch = |outcome, seconds| Counted { outcome, seconds };
        let tally = Tally::of(
            &[
                launch(Outcome::Ok, None),
                launch(Outcome::UserCancel, Some(99.0)),
                launch(Outcome::Died, Some(1.0)),
                launch(Outcome::EngineFault, Some(99.0)),
                launch(Outcome::NoStart, None),
                launch(Outcome::Auth, None),
                launch(Outcome::Network, None),
            ],
            15.0,
        );
        assert_eq!((tally.launches, tally.faults, tally.in_a_row, tally.timed, tally.slow), (3, 2, 2, 1, 0));
        let again = Tally::of(&[launch(Outcome::Died, None), launch(Outcome::Ok, Some(16.0))], 15.0);
        assert_eq!((again.in_a_row, again.slow, again.p95), (0, 1, Some(16.0)));
        assert_eq!(Tally::default().error_rate(), None);
    }
}
