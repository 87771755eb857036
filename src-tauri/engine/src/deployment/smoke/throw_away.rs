//! The throw-away session of a smoke test: hardened as sessions are, with a home in memory, no network and no login.

use crate::{
    container::{ContainerEngine, carried_out, engine_error, hardened, is_not_found, nothing_on_its_way},
    error_handling::{Code, Error, HalfMade, Result},
    image::StoredImage,
    settings::Settings,
};
use bollard::{
    container::LogOutput,
    exec::{CreateExecOptions, StartExecResults},
    models::{ContainerCreateBody, ContainerState, HostConfig},
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
        RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
    },
};
use chrono::Utc;
use futures_util::StreamExt;
use std::{collections::HashMap, time::Duration};
use tokio::time::timeout;

/// Answers in Anthropic's place, inside.
pub(super) const STAND_IN: &str = include_str!("stand_in.py");
/// The home.
pub(super) const HOME: &str = "/home/smoke";
/// The stand-in listens here, where nothing else can.
const API: &str = "http://127.0.0.1:8765";

const LABEL: &str = "dev.drydock.smoke";
/// One that is older was left by a process that was killed.
const LEFT_AFTER: i64 = 3600;
/// No more of what a check prints is kept.
const MOST_OUTPUT: usize = 64 << 10;
/// The container ends by itself, or is killed.
const TO_STOP: i32 = 10;

/// A container in which checks run one after the other. Nobody's data is inside.
pub(super) struct ThrowAway<'a> {
    engine: &'a ContainerEngine,
    name: String,
    _half_made: HalfMade,
}

/// What a program said, and how it ended.
pub(super) struct Said {
    pub(super) exit: i64,
    pub(super) out: String,
    pub(super) err: String,
}

impl<'a> ThrowAway<'a> {
    /// Makes and starts one.
    pub(super) async fn start(
        engine: &'a ContainerEngine,
        settings: &Settings,
        image: &StoredImage,
    ) -> Result<Self> {
        remove_left(engine).await?;
        let name = format!("drydock-smoke-{:08x}", uuid::Uuid::new_v4().as_fields().0);
        let (api, named) = (engine.api().clone(), name.clone());
        let half_made = HalfMade::cleared_by(move || async move {
            let _nothing = nothing_on_its_way().await;
            // What stays is removed by the next test.
            let _ = api.remove_container(&named, Some(by_force().build())).await;
        });
        let this = Self { engine, name, _half_made: half_made };
        let options = CreateContainerOptionsBuilder::new().name(&this.name).build();
        let body = body(engine, settings, image);
        let (api, named) = (engine.api().clone(), this.name.clone());
        let made = carried_out(async move { api.create_container(Some(options), body).await }).await;
        made.map_err(|cause| engine_error("make a container to test the image in", cause))?;
        let api = engine.api().clone();
        let started =
            carried_out(async move { api.start_container(&named, None::<StartContainerOptions>).await })
                .await;
        if let Err(cause) = started {
            let error = engine_error("start the image", cause);
            this.remove().await?;
            return Err(error);
        }
        Ok(this)
    }

    /// Runs a program as the session's user.
    ///
    /// # Errors
    /// In words, when it cannot be run, or takes longer than `limit`.
    pub(super) async fn run(&self, command: &[&str], limit: Duration) -> std::result::Result<Said, String> {
        let ran = timeout(limit, self.run_to_its_end(command)).await;
        match ran {
            Ok(Ok(said)) => Ok(said),
            Ok(Err(cause)) => Err(format!("the engine could not run it: {cause}")),
            Err(_) => Err(format!("it took longer than {} s", limit.as_secs())),
        }
    }

