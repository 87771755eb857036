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
    /// As Amazon's and many others' object stores are.
    S3,
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
            Protocol::S3 => format!(
                "type = s3\nprovider = Other\naccess_key_id = {USER}\nsecret_access_key = {PASSWORD}\nendpoint = http://127.0.0.1:{}\n",
                self.port
            ),
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
        // What Debian has cannot be such a server; as the one who asks it is used all the same.
        let mut command = Command::new(if self.protocol == Protocol::S3 { "rclone-s3" } else { "rclone" });
        match self.protocol {
            Protocol::WebDav => command.args(["serve", "webdav"]),
            Protocol::Sftp => command.args(["serve", "sftp", "--user", USER, "--pass", PASSWORD]),
            Protocol::S3 => command.args(["serve", "s3", "--auth-key", &format!("{USER},{PASSWORD}")]),
        };
        command.arg(&self.folder).args(["--addr", &format!("127.0.0.1:{}", self.port)]);
        // What others did to the folder is seen at once, or nearly: an object store of rclone's forgets what it is
        // just taking without any memory of its folders.
        let memory = if self.protocol == Protocol::S3 { "1s" } else { "0s" };
        command.args(["--dir-cache-time", memory, "--config", "/dev/null"]);
        if access == Access::ReadOnly {
            command.arg("--read-only");
        }
        let home = std::env::temp_dir();
        command.env("HOME", home).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("rclone is installed, and rclone-s3 by the project's set-up");
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
