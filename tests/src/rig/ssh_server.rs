//! OpenSSH's own server on loopback, with keys and settings of its own. It lets in one key, which may do nothing but
//! speak git with one folder.

use super::until;
use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// A server that runs.
pub struct SshServer {
    folder: TempDir,
    port: u16,
    daemon: Option<Child>,
}

impl SshServer {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("drydock-ssh-").expect("a scratch folder");
        // A port that was free a moment ago; it stays the same when the server comes back.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, port, daemon: None };
        for name in ["host", "user", "stranger"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(server.path(name))
                .status()
                .expect("ssh-keygen can be run");
            assert!(made.success());
        }
        fs::copy(server.path("user.pub"), server.path("authorized_keys")).unwrap();
        let host = fs::read_to_string(server.path("host.pub")).unwrap();
        fs::write(server.path("known_hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        server.write_settings();
        server.begin();
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn write_settings(&self) {
        let sshd = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin prohibit-password\n\
             AllowTcpForwarding no\nX11Forwarding no\n",
            self.port,
            self.path("host").display(),
            self.path("authorized_keys").display(),
        );
        fs::write(self.path("sshd_config"), sshd).unwrap();
        for (name, key) in [("ssh_config", "user"), ("stranger_config", "stranger")] {
            let ssh = format!(
                "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {}\n  \
                 GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n",
                self.path(key).display(),
                self.path("known_hosts").display(),
            );
            fs::write(self.path(name), ssh).unwrap();
        }
    }

    /// Starts it again on the same port.
    pub fn begin(&mut self) {
        if rustix::process::geteuid().is_root() {
            // Where a server that was installed by hand has not made it; sshd demands it of root.
            fs::DirBuilder::new().recursive(true).mode(0o755).create("/run/sshd").unwrap();
        }
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let daemon = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(self.path("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd can be run: scripts/setup.sh test");
        self.daemon = Some(daemon);
        until("sshd listens", Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    /// Ends it.
    pub fn end(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().expect("sshd runs");
            daemon.wait().unwrap();
        }
    }

    /// The address of a folder behind it.
    #[must_use]
    pub fn address(&self, folder: &Path) -> String {
        let user = env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_else(|_| "root".to_owned());
        format!("ssh://{user}@127.0.0.1:{}{}", self.port, folder.display())
    }

    /// What git in a home has to run in the place of `ssh`.
    #[must_use]
    pub fn command(&self, who: Visitor) -> String {
        let settings = match who {
            Visitor::Known => "ssh_config",
            Visitor::Stranger => "stranger_config",
        };
        format!("ssh -F {}", self.path(settings).display())
    }

    /// What it said, for who looks for a reason.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

/// Who comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody whose key is let in.
    Known,
    /// Somebody whose key is not.
    Stranger,
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.end();
    }
}
