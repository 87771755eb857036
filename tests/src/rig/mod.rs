//! A person's computer for one test: a scratch home, projects, a real engine, the real Claude Code,
//! and a stand-in for Anthropic's API. Nothing of the real home is read or written.

mod anthropic;
mod apart;
mod backups;
mod claude;
mod drydock;
#[cfg(target_os = "linux")]
mod dunst;
mod engine;
mod failing_engine;
#[cfg(target_os = "linux")]
mod followed;
#[cfg(target_os = "linux")]
mod git_https;
mod home;
mod image;
mod intake;
mod lived_in;
mod log;
#[cfg(target_os = "linux")]
mod mail;
mod own_engine;
mod places;
#[cfg(target_os = "linux")]
mod proc_watch;
mod project;
#[cfg(target_os = "linux")]
mod rclone_server;
#[cfg(target_os = "linux")]
mod registry;
mod release;
#[cfg(target_os = "linux")]
mod secret_service;
mod serving;
// A Mac's Claude Code keeps its login in the user's own Keychain, which no test may touch.
#[cfg(target_os = "linux")]
mod sign_in;
#[cfg(target_os = "linux")]
mod signed_in;
mod slack;
mod small_disk;
mod sops;
#[cfg(target_os = "linux")]
mod ssh_server;
#[cfg(target_os = "linux")]
mod stick;
mod terminal;
#[cfg(target_os = "linux")]
mod tls;
mod transcript;
mod until;

pub use anthropic::{API_KEY, Anthropic, Auth, Requests, Seen, TOKEN};
pub use apart::Apart;
pub use backups::{
    ASKED, BackupCopy, Backups, ELSEWHERE, HISTORY, LEFT_OUT, NOTED, Restic, SIDECARS, Tree, WORKED,
    assert_whole_records, damage_a_pack, noise, record, recovery_code, repository_files,
};
pub use claude::HostClaude;
pub use drydock::{Done, Invocation, Running};
#[cfg(target_os = "linux")]
pub use dunst::{Dunst, Shown};
pub use engine::{Engine, ExecResult};
pub use failing_engine::FailingEngine;
#[cfg(target_os = "linux")]
pub use followed::Followed;
#[cfg(target_os = "linux")]
pub use git_https::{GitHttps, Password};
pub use home::{Damage, Home};
use image::session_image_of;
pub use image::{SessionImage, session_image};
pub use intake::{Intake, Manner, Received};
pub use lived_in::LivedIn;
pub use log::log;
#[cfg(target_os = "linux")]
pub use mail::{MailServer, Protection, Taken};
pub use own_engine::OwnEngine;
pub use places::{CLAUDE_VERSION, cache_dir};
#[cfg(target_os = "linux")]
pub use proc_watch::{Place, ProcWatch, Processes, Sighting, holds};
pub use project::Project;
#[cfg(target_os = "linux")]
pub use rclone_server::{Access, Protocol, RcloneServer};
#[cfg(target_os = "linux")]
pub use registry::{LYING, MISBEHAVE, Registry, WELL, WELL_TOO};
pub use release::Release;
#[cfg(target_os = "linux")]
pub use secret_service::{SecretService, StoredItem};
#[cfg(target_os = "linux")]
pub use sign_in::{Account, Login, SignIn, TokenRequest};
pub use slack::{Answer, Slack};
pub use small_disk::SmallDisk;
pub use sops::{SopsDone, sops};
#[cfg(target_os = "linux")]
pub use ssh_server::{SshServer, Visitor};
#[cfg(target_os = "linux")]
pub use stick::Stick;
pub use terminal::Terminal;
pub use transcript::Transcript;
pub use until::{until, until_or};

use std::path::Path;

/// Everything one test needs. Dropping it removes what it left in the engine.
pub struct Rig {
    /// The stand-in for Anthropic's API.
    pub api: Anthropic,
    /// The container engine.
    pub engine: Engine,
    /// The scratch home.
    pub home: Home,
    /// The engine that drydock is pointed at; the usual one if nothing is said.
    docker_host: Option<String>,
    /// The Claude Code of both sides.
    release: Release,
    paths: Paths,
}

/// Under which names a session finds the host's folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// Under their own.
    Same,
    /// Under those that Drydock maps them to.
    Mapped,
}

impl Rig {
    /// A small home whose user has been through Claude Code's first questions.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Home::new())
    }

    /// A given home. The session image is there when this returns.
    #[must_use]
    pub fn with(home: Home) -> Self {
        session_image();
        Self::start(home, None)
    }

    /// A small home of a user of this Claude Code, who set under which names sessions find folders.
    #[must_use]
    pub fn of(release: Release, paths: Paths) -> Self {
        session_image_of(release);
        Self { release, paths, ..Self::start(Home::new(), None) }
    }

    /// A small home on an engine of the test's own.
    #[must_use]
    pub fn on(own: &OwnEngine) -> Self {
        Self::start(Home::new(), Some(own.address()))
    }

    fn start(home: Home, docker_host: Option<String>) -> Self {
        let engine = Engine::connect(home.path(), docker_host.as_deref());
        let (release, paths) = (Release::Current, Paths::Same);
        Self { api: Anthropic::start(), engine, home, docker_host, release, paths }
    }

    /// A project in the home, trusted by its user.
    #[must_use]
    pub fn project(&self, name: &str) -> Project {
        let project = Project::make(&self.home.path().join(name));
        self.home.trust(project.path());
        project
    }

    /// `drydock`, with this home as the user's.
    pub fn drydock(&self) -> Invocation {
        let drydock = Invocation::new(self.home.path()).release(self.release).paths(self.paths);
        match &self.docker_host {
            Some(address) => drydock.variable("DOCKER_HOST", address),
            None => drydock,
        }
    }

    /// `drydock` with another home as the user's, whether or not there is an engine.
    pub fn drydock_at(home: &Home) -> Invocation {
        Invocation::new(home.path())
    }

    /// `drydock run PROJECT`, with the stand-in as the API and a key for it.
    pub fn run(&self, project: &Path) -> Invocation {
        self.drydock().arg("run").arg(project).args(self.variables())
    }

    /// `drydock run PROJECT`, with the stand-in as the API and nothing to log in with.
    pub fn run_without_key(&self, project: &Path) -> Invocation {
        self.drydock().arg("run").arg(project).args(self.variables_without_key())
    }

    /// What a session is told to find the stand-in and be let in.
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        let mut all = self.variables_without_key();
        all.extend(["--env".to_owned(), format!("ANTHROPIC_API_KEY={API_KEY}")]);
        all
    }

    fn variables_without_key(&self) -> Vec<String> {
        let url = format!("ANTHROPIC_BASE_URL={}", self.api.url_inside());
        ["--env", &url, "--env", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"].map(str::to_owned).to_vec()
    }

    /// The user's own Claude Code, outside any container.
    pub fn claude(&self, folder: &Path) -> HostClaude {
        HostClaude::new(self.release, self.home.path(), folder, &self.api.url_here())
    }

    /// Fails if anything of this home is in the engine, or mounted somewhere.
    pub fn assert_nothing_left(&self) {
        let left = self.engine.leftovers();
        assert!(left.is_empty(), "left in the engine: {left:?}");
        let mounted = self.home.mounts();
        assert!(mounted.is_empty(), "still mounted: {mounted:?}");
    }
}

impl Default for Rig {
    fn default() -> Self {
        Self::new()
    }
}

/// A fresh id for a conversation.
#[must_use]
pub fn conversation_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
