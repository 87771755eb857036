//! A container engine of the test's own, which it may stop and kill without anybody else noticing.
//!
//! It lives in a network of its own: two engines in one network take each other's bridges away.

use super::{SessionImage, session_image, until};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// The addresses of this computer and of the engine on the line between them.
const HERE: &str = "10.213.7.1";
const THERE: &str = "10.213.7.2";
/// The far end's network, and the near end of the line.
const NETWORK: &str = "drydock-tests";
const LINE: &str = "drydock-tests";

/// A `dockerd`, with its data in a scratch folder. Dropping it ends it and all its containers.
///
/// There can be one at a time on a computer; it takes root.
pub struct OwnEngine {
    folder: TempDir,
    daemon: Option<Child>,
    _only: File,
}

impl OwnEngine {
    /// Starts it, with the session image in it.
    #[must_use]
    pub fn start() -> Self {
        let only = File::create(std::env::temp_dir().join("drydock-tests-engine.lock")).unwrap();
        only.lock().expect("the lock around the engine of the tests");
        lay_the_line();
        let folder = TempDir::with_prefix("drydock-engine-").expect("a scratch folder");
        let mut engine = Self { folder, daemon: None, _only: only };
        engine.start_daemon();
        engine.load(session_image());
        engine
    }

    /// Its address, as `DOCKER_HOST` has it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix://{}", self.path("docker.sock").display())
    }

    /// Shuts it down, as the computer's shutdown does.
    pub fn stop(&mut self) {
        let daemon = self.daemon.as_mut().expect("it runs");
        kill_process(Pid::from_child(daemon), Signal::TERM).expect("it runs");
        daemon.wait().unwrap();
        self.daemon = None;
    }

    /// Starts it again.
    pub fn start_daemon(&mut self) {
        assert!(self.daemon.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let daemon = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{NETWORK}"))
            .arg("dockerd")
            .args(["--host", &self.address()])
            .args(["--data-root".into(), self.path("data")])
            .args(["--exec-root".into(), self.path("exec")])
            .args(["--pidfile".into(), self.path("pid")])
            .args(["--host-gateway-ip", HERE])
            .args([
                "--containerd-namespace",
                NETWORK,
                "--containerd-plugins-namespace",
                "drydock-tests-plugins",
            ])
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("nsenter can be run");
        self.daemon = Some(daemon);
        until("the engine of the test answers", Duration::from_secs(60), || {
            let ended = self.daemon.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "dockerd ended: {}", fs::read_to_string(self.path("log")).unwrap());
            self.docker(&["version"]).output().unwrap().status.success().then_some(())
        });
    }

    fn load(&self, image: &SessionImage) {
        let mut save = Command::new("docker")
            .args(["save", &image.tag, &image.base])
            .stdout(Stdio::piped())
            .spawn()
            .expect("docker can be run");
        let loaded = self.docker(&["load"]).stdin(save.stdout.take().unwrap()).output().unwrap();
        assert!(save.wait().unwrap().success() && loaded.status.success(), "{loaded:?}");
    }

    fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.address()]).args(arguments);
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        // A test that fails because the engine is gone should say that, and not fail again here.
        if let Some(mut daemon) = self.daemon.take() {
            let _ = kill_process(Pid::from_child(&daemon), Signal::TERM);
            let _ = daemon.wait();
        }
        // It leaves its data mounted onto itself when it ends badly, and networks of containers in any case.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let own = |path: &&str| Path::new(path).starts_with(self.folder.path());
        for mounted in mounts.lines().rev().filter_map(|line| line.split(' ').nth(1)).filter(own) {
            let _ = Command::new("umount").args(["--lazy", mounted]).output();
        }
        take_the_line_away();
    }
}

fn lay_the_line() {
    // What a test that was killed has left.
    take_the_line_away();
    ip(&["netns", "add", NETWORK]);
    ip(&["link", "add", LINE, "type", "veth", "peer", "name", "out", "netns", NETWORK]);
    ip(&["address", "add", &format!("{HERE}/30"), "dev", LINE]);
    ip(&["link", "set", LINE, "up"]);
    for there in [
        &["address", "add", &format!("{THERE}/30"), "dev", "out"][..],
        &["link", "set", "out", "up"],
        &["link", "set", "lo", "up"],
    ] {
        ip(&[&["-n", NETWORK], there].concat());
    }
}

fn take_the_line_away() {
    let _ = Command::new("ip").args(["netns", "delete", NETWORK]).output();
    let _ = Command::new("ip").args(["link", "delete", LINE]).output();
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().expect("ip can be run");
    assert!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}
