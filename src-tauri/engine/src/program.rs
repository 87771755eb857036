//! Other programs that Drydock runs on this computer. They get no key of the user's environment; what they
//! are told goes in by their standard input, and none is waited for without an end.

use crate::{claude_home::KEY_VARIABLES, keychain::Sensitive};
use std::{
    env,
    ffi::OsStr,
    io::{self, Read, Write},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// A program that is none of those whom the keys of the user's environment are for.
pub(crate) fn without_keys(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in KEY_VARIABLES {
        command.env_remove(name);
    }
    command
}

/// Where a program is, also for an app that was started at login and has a short `PATH`.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    const ELSEWHERE: &[&str] = if cfg!(target_os = "macos") {
        // Homebrew's on Apple silicon and on Intel, and MacPorts'.
        &["/opt/homebrew/bin", "/usr/local/bin", "/opt/local/bin"]
    } else {
        &[]
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(ELSEWHERE.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// What a program said.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: Sensitive<Vec<u8>>,
}

/// Runs a program to its end; `None`, and the program is killed, when it has not ended by then. Blocking.
pub(crate) fn ask(
    command: &mut Command,
    input: Option<&Sensitive<Vec<u8>>>,
    patience: Duration,
) -> io::Result<Option<Said>> {
    /// A child of the program's may keep its output open.
    const AFTERWARDS: Duration = Duration::from_secs(2);
    const BETWEEN: Duration = Duration::from_millis(5);
    let mut child = command
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // A program that has ended already takes nothing, and its exit code says why.
        let _ = pipe.write_all(input.reveal());
    }
    let (told, read) = mpsc::channel();
    if let Some(mut out) = child.stdout.take() {
        thread::spawn(move || {
            let mut text = Vec::new();
            let _ = out.read_to_end(&mut text);
            let _ = told.send(text);
        });
    }
    let deadline = Instant::now() + patience;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() < deadline => thread::sleep(BETWEEN),
            None => {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
        }
    };
    Ok(Some(Said { status, out: Sensitive::new(read.recv_timeout(AFTERWARDS).unwrap_or_default()) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_heard_and_not_waited_for_for_ever() {
        let mut cat = Command::new("cat");
        let said = ask(&mut cat, Some(&Sensitive::new(b"FAKE".to_vec())), Duration::from_secs(20)).unwrap();
        let said = said.unwrap();
        assert!(said.status.success() && said.out.reveal() == b"FAKE");
        let mut forever = Command::new("sleep");
        assert!(ask(forever.arg("60"), None, Duration::from_millis(100)).unwrap().is_none());
        assert!(ask(&mut Command::new("/no/such/program"), None, Duration::from_secs(1)).is_err());
    }
}
