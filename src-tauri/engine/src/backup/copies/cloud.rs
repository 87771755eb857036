//! A copy at any remote of rclone's, by the `rclone` program.
//!
//! Source: rclone's documentation of `copy`, `move`, `purge`, `lsjson`, `cat`, `check`, `deletefile` and of its exit
//! codes (<https://rclone.org/docs/>), tried with 1.60.

mod incoming;

use super::{Place, files::misnamed, volume::damaged_source};
use crate::{
    backup::ledger::is_repository_file,
    error_handling::{Code, Error, IoContext, Result},
    paths::Locations,
    program::{installed, without_keys},
    progress::{Progress, ProgressSink},
};
use incoming::INCOMING;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::OsStr,
    fs, io,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// A folder at a remote.
#[derive(Debug)]
pub(in crate::backup) struct Cloud {
    remote: String,
    /// For a home that is not the user's own: where its rclone configuration is.
    home: Option<PathBuf>,
    /// Whether the last list had something that a process left which was ended in the middle.
    has_left: AtomicBool,
}

/// What rclone said of its work.
struct Said {
    status: ExitStatus,
    out: Vec<u8>,
    errors: Vec<String>,
}

/// rclone: "Directory not found", "File not found".
const NOT_FOUND: [i32; 2] = [3, 4];

impl Cloud {
    pub(in crate::backup) fn at(remote: &str, locations: &Locations) -> Self {
        let home = (!locations.own_home).then(|| locations.home.clone());
        Self { remote: remote.to_owned(), home, has_left: AtomicBool::new(false) }
    }

    fn path(&self, name: &str) -> String {
        if name.is_empty() { self.remote.clone() } else { format!("{}/{name}", self.remote) }
    }

    fn rclone(&self, arguments: &[&str]) -> Command {
        let mut command = without_keys(installed("rclone").unwrap_or_else(|| PathBuf::from("rclone")));
        if let Some(home) = &self.home {
            command.env("HOME", home).env_remove("XDG_CONFIG_HOME").env_remove("RCLONE_CONFIG");
        }
        command.args(arguments);
        // It must not wait for somebody to type a password.
        command.args(["--ask-password=false", "--use-json-log", "--log-level=NOTICE", "--retries=2"]);
        command.args(["--low-level-retries=2", "--contimeout=20s", "--timeout=30s"]);
        command
    }

