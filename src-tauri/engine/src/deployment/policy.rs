//! How a candidate is brought in, as the settings say it.

use super::Weight;
use crate::{
    error_handling::{Code, Error, Result},
    settings::Settings,
};
use chrono::TimeDelta;
use serde::Serialize;

/// A stage of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StagePlan {
    /// The share of launches that try the candidate.
    pub weight: Weight,
    /// So many launches of the candidate, those of earlier stages with them, before the stage is left.
    pub launches: u32,
}

/// By which rule a candidate is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleKind {
    /// A sequential test, within the plain bounds.
    Sequential,
    /// The plain bounds alone.
    Strict,
}

/// How a candidate is brought in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Policy {
    /// The stages; the last one has all launches. Never empty.
    pub stages: Vec<StagePlan>,
    /// A stage lasts at least so many minutes.
    #[serde(serialize_with = "as_minutes", rename = "min_minutes")]
    pub least_time: TimeDelta,
    /// The last stage need not last longer than so many minutes, if the candidate was launched often enough in it.
    #[serde(serialize_with = "as_minutes", rename = "bake_minutes")]
    pub bake: TimeDelta,
    /// A greater share of errors is too much.
    pub max_error_rate: f64,
    /// A launch that takes longer is slow.
    pub max_seconds: f64,
    /// The rule.
    pub rule: RuleKind,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn as_minutes<S: serde::Serializer>(time: &TimeDelta, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.num_minutes())
}

/// With so many launches more and still no verdict, the user is asked.
pub(super) const PATIENCE: u32 = 10;
/// The last stage is not over after its days with fewer launches than these in it.
pub(super) const LEAST_IN_BAKE: u32 = 5;

impl Policy {
    /// That of the settings.
    ///
    /// # Errors
    /// [`Code::SettingsValue`] when the stages and their numbers of launches do not fit each other.
    pub fn of(settings: &Settings) -> Result<Self> {
        let (weights, launches) = (settings.deployment_stages(), settings.deployment_launches());
        if weights.len() != launches.len() {
            return Err(Error::new(
                Code::SettingsValue,
                "deployment.stages and deployment.min_launches do not fit each other",
            )
            .why(format!("there are {} stages and {} numbers of launches", weights.len(), launches.len()))
            .remedy("drydock settings set deployment.min_launches \"5 15 30\""));
        }
        let stages = weights.into_iter().zip(launches);
        Ok(Self {
            stages: stages.map(|(weight, launches)| StagePlan { weight, launches }).collect(),
            least_time: settings.deployment_least_time(),
            bake: settings.deployment_bake(),
            max_error_rate: settings.deployment_max_error_rate(),
            max_seconds: settings.deployment_max_seconds(),
            rule: if settings.deployment_is_strict() { RuleKind::Strict } else { RuleKind::Sequential },
        })
    }

    /// The weight of a stage.
    #[must_use]
    pub fn weight(&self, stage: usize) -> Weight {
        self.stages.get(stage).map_or(Weight::ALL, |stage| stage.weight)
    }

    pub(super) fn launches(&self, stage: usize) -> u32 {
        self.stages.get(stage).or(self.stages.last()).map_or(u32::MAX, |stage| stage.launches)
    }

    pub(super) fn is_last(&self, stage: usize) -> bool {
        stage + 1 >= self.stages.len()
    }

    /// At so many launches without a verdict the user is asked.
    pub(super) fn patience(&self) -> u32 {
        self.stages.last().map_or(PATIENCE, |last| last.launches.saturating_add(PATIENCE))
    }
}

#[cfg(test)]
impl Policy {
    /// The one of a user who set nothing.
    pub(super) fn usual() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::of(&Settings::load(&dir.path().join("none")).unwrap()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_set_nothing_has_three_stages() {
        let policy = Policy::usual();
        let stages: Vec<_> = policy.stages.iter().map(|one| (one.weight.number(), one.launches)).collect();
        assert_eq!(stages, [(0.1, 5), (0.5, 15), (1.0, 30)]);
        assert_eq!(
            (policy.max_error_rate, policy.max_seconds, policy.rule),
            (0.1, 15.0, RuleKind::Sequential)
        );
        assert_eq!(policy.patience(), 40);
    }

    #[test]
    fn stages_without_their_number_of_launches_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::load(&dir.path().join("none")).unwrap();
        settings.use_for_now("deployment.stages", "0.5 1.0").unwrap();
        assert_eq!(Policy::of(&settings).unwrap_err().code(), Code::SettingsValue);
        settings.use_for_now("deployment.min_launches", "2 4").unwrap();
        assert_eq!(Policy::of(&settings).unwrap().stages.len(), 2);
    }
}
