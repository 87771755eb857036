//! Smoke tests: an image does what a session needs of it, in a throw-away session, without network, login or cost.

mod checks;
mod throw_away;

use crate::{
    container::ContainerEngine,
    error_handling::{Code, Result},
    image::StoredImage,
    progress::{Progress, ProgressSink},
    settings::Settings,
};
use checks::Checked;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Instant};
use throw_away::ThrowAway;

/// What is tried, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum SmokeName {
    /// The image starts, and a home can be made in it.
    Starts,
    /// Claude Code is the version that was promised.
    Version,
    /// It does not run as root.
    NotRoot,
    /// What holds a session in is in force.
    Hardened,
    /// Claude Code answers.
    Turn,
    /// Claude Code runs a tool.
    Tool,
    /// Claude Code reads settings and memory.
    Configuration,
    /// A server of tools is started, and answers.
    Mcp,
    /// A conversation can be gone on with.
    Resume,
    /// Nothing is left running, and the container ends.
    EndsClean,
}

impl SmokeName {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Starts,
        Self::Version,
        Self::NotRoot,
        Self::Hardened,
        Self::Turn,
        Self::Tool,
        Self::Configuration,
        Self::Mcp,
        Self::Resume,
        Self::EndsClean,
    ];

    /// It in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Starts => "the image starts",
            Self::Version => "Claude Code is the promised version",
            Self::NotRoot => "it does not run as root",
            Self::Hardened => "the hardening is in force",
            Self::Turn => "Claude Code answers",
            Self::Tool => "Claude Code runs a tool",
            Self::Configuration => "settings and memory are read",
            Self::Mcp => "an MCP server starts and answers",
            Self::Resume => "a conversation is gone on with",
            Self::EndsClean => "it ends clean",
        }
    }
}

impl fmt::Display for SmokeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// How it came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum SmokeOutcome {
    /// It is so.
    Passed,
    /// It is not.
    Failed {
        /// Why, in words.
        why: String,
    },
}

/// One thing that was tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SmokeCheck {
    /// What.
    pub name: SmokeName,
    /// How it came out.
    #[serde(flatten)]
    pub outcome: SmokeOutcome,
    /// How long it took.
    pub seconds: f64,
}

/// What came of the smoke tests of one image.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SmokeReport {
    /// The image's name.
    pub image: String,
    /// What was tried. Without a start nothing else is.
    pub checks: Vec<SmokeCheck>,
}

impl SmokeReport {
    /// Whether all was tried, and is so: what was not tried has not passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        SmokeName::ALL.into_iter().all(|name| {
            let mut of_name = self.checks.iter().filter(|check| check.name == name);
            of_name.next().is_some_and(|check| check.outcome == SmokeOutcome::Passed)
        })
    }

    /// What is not so.
    pub fn failures(&self) -> impl Iterator<Item = &SmokeCheck> {
        self.checks.iter().filter(|check| check.outcome != SmokeOutcome::Passed)
    }
}

/// Tries an image out: each check with its own time limit, one after the other in one throw-away session.
///
/// # Errors
/// When the engine cannot be worked with. An image that does not start is no error but a failed check.
pub async fn run_smoke_tests(
    engine: &ContainerEngine,
    settings: &Settings,
    image: &StoredImage,
    progress: &ProgressSink,
) -> Result<SmokeReport> {
    let mut report = SmokeReport { image: image.tag.clone(), checks: Vec::new() };
    progress.report(Progress::Step(format!("trying {} out", image.tag)));
    let begun = Instant::now();
    let inside = match ThrowAway::start(engine, settings, image).await {
        Ok(inside) => inside,
        // The engine is there, and cannot run this image.
        Err(error) if error.code() == Code::EngineFailed => {
            report.note(SmokeName::Starts, Err(error.to_string()), begun);
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    for name in SmokeName::ALL {
        let begun = Instant::now();
        let checked = check(name, &inside, image).await;
        let has_started = name != SmokeName::Starts || checked.is_ok();
        report.note(name, checked, begun);
        progress.report(Progress::Line(name.words().to_owned()));
        if !has_started {
            break;
        }
    }
    inside.remove().await?;
    Ok(report)
}

async fn check(name: SmokeName, inside: &ThrowAway<'_>, image: &StoredImage) -> Checked {
    match name {
        SmokeName::Starts => checks::starts(inside).await,
        SmokeName::Version => checks::version(inside, &image.version.claude_version).await,
        SmokeName::NotRoot => checks::not_root(inside).await,
        SmokeName::Hardened => checks::hardened(inside).await,
        SmokeName::Turn => checks::turn(inside).await,
        SmokeName::Tool => checks::tool(inside).await,
        SmokeName::Configuration => checks::configuration(inside).await,
        SmokeName::Mcp => checks::mcp(inside).await,
        SmokeName::Resume => checks::resume(inside).await,
        SmokeName::EndsClean => checks::ends_clean(inside).await,
    }
}

impl SmokeReport {
    fn note(&mut self, name: SmokeName, checked: Checked, begun: Instant) {
        let outcome = match checked {
            Ok(()) => SmokeOutcome::Passed,
            Err(why) => SmokeOutcome::Failed { why },
        };
        self.checks.push(SmokeCheck { name, outcome, seconds: begun.elapsed().as_secs_f64() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(names: impl IntoIterator<Item = SmokeName>) -> SmokeReport {
        let mut report = SmokeReport { image: "drydock/session:x".into(), checks: Vec::new() };
        names.into_iter().for_each(|name| report.note(name, Ok(()), Instant::now()));
        report
    }

    #[test]
    fn what_was_not_tried_has_not_passed() {
        assert!(report(SmokeName::ALL).passed());
        assert!(!report([]).passed());
        for missing in SmokeName::ALL {
            assert!(
                !report(SmokeName::ALL.into_iter().filter(|name| *name != missing)).passed(),
                "{missing}"
            );
        }
    }

    #[test]
    fn one_failure_is_one() {
        let mut tried = report(SmokeName::ALL);
        tried.checks[4].outcome = SmokeOutcome::Failed { why: "it said nothing".into() };
        assert!(!tried.passed());
        assert_eq!(tried.failures().map(|check| check.name).collect::<Vec<_>>(), [SmokeName::Turn]);
    }
}
