//! The real engine at the end of the real `ssh`: a server in a container that has the engine's socket.

use super::behind_tls::context_folder;
use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

const IMAGE: &str = "drydock-tests/sshd";

pub(crate) struct BehindSsh {
    container: String,
    port: u16,
    folder: tempfile::TempDir,
}

impl BehindSsh {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(folder.path().join("id")));
        build_image(folder.path());
        let socket = "/var/run/docker.sock:/var/run/docker.sock";
        let container = run(Command::new("docker").args([
            "run",
            "-d",
            "--rm",
            "-v",
            socket,
            "-p",
            "127.0.0.1::22",
            IMAGE,
        ]));
        let mut started = Self { container: container.trim().to_owned(), port: 0, folder };
        let published = started.docker(&["port", &started.container, "22/tcp"]);
        started.port = published.trim().rsplit(':').next().unwrap().parse().unwrap();
        started.authorize();
        started
    }

    /// Its key is let in, and its host key is known, as after a first visit.
    fn authorize(&self) {
        let key = fs::read_to_string(self.folder.path().join("id.pub")).unwrap();
        self.docker(&[
            "exec",
            &self.container,
            "sh",
            "-c",
            &format!("mkdir -p /root/.ssh; echo '{}' >/root/.ssh/authorized_keys", key.trim()),
        ]);
        let host_key = self.docker(&["exec", &self.container, "cat", "/etc/ssh/ssh_host_ed25519_key.pub"]);
        let host_key: Vec<_> = host_key.split_whitespace().take(2).collect();
        fs::write(
            self.folder.path().join("known_hosts"),
            format!("[127.0.0.1]:{} {}\n", self.port, host_key.join(" ")),
        )
        .unwrap();
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let config = format!(
            "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\n",
            at("id"),
            at("known_hosts")
        );
        fs::write(self.folder.path().join("config"), config).unwrap();
        let program = self.folder.path().join("ssh");
        fs::write(&program, format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", at("config"))).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn address(&self) -> String {
        format!("ssh://root@127.0.0.1:{}", self.port)
    }

    /// The user's `ssh` with a configuration of this test's: `ssh` itself looks only in the real home.
    pub(crate) fn path_with_configured_ssh(&self) -> OsString {
        let rest = env::var_os("PATH").unwrap_or_default();
        env::join_paths(std::iter::once(self.folder.path().to_path_buf()).chain(env::split_paths(&rest)))
            .unwrap()
    }

    pub(crate) fn forget_host(&self) {
        fs::write(self.folder.path().join("known_hosts"), "").unwrap();
    }

    pub(crate) fn write_context(&self, docker_config: &Path, name: &str) {
        let folder = context_folder(docker_config, name);
        fs::create_dir_all(&folder).unwrap();
        let meta = serde_json::json!({
            "Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": self.address(), "SkipTLSVerify": false}}
        });
        fs::write(folder.join("meta.json"), meta.to_string()).unwrap();
    }

    fn docker(&self, arguments: &[&str]) -> String {
        run(Command::new("docker").args(arguments))
    }
}

impl Drop for BehindSsh {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", &self.container]).stdout(Stdio::null()).status();
    }
}

/// On what session images start from, which the tests have made or pulled already.
fn build_image(folder: &Path) {
    let base = env::var("DRYDOCK_IMAGE_BASE").unwrap_or_else(|_| "debootstrap:bookworm".into());
    let base = base.replace("debootstrap:", "drydock/base:");
    let context = folder.join("image");
    fs::create_dir(&context).unwrap();
    let recipe = format!(
        "FROM {base}\n\
         RUN apt-get update && apt-get install -y --no-install-recommends openssh-server socat && mkdir -p /run/sshd\n\
         COPY docker /usr/local/bin/docker\n\
         CMD [\"/usr/sbin/sshd\", \"-D\", \"-e\"]\n"
    );
    fs::write(context.join("Dockerfile"), recipe).unwrap();
    // What `docker system dial-stdio` does on the other side.
    let program = context.join("docker");
    fs::write(&program, "#!/bin/sh\nexec socat - UNIX-CONNECT:/var/run/docker.sock\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    run(Command::new("docker").args(["build", "-q", "-t", IMAGE]).arg(&context));
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
