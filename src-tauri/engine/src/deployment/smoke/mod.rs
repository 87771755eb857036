//! Whether an image is fit to be tried: a look at it in a throw-away container.

use crate::{
    container::{ContainerEngine, engine_error},
    error_handling::Result,
    image::ClaudeVersion,
};
use bollard::{
    container::LogOutput,
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{
        CreateContainerOptions, LogsOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
        WaitContainerOptions,
    },
};
use futures_util::StreamExt;
use serde::Serialize;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmokeName {
    /// The image starts, and Claude Code is the promised version.
    Version,
}

impl fmt::Display for SmokeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("version"),
        }
    }
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "why")]
pub enum SmokeOutcome {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed(String),
}

/// One check, as it was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SmokeCheck {
    /// Which.
    pub name: SmokeName,
    /// What it came to.
    #[serde(flatten)]
    pub outcome: SmokeOutcome,
    /// How long it took.
    pub seconds: f64,
}

/// What the checks of an image came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SmokeReport {
    /// The image.
    pub image: String,
    /// The checks.
    pub checks: Vec<SmokeCheck>,
}

impl SmokeReport {
    /// Whether all of them passed, and there were any.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.checks.is_empty() && self.failures().next().is_none()
    }

    /// Those that failed.
    pub fn failures(&self) -> impl Iterator<Item = &SmokeCheck> {
        self.checks.iter().filter(|check| check.outcome != SmokeOutcome::Passed)
    }
}

/// Tests an image.
///
/// # Errors
/// When the engine does not let it be tested: that says nothing of the image.
pub async fn run_smoke_tests(
    engine: &ContainerEngine,
    image: &str,
    promised: Option<&ClaudeVersion>,
) -> Result<SmokeReport> {
    let began = Instant::now();
    let outcome = version(engine, image, promised).await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(SmokeReport {
        image: image.to_owned(),
        checks: vec![SmokeCheck { name: SmokeName::Version, outcome, seconds }],
    })
}

async fn version(
    engine: &ContainerEngine,
    image: &str,
    promised: Option<&ClaudeVersion>,
) -> Result<SmokeOutcome> {
    const LIMIT: Duration = Duration::from_secs(60);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec!["claude".into()]),
        cmd: Some(vec!["--version".into()]),
        network_disabled: Some(true),
        host_config: Some(HostConfig { init: Some(true), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    };
    let api = engine.api();
    let made = api
        .create_container(None::<CreateContainerOptions>, body)
        .await
        .map_err(|cause| engine_error("make the container of a smoke test", cause))?;
    let run = async {
        if let Err(cause) = api.start_container(&made.id, None::<StartContainerOptions>).await {
            return SmokeOutcome::Failed(cause.to_string());
        }
        let mut waiting = api.wait_container(&made.id, None::<WaitContainerOptions>);
        if tokio::time::timeout(LIMIT, async { while waiting.next().await.is_some() {} }).await.is_err() {
            return SmokeOutcome::Failed("it does not come to its end".into());
        }
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
        let mut lines = api.logs(&made.id, Some(options));
        let mut said = String::new();
        while let Some(Ok(line)) = lines.next().await {
            said.push_str(&String::from_utf8_lossy(&LogOutput::into_bytes(line)));
        }
        match promised {
            Some(promised) if !said.contains(&format!("{promised} ")) => {
                SmokeOutcome::Failed(format!("it says: {}", said.trim()))
            }
            _ => SmokeOutcome::Passed,
        }
    };
    let outcome = run.await;
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    api.remove_container(&made.id, Some(options))
        .await
        .map_err(|cause| engine_error("remove the container of a smoke test", cause))?;
    Ok(outcome)
}
