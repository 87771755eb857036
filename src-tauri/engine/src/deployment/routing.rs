//! Which image a launch gets: by weight and hash, by force, or as the conversation had it.

use super::DeploymentId;
use crate::error_handling::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// The variable that sets the weight over the deployment's own.
pub const WEIGHT_VARIABLE: &str = "CLAUDE_DOCKER_V2_PROBABILITY";

/// A share of launches, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weight(f64);

impl Weight {
    /// No launch.
    pub const NONE: Self = Self(0.0);
    /// Every launch.
    pub const ALL: Self = Self(1.0);

    /// As a number from 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        self.0
    }

    /// Reads a plain decimal number from 0 to 1: no sign, no exponent, no percent, no comma, no spaces.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return None;
        }
        let number: f64 = text.parse().ok()?;
        (0.0..=1.0).contains(&number).then_some(Self(number))
    }

    /// What [`WEIGHT_VARIABLE`] says, if it is set.
    ///
    /// # Errors
    /// [`Code::DeploymentWeight`] when it is set to something else: it is never taken for 0 or 1.
    pub fn of_environment() -> Result<Option<Self>> {
        let Some(text) = std::env::var_os(WEIGHT_VARIABLE) else { return Ok(None) };
        Self::given(&text.to_string_lossy()).map(Some)
    }

    fn given(text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            Error::new(Code::DeploymentWeight, format!("{WEIGHT_VARIABLE} is \"{shown}\""))
                .why("it must be a number from 0.0 to 1.0, such as 0.25: the share of launches that try the candidate")
                .remedy(format!("unset {WEIGHT_VARIABLE}"))
                .remedy(format!("or: export {WEIGHT_VARIABLE}=0.25"))
        })
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        if (percent - percent.round()).abs() < 1e-9 {
            write!(f, "{percent:.0} %")
        } else {
            write!(f, "{percent:.1} %")
        }
    }
}

/// The place of a launch between 0 and 1, which only its deployment and its own name decide.
///
/// A launch that was below a weight is below any higher one, so raising the weight takes nobody off the candidate.
#[must_use]
pub fn place(deployment: &DeploymentId, launch: &str) -> f64 {
    let mut digest = Sha256::new();
    digest.update(deployment.as_str());
    digest.update([0]);
    digest.update(launch);
    let digest = digest.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    // 53 bits are what a double holds exactly.
    #[allow(clippy::cast_precision_loss)]
    let u = (u64::from_be_bytes(first) >> 11) as f64 / (1_u64 << 53) as f64;
    u
}

/// Which of the two versions a launch is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The one that most launches use.
    Stable,
    /// The candidate.
    Canary,
}

impl Side {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Stable, Self::Canary].into_iter().find(|side| side.word() == word)
    }
}

/// What the user says of a launch's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// Nothing: the weight decides.
    #[default]
    ByWeight,
    /// This one.
    Force(Side),
    /// Stable, in the place of a candidate that failed at the same launch.
    StandIn,
}

/// Why a launch is on its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Nothing is being tried out.
    NoDeployment,
    /// The weight of the stage.
    Weight,
    /// The weight of the variable.
    ManualWeight,
    /// The user said so.
    Forced,
    /// It goes on with a conversation that was had there.
    Resumed,
    /// The candidate failed at this launch.
    Fallback,
    /// It is one of Drydock's own, made while the computer was idle.
    Probe,
}

impl Why {
    const ALL: [Self; 7] = [
        Self::NoDeployment,
        Self::Weight,
        Self::ManualWeight,
        Self::Forced,
        Self::Resumed,
        Self::Fallback,
        Self::Probe,
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NoDeployment => "no-deployment",
            Self::Weight => "weight",
            Self::ManualWeight => "manual-weight",
            Self::Forced => "forced",
            Self::Resumed => "resumed",
            Self::Fallback => "fallback",
            Self::Probe => "probe",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.word() == word)
    }
}

/// What was decided for a launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The version.
    pub side: Side,
    /// The deployment that decided, if there was one.
    pub deployment: Option<DeploymentId>,
    /// The launch's place between 0 and 1.
    pub u: Option<f64>,
    /// The weight that it was held against.
    pub weight: Weight,
    /// Why.
    pub why: Why,
}

/// What a launch is decided by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Routing<'a> {
    /// The deployment whose candidate can be launched, and its weight.
    pub(crate) trying: Option<(&'a DeploymentId, Weight)>,
    /// The variable's weight.
    pub(crate) manual: Option<Weight>,
    /// What the user says.
    pub(crate) wish: Wish,
    /// Where the conversation was had that is gone on with.
    pub(crate) before: Option<Side>,
}

