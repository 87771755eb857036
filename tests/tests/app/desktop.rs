//! A desktop for one test: an X server, a session bus and a home folder that nobody else has.
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{
        AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, ImageFormat, MapState, Window,
    },
    rust_connection::RustConnection,
};

/// How long anything may take before it counts as never happening: long, since a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until the condition holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Where pictures of the app are left for a person to look at.
pub(crate) fn pictures() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn app_program() -> PathBuf {
    // The test's own program is in target/<profile>/deps, two folders below the app's.
    let built = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("drydock-app"));
    let program = std::env::var_os("DRYDOCK_APP_BIN").map(PathBuf::from).or_else(built).unwrap();
    assert!(program.is_file(), "{} is missing: `cargo build -p drydock-app` makes it", program.display());
    program
}

/// A program that ends when the test does.
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) async fn exit_code(&mut self) -> i32 {
        until("the program ends", async || !self.is_running()).await;
        let status = self.child.wait().unwrap();
        status.code().unwrap_or_else(|| panic!("{status}: {}", self.log()))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The fields end in this order: what runs on the desktop before the desktop.
pub(crate) struct Desktop {
    x: RustConnection,
    root: Window,
    _server: Program,
    _bus: Program,
    display: String,
    bus_address: String,
    /// What the desktop's own programs write.
    scratch: TempDir,
    /// Whose desktop it is.
    home: PathBuf,
}

impl Desktop {
    /// Of somebody who has nothing yet.
    pub(crate) fn start() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let home = scratch.path().to_owned();
        Self::start_with(scratch, home)
    }

    /// Of somebody with a home.
    pub(crate) fn of(home: &Path) -> Self {
        Self::start_with(tempfile::tempdir().unwrap(), home.to_owned())
    }

    fn start_with(scratch: TempDir, home: PathBuf) -> Self {
        let (server, number) = announced(
            Command::new("Xvfb").args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"]),
            scratch.path(),
        );
        let (bus, bus_address) = announced(
            Command::new("dbus-daemon")
                .arg("--config-file")
                .arg(bus_config(scratch.path()))
                .args(["--nofork", "--print-address=1"]),
            scratch.path(),
        );
        let display = format!(":{number}");
        let (x, screen) = x11rb::connect(Some(&display)).unwrap();
        let root = x.setup().roots[screen].root;
        Self { x, root, _server: server, _bus: bus, display, bus_address, scratch, home }
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn bus_address(&self) -> &str {
        &self.bus_address
    }

    /// A command that sees this desktop and nothing of the machine's own.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", self.scratch.path())
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus_address)
            // Without these GTK would start an accessibility bus and settings daemons nobody here listens to.
            .env("NO_AT_BRIDGE", "1")
            .env("GSETTINGS_BACKEND", "memory");
        command
    }

    pub(crate) fn app_program(&self) -> PathBuf {
        app_program()
    }

    pub(crate) fn start_app(&self, variables: &[(&str, &str)]) -> Program {
        let mut command = self.command(app_program());
        command.envs(variables.iter().copied());
        self.start_program(&mut command)
    }

    pub(crate) fn start_program(&self, command: &mut Command) -> Program {
        logged(command.stdout(Stdio::null()), self.scratch.path())
    }

    pub(crate) async fn until_windows(&self, count: usize) {
        until(&format!("{count} windows are on the screen"), async || self.windows().len() == count).await;
    }

    /// Waits until the app's windows show something, and not one colour alone.
    #[allow(dead_code, reason = "the bench of the app waits for it")]
    pub(crate) async fn until_painted(&self) {
        until("the window is painted", async || {
            self.windows().into_iter().all(|window| self.is_painted(window))
        })
        .await;
    }

    fn is_painted(&self, window: Window) -> bool {
        let painted = || -> Option<bool> {
            let place = self.x.get_geometry(window).ok()?.reply().ok()?;
            let (width, height) = (place.width.min(900), place.height.min(600));
            let image = self.x.get_image(ImageFormat::Z_PIXMAP, window, 0, 0, width, height, !0).ok()?;
            let image = image.reply().ok()?;
            let mut pixels = image.data.chunks_exact(4);
            let first = pixels.next()?;
            // A line of words at least.
            Some(pixels.filter(|pixel| *pixel != first).count() > 500)
        };
        painted().unwrap_or(false)
    }

    /// How wide and high the app's windows are.
    #[allow(dead_code, reason = "the bench of the app does not ask")]
    pub(crate) fn sizes(&self) -> Vec<(u16, u16)> {
        let size = |window| {
            let place = self.x.get_geometry(window).unwrap().reply().unwrap();
            (place.width, place.height)
        };
        self.windows().into_iter().map(size).collect()
    }

    /// Asks every window to close, as its close button does.
    pub(crate) fn close_window(&self) {
        let atom = |name: &[u8]| self.x.intern_atom(false, name).unwrap().reply().unwrap().atom;
        let (protocols, delete) = (atom(b"WM_PROTOCOLS"), atom(b"WM_DELETE_WINDOW"));
        for window in self.windows() {
            let message =
                ClientMessageEvent::new(32, window, protocols, [delete, x11rb::CURRENT_TIME, 0, 0, 0]);
            self.x.send_event(false, window, EventMask::NO_EVENT, message).unwrap().check().unwrap();
        }
    }

    /// What a person sees: windows on the screen that carry the app's name.
    fn windows(&self) -> Vec<Window> {
        let tree = self.x.query_tree(self.root).unwrap().reply().unwrap();
        tree.children.into_iter().filter(|window| self.is_drydock(*window).unwrap_or(false)).collect()
    }

    /// An error means that the window went away between the list and the question.
    fn is_drydock(&self, window: Window) -> Result<bool, x11rb::errors::ReplyError> {
        let shown = self.x.get_window_attributes(window)?.reply()?.map_state == MapState::VIEWABLE;
        let name =
            self.x.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 64)?.reply()?.value;
        Ok(shown && name == b"Drydock")
    }
}

/// A bus on which nothing is started by being asked for: the machine's own keyring would be, and is locked.
fn bus_config(folder: &Path) -> PathBuf {
    let file = folder.join("bus.conf");
    let text = format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">
         <busconfig><type>session</type><listen>unix:dir={}</listen><policy context='default'>
         <allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/></policy></busconfig>",
        folder.display()
    );
    fs::write(&file, text).unwrap();
    file
}

fn logged(command: &mut Command, folder: &Path) -> Program {
    let (file, log) = tempfile::Builder::new().suffix(".log").tempfile_in(folder).unwrap().keep().unwrap();
    let child = command
        .stdin(Stdio::null())
        .stderr(file)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    Program { child, log }
}

/// Starts a server that prints one line once it can be used.
fn announced(command: &mut Command, folder: &Path) -> (Program, String) {
    let mut program = logged(command.stdout(Stdio::piped()), folder);
    let mut line = String::new();
    BufReader::new(program.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "{} did not start: {}", command.get_program().display(), program.log());
    (program, line.trim().to_owned())
}
