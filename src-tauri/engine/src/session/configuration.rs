//! The session's container: hardened, with the project and the home at their own paths.

use super::{Sessions, record::Record, staging::Staging};
use crate::{
    container::{engine_error, hardened, is_conflict, is_not_found},
    error_handling::Result,
};
use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions, NetworkCreateRequest,
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

pub(super) const LABEL_SESSION: &str = "dev.drydock.session";
pub(super) const LABEL_HOME: &str = "dev.drydock.home";
pub(super) const LABEL_PROJECT: &str = "dev.drydock.project";
pub(super) const LABEL_CLAUDE: &str = "dev.drydock.claude";
pub(super) const LABEL_IMAGE: &str = "dev.drydock.image";
pub(super) const LABEL_VIEW: &str = "dev.drydock.view";

/// The network of sessions: they reach the world, not each other.
const NETWORK: &str = "drydock";

/// Two of these keys in a row leave the session running. They are not keys of Claude Code.
pub(super) const DETACH_KEYS: &str = "ctrl-^,ctrl-^";

/// What the user asked for that stands in the container.
pub(super) struct Wishes<'a> {
    pub(super) arguments: &'a [String],
    pub(super) variables: Vec<String>,
    pub(super) ssh_agent: Option<PathBuf>,
}

impl Sessions {
    /// The labels by which a session's parts are found again.
    pub(super) fn labels(&self, record: &Record) -> HashMap<String, String> {
        HashMap::from([
            (LABEL_SESSION.into(), record.id.to_string()),
            (LABEL_HOME.into(), self.locations.home.display().to_string()),
            (LABEL_PROJECT.into(), record.project.root.display().to_string()),
            (LABEL_CLAUDE.into(), record.claude_version.clone()),
            (LABEL_IMAGE.into(), record.image.clone()),
        ])
    }

    pub(super) fn container_body(
        &self,
        record: &Record,
        staging: &Staging,
        wishes: Wishes<'_>,
    ) -> ContainerCreateBody {
        let terminal = record.terminal;
        ContainerCreateBody {
            image: Some(record.image.clone()),
            hostname: Some(record.id.to_string()),
            user: Some(format!("{}:{}", record.user.uid, record.user.gid)),
            cmd: Some(wishes.arguments.to_vec()),
            env: Some(wishes.variables),
            working_dir: Some(record.map.inside(&record.project.workdir).display().to_string()),
            labels: Some(self.labels(record)),
            tty: Some(terminal),
            open_stdin: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            // A pipe ends when its writer does; a terminal is left and come back to.
            stdin_once: Some(!terminal),
            host_config: Some(self.host_config(record, staging, wishes.ssh_agent.as_deref())),
            ..ContainerCreateBody::default()
        }
    }

    fn host_config(&self, record: &Record, staging: &Staging, ssh_agent: Option<&Path>) -> HostConfig {
        HostConfig {
            mounts: Some(self.mounts(record, staging, ssh_agent)),
            network_mode: Some(NETWORK.into()),
            extra_hosts: Some(vec!["host.docker.internal:host-gateway".into()]),
            ..hardened(&self.engine, &self.settings)
        }
    }

    fn mounts(&self, record: &Record, staging: &Staging, ssh_agent: Option<&Path>) -> Vec<Mount> {
        // What lies outside the project is named by its own path, in the project's `.git` among others.
        let inside = |path: &Path| match path.starts_with(&record.project.root) {
            true => record.map.inside(path),
            false => path.to_path_buf(),
        };
        let bind = |path: &Path, read_only: bool| Mount {
            typ: Some(MountType::BIND),
            source: Some(staging.source(path).display().to_string()),
            target: Some(inside(path).display().to_string()),
            read_only: Some(read_only),
            ..Mount::default()
        };
        let mut mounts = vec![Mount {
            typ: Some(MountType::VOLUME),
            source: Some(record.id.volume()),
            target: Some(record.map.inside(&self.locations.home).display().to_string()),
            volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
            ..Mount::default()
        }];
        mounts.extend(record.project.folders().map(|folder| bind(folder, false)));
        mounts.extend(record.project.pinned.iter().map(|folder| bind(folder, false)));
        mounts.extend(record.project.read_only.iter().map(|path| bind(path, true)));
        if let Some(socket) = ssh_agent {
            mounts.push(Mount {
                typ: Some(MountType::BIND),
                source: Some(socket.display().to_string()),
                target: Some(SSH_AGENT_SOCKET.into()),
                ..Mount::default()
            });
        }
        // A folder is mounted before what lies in it; the same folder is mounted once.
        mounts.sort_by(|a, b| a.target.cmp(&b.target));
        mounts.dedup_by(|a, b| a.target == b.target);
        mounts
    }

    /// Makes the sessions' network if it is not there.
    pub(super) async fn ensure_network(&self) -> Result<()> {
        let api = self.engine.api();
        match api.inspect_network(NETWORK, None::<bollard::query_parameters::InspectNetworkOptions>).await {
            Ok(_) => return Ok(()),
            Err(cause) if is_not_found(&cause) => {}
            Err(cause) => return Err(engine_error("look for the sessions' network", cause)),
        }
        let request = NetworkCreateRequest {
            name: NETWORK.into(),
            driver: Some("bridge".into()),
            options: Some(HashMap::from([("com.docker.network.bridge.enable_icc".into(), "false".into())])),
            labels: Some(HashMap::from([("dev.drydock.network".into(), "sessions".into())])),
            ..NetworkCreateRequest::default()
        };
        match api.create_network(request).await {
            Ok(_) => Ok(()),
            // Another launch made it in the meantime.
            Err(cause) if is_conflict(&cause) => Ok(()),
            Err(cause) => Err(engine_error("make the sessions' network", cause)),
        }
    }
}

/// Where a session finds the user's SSH agent, when it was asked for.
pub(super) const SSH_AGENT_SOCKET: &str = "/run/ssh-agent.sock";
