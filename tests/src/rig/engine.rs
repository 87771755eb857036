//! The real container engine, looked at from outside of Drydock.

use bollard::{
    API_DEFAULT_VERSION, Docker,
    container::LogOutput,
    exec::StartExecResults,
    models::{ContainerInspectResponse, ExecConfig},
    query_parameters::{
        InspectContainerOptions, KillContainerOptionsBuilder, ListContainersOptionsBuilder,
        ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
    },
};
use futures_util::StreamExt;
use std::{
    collections::HashMap,
    io::Read,
    path::{Path, PathBuf},
};
use tokio::runtime::Runtime;

/// The engine, and whose home's parts are of interest. Dropping it removes those parts.
pub struct Engine {
    docker: Docker,
    runtime: Runtime,
    home: PathBuf,
}

/// What a command in a container did.
#[derive(Debug)]
pub struct ExecResult {
    /// Its exit code.
    pub code: i64,
    /// What it printed, errors included.
    pub printed: String,
}

impl Engine {
    pub(super) fn connect(home: &Path, address: Option<&str>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let docker = runtime.block_on(async {
            let docker = match address {
                Some(address) => Docker::connect_with_unix(address, 120, API_DEFAULT_VERSION),
                None => Docker::connect_with_defaults(),
            }
            .expect("an engine's address");
            docker.negotiate_version().await.expect("a container engine answers")
        });
        Self { docker, runtime, home: home.to_path_buf() }
    }

    /// A session's container.
    #[must_use]
    pub fn container(&self, session: &str) -> ContainerInspectResponse {
        let name = format!("drydock-{session}");
        self.runtime
            .block_on(self.docker.inspect_container(&name, None::<InspectContainerOptions>))
            .unwrap_or_else(|cause| panic!("container {name}: {cause}"))
    }

    /// Whether a session's container runs.
    #[must_use]
    pub fn is_running(&self, session: &str) -> bool {
        self.container(session).state.is_some_and(|state| state.running == Some(true))
    }

    /// Whether there is a container of a session's, and it runs.
    #[must_use]
    pub fn has_running(&self, session: &str) -> bool {
        let name = format!("drydock-{session}");
        let found = self.docker.inspect_container(&name, None::<InspectContainerOptions>);
        let found = self.runtime.block_on(found);
        found.is_ok_and(|found| found.state.is_some_and(|state| state.running == Some(true)))
    }

    /// Kills a session's container from outside.
    pub fn kill(&self, session: &str) {
        let options = KillContainerOptionsBuilder::new().signal("KILL").build();
        self.runtime
            .block_on(self.docker.kill_container(&format!("drydock-{session}"), Some(options)))
            .expect("the session's container can be killed");
    }

    /// Names of the containers and volumes that belong to the home.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let (containers, volumes) = self.parts().expect("the engine lists what it has");
        containers.into_iter().chain(volumes).collect()
    }

    /// Runs a command in a session, as the session's own user.
    #[must_use]
    pub fn exec(&self, session: &str, command: &[&str]) -> ExecResult {
        let (code, printed) = self.exec_raw(session, command);
        ExecResult { code, printed: String::from_utf8_lossy(&printed).into_owned() }
    }

    /// Every file below a folder of a session, with its content.
    #[must_use]
    pub fn files(&self, session: &str, folder: &Path) -> Vec<(String, Vec<u8>)> {
        // Not by the engine's own archive: it does not see what is mounted in memory.
        let folder = folder.to_str().unwrap();
        let (code, archive) =
            self.exec_raw(session, &["tar", "--create", "--warning=none", "--directory", folder, "."]);
        // 1 says that a file changed while it was read: Claude Code goes on meanwhile.
        assert!(code <= 1, "{folder} of {session}: {code}, {}", String::from_utf8_lossy(&archive));
        let files: Vec<_> = tar::Archive::new(archive.as_slice())
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let name = entry.path().unwrap().display().to_string();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (name, content)
            })
            .collect();
        assert!(!files.is_empty(), "{folder} of {session} is empty");
        files
    }

    fn exec_raw(&self, session: &str, command: &[&str]) -> (i64, Vec<u8>) {
        let config = ExecConfig {
            cmd: Some(command.iter().map(|part| (*part).to_owned()).collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        self.runtime.block_on(async {
            let exec = self.docker.create_exec(&format!("drydock-{session}"), config).await.expect("an exec");
            let started = self.docker.start_exec(&exec.id, None).await.expect("it starts");
            let StartExecResults::Attached { mut output, .. } = started else { panic!("not attached") };
            let mut printed = Vec::new();
            while let Some(part) = output.next().await {
                printed.extend_from_slice(&part.map(LogOutput::into_bytes).expect("its output"));
            }
            let code = self.docker.inspect_exec(&exec.id).await.expect("its end").exit_code;
            (code.expect("an exit code"), printed)
        })
    }

    fn parts(&self) -> Result<(Vec<String>, Vec<String>), bollard::errors::Error> {
        let label = || HashMap::from([("label", vec![format!("dev.drydock.home={}", self.home.display())])]);
        self.runtime.block_on(async {
            let containers = ListContainersOptionsBuilder::new().all(true).filters(&label()).build();
            let containers = self.docker.list_containers(Some(containers)).await?;
            let containers = containers
                .into_iter()
                .flat_map(|one| one.names.unwrap_or_default())
                .map(|name| name.trim_start_matches('/').to_owned())
                .collect();
            let volumes = ListVolumesOptionsBuilder::new().filters(&label()).build();
            let volumes = self.docker.list_volumes(Some(volumes)).await?;
            let volumes = volumes.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect();
            Ok((containers, volumes))
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A test that fails because the engine is gone should say that, and not fail again here.
        let Ok((containers, volumes)) = self.parts() else { return };
        self.runtime.block_on(async {
            for name in containers {
                let options = RemoveContainerOptionsBuilder::new().force(true).build();
                let _ = self.docker.remove_container(&name, Some(options)).await;
            }
            for name in volumes {
                let _ = self.docker.remove_volume(&name, None::<RemoveVolumeOptions>).await;
            }
        });
    }
}
