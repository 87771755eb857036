//! Who is at work on the host home: Claude Code on this computer, and sessions.

use crate::paths::Locations;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf};

/// Somebody who works on the host home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case", tag = "who")]
pub enum Running {
    /// Claude Code on this computer.
    ClaudeCode {
        /// Its process.
        pid: i32,
        /// The folder it works in.
        folder: Option<PathBuf>,
    },
    /// A session.
    Session {
        /// Its name.
        id: String,
    },
}

/// The parts of a live record of Claude Code's that matter here.
///
/// Source: observed with 2.1.330: each running Claude Code has `sessions/<pid>.json` in its folder.
#[derive(Deserialize)]
struct LiveRecord {
    pid: Option<i32>,
    cwd: Option<PathBuf>,
}

/// Everybody who is at work now. A record of a process that has ended says nothing.
#[must_use]
pub fn running(locations: &Locations) -> Vec<Running> {
    let mut found = Vec::new();
    for entry in fs::read_dir(locations.claude_dir.join("sessions")).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let Some(record) = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()) else {
            continue;
        };
        let LiveRecord { pid, cwd } = record;
        let named = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let Some(pid) = pid.or(named).filter(|pid| is_alive(*pid)) {
            found.push(Running::ClaudeCode { pid, folder: cwd });
        }
    }
    for id in crate::session::attached_sessions(locations) {
        found.push(Running::Session { id });
    }
    found
}

fn is_alive(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_living_are_at_work() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        assert!(running(&locations).is_empty());
        let sessions = locations.claude_dir.join("sessions");
        fs::create_dir_all(&sessions).unwrap();
        let own = std::process::id();
        fs::write(sessions.join(format!("{own}.json")), format!(r#"{{"pid":{own},"cwd":"/p"}}"#)).unwrap();
        fs::write(sessions.join("999999999.json"), r#"{"cwd":"/p"}"#).unwrap();
        fs::write(sessions.join("torn.json"), r#"{"pid":"#).unwrap();
        let pid = i32::try_from(own).unwrap();
        assert_eq!(running(&locations), [Running::ClaudeCode { pid, folder: Some(PathBuf::from("/p")) }]);
    }
}
