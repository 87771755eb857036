//! Where a container engine may be, in the order in which Drydock looks.

use super::context;
use serde::Serialize;
use std::{
    env,
    path::{Path, PathBuf},
};

/// How to reach an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// HTTP over TCP without TLS.
    Tcp(String),
    /// HTTP over TCP with TLS, with the folder of `ca.pem`, `cert.pem` and `key.pem`.
    Tls(String, PathBuf),
    /// The engine's socket at the end of an SSH connection.
    Ssh(String),
    /// Something written that is none of these; the text says what is wrong with it.
    Unusable(String),
}

/// Why a place is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// `container.engine` in the settings.
    Setting,
    /// The variable `DOCKER_HOST`.
    DockerHost,
    /// The current Docker context, by this name.
    Context(String),
    /// The usual socket of this product.
    WellKnown(&'static str),
}

impl Reason {
    /// Whether the user named this engine, so that no other may be taken in its place.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Setting | Self::DockerHost)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Setting => write!(f, "the setting container.engine"),
            Self::DockerHost => write!(f, "DOCKER_HOST"),
            Self::Context(name) => write!(f, "the Docker context \"{name}\""),
            Self::WellKnown(product) => write!(f, "the usual socket of {product}"),
        }
    }
}

/// One place an engine may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Why it is looked at.
    pub reason: Reason,
    pub(super) endpoint: Endpoint,
}

impl Candidate {
    /// The place as a person would write it.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.endpoint {
            Endpoint::Unix(path) => format!("unix://{}", path.display()),
            Endpoint::Tcp(host) | Endpoint::Tls(host, _) | Endpoint::Ssh(host) => host.clone(),
            Endpoint::Unusable(fault) => fault.clone(),
        }
    }

    /// Whether the engine shares this machine's file system and user ids.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.endpoint, Endpoint::Unix(_))
    }
}

/// A place that was tried, with what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// The address.
    pub address: String,
    /// Why it was tried.
    pub reason: Reason,
    /// What went wrong; `None` if it answered.
    pub failure: Option<String>,
    /// What would mend it.
    pub remedy: Option<String>,
}

/// What the search depends on, passed in so that it can be tested.
pub(super) struct Surroundings {
    pub(super) setting: String,
    pub(super) docker_host: Option<String>,
    pub(super) docker_context: Option<String>,
    pub(super) tls_verify: bool,
    pub(super) cert_path: Option<PathBuf>,
    pub(super) docker_config: PathBuf,
    pub(super) home: PathBuf,
    pub(super) runtime_dir: Option<PathBuf>,
}