    async fn run_to_its_end(&self, command: &[&str]) -> std::result::Result<Said, bollard::errors::Error> {
        let exec = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            ..CreateExecOptions::default()
        };
        let api = self.engine.api();
        let exec = api.create_exec(&self.name, exec).await?;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        if let StartExecResults::Attached { mut output, .. } = api.start_exec(&exec.id, None).await? {
            while let Some(chunk) = output.next().await {
                let (kept, message) = match chunk? {
                    LogOutput::StdErr { message } => (&mut err, message),
                    other => (&mut out, other.into_bytes()),
                };
                let spare = MOST_OUTPUT.saturating_sub(kept.len());
                kept.extend_from_slice(&message[..message.len().min(spare)]);
            }
        }
        let exit = api.inspect_exec(&exec.id).await?.exit_code.unwrap_or(-1);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Said { exit, out: text(out), err: text(err) })
    }

    /// Asks it to stop, and tells how it ended.
    pub(super) async fn stop(&self) -> Result<ContainerState> {
        let api = self.engine.api();
        let options = StopContainerOptionsBuilder::new().t(TO_STOP).build();
        api.stop_container(&self.name, Some(options))
            .await
            .map_err(|cause| engine_error("stop the container of a test", cause))?;
        let seen = api.inspect_container(&self.name, None::<InspectContainerOptions>).await;
        let seen = seen.map_err(|cause| engine_error("look at the container of a test", cause))?;
        seen.state
            .ok_or_else(|| Error::new(Code::EngineFailed, "the engine does not say how a container ended"))
    }

    /// Removes it.
    pub(super) async fn remove(self) -> Result<()> {
        remove(self.engine, &self.name).await
    }
}

fn body(engine: &ContainerEngine, settings: &Settings, image: &StoredImage) -> ContainerCreateBody {
    let mut host = HostConfig { network_mode: Some("none".into()), ..hardened(engine, settings) };
    let (uid, gid) = image.user.split_once(':').unwrap_or((&image.user, &image.user));
    let home = format!("rw,exec,nosuid,nodev,mode=0700,uid={uid},gid={gid},size=1g");
    host.tmpfs.get_or_insert_default().insert(HOME.into(), home);
    ContainerCreateBody {
        image: Some(image.id.clone()),
        user: Some(image.user.clone()),
        labels: Some(HashMap::from([(LABEL.into(), image.tag.clone())])),
        // As a session's, but for where Anthropic is; the key opens nothing.
        env: Some(vec![
            format!("HOME={HOME}"),
            "SHELL=/bin/bash".into(),
            format!("ANTHROPIC_BASE_URL={API}"),
            "ANTHROPIC_API_KEY=no-key-of-a-smoke-test".into(),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1".into(),
            // Tools of a server are offered at once, not looked for first.
            "ENABLE_TOOL_SEARCH=false".into(),
        ]),
        working_dir: Some(HOME.into()),
        entrypoint: Some(vec!["python3".into(), "-c".into(), STAND_IN.into()]),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

fn by_force() -> RemoveContainerOptionsBuilder {
    RemoveContainerOptionsBuilder::new().force(true).v(true)
}

async fn remove(engine: &ContainerEngine, name: &str) -> Result<()> {
    match engine.api().remove_container(name, Some(by_force().build())).await {
        Ok(()) => Ok(()),
        Err(cause) if is_not_found(&cause) => Ok(()),
        Err(cause) => Err(engine_error("remove the container of a test", cause)),
    }
}

/// Removes what tests left whose process was killed.
async fn remove_left(engine: &ContainerEngine) -> Result<()> {
    let filters = HashMap::from([("label", vec![LABEL])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let found = engine.api().list_containers(Some(options)).await;
    let found = found.map_err(|cause| engine_error("list its containers", cause))?;
    let is_left = |created: Option<i64>| created.is_some_and(|at| Utc::now().timestamp() - at > LEFT_AFTER);
    for container in found.into_iter().filter(|one| is_left(one.created)) {
        if let Some(id) = container.id {
            remove(engine, &id).await?;
        }
    }
    Ok(())
}