    fn run(
        &self,
        command: &mut Command,
        input: Option<&[u8]>,
        progress: &ProgressSink,
        heard: &dyn Fn(&LogLine),
    ) -> Result<Said> {
        progress.go_on()?;
        let mut child = command
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|cause| not_started(&cause))?;
        let stops = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default())
            .map(|pid| progress.when_stopped(move || _ = kill_process(pid, Signal::TERM)));
        thread::scope(|scope| {
            if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
                // One that ended already says why by its exit code.
                scope.spawn(move || drop(pipe.write_all(input)));
            }
            let out = child.stdout.take().map(|mut out| {
                scope.spawn(move || {
                    let mut text = Vec::new();
                    let _ = out.read_to_end(&mut text);
                    text
                })
            });
            let errors = child.stderr.take().map(|errors| listen(errors, heard)).unwrap_or_default();
            let out = out.and_then(|reader| reader.join().ok()).unwrap_or_default();
            // Before it is waited for: its number is another's after that.
            drop(stops);
            let status = child.wait().map_err(|cause| not_started(&cause))?;
            if !status.success() {
                progress.go_on()?;
            }
            Ok(Said { status, out, errors })
        })
    }

    fn quietly(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Said> {
        self.run(&mut self.rclone(arguments), input, &ProgressSink::none(), &|_| {})
    }

    fn done(&self, doing: &str, said: Said) -> Result<Vec<u8>> {
        if said.status.success() { Ok(said.out) } else { Err(self.failed(doing, &said)) }
    }

    fn failed(&self, doing: &str, said: &Said) -> Error {
        let words = said.errors.join("\n").to_lowercase();
        let code = |wanted: &[&str]| wanted.iter().any(|word| words.contains(word));
        let message = format!("could not {doing} {}", self.remote);
        let mut error = if code(&["didn't find section in config file", "config file not found"]) {
            Error::new(Code::CopyAbsent, format!("rclone knows no remote of the name in {}", self.remote))
                .remedy("rclone config, then: drydock backup copies")
        } else if code(&[
            "no such host",
            "connection refused",
            "network is unreachable",
            "i/o timeout",
            "dial tcp",
            "timeout awaiting response headers",
            "client.timeout",
            "context deadline exceeded",
            "handshake timeout",
            "connection reset",
            "no route to host",
            "host is down",
            "name resolution",
            "server misbehaving",
        ]) {
            Error::new(Code::CopyAbsent, message)
                .remedy("nothing, if you are offline; the copy catches up by itself")
        } else if code(&[
            "no space",
            "remaining disk space",
            "disk full",
            "quota",
            "insufficient storage",
            "507",
        ]) {
            Error::new(Code::DiskFull, message).remedy(
                "free space there, or choose another: drydock settings set backup.cloud.remote REMOTE:FOLDER",
            )
        } else {
            Error::new(Code::CopyFailed, message).remedy(format!("rclone lsf {}", self.remote))
        };
        for line in &said.errors {
            error = error.why(line);
        }
        if said.errors.is_empty() {
            error = error.why(format!("rclone ended with {}", said.status));
        }
        error
    }

    fn list_of(names: &[String]) -> Result<tempfile::NamedTempFile> {
        let list = tempfile::NamedTempFile::new().context("make a file in", &std::env::temp_dir())?;
        fs::write(list.path(), names.join("\n")).context("write", list.path())?;
        Ok(list)
    }

    /// Copies exactly these files, whatever is there under their names.
    fn copy(
        &self,
        from: &OsStr,
        to: &OsStr,
        names: &[String],
        progress: &ProgressSink,
        what: &str,
    ) -> Result<()> {
        let list = Self::list_of(names)?;
        let mut command = self.rclone(&["copy"]);
        command.arg(from).arg(to).arg("--files-from-raw").arg(list.path());
        command.args(["--no-traverse", "--ignore-times", "--stats=1s", "--stats-log-level=NOTICE"]);
        let said = self.run(&mut command, None, progress, &|line| {
            if let Some(stats) = &line.stats {
                let total = Some(stats.total_bytes).filter(|total| *total > 0);
                progress.report(Progress::Bytes { what: what.to_owned(), done: stats.bytes, total });
            }
        })?;
        self.done("copy files of", said).map(drop)
    }

    fn check(&self, root: &Path, names: &[String], how: Option<&str>) -> Result<BTreeSet<String>> {
        if names.is_empty() {
            return Ok(BTreeSet::new());
        }
        let list = Self::list_of(names)?;
        let mut command = self.rclone(&["check"]);
        command.arg(root).arg(&self.remote).arg("--files-from-raw").arg(list.path());
        command.args(["--one-way", "--combined=-"]).args(how);
        let said = self.run(&mut command, None, &ProgressSink::none(), &|_| {})?;
        let told = String::from_utf8_lossy(&said.out);
        // Source: "=" the same, "-" only there, "+" only here, "*" different, "!" could not be compared.
        let differ = told
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(sign, _)| *sign != "=" && *sign != "-")
            .map(|(_, name)| name.to_owned())
            .collect::<BTreeSet<_>>();
        let compared = told.lines().count();
        if differ.is_empty() && (!said.status.success() || compared < names.len()) {
            return Err(self.failed("compare", &said));
        }
        Ok(differ)
    }
}

impl Place for Cloud {
    fn name(&self) -> String {
        self.remote.clone()
    }

    fn list(&self) -> Result<BTreeMap<String, u64>> {
        #[derive(Deserialize)]
        struct Item {
            #[serde(rename = "Path")]
            path: String,
            #[serde(rename = "Size")]
            size: i64,
        }
        let arguments =
            ["lsjson", "--recursive", "--files-only", "--no-modtime", "--no-mimetype", &self.remote];
        let said = self.quietly(&arguments, None)?;
        if said.status.code().is_some_and(|code| NOT_FOUND.contains(&code)) {
            return Ok(BTreeMap::new());
        }
        let items: Vec<Item> = serde_json::from_slice(&self.done("list", said)?).map_err(|cause| {
            Error::new(Code::CopyFailed, format!("rclone's list of {} was not understood", self.remote))
                .why(cause)
        })?;
        let has_left = items.iter().any(|item| item.path.starts_with(INCOMING));
        self.has_left.store(has_left, Ordering::Relaxed);
        let files = items.into_iter().filter(|item| is_repository_file(&item.path));
        Ok(files.map(|item| (item.path, u64::try_from(item.size).unwrap_or_default())).collect())
    }

