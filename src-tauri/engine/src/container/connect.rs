//! Connecting to the first engine that answers.

use super::{
    candidates::{Attempt, Candidate, Endpoint, Reason, Surroundings},
    failure::{chain, engine_error},
    ssh::SshBridge,
};
use crate::{
    error_handling::{Code, Error, Result},
    paths::Locations,
    settings::Settings,
};
use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker};
use serde::Serialize;
use std::{path::Path, sync::Arc, time::Duration};

/// Requests may carry a whole home; the time limit that matters is the connection's.
const REQUEST_SECONDS: u64 = 3600;
/// A local socket answers at once or not at all.
const LOCAL_ANSWER: Duration = Duration::from_millis(1500);
const REMOTE_ANSWER: Duration = Duration::from_secs(10);

/// A container engine that answered, with how it was found.
#[derive(Debug, Clone)]
pub struct ContainerEngine {
    api: Docker,
    /// Kept for as long as the engine is spoken to.
    _bridge: Option<Arc<SshBridge>>,
    /// The address.
    pub address: String,
    /// Why this one was chosen.
    pub because: String,
    /// The places that were tried before it.
    pub tried: Vec<Attempt>,
    /// Whether it shares this machine's file system directly: a Unix socket, and not a machine of
    /// its own behind it.
    pub kind: EngineKind,
    /// The engine's own version.
    pub version: String,
    /// The API version in use.
    pub api_version: String,
    /// The architecture of its containers, in Docker's words (`amd64`, `arm64`).
    pub arch: String,
    /// The memory it can give, in bytes.
    pub memory: u64,
    /// The operating system it says it runs on.
    pub operating_system: String,
}

/// How the engine stands to this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// Same kernel, same files, same user ids.
    Native,
    /// A virtual machine on this computer that shares the home folder (Docker Desktop and its like).
    VirtualMachine,
    /// Another computer.
    Remote,
}

impl ContainerEngine {
    /// Finds an engine and speaks to it.
    ///
    /// # Errors
    /// [`Code::EngineNone`], with every place tried and what would mend each.
    pub async fn find(locations: &Locations, settings: &Settings) -> Result<Self> {
        let surroundings = Surroundings::of(&locations.home, settings.container_engine());
        let mut tried = Vec::new();
        for candidate in surroundings.candidates() {
            match connect(&candidate).await {
                Ok(line) => return Self::describe(line, &candidate, tried).await,
                Err((failure, remedy)) => {
                    let failed = Attempt {
                        address: candidate.address(),
                        reason: candidate.reason.clone(),
                        failure: Some(failure),
                        remedy: Some(remedy),
                    };
                    let stop = candidate.reason.is_final();
                    tried.push(failed);
                    if stop {
                        break;
                    }
                }
            }
        }
        Err(none_answers(&tried))
    }

    async fn describe(line: Line, candidate: &Candidate, tried: Vec<Attempt>) -> Result<Self> {
        let Line { api, bridge } = line;
        let api = api.negotiate_version().await.map_err(|cause| engine_error("agree on a version", cause))?;
        let info = api.info().await.map_err(|cause| engine_error("describe itself", cause))?;
        let spoken = api.client_version();
        let operating_system = info.operating_system.unwrap_or_default();
        Ok(Self {
            kind: kind(candidate, &operating_system),
            address: candidate.address(),
            because: candidate.reason.to_string(),
            tried,
            version: info.server_version.unwrap_or_default(),
            api_version: spoken.to_string(),
            arch: docker_arch(info.architecture.as_deref().unwrap_or_default()).to_owned(),
            memory: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            operating_system,
            api,
            _bridge: bridge.map(Arc::new),
        })
    }

    /// The engine's API.
    pub(crate) fn api(&self) -> &Docker {
        &self.api
    }
}

fn kind(candidate: &Candidate, operating_system: &str) -> EngineKind {
    if !candidate.is_local() {
        EngineKind::Remote
    } else if cfg!(target_os = "linux") && !operating_system.contains("Docker Desktop") {
        EngineKind::Native
    } else {
        EngineKind::VirtualMachine
    }
}

