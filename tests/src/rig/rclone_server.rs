//! A server on loopback that keeps files, for a remote of rclone's.

use super::until;
use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Longer than a start takes.
const LIMIT: Duration = Duration::from_secs(30);

const USER: &str = "ann";
const PASSWORD: &str = "FAKE-password-of-the-drydock-tests";

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// As most of those who rent out space are.
    WebDav,
    /// As computers of one's own are.
    Sftp,
}

/// What a server lets others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// Nothing that changes something.
    ReadOnly,
}

/// A server with the files of a folder. Dropping it ends it.
pub struct RcloneServer {
    protocol: Protocol,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl RcloneServer {
    /// Starts one.
    #[must_use]
    pub fn start(protocol: Protocol, folder: &Path) -> Self {
        // A port that was free a moment ago; it stays the same when the server comes back.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { protocol, folder: folder.to_path_buf(), port, child: None };
        server.come_back(Access::Full);
        server
    }

    /// The lines of a remote of rclone's that is this server.
    #[must_use]
    pub fn remote(&self) -> String {
        match self.protocol {
            Protocol::WebDav => {
                format!("type = webdav\nurl = http://127.0.0.1:{}\nvendor = other\n", self.port)
            }
            Protocol::Sftp => {
                let (port, password) = (self.port, obscured(PASSWORD));
                format!("type = sftp\nhost = 127.0.0.1\nport = {port}\nuser = {USER}\npass = {password}\n")
            }
        }
    }

    /// Goes, as a network does.
    pub fn go(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Is back at the same address.
    pub fn come_back(&mut self, access: Access) {
        self.go();
        let mut command = Command::new("rclone");
        match self.protocol {
            Protocol::WebDav => command.args(["serve", "webdav"]),
            Protocol::Sftp => command.args(["serve", "sftp", "--user", USER, "--pass", PASSWORD]),
        };
        command.arg(&self.folder).args(["--addr", &format!("127.0.0.1:{}", self.port)]);
        // What others did to the folder is seen at once.
        command.args(["--dir-cache-time", "0s", "--config", "/dev/null"]);
        if access == Access::ReadOnly {
            command.arg("--read-only");
        }
        let home = std::env::temp_dir();
        command.env("HOME", home).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("rclone is installed");
        until("the server answers", LIMIT, || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "rclone serve ended with {ended:?}");
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
        self.child = Some(child);
    }
}

impl Drop for RcloneServer {
    fn drop(&mut self) {
        self.go();
    }
}

/// A password in the form in which rclone's configuration has it.
fn obscured(password: &str) -> String {
    let done = Command::new("rclone").args(["obscure", password]).output().expect("rclone is installed");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}
