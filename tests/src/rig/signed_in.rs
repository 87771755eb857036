//! A user who signed in with an account, on both sides.

use super::{HostClaude, Invocation, Paths, Rig, SignIn};
use std::{env, fs, os::unix::fs::symlink, path::Path};

impl Rig {
    /// The user's own Claude Code, outside any container, with the login of the home and no key.
    pub fn signed_in_claude(&self, folder: &Path, sign_in: &SignIn) -> HostClaude {
        HostClaude::signed_in(self.release, &self.home, folder, sign_in)
    }

    /// `drydock run PROJECT` by a user with an account and no key. Both the session and what drydock runs
    /// here meet the stand-in, and `claude` is what the user has by that name.
    ///
    /// The session finds the stand-in's certificate in the project: nothing else of this computer is there.
    pub fn run_signed_in(&self, project: &Path, sign_in: &SignIn) -> Invocation {
        fs::write(project.join("ca.pem"), sign_in.ca_pem()).unwrap();
        let project_inside = match self.paths {
            Paths::Same => project,
            Paths::Mapped => Path::new("/workspace"),
        };
        self.drydock()
            .arg("run")
            .arg(project)
            .args(["--env", &format!("HTTPS_PROXY={}", sign_in.proxy_inside())])
            .args(["--env", &format!("NODE_EXTRA_CA_CERTS={}", project_inside.join("ca.pem").display())])
            .args(["--env", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"])
            .variable("HTTPS_PROXY", sign_in.proxy_here())
            .variable("NODE_EXTRA_CA_CERTS", sign_in.ca_file())
            .variable("PATH", self.path_with_claude())
    }

    /// Where programs are for a user who has installed Claude Code.
    fn path_with_claude(&self) -> std::ffi::OsString {
        let folder = self.home.path().join("bin");
        let claude = folder.join("claude");
        if !claude.is_symlink() {
            fs::create_dir_all(&folder).unwrap();
            symlink(self.release.program_here(), &claude).unwrap();
        }
        let rest = env::var_os("PATH").unwrap_or_default();
        env::join_paths([folder].into_iter().chain(env::split_paths(&rest))).expect("a PATH")
    }
}