    fn put(&self, root: &Path, names: &[String], progress: &ProgressSink) -> Result<()> {
        // What is damaged here must not go anywhere.
        if let Some(name) = misnamed(root, names, "reading what is to be copied", progress)?.first()
            && root.join(name).exists()
        {
            return Err(damaged_source(name));
        }
        self.put_whole(root, names, progress)
    }

    fn remove(&self, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let list = Self::list_of(names)?;
        let mut command = self.rclone(&["delete", &self.remote]);
        command.arg("--files-from-raw").arg(list.path());
        let said = self.run(&mut command, None, &ProgressSink::none(), &|_| {})?;
        self.done("remove files of", said).map(drop)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let said = self.quietly(&["cat", &self.path(name)], None)?;
        if said.status.code().is_some_and(|code| NOT_FOUND.contains(&code)) {
            return Ok(None);
        }
        let out = self.done("read", said)?;
        // Some remotes have no file and say so by giving nothing.
        Ok((!out.is_empty()).then_some(out))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let said = self.quietly(&["rcat", &self.path(name)], Some(content))?;
        self.done("write to", said).map(drop)
    }

    fn fetch(&self, names: &[String], to: &Path, progress: &ProgressSink) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        self.copy(OsStr::new(&self.remote), to.as_os_str(), names, progress, "fetching from the cloud copy")
    }

    fn damaged(&self, root: &Path, names: &[String], progress: &ProgressSink) -> Result<Vec<String>> {
        progress.report(Progress::Step("reading the cloud copy".to_owned()));
        let unsure: BTreeSet<_> =
            misnamed(root, names, "reading the local copy", progress)?.into_iter().collect();
        let sure: Vec<_> = names.iter().filter(|name| !unsure.contains(*name)).cloned().collect();
        let mut damaged = self.check(root, &sure, Some("--download"))?;
        if !unsure.is_empty() {
            // What is damaged or missing here cannot tell anything of the one there.
            let scratch = tempfile::tempdir().context("make a folder in", &std::env::temp_dir())?;
            let names: Vec<_> = unsure.into_iter().collect();
            self.fetch(&names, scratch.path(), progress)?;
            damaged.extend(misnamed(scratch.path(), &names, "reading what was fetched", progress)?);
        }
        Ok(damaged.into_iter().collect())
    }
}

fn not_started(cause: &io::Error) -> Error {
    if cause.kind() == io::ErrorKind::NotFound {
        return Error::new(Code::CopyAbsent, "the cloud copy needs the program rclone, and it is not here")
            .remedy(if cfg!(target_os = "macos") {
                "brew install rclone"
            } else {
                "apt-get install rclone"
            });
    }
    Error::new(Code::CopyFailed, "rclone could not be started").why(cause)
}

/// A line of rclone's log.
#[derive(Deserialize)]
struct LogLine {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
    stats: Option<Stats>,
}

#[derive(Deserialize)]
struct Stats {
    bytes: u64,
    #[serde(rename = "totalBytes")]
    total_bytes: u64,
}

/// Hears a log to its end; gives back its last errors.
fn listen(log: impl Read, heard: &dyn Fn(&LogLine)) -> Vec<String> {
    const KEPT: usize = 3;
    let mut errors = VecDeque::new();
    for line in BufReader::new(log).lines().map_while(io::Result::ok) {
        let text = match serde_json::from_str::<LogLine>(&line) {
            Ok(line) => {
                heard(&line);
                let is_error = ["error", "critical", "fatal"].contains(&line.level.as_str());
                is_error.then(|| line.msg.trim().to_owned())
            }
            Err(_) => Some(line.trim().to_owned()),
        };
        // rclone repeats itself with each try.
        if let Some(text) = text.filter(|text| !text.is_empty() && !errors.contains(text)) {
            errors.push_back(text);
            if errors.len() > KEPT {
                errors.pop_front();
            }
        }
    }
    errors.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_heard_for_its_errors_and_figures() {
        let log = concat!(
            r#"{"level":"notice","msg":"\nTransferred…","stats":{"bytes":5,"totalBytes":10}}"#,
            "\n",
            r#"{"level":"error","msg":"disk on fire"}"#,
            "\nplain words\n",
            r#"{"level":"error","msg":"disk on fire"}"#,
        );
        let seen = std::cell::RefCell::new(0);
        let errors = listen(log.as_bytes(), &|line| {
            *seen.borrow_mut() += line.stats.as_ref().map_or(0, |stats| stats.bytes);
        });
        assert_eq!(errors, ["disk on fire", "plain words"]);
        assert_eq!(seen.into_inner(), 5);
    }
}