impl Routing<'_> {
    /// Decides for a launch of this name.
    ///
    /// # Errors
    /// [`Code::DeploymentNone`] when the candidate is asked for and there is none to launch.
    pub(crate) fn decide(&self, launch: &str) -> Result<Decision> {
        let Some((deployment, weight)) = self.trying else {
            if self.wish == Wish::Force(Side::Canary) {
                return Err(Error::new(Code::DeploymentNone, "no candidate is being tried out")
                    .remedy("drydock deploy status")
                    .remedy("drydock deploy canary"));
            }
            return Ok(Decision {
                side: Side::Stable,
                deployment: None,
                u: None,
                weight: Weight::NONE,
                why: Why::NoDeployment,
            });
        };
        let u = place(deployment, launch);
        let (weight, by) = match self.manual {
            Some(manual) => (manual, Why::ManualWeight),
            None => (weight, Why::Weight),
        };
        let (side, why) = match (self.wish, self.before) {
            (Wish::Force(side), _) => (side, Why::Forced),
            (Wish::StandIn, _) => (Side::Stable, Why::Fallback),
            (Wish::ByWeight, Some(side)) => (side, Why::Resumed),
            (Wish::ByWeight, None) => (if u < weight.number() { Side::Canary } else { Side::Stable }, by),
        };
        Ok(Decision { side, deployment: Some(deployment.clone()), u: Some(u), weight, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::proptest;

    fn id(text: &str) -> DeploymentId {
        DeploymentId::of(text)
    }

    #[test]
    fn a_weight_is_a_plain_number_from_0_to_1_and_nothing_else() {
        for (text, number) in
            [("0", 0.0), ("1", 1.0), ("0.0", 0.0), ("1.0", 1.0), ("0.25", 0.25), ("00.5", 0.5)]
        {
            assert_eq!(Weight::parse(text).map(Weight::number), Some(number), "{text}");
        }
        for text in [
            "",
            " ",
            "NaN",
            "nan",
            "inf",
            "-0",
            "-0.1",
            "+0.5",
            "1.1",
            "1.0000001",
            "2",
            "10%",
            "0,1",
            "1e-1",
            ".5",
            "5.",
            "0x1",
            "0.5 ",
            " 0.5",
            "true",
            "½",
        ] {
            assert_eq!(Weight::parse(text), None, "{text}");
            let error = Weight::given(text).unwrap_err();
            assert_eq!(error.code(), Code::DeploymentWeight);
            assert!(!error.remedies().is_empty());
        }
    }

    #[test]
    fn a_launchs_place_is_what_its_digest_says() {
        let u = place(&id("d"), "l");
        // Python: (int.from_bytes(hashlib.sha256(b"d\0l").digest()[:8], "big") >> 11) / 2**53
        assert!((u - 0.213_689_356_369_175_85).abs() < f64::EPSILON, "{u}");
        assert!((u - place(&id("e"), "l")).abs() > 1e-9, "another deployment draws anew");
    }

    #[test]
    fn as_many_launches_as_the_weight_says_try_the_candidate() {
        let hits = |weight: f64| (0..20_000).filter(|n| place(&id("d"), &n.to_string()) < weight).count();
        for (weight, low, high) in
            [(0.0, 0, 0), (0.1, 1_850, 2_150), (0.5, 9_750, 10_250), (1.0, 20_000, 20_000)]
        {
            let hits = hits(weight);
            assert!((low..=high).contains(&hits), "{weight}: {hits}");
        }
    }

    fn decided(routing: Routing<'_>) -> (Side, Why) {
        let decision = routing.decide("launch").unwrap();
        (decision.side, decision.why)
    }

    #[test]
    fn the_user_goes_before_the_conversation_and_both_before_the_weight() {
        let deployment = id("d");
        let all = Routing {
            trying: Some((&deployment, Weight::ALL)),
            manual: None,
            wish: Wish::ByWeight,
            before: None,
        };
        assert_eq!(decided(all), (Side::Canary, Why::Weight));
        assert_eq!(decided(Routing { manual: Some(Weight::NONE), ..all }), (Side::Stable, Why::ManualWeight));
        let resumed = Routing { before: Some(Side::Stable), ..all };
        assert_eq!(decided(resumed), (Side::Stable, Why::Resumed));
        assert_eq!(
            decided(Routing { wish: Wish::Force(Side::Canary), ..resumed }),
            (Side::Canary, Why::Forced)
        );
    }

    #[test]
    fn without_a_deployment_launches_are_on_stable_and_a_candidate_cannot_be_asked_for() {
        let none = Routing { trying: None, manual: Some(Weight::ALL), wish: Wish::ByWeight, before: None };
        assert_eq!(decided(none), (Side::Stable, Why::NoDeployment));
        assert_eq!(
            decided(Routing { wish: Wish::Force(Side::Stable), ..none }),
            (Side::Stable, Why::NoDeployment)
        );
        let error = Routing { wish: Wish::Force(Side::Canary), ..none }.decide("launch").unwrap_err();
        assert_eq!(error.code(), Code::DeploymentNone);
    }

    proptest! {
        #[test]
        fn raising_the_weight_takes_nobody_off_the_candidate(launch: String, low in 0.0..=1.0, high in 0.0..=1.0) {
            let (deployment, low, high) = (id("d"), f64::min(low, high), f64::max(low, high));
            let side = |weight| Routing {
                trying: Some((&deployment, Weight(weight))), manual: None, wish: Wish::ByWeight, before: None,
            }.decide(&launch).unwrap().side;
            proptest::prop_assert!(side(low) == Side::Stable || side(high) == Side::Canary);
        }
    }
}
