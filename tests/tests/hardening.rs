//! What a session must not be able to do, and must not know.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use bollard::models::{ContainerInspectResponse, HostConfig};
use drydock_tests::rig::{API_KEY, Auth, Project, Rig, Running, TOKEN};
use std::{fs, path::Path};

/// A session that runs as long as the test looks at it.
struct Live {
    // First, so that it is killed before the rig tidies up.
    running: Running,
    rig: Rig,
    project: Project,
    session: String,
}

impl Live {
    fn start() -> Self {
        let rig = Rig::new();
        let project = rig.project("proj");
        let mut running = rig.run(project.path()).claude(["-p", "look around [[hold]]"]).start();
        let session = running.session();
        rig.api.wait_for_hold();
        Self { running, rig, project, session }
    }

    fn inspect(&self) -> (ContainerInspectResponse, HostConfig) {
        let found = self.rig.engine.container(&self.session);
        let host = found.host_config.clone().unwrap();
        (found, host)
    }

    /// Whether a shell command inside does what it should.
    fn can(&self, command: &str) -> bool {
        self.rig.engine.exec(&self.session, &["bash", "-c", command]).code == 0
    }

    fn end(self) {
        self.rig.api.release();
        self.running.done().ok();
        self.rig.assert_nothing_left();
    }
}

#[test]
fn the_container_is_hardened() {
    let live = Live::start();
    let (container, host) = live.inspect();

    let config = container.config.unwrap();
    let user = config.user.unwrap();
    let (uid, gid) = user.split_once(':').expect("user and group");
    assert!(uid.parse::<u32>().unwrap() > 0 && gid.parse::<u32>().unwrap() > 0, "it runs as {user}");
    assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
    assert!(host.cap_add.unwrap_or_default().is_empty());
    assert!(host.security_opt.unwrap().iter().any(|option| option.starts_with("no-new-privileges")));
    assert_eq!(host.privileged, Some(false));
    assert_eq!(host.readonly_rootfs, Some(true));
    assert!(host.pids_limit.unwrap() > 0);
    assert!(host.memory.unwrap() > 0);
    assert_eq!(host.memory_swap, host.memory, "swap is a way around the memory limit");
    for shared in [host.pid_mode, host.userns_mode, host.uts_mode] {
        assert_eq!(shared.unwrap_or_default(), "", "a namespace of the host is shared");
    }
    assert_ne!(host.network_mode.unwrap(), "host");
    assert_ne!(host.ipc_mode.unwrap_or_default(), "host");
    assert!(host.devices.unwrap_or_default().is_empty());
    live.end();
}

#[test]
fn nothing_of_the_host_is_mounted_but_the_project() {
    let live = Live::start();
    let (container, _) = live.inspect();

    for mount in container.mounts.unwrap() {
        let target = mount.destination.unwrap();
        match mount.typ.as_deref() {
            Some("volume") => assert_eq!(Path::new(&target), live.rig.home.path()),
            Some("tmpfs") => {}
            _ => assert!(Path::new(&target).starts_with(live.project.path()), "{target} is mounted"),
        }
    }
    assert!(!live.can("ls /var/run/docker.sock || ls /run/docker.sock"), "the engine's socket is inside");
    live.end();
}

#[test]
fn the_session_is_no_administrator() {
    let live = Live::start();

    assert!(live.can("test $(id -u) -ne 0 && test $(id -g) -ne 0"));
    assert!(live.can("grep -q '^CapEff:[[:space:]]*0*$' /proc/self/status"), "it has capabilities");
    assert!(live.can("grep -q '^CapBnd:[[:space:]]*0*$' /proc/self/status"), "it could have capabilities");
    assert!(live.can("grep -q '^NoNewPrivs:[[:space:]]*1$' /proc/self/status"));
    assert!(!live.can("command -v sudo || command -v doas"));
    for place in ["/etc/passwd", "/usr/bin/new", "/usr/local/bin/claude", "/new", "/opt/new"] {
        assert!(!live.can(&format!("echo x >> {place}")), "{place} can be written");
    }
    for place in ["/tmp", "/var/tmp"] {
        assert!(live.can(&format!("echo x > {place}/new")), "{place} cannot be written");
    }
    assert!(live.can("echo x > ~/new"), "the home cannot be written");
    live.end();
}

#[test]
fn git_in_the_project_cannot_be_made_to_run_things_on_the_host() {
    let live = Live::start();
    let project = live.project.path().display().to_string();
    let config = live.project.read(".git/config");

    assert!(live.can(&format!("echo x > '{project}/new'")), "the project cannot be written");
    assert!(live.can(&format!(
        "cd '{project}' && git add new && git -c user.name=a -c user.email=a@b commit -qm new"
    )));
    for attempt in [
        "echo '#!/bin/sh' > .git/hooks/post-commit",
        "echo '[core]' >> .git/config",
        "git config core.fsmonitor /bin/evil",
        "git config core.hooksPath /tmp",
        "mv .git/config .git/config.old",
        "mv .git/hooks .git/hooks.old",
        "mv .git .git.old",
        "rm -rf .git",
        "rm -f .git/config",
    ] {
        assert!(!live.can(&format!("cd '{project}' && {attempt}")), "`{attempt}` goes through");
    }
    assert_eq!(live.project.read(".git/config"), config);
    let hooks = live.project.path().join(".git/hooks");
    let active = fs::read_dir(hooks)
        .unwrap()
        .flatten()
        .filter(|hook| hook.path().extension().is_none_or(|kind| kind != "sample"));
    assert_eq!(active.count(), 0);
    live.end();
}

