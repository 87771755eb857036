//! When there is enough evidence against a candidate: Wald's sequential test on a few launches.
//!
//! A plain share of errors takes back a good image on a streak of bad luck, and one may look after every launch only
//! with a rule that was made for it. Source: A. Wald, "Sequential Tests of Statistical Hypotheses" (1945).

use super::Policy;
use serde::Serialize;

/// `ln((1 - β) / α)` with α = 0.05 and β = 0.10: from here on the candidate is taken back.
pub const BOUNDARY: f64 = 2.890_371_757_896_164_5;
/// Nearer than this to the boundary, no stage is left.
pub const NEAR: f64 = 1.0;
/// An error rate that is no news, when nothing is known of stable.
const USUAL_ERROR_RATE: f64 = 0.02;
/// A share of slow launches that the bound on the 95th percentile allows, and one that is surely too much.
const SLOW: (f64, f64) = (0.05, 0.30);

/// How much more likely bad news are with a bad candidate than with a good one, as a logarithm.
#[must_use]
fn evidence(count: u32, of: u32, (good, bad): (f64, f64)) -> f64 {
    let (hits, misses) = (f64::from(count), f64::from(of.saturating_sub(count)));
    hits * (bad / good).ln() + misses * ((1.0 - bad) / (1.0 - good)).ln()
}

/// Error rates of a good and a bad candidate, beside stable's.
fn rates(policy: &Policy, stable: Option<f64>) -> (f64, f64) {
    let ceiling = policy.max_error_rate.max(USUAL_ERROR_RATE);
    let good = stable.unwrap_or(0.0).clamp(USUAL_ERROR_RATE, ceiling);
    // A rate that stable has can be half of all; one that is certain is no hypothesis.
    (good, (2.0 * good + 0.10).clamp(0.20, 0.95))
}

/// How the evidence stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evidence {
    /// That the candidate has too many errors.
    pub errors: f64,
    /// That it is slow to launch.
    pub slowness: f64,
    /// From here on it is taken back.
    pub boundary: f64,
}

impl Evidence {
    /// From counts: `faults` errors of `launches`, `slow` of `timed`; `stable` is the rate of errors of stable's newest
    /// launches.
    #[must_use]
    pub fn of(
        policy: &Policy,
        (faults, launches): (u32, u32),
        (slow, timed): (u32, u32),
        stable: Option<f64>,
    ) -> Self {
        Self {
            errors: evidence(faults, launches, rates(policy, stable)),
            slowness: evidence(slow, timed, SLOW),
            boundary: BOUNDARY,
        }
    }

    pub(super) fn is_near(&self) -> bool {
        self.errors >= NEAR || self.slowness >= NEAR
    }
}

/// Whether errors are too many: enough evidence, and more than the plain bound allows.
pub(super) fn has_too_many_errors(policy: &Policy, faults: u32, launches: u32, evidence: &Evidence) -> bool {
    faults >= 2
        && f64::from(faults) / f64::from(launches.max(1)) > policy.max_error_rate
        && evidence.errors >= BOUNDARY
}

/// Whether launches are too slow. More than one slow launch in twenty is what a 95th percentile over the limit means.
pub(super) fn is_too_slow(slow: u32, timed: u32, evidence: &Evidence) -> bool {
    slow >= 2 && f64::from(slow) / f64::from(timed.max(1)) > SLOW.0 && evidence.slowness >= BOUNDARY
}

/// The 95 % interval of a share, by Wilson's score: it holds for few launches as well.
///
/// Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927).
#[must_use]
pub fn wilson(count: u32, of: u32) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_963_984_540_054;
    if of == 0 {
        return None;
    }
    let n = f64::from(of);
    let (share, z2) = (f64::from(count) / n, Z * Z);
    let middle = share + z2 / (2.0 * n);
    let width = Z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    Some((((middle - width) / scale).max(0.0), ((middle + width) / scale).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(faults: u32, launches: u32) -> bool {
        let policy = Policy::usual();
        let evidence = Evidence::of(&policy, (faults, launches), (0, 0), None);
        has_too_many_errors(&policy, faults, launches, &evidence)
    }

    fn slow(slow: u32, timed: u32) -> bool {
        is_too_slow(slow, timed, &Evidence::of(&Policy::usual(), (0, 0), (slow, timed), None))
    }

    fn smallest(of: u32, is_enough: impl Fn(u32, u32) -> bool) -> u32 {
        (0..=of).find(|count| is_enough(*count, of)).unwrap()
    }

    #[test]
    fn the_boundary_is_walds() {
        assert!((BOUNDARY - (0.9_f64 / 0.05).ln()).abs() < 1e-12);
    }

    #[test]
    fn so_many_errors_are_enough() {
        for (launches, faults) in [(2..=10, 2), (11..=22, 3), (23..=35, 4), (36..=40, 5)] {
            for n in launches {
                assert_eq!(smallest(n, errors), faults, "of {n}");
            }
        }
    }

    #[test]
    fn so_many_slow_launches_are_enough() {
        for (timed, count) in [(2..=4, 2), (5..=10, 3), (12..=15, 4), (20..=20, 5), (25..=30, 6)] {
            for n in timed {
                assert_eq!(smallest(n, slow), count, "of {n}");
            }
        }
    }

    #[test]
    fn where_stable_has_errors_as_well_it_takes_more() {
        let policy = Policy::usual();
        let with = |stable| Evidence::of(&policy, (2, 8), (0, 0), stable).errors;
        assert!(with(None) >= BOUNDARY && with(Some(0.01)) >= BOUNDARY);
        assert!(with(Some(0.10)) < BOUNDARY);
        assert!(
            (with(Some(0.10)) - with(Some(0.50))).abs() < 1e-12,
            "a broken stable excuses no more than the bound"
        );
    }

    #[test]
    fn intervals_are_wilsons() {
        // Source: the interval for 1 of 10 in statsmodels' `proportion_confint(1, 10, method="wilson")`.
        let (low, high) = wilson(1, 10).unwrap();
        assert!((low - 0.017_876).abs() < 1e-5 && (high - 0.404_150).abs() < 1e-5, "{low} {high}");
        let (low, high) = wilson(0, 5).unwrap();
        assert!(low.abs() < 1e-12 && (high - 0.434_482).abs() < 1e-5, "{low} {high}");
        assert_eq!(wilson(0, 0), None);
    }
}