/// `docker info` gives the kernel's name for the architecture, images have Go's.
fn docker_arch(kernel: &str) -> &str {
    match kernel {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

type Failure = (String, String);

/// A line to an engine.
#[derive(Debug)]
struct Line {
    api: Docker,
    bridge: Option<SshBridge>,
}

async fn connect(candidate: &Candidate) -> std::result::Result<Line, Failure> {
    let mut bridge = None;
    let (api, limit) = match &candidate.endpoint {
        Endpoint::Unix(path) => (unix(path)?, LOCAL_ANSWER),
        Endpoint::Tcp(host) => {
            (built(Docker::connect_with_http(host, REQUEST_SECONDS, API_DEFAULT_VERSION))?, REMOTE_ANSWER)
        }
        Endpoint::Tls(host, dir) => (tls(host, dir, API_DEFAULT_VERSION)?, REMOTE_ANSWER),
        Endpoint::Ssh(host) => {
            let opened = SshBridge::open(host)
                .map_err(|cause| (cause.to_string(), "drydock settings set container.engine auto".into()))?;
            (unix(&bridge.insert(opened).socket())?, REMOTE_ANSWER)
        }
        Endpoint::Unusable(fault) => {
            return Err((fault.clone(), "drydock settings set container.engine auto".into()));
        }
    };
    match tokio::time::timeout(limit, api.ping()).await {
        Ok(Ok(_)) => Ok(Line { api, bridge }),
        Ok(Err(cause)) => {
            let mut text = chain(&cause);
            if let Some(bridge) = &bridge
                && let Some(said) = bridge.last_words().await
            {
                text = format!("ssh: {said}");
            }
            let remedy = remedy_for(candidate, &text);
            Err((text, remedy))
        }
        Err(_) => Err((format!("no answer within {} s", limit.as_secs_f32()), restart_remedy(candidate))),
    }
}

fn unix(path: &Path) -> std::result::Result<Docker, Failure> {
    if !path.exists() {
        return Err((NOTHING_THERE.into(), start_remedy()));
    }
    let text = path.to_string_lossy();
    built(Docker::connect_with_unix(&text, REQUEST_SECONDS, API_DEFAULT_VERSION))
}

fn tls(host: &str, dir: &Path, version: &ClientVersion) -> std::result::Result<Docker, Failure> {
    let part = |name| dir.join(name);
    for name in ["key.pem", "cert.pem", "ca.pem"] {
        if !part(name).is_file() {
            return Err((
                format!("{} is missing", part(name).display()),
                "set DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem".into(),
            ));
        }
    }
    built(Docker::connect_with_ssl(
        host,
        &part("key.pem"),
        &part("cert.pem"),
        &part("ca.pem"),
        REQUEST_SECONDS,
        version,
    ))
}

fn built(
    client: std::result::Result<Docker, bollard::errors::Error>,
) -> std::result::Result<Docker, Failure> {
    client.map_err(|cause| (chain(&cause), "drydock settings set container.engine auto".into()))
}

fn remedy_for(candidate: &Candidate, failure: &str) -> String {
    if failure.contains("ermission denied") {
        return "sudo usermod -aG docker \"$USER\", then log in again".into();
    }
    restart_remedy(candidate)
}

fn restart_remedy(candidate: &Candidate) -> String {
    match candidate.endpoint {
        Endpoint::Unix(_) => start_remedy(),
        _ => "check that the address is right and the engine there is running".into(),
    }
}

/// The one command that brings an engine up where none runs.
fn start_remedy() -> String {
    if cfg!(target_os = "macos") {
        "brew install --cask orbstack && open -a OrbStack   (or start Docker Desktop, or `colima start`)"
            .into()
    } else if Path::new("/usr/sbin/dockerd").exists() || Path::new("/usr/bin/dockerd").exists() {
        "sudo systemctl start docker   (without systemd: sudo dockerd &)".into()
    } else {
        "sudo apt-get install docker.io".into()
    }
}

/// What is said of a socket that does not exist.
const NOTHING_THERE: &str = "nothing is there";

/// Only places where something is, or that the user named, are worth a line.
fn none_answers(tried: &[Attempt]) -> Error {
    let mut error = Error::new(Code::EngineNone, "no container engine answers, so no session can run");
    let telling: Vec<_> = tried.iter().filter(|one| one.failure.as_deref() != Some(NOTHING_THERE)).collect();
    let shown = if telling.is_empty() { tried.iter().take(1).collect() } else { telling };
    for attempt in &shown {
        let failure = attempt.failure.as_deref().unwrap_or_default();
        error = error.why(format!("{} ({}): {failure}", attempt.address, attempt.reason));
    }
    if let Some(attempt) = shown.first().filter(|attempt| attempt.address.starts_with("ssh://")) {
        error = error.remedy(format!("make this work without a question: ssh {}", attempt.address));
    }
    // Starting an engine does not help where another one was named.
    match shown.first().map(|attempt| &attempt.reason) {
        Some(Reason::Setting) => {
            return error
                .remedy("drydock settings set container.engine auto   (or start the engine that it names)");
        }
        Some(Reason::DockerHost) => {
            return error.remedy("unset DOCKER_HOST   (or start the engine that it names)");
        }
        _ => {}
    }
    if let Some(remedy) = shown.first().and_then(|attempt| attempt.remedy.clone()) {
        error = error.remedy(remedy);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_with_nobody_behind_it_fails_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let candidate = Candidate { reason: Reason::WellKnown("Docker"), endpoint: Endpoint::Unix(path) };
        let (failure, remedy) = connect(&candidate).await.unwrap_err();
        assert!(failure.contains("refused"), "{failure}");
        assert!(!remedy.is_empty());
    }

    #[test]
    fn nowhere_anything_is_one_sentence_and_one_remedy() {
        let nothing = |address: &str| Attempt {
            address: address.into(),
            reason: Reason::WellKnown("Docker"),
            failure: Some("nothing is there".into()),
            remedy: Some("sudo apt-get install docker.io".into()),
        };
        let error = none_answers(&[nothing("unix:///a"), nothing("unix:///b")]);
        assert_eq!((error.causes().len(), error.remedies().len()), (1, 1));
    }
}