impl Surroundings {
    pub(super) fn of(home: &Path, setting: &str) -> Self {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            setting: setting.to_owned(),
            docker_host: set("DOCKER_HOST"),
            docker_context: set("DOCKER_CONTEXT"),
            tls_verify: set("DOCKER_TLS_VERIFY").is_some(),
            cert_path: set("DOCKER_CERT_PATH").map(PathBuf::from),
            docker_config: set("DOCKER_CONFIG").map_or_else(|| home.join(".docker"), PathBuf::from),
            home: home.to_path_buf(),
            runtime_dir: set("XDG_RUNTIME_DIR").map(PathBuf::from),
        }
    }

    /// The places to try, in order. A place that the user named is the only one.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        if self.setting != "auto" {
            let endpoint = self.named(&self.setting);
            return vec![Candidate { reason: Reason::Setting, endpoint }];
        }
        if let Some(host) = &self.docker_host {
            return vec![Candidate { reason: Reason::DockerHost, endpoint: self.endpoint(host) }];
        }
        let mut found = Vec::new();
        let context = self.docker_context.clone().or_else(|| context::current(&self.docker_config));
        if let Some(name) = context.filter(|name| name != "default") {
            let endpoint = self.context(&name);
            found.push(Candidate { reason: Reason::Context(name), endpoint });
        }
        for (product, socket) in self.well_known() {
            let endpoint = Endpoint::Unix(socket);
            if !found.iter().any(|known| known.endpoint == endpoint) {
                found.push(Candidate { reason: Reason::WellKnown(product), endpoint });
            }
        }
        found
    }

    fn named(&self, text: &str) -> Endpoint {
        if text.contains("://") || text.starts_with('/') { self.endpoint(text) } else { self.context(text) }
    }

    fn context(&self, name: &str) -> Endpoint {
        if name == "default" {
            return Endpoint::Unix("/var/run/docker.sock".into());
        }
        match context::read(&self.docker_config, name) {
            Ok(found) => match (found.host.strip_prefix("tcp://"), found.tls_dir) {
                (Some(_), Some(dir)) => Endpoint::Tls(found.host, dir),
                _ => self.endpoint(&found.host),
            },
            Err(fault) => Endpoint::Unusable(fault),
        }
    }

    fn endpoint(&self, text: &str) -> Endpoint {
        if let Some(path) = text.strip_prefix("unix://") {
            return Endpoint::Unix(path.into());
        }
        if text.starts_with('/') {
            return Endpoint::Unix(text.into());
        }
        if text.starts_with("ssh://") {
            return Endpoint::Ssh(text.into());
        }
        if text.starts_with("tcp://") || text.starts_with("http://") {
            let certs = self.cert_path.clone().unwrap_or_else(|| self.docker_config.clone());
            return if self.tls_verify {
                Endpoint::Tls(text.into(), certs)
            } else {
                Endpoint::Tcp(text.into())
            };
        }
        if text.starts_with("https://") {
            let certs = self.cert_path.clone().unwrap_or_else(|| self.docker_config.clone());
            return Endpoint::Tls(text.into(), certs);
        }
        Endpoint::Unusable(format!("`{text}` is not an address of an engine"))
    }

    /// The products' own documentation names these sockets; on Linux `/var/run/docker.sock` comes
    /// first since that is where the distribution's engine is.
    fn well_known(&self) -> Vec<(&'static str, PathBuf)> {
        let home = &self.home;
        let mut sockets = vec![
            ("Docker", PathBuf::from("/var/run/docker.sock")),
            ("Docker Desktop", home.join(".docker/run/docker.sock")),
            ("Docker Desktop", home.join(".docker/desktop/docker.sock")),
            ("OrbStack", home.join(".orbstack/run/docker.sock")),
            ("Colima", home.join(".colima/default/docker.sock")),
            ("Colima", home.join(".config/colima/default/docker.sock")),
            ("Rancher Desktop", home.join(".rd/docker.sock")),
            ("Podman", home.join(".local/share/containers/podman/machine/podman.sock")),
            ("Podman", PathBuf::from("/run/podman/podman.sock")),
        ];
        if let Some(dir) = &self.runtime_dir {
            sockets.insert(1, ("rootless Docker", dir.join("docker.sock")));
            sockets.push(("Podman", dir.join("podman/podman.sock")));
        }
        sockets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn surroundings(home: &Path) -> Surroundings {
        Surroundings {
            setting: "auto".into(),
            docker_host: None,
            docker_context: None,
            tls_verify: false,
            cert_path: None,
            docker_config: home.join(".docker"),
            home: home.to_path_buf(),
            runtime_dir: None,
        }
    }

    #[test]
    fn what_the_user_names_is_the_only_candidate() {
        let mut around = surroundings(Path::new("/h"));
        around.docker_host = Some("tcp://10.0.0.1:2375".into());
        assert_eq!(around.candidates().len(), 1);
        assert_eq!(around.candidates()[0].reason, Reason::DockerHost);
        around.setting = "unix:///x.sock".into();
        assert_eq!(around.candidates()[0].address(), "unix:///x.sock");
        assert_eq!(around.candidates()[0].reason, Reason::Setting);
    }

    #[test]
    fn the_current_context_comes_before_the_usual_sockets() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join(".docker");
        context::tests::write(&config, "orbstack", "unix:///somewhere/orb.sock", false);
        fs::write(config.join("config.json"), r#"{"currentContext":"orbstack"}"#).unwrap();
        let found = surroundings(home.path()).candidates();
        assert_eq!(found[0].address(), "unix:///somewhere/orb.sock");
        assert_eq!(found[0].reason.to_string(), "the Docker context \"orbstack\"");
        assert!(found.len() > 5);
    }

    #[test]
    fn a_context_with_certificates_uses_tls() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join(".docker");
        context::tests::write(&config, "far", "tcp://far:2376", true);
        let mut around = surroundings(home.path());
        around.setting = "far".into();
        let found = around.candidates();
        assert!(matches!(&found[0].endpoint, Endpoint::Tls(host, _) if host == "tcp://far:2376"));
        assert!(!found[0].is_local());
    }

    #[test]
    fn a_context_that_is_not_there_is_said() {
        let home = tempfile::tempdir().unwrap();
        let mut around = surroundings(home.path());
        around.setting = "nope".into();
        assert!(around.candidates()[0].address().contains("nope"));
    }
}
