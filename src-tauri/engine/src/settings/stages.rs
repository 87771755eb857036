//! How new image versions are brought in, as the settings write it down.

use super::Settings;
use crate::deployment::Weight;
use chrono::TimeDelta;

impl Settings {
    /// `deployment.stages`.
    #[must_use]
    pub fn deployment_stages(&self) -> Vec<Weight> {
        weights(self.text("deployment.stages")).unwrap_or_else(|| vec![Weight::ALL])
    }

    /// `deployment.min_launches`.
    #[must_use]
    pub fn deployment_launches(&self) -> Vec<u32> {
        counts(self.text("deployment.min_launches")).unwrap_or_default()
    }

    /// `deployment.min_minutes`.
    #[must_use]
    pub fn deployment_least_time(&self) -> TimeDelta {
        TimeDelta::minutes(self.text("deployment.min_minutes").parse().unwrap_or(10))
    }

    /// `deployment.bake_days`.
    #[must_use]
    pub fn deployment_bake(&self) -> TimeDelta {
        TimeDelta::days(self.text("deployment.bake_days").parse().unwrap_or(7))
    }

    /// `deployment.max_error_rate`.
    #[must_use]
    pub fn deployment_max_error_rate(&self) -> f64 {
        self.text("deployment.max_error_rate").parse().unwrap_or(0.10)
    }

    /// `deployment.max_p95_seconds`.
    #[must_use]
    pub fn deployment_max_seconds(&self) -> f64 {
        self.text("deployment.max_p95_seconds").parse().unwrap_or(15.0)
    }

    /// `deployment.strict`.
    #[must_use]
    pub fn deployment_is_strict(&self) -> bool {
        self.text("deployment.strict") == "true"
    }

    /// `deployment.new_versions`.
    #[must_use]
    pub fn deployment_new_versions(&self) -> NewVersions {
        match self.text("deployment.new_versions") {
            "off" => NewVersions::Off,
            "try" => NewVersions::Try,
            _ => NewVersions::Notice,
        }
    }

    /// `deployment.probes`.
    #[must_use]
    pub fn deployment_probes(&self) -> bool {
        self.text("deployment.probes") == "on"
    }
}

/// What is done about versions that come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewVersions {
    /// Nothing: the registry is not asked.
    Off,
    /// They are noticed.
    Notice,
    /// They are tried.
    Try,
}

/// Shares that rise to all launches.
pub(super) fn weights(text: &str) -> Option<Vec<Weight>> {
    let weights: Vec<_> = text.split_whitespace().map(Weight::parse).collect::<Option<_>>()?;
    let rises = weights.windows(2).all(|pair| pair[0] < pair[1]);
    let begins = weights.first().is_some_and(|first| *first > Weight::NONE);
    (rises && begins && weights.last() == Some(&Weight::ALL)).then_some(weights)
}

/// Numbers that rise: no stage passes without a launch of its own.
pub(super) fn counts(text: &str) -> Option<Vec<u32>> {
    let counts: Vec<u32> = text
        .split_whitespace()
        .map(|word| word.parse().ok().filter(|count| (1..=100_000).contains(count)))
        .collect::<Option<_>>()?;
    (!counts.is_empty() && counts.windows(2).all(|pair| pair[0] < pair[1])).then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_rise_to_all_launches() {
        assert_eq!(weights("0.1 0.5 1.0").map(|all| all.len()), Some(3));
        assert_eq!(weights("1").map(|all| all.len()), Some(1));
        for wrong in ["", "0.5", "0 1", "0.5 0.1 1", "0.5 0.5 1", "0.1,0.5,1", "10% 100%", "0.1 1.0 1.0"] {
            assert_eq!(weights(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_stage_passes_without_a_launch_of_its_own() {
        assert_eq!(counts("5 15 30"), Some(vec![5, 15, 30]));
        for wrong in ["", "0", "5 5", "15 5", "5,15", "-1", "many"] {
            assert_eq!(counts(wrong), None, "{wrong}");
        }
    }
}
