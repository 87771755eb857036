//! An engine at the end of an SSH connection.
//!
//! The user's own `ssh` carries each connection to `docker system dial-stdio` on the other side, as
//! the `docker` program does it, so that host names, keys and agents are those of the user's
//! configuration. A socket in a private folder stands for the engine here.

use crate::program::without_keys;
use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};
use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    process::Command,
    task::JoinHandle,
};

/// The bridge; it ends, and its socket goes, when this is dropped.
#[derive(Debug)]
pub(super) struct SshBridge {
    folder: tempfile::TempDir,
    arguments: Arc<Vec<String>>,
    accepting: JoinHandle<()>,
}

impl SshBridge {
    /// Opens a bridge to `ssh://[user@]host[:port]`. Nothing is connected yet.
    pub(super) fn open(address: &str) -> io::Result<Self> {
        let destination = Destination::parse(address).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{address}` is not ssh://[user@]host[:port]"),
            )
        })?;
        // Socket names have room for about a hundred bytes, which a user's folder may exceed.
        let folder = tempfile::Builder::new().prefix("drydock-ssh-").tempdir_in("/tmp")?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700))?;
        let listener = UnixListener::bind(folder.path().join("engine"))?;
        let arguments = Arc::new(destination.arguments(folder.path()));
        let shared = Arc::clone(&arguments);
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(carry(connection, Arc::clone(&shared)));
            }
        });
        Ok(Self { folder, arguments, accepting })
    }

    /// What `ssh` has to say after the engine did not answer.
    pub(super) async fn last_words(&self) -> Option<String> {
        let output = Command::from(without_keys("ssh"))
            .args(self.arguments.iter())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        match output {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                said.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
            }
            Err(cause) => Some(format!("the program ssh could not be started: {cause}")),
        }
    }

    /// The socket that stands for the engine.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("engine")
    }
}

impl Drop for SshBridge {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut connection: UnixStream, arguments: Arc<Vec<String>>) {
    let spawned = Command::from(without_keys("ssh"))
        .args(arguments.iter())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(cause) => return tracing::warn!(%cause, "ssh could not be started"),
    };
    if let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) {
        let mut far = tokio::io::join(stdout, stdin);
        // Either side may hang up; the engine's client sees that as the end of its answer.
        let _ = copy_bidirectional(&mut connection, &mut far).await;
    }
}

struct Destination {
    host: String,
    port: Option<u16>,
}

impl Destination {
    fn parse(address: &str) -> Option<Self> {
        let rest = address.strip_prefix("ssh://")?.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(']') || host.starts_with('[') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (rest, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        // A name that begins with a dash would be read as an option.
        let plain = !host.is_empty() && !host.starts_with('-') && !host.contains(['/', ' ']);
        plain.then_some(Self { host, port })
    }

    /// One connection is made and shared; each further one costs a few milliseconds.
    fn arguments(&self, folder: &Path) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "-o",
            "BatchMode=yes",
            "-o",
            "ConnectTimeout=8",
            "-o",
            "ControlMaster=auto",
            "-o",
            "ControlPersist=30",
        ]
        .map(str::to_owned)
        .into();
        arguments.extend(["-o".into(), format!("ControlPath={}", folder.join("c").display())]);
        if let Some(port) = self.port {
            arguments.extend(["-p".into(), port.to_string()]);
        }
        arguments.extend(["--".into(), self.host.clone(), "docker system dial-stdio".into()]);
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_docker_program_reads_them() {
        let read = |address| Destination::parse(address).map(|one| (one.host, one.port));
        assert_eq!(read("ssh://me@box:2222"), Some(("me@box".into(), Some(2222))));
        assert_eq!(read("ssh://box"), Some(("box".into(), None)));
        assert_eq!(read("ssh://box/"), Some(("box".into(), None)));
        assert_eq!(read("ssh://-oProxyCommand=evil"), None);
        assert_eq!(read("ssh://box:port"), None);
        assert_eq!(read("ssh://"), None);
    }
}
