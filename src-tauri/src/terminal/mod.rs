//! Opening the user's terminal with `drydock` in it.

mod kinds;
mod script;

use crate::messages::Words;
use drydock_engine::{
    Drydock,
    error_handling::{Code, Error, Result},
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub(crate) use kinds::names;

/// What `drydock` does in the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inside {
    /// A session is launched in this project.
    Run(PathBuf),
    /// This session is joined.
    Attach(String),
}

/// Opens the terminal that `session.terminal` names. Blocking.
///
/// # Errors
/// [`Code::TerminalNone`] when there is none, or it cannot be started.
pub(crate) fn open(
    drydock: &Drydock,
    given_home: Option<&Path>,
    inside: &Inside,
    words: &Words,
) -> Result<()> {
    let mut command = vec![program()?.display().to_string()];
    if let Some(home) = given_home {
        command.extend(["--home".to_owned(), home.display().to_string()]);
    }
    match inside {
        Inside::Run(project) => command.extend(["run".to_owned(), project.display().to_string()]),
        Inside::Attach(session) => command.extend(["attach".to_owned(), session.clone()]),
    }
    let script = script::write(&drydock.locations, &command, words.say("terminal.ended"))?;
    let argv = kinds::argv(drydock.settings.terminal(), &script)?;
    let (name, arguments) = argv.split_first().ok_or_else(|| none("its command is empty"))?;
    let mut child = Command::new(name)
        .args(arguments)
        .current_dir(&drydock.locations.home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|cause| none(format!("{name}: {cause}")))?;
    // It ends with its window; nobody waits for it but who has to remove it from the list of processes.
    std::thread::spawn(move || child.wait());
    Ok(())
}

fn none(why: impl std::fmt::Display) -> Error {
    Error::new(Code::TerminalNone, "no terminal could be opened")
        .why(why)
        .remedy(format!(
            "drydock settings set session.terminal NAME   ({}, or a command)",
            names().join(", ")
        ))
        .remedy("or in a terminal of your own: drydock run PROJECT")
}

/// The command line's program: in the bundle beside this one, else the one on the path.
fn program() -> Result<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("drydock")));
    beside.filter(|program| program.is_file()).or_else(|| kinds::on_path("drydock")).ok_or_else(|| {
        Error::new(Code::TerminalNone, "the program `drydock` is not there")
            .why("it is neither beside the app nor on the path")
            .remedy("install Drydock again")
    })
}
