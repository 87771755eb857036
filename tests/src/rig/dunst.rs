//! A real notification service: dunst, on a screen of its own.

use super::until;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// Longer than a start takes.
const LIMIT: Duration = Duration::from_secs(30);

/// A notification that is no longer on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Who showed it.
    pub app: String,
    /// Its first line.
    pub title: String,
    /// The rest.
    pub text: String,
}

/// An X server, and dunst on it and on a given bus. Dropping it ends both.
pub struct Dunst {
    server: Child,
    dunst: Child,
    bus: String,
    folder: TempDir,
}

impl Dunst {
    /// Starts it.
    #[must_use]
    pub fn start(bus: &str) -> Self {
        let folder = TempDir::with_prefix("drydock-dunst-").expect("a scratch folder");
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("xvfb.log")).unwrap())
            .spawn()
            .expect("Xvfb can be run");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        // Its settings are its own defaults: there is no file.
        let dunst = Command::new("dunst")
            .args(["-conf", "/dev/null"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("DISPLAY", format!(":{}", number.trim()))
            .env("DBUS_SESSION_BUS_ADDRESS", bus)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("dunst.log")).unwrap())
            .spawn()
            .expect("dunst can be run");
        let mut this = Self { server, dunst, bus: bus.to_owned(), folder };
        until("dunst answers", LIMIT, || {
            let ended = this.dunst.try_wait().unwrap();
            assert!(ended.is_none(), "dunst ended: {}", read(&this.folder.path().join("dunst.log")));
            this.ask(&["is-paused"])
        });
        this
    }

    /// How many notifications are on the screen.
    #[must_use]
    pub fn displayed(&self) -> usize {
        self.ask(&["count", "displayed"]).and_then(|count| count.trim().parse().ok()).expect("dunst answers")
    }

    /// Clicks the newest notification.
    pub fn click(&self) {
        self.ask(&["action", "0"]).expect("dunst answers");
    }

    /// What was on the screen before, the newest first.
    #[must_use]
    pub fn history(&self) -> Vec<Shown> {
        let text = self.ask(&["history"]).expect("dunst answers");
        let history: Value = serde_json::from_str(&text).unwrap_or_else(|cause| panic!("{cause}: {text}"));
        let field = |one: &Value, name: &str| one[name]["data"].as_str().unwrap_or_default().to_owned();
        let all = history["data"][0].as_array().cloned().unwrap_or_default();
        all.iter()
            .map(|one| Shown {
                app: field(one, "appname"),
                title: field(one, "summary"),
                text: field(one, "body"),
            })
            .collect()
    }

    fn ask(&self, words: &[&str]) -> Option<String> {
        let done = Command::new("dunstctl")
            .args(words)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .output()
            .expect("dunstctl can be run");
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
    }
}

impl Drop for Dunst {
    fn drop(&mut self) {
        for program in [&mut self.dunst, &mut self.server] {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

fn read(file: &PathBuf) -> String {
    fs::read_to_string(Path::new(file)).unwrap_or_default()
}