#[test]
fn keys_stand_in_no_configuration_and_on_no_disk() {
    let live = Live::start();
    let (container, _) = live.inspect();

    let inspected = format!("{container:?}");
    assert!(inspected.contains("dev.drydock.session"), "that is not the container: {inspected}");
    assert!(!inspected.contains(API_KEY), "docker inspect shows the key");
    assert!(!inspected.contains("ANTHROPIC_"), "docker inspect shows what was passed");
    let env = live.rig.engine.exec(&live.session, &["env"]).printed;
    assert!(env.contains("HOME=") && !env.contains(API_KEY), "other processes get the key");
    for (name, content) in live.rig.engine.files(&live.session, live.rig.home.path()) {
        let found = content.windows(API_KEY.len()).any(|part| part == API_KEY.as_bytes());
        assert!(!found, "the key is in {name}");
    }
    live.end();
}

#[test]
fn a_lease_has_no_refresh_token() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let refresh = rig.home.sign_in(TOKEN);
    let login = fs::read(rig.home.claude_dir().join(".credentials.json")).unwrap();
    let mut running = rig
        .run_without_key(project.path())
        .variable("DRYDOCK_LOGIN_MODE", "lease")
        .claude(["-p", "look around [[hold]]"])
        .start();
    let session = running.session();
    rig.api.wait_for_hold();

    assert_eq!(rig.api.wait_for_turn("look around").auth, Auth::Bearer(TOKEN.into()));
    let files = rig.engine.files(&session, rig.home.path());
    let holds = |secret: &str| {
        let holding = files
            .iter()
            .filter(|(_, content)| content.windows(secret.len()).any(|part| part == secret.as_bytes()));
        holding.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let leased = holds(TOKEN);
    assert!(
        leased.len() == 1 && leased[0].ends_with(".claude/.credentials.json"),
        "the token is in {leased:?}"
    );
    assert_eq!(holds(&refresh), Vec::<String>::new());
    assert_eq!(holds("refreshToken"), Vec::<String>::new());
    let inspected = format!("{:?}", rig.engine.container(&session));
    assert!(!inspected.contains(TOKEN) && !inspected.contains(&refresh));

    rig.api.release();
    running.done().ok();
    assert_eq!(
        fs::read(rig.home.claude_dir().join(".credentials.json")).unwrap(),
        login,
        "the host's login changed"
    );
    rig.assert_nothing_left();
}

#[test]
fn an_expired_or_blanked_login_is_not_lent() {
    let rig = Rig::new();
    let project = rig.project("proj");
    for login in [
        r#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0,"scopes":[]}}"#,
        r#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-FAKE","refreshToken":"sk-ant-ort01-FAKE","expiresAt":1000,"scopes":[]}}"#,
    ] {
        rig.home.write(".claude/.credentials.json", login);
        let refused = rig
            .run_without_key(project.path())
            .variable("DRYDOCK_LOGIN_MODE", "lease")
            .claude(["-p", "hi"])
            .done()
            .exits(4)
            .tells("login.none");
        assert!(!refused.stderr.contains("FAKE"), "a token is shown: {}", refused.stderr);
        rig.assert_nothing_left();
    }
    assert_eq!(rig.api.seen().len(), 0);
}

#[test]
fn a_login_is_never_taken_without_being_asked_for() {
    let rig = Rig::new();
    let project = rig.project("proj");
    rig.home.sign_in(TOKEN);

    rig.run_without_key(project.path()).claude(["-p", "hi"]).done().exits(4).tells("login.undecided");

    assert_eq!(rig.api.seen().len(), 0);
    rig.assert_nothing_left();

    // A key among drydock's own variables is a choice, where nobody can be asked.
    rig.run_without_key(project.path())
        .variable("ANTHROPIC_API_KEY", API_KEY)
        .claude(["-p", "hi"])
        .done()
        .ok();
    assert_eq!(rig.api.wait_for_turn("hi").auth, Auth::Key(API_KEY.into()));
    rig.assert_nothing_left();
}

#[test]
fn what_a_session_changes_in_the_configuration_does_not_run_on_the_host() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let settings = rig.home.claude_dir().join("settings.json");
    let memory = rig.home.claude_dir().join("CLAUDE.md");
    let state = fs::read(rig.home.claude_json()).unwrap();
    let before = fs::read(&settings).unwrap();
    let evil = r#"echo '{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"/bin/evil"}]}]}}' > ~/.claude/settings.json"#;
    let mut running = rig.run(project.path()).claude(["-p", "look around [[hold]]"]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    for command in [
        evil,
        "mkdir -p ~/.claude/commands ~/.claude/hooks && echo '!evil' > ~/.claude/commands/evil.md",
        "echo '#!/bin/evil' > ~/.claude/hooks/evil.sh",
        "ln -s /etc/passwd ~/.claude/projects/link.jsonl",
        "mkfifo ~/.claude/projects/pipe.jsonl",
    ] {
        assert_eq!(rig.engine.exec(&session, &["bash", "-c", command]).code, 0, "{command}");
    }

    rig.api.release();
    let done = running.done().ok();

    assert_eq!(fs::read(&settings).unwrap(), before, "a hook of the session's would run on the host");
    assert!(memory.exists());
    assert!(!rig.home.claude_dir().join("commands/evil.md").exists());
    assert!(!rig.home.claude_dir().join("hooks/evil.sh").exists());
    for strange in ["projects/link.jsonl", "projects/pipe.jsonl"] {
        assert!(fs::symlink_metadata(rig.home.claude_dir().join(strange)).is_err(), "{strange} came out");
    }
    assert_eq!(fs::read(rig.home.claude_json()).unwrap(), state, "the host's state was changed");
    assert!(done.stderr.contains("settings.json"), "nothing is said of what waits: {}", done.stderr);
    rig.assert_nothing_left();
}
