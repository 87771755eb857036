//! What the terminal runs: a script, since every terminal can run a file, and each has its own ways with arguments.

use drydock_engine::{
    error_handling::{IoContext, Result},
    paths::{Locations, write_private},
};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

/// A terminal has opened by then, or never will.
const OLD: Duration = Duration::from_secs(3600);

/// Writes the script. It removes itself when it begins, and keeps the window open when the command failed.
pub(super) fn write(locations: &Locations, command: &[String], ended: &str) -> Result<PathBuf> {
    let folder = locations.data_dir.join("launch");
    sweep(&folder);
    let stamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // The ending is what macOS opens in a terminal.
    let file = folder.join(format!("{}.command", stamp.as_nanos()));
    write_private(&file, text(command, ended).as_bytes())?;
    fs::set_permissions(&file, Permissions::from_mode(0o700)).context("make runnable", &file)?;
    Ok(file)
}

fn text(command: &[String], ended: &str) -> String {
    let command: Vec<_> = command.iter().map(|word| quoted(word)).collect();
    format!(
        "#!/bin/sh\nrm -f -- \"$0\"\n{}\nstatus=$?\n\
         if [ \"$status\" -ne 0 ]; then\n  printf '\\n%s ' {}\n  read -r _\nfi\nexit \"$status\"\n",
        command.join(" "),
        quoted(ended)
    )
}

/// One word of a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Removes scripts that no terminal ever ran.
fn sweep(folder: &std::path::Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let written = entry.metadata().and_then(|data| data.modified()).ok();
        if written.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > OLD) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_script_runs_the_command_as_it_is_and_removes_itself() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let odd = "it's $(odd) \"name\"; `x`";
        let command = ["printf".to_owned(), "<%s>".to_owned(), odd.to_owned()];
        let script = write(&locations, &command, "ended").unwrap();
        let done = Command::new(&script).stdin(Stdio::null()).output().unwrap();
        assert_eq!(String::from_utf8(done.stdout).unwrap(), format!("<{odd}>"));
        assert!(done.status.success() && !script.exists());
    }

    #[test]
    fn a_failure_stays_on_the_screen_and_its_code_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let script = write(&locations, &["sh".into(), "-c".into(), "exit 3".into()], "don't go").unwrap();
        let done = Command::new(&script).stdin(Stdio::null()).output().unwrap();
        assert!(String::from_utf8(done.stdout).unwrap().contains("don't go"));
        assert_eq!(done.status.code(), Some(3));
    }
}
